using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Long runs: how fast losses are repaired, and that nothing grows.</summary>
public class EnduranceSpec
{
    /// <summary>Seconds of virtual time that a megabyte may take with 5 ms each way. Without SACK, time-outs weigh more.</summary>
    [Theory]
    [InlineData(0, true, 0.2)]
    [InlineData(0.001, true, 0.6)]
    [InlineData(0.01, true, 1.5)]
    [InlineData(0.02, true, 3)]
    [InlineData(0.02, false, 3.5)]
    [InlineData(0.05, true, 8)]
    [InlineData(0.05, false, 8)]
    public void Losses_cost_time_in_proportion(double loss, bool sack, double limit)
    {
        const int Runs = 5;
        var total = TimeSpan.Zero;
        for (var seed = 1; seed <= Runs; seed++)
        {
            var random = new Random(seed);
            var options = new TcpOptions { SelectiveAck = sack };
            var world = new SimWorld(seed, new Impairments { Latency = TimeSpan.FromMilliseconds(5), Loss = loss }, options, options);
            total += Transfer(world, random, 1_000_000);
        }

        Assert.True(total / Runs < TimeSpan.FromSeconds(limit), $"{total / Runs} on average for a megabyte");
    }

    [Fact]
    public void A_bottleneck_with_a_small_queue_is_used_well()
    {
        var world = new SimWorld(1, new Impairments { Latency = TimeSpan.FromMilliseconds(10), Bandwidth = 20e6, QueueLimit = 40 });
        var time = Transfer(world, new Random(1), 5_000_000);
        // 5 MB at 20 Mbit/s take 2 s.
        Assert.True(time < TimeSpan.FromSeconds(3.2), $"{time}");
        // What is lost at the very end has nothing behind it that would show it.
        Assert.InRange(world.Left.Counters.TcpExtTCPTimeouts, 0, 1);
    }

    [Fact]
    public void Ten_thousand_connections_one_after_another_leave_nothing()
    {
        var world = new SimWorld(1, new Impairments { Latency = TimeSpan.FromMilliseconds(1) });
        world.Listen();
        for (var i = 0; i < 10_000; i++)
        {
            var client = world.Connect();
            TcpSocket? server = null;
            world.Run(TimeSpan.FromMilliseconds(4), host =>
            {
                while (host.Events.TryDequeue(out var socket, out _))
                {
                    if (socket is TcpListener listener)
                        server = listener.Accept();
                }
            });
            Assert.NotNull(server);
            (i % 2 == 0 ? client : server).Close(world.Now);
            world.Run(TimeSpan.FromMilliseconds(4), Drain);
            (i % 2 == 0 ? server : client).Close(world.Now);
            world.Run(TimeSpan.FromMilliseconds(4), Drain);
            Assert.Equal((StackError.None, StackError.None), (client.Error, server.Error));
            Assert.Equal((0, 0), (world.Left.Tcp.Count, world.Right.Tcp.Count));
        }

        Assert.True(world.Left.Tcp.TimeWaitCount > 1000);
        world.Run(TimeSpan.FromSeconds(61), Drain);
        Assert.Equal((0, 0), (world.Left.Tcp.TimeWaitCount, world.Right.Tcp.TimeWaitCount));
        Assert.Equal(0, world.Left.Timers.Count + world.Right.Timers.Count);
        world.AssertNoLeak();
    }

    [Fact]
    public void Sequence_numbers_may_go_round()
    {
        var pool = new PoisoningBufferPool();
        var left = new SimHost(SimWorld.LeftAddress, pool, 1) { SuperFrame = 65535 };
        var right = new SimHost(SimWorld.RightAddress, pool, 2);
        var now = Instant.FromMilliseconds(1);
        right.Tcp.Listen(new IpEndpoint(right.Address, 80), 1, default, out var listener);
        left.Tcp.Connect(new IpEndpoint(right.Address, 80), default(IpEndpoint), default, now, out var client);
        Exchange(left, right, ref now);
        var server = listener!.Accept()!;
        long received = 0;
        // One byte first: what is remembered of it must not come to lie ahead when 2 GiB have gone by.
        foreach (var (count, size) in new[] { (1, 1), (36_000, 65_000), (3, 100) })
        {
            var expected = received + (long)count * size;
            for (var i = 0; i < count || received < expected;)
            {
                for (; i < count && client!.SendRoom >= size; i++)
                {
                    var buffer = pool.Rent(size);
                    buffer.Append(size);
                    Assert.Equal(StackError.None, client.Write(buffer, now));
                }

                Exchange(left, right, ref now);
                Exchange(right, left, ref now);
                PacketBuffer.ReleaseChain(server.Read(out var bytes, out _));
                server.Consumed(bytes, now);
                received += bytes;
            }
        }

        Assert.Equal(0, left.Counters.TcpRetransSegs);
        client!.Abort(now);
        server.Abort(now);
        left.Discard();
        right.Discard();
        pool.AssertAllReturned();
    }

    /// <summary>Lets one host and then the other send, and the time go on to the next deadline if there is nothing.</summary>
    private static void Exchange(SimHost from, SimHost to, ref Instant now)
    {
        for (var (host, peer) = (from, to); ; (host, peer) = (peer, host))
        {
            host.Poll(now);
            Drain(host);
            if (host.Waiting == 0 && peer.PollAt > now)
                break;
            while (host.TryDequeue(out var packet, out var info))
            {
                var copy = host.Pool.Rent(packet.TotalLength);
                packet.CopyTo(copy.Append(packet.TotalLength));
                packet.Release();
                copy.Offload.Checksum = ChecksumState.Verified;
                peer.Tcp.Receive(copy, new IpReceiveInfo(info.Source, info.Destination, 64, 0, false), now);
            }
        }

        now += TimeSpan.FromMilliseconds(1);
    }

    private static void Drain(SimHost host)
    {
        while (host.Events.TryDequeue(out _, out _))
        {
        }
    }

    private static TimeSpan Transfer(SimWorld world, Random random, long bytes)
    {
        world.Listen();
        SimStream? server = null;
        world.OnAccept = socket => server = new SimStream(world.Right, socket, random, 0, bytes, 2, 1);
        var client = world.Add(new SimStream(world.Left, world.Connect(), random, bytes, 0, 1, 2) { MaxWrite = 60_000 });
        var start = world.Now;
        world.RunUntil(() => client.Finished && server is { Finished: true }, TimeSpan.FromHours(1));
        return world.Now - start;
    }
}
