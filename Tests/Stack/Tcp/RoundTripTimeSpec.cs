using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

public sealed class RoundTripTimeSpec
{
    [Fact]
    public void What_takes_longer_than_a_segment_can_live_is_no_round_trip()
    {
        var time = default(RoundTripTime);
        time.Sample(RoundTripTime.Longest + TimeSpan.FromTicks(1));
        Assert.False(time.IsMeasured);
        time.Sample(TimeSpan.FromMilliseconds(10));
        time.Sample(TimeSpan.FromHours(10));
        Assert.Equal(TimeSpan.FromMilliseconds(10), time.Smoothed);
        time.Sample(RoundTripTime.Longest);
        Assert.True(time.Smoothed > TimeSpan.FromSeconds(10));
    }

    /// <summary>The process is stopped with data in flight: when it goes on, the acknowledgement is read before the timer is looked at.</summary>
    [Fact]
    public void A_connection_goes_on_at_its_pace_after_the_process_was_stopped_for_hours()
    {
        var pool = new DiagnosingBufferPool();
        var stacks = new[] { 1, 2 }.Select(host =>
        {
            var stack = new NetworkStack(StackPair.RawIp(host), pool, Enumerable.Repeat((byte)host, 32).ToArray());
            stack.AddAddress(new IpPrefix(IpAddress.FromV4(0x0A000000u + (uint)host), 24), Instant.Zero);
            return stack;
        }).ToArray();
        var now = Instant.FromMilliseconds(1);
        stacks[1].Tcp.Listen(new IpEndpoint(default, 80), 1, default, out var listener);
        stacks[0].Tcp.Connect(new IpEndpoint(StackPair.AddressB, 80), default(IpEndpoint), default, now, out var socket);
        TcpSocket? accepted = null;
        for (var i = 0; i < 4; i++)
            Exchange();
        accepted = listener!.Accept();
        Write();
        Poll(0);
        Carry(0);
        Poll(1);
        now += TimeSpan.FromHours(10);
        Carry(1);
        Assert.Equal(0, socket!.Info.BytesInFlight);
        Assert.InRange(socket.Info.RoundTrip, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        for (var left = 1 << 20; left > 0; left -= 4096)
        {
            Write();
            Exchange();
        }

        foreach (var stack in stacks)
        {
            stack.Close(now);
            while (stack.TryDequeueFrame(out var frame))
                frame.Release();
        }

        pool.AssertAllReturned();

        void Write()
        {
            var data = pool.RentFilled(4096);
            data.Span.Clear();
            Assert.Equal(StackError.None, socket!.Write(data, now));
        }

        // Both directions, 1 ms; what is written is there by then.
        void Exchange()
        {
            for (var i = 0; i < 3; i++)
            {
                Poll(0);
                Carry(0);
                Poll(1);
                Carry(1);
                now += TimeSpan.FromMilliseconds(1);
            }

            if (accepted is null)
                return;
            var chain = accepted.Read(out var bytes, out _);
            Tapwire.Stack.Buffers.PacketBuffer.ReleaseChain(chain);
            accepted.Consumed(bytes, now);
        }

        void Poll(int from) => stacks[from].Poll(now);

        void Carry(int from)
        {
            while (stacks[from].TryDequeueFrame(out var frame))
                stacks[1 - from].Receive(frame, now);
        }
    }
}
