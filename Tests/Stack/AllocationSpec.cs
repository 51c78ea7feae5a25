using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack;

/// <summary>In steady state a packet costs no memory but that of the pool.</summary>
public sealed class AllocationSpec
{
    private const int Packets = 10_000;

    private readonly BufferPool _pool = new();
    private readonly StackHarness _h;
    private readonly UdpSocket _socket;

    public AllocationSpec()
    {
        _h = new StackHarness(pool: _pool);
        _h.TeachPeer();
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(new IpEndpoint(default, 53), new(), out var socket));
        _socket = socket!;
    }

    [Fact]
    public void Echo_requests_are_answered_without_allocating()
    {
        var request = Build.Icmp(Icmpv4Header.EchoRequest(1, 1), new byte[1400]);
        AllocatesNothing(() =>
        {
            Receive(request);
            Assert.True(Discard() == 1);
        });
    }

    [Fact]
    public void Datagrams_are_received_without_allocating()
    {
        var datagram = Build.Udp(4000, 53, new byte[1000]);
        AllocatesNothing(() =>
        {
            Receive(datagram);
            Assert.True(_h.Stack.TryDequeueEvent(out _, out _));
            Assert.True(_socket.TryReceive(out var payload, out _));
            payload.Release();
        });
    }

    [Fact]
    public void Datagrams_are_sent_without_allocating()
    {
        var to = new IpEndpoint(StackHarness.PeerIp, 4000);
        AllocatesNothing(() =>
        {
            var payload = _pool.Rent(1000, BufferPool.HeaderRoom);
            payload.Append(1000).Clear();
            Assert.True(_socket.Send(payload, to, _h.Now) == StackError.None);
            Assert.True(Discard() == 1);
        });
    }

    [Fact]
    public void Datagrams_to_ourselves_cost_no_allocation()
    {
        var to = new IpEndpoint(StackHarness.OwnIp, 53);
        AllocatesNothing(() =>
        {
            var payload = _pool.Rent(1000, BufferPool.HeaderRoom);
            payload.Append(1000).Clear();
            Assert.True(_socket.Send(payload, to, _h.Now) == StackError.None);
            _h.Stack.Poll(_h.Now);
            Assert.True(_h.Stack.TryDequeueEvent(out _, out _));
            Assert.True(_socket.TryReceive(out var received, out _));
            received.Release();
        });
    }

    [Fact]
    public void Garbage_is_dropped_without_allocating()
    {
        var random = new Random(1);
        var frames = Enumerable.Range(0, 100).Select(_ =>
        {
            var frame = Build.Udp(4000, 53, new byte[100]);
            random.NextBytes(frame.AsSpan(random.Next(14, frame.Length)));
            return frame;
        }).ToArray();
        var next = 0;
        AllocatesNothing(() =>
        {
            Receive(frames[next++ % frames.Length]);
            Discard();
            while (_socket.TryReceive(out var payload, out _))
                payload.Release();
        });
    }

    [Fact]
    public void Pings_are_sent_and_matched_without_allocating()
    {
        Assert.Equal(StackError.None, _h.Stack.Icmp.Open(out var ping));
        var payload = new byte[56];
        ushort sequence = 0;
        AllocatesNothing(() =>
        {
            Assert.True(ping!.Send(StackHarness.OwnIp, sequence++, payload, _h.Now) == StackError.None);
            _h.Stack.Poll(_h.Now);
            Assert.True(_h.Stack.TryDequeueEvent(out _, out _));
            Assert.True(ping.TryReceive(out _));
        });
    }

    private static void AllocatesNothing(Action packet)
    {
        for (var i = 0; i < 3000; i++)
            packet();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < Packets; i++)
            packet();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private void Receive(byte[] frame)
    {
        var buffer = _pool.Rent(frame.Length);
        frame.CopyTo(buffer.Append(frame.Length));
        _h.Stack.Receive(buffer, _h.Now);
    }

    private int Discard()
    {
        var count = 0;
        while (_h.Stack.TryDequeueFrame(out var frame))
        {
            frame.Release();
            count++;
        }

        return count;
    }
}
