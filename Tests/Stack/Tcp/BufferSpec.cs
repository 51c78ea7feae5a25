using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Buffers that grow with what path and application make of them, and the memory of all connections together.</summary>
public class BufferSpec
{
    private const int Initial = 64 << 10;
    private const int Largest = 2 << 20;

    private static readonly TcpOptions Growing = new() { ReceiveBuffer = Initial, SendBuffer = Initial, MaxReceiveBuffer = Largest, MaxSendBuffer = Largest };

    /// <summary>100 Mbit/s and 40 ms: 500 KB are in flight when the path is full.</summary>
    private static readonly Impairments LongPath = new() { Latency = TimeSpan.FromMilliseconds(20), Bandwidth = 100e6, QueueLimit = 400 };

    private static (SimWorld World, double Rate, long LargestWindow) Transfer(TcpOptions left, TcpOptions right, TcpSocketOptions accepted = default)
    {
        var world = new SimWorld(5, LongPath, left, right);
        var transfer = new SimTransfer(world, accepted);
        transfer.Start();
        transfer.Run(TimeSpan.FromSeconds(3));
        var rate = transfer.Measure(TimeSpan.FromSeconds(2))[0];
        var window = transfer.Senders[0].Info.SendWindow;
        transfer.End();
        Assert.Equal(0, world.Left.Tcp.MemoryHeld);
        Assert.Equal(0, world.Right.Tcp.MemoryHeld);
        return (world, rate, window);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Both_buffers_grow_until_the_path_is_full(bool timestamps)
    {
        var options = Growing with { Timestamps = timestamps };
        var (_, rate, window) = Transfer(options, options);
        Assert.True(rate > 0.85 * LongPath.Bandwidth, $"{rate} bit/s");
        Assert.InRange(window, 500_000, Largest);
    }

    [Fact]
    public void The_receive_window_does_not_grow_beyond_its_largest_size()
    {
        var (_, _, window) = Transfer(Growing, Growing with { MaxReceiveBuffer = 200_000 });
        Assert.InRange(window, 100_000, 200_000);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(Initial / 2)]
    public void A_receive_buffer_that_may_not_grow_does_not(int most)
    {
        var (_, rate, window) = Transfer(Growing, Growing with { MaxReceiveBuffer = most });
        Assert.InRange(window, 1, Initial);
        Assert.True(rate < 1.1 * Initial * 8 / 0.04, $"{rate} bit/s");
    }

    [Fact]
    public void A_receive_buffer_whose_size_the_application_has_named_stays()
    {
        var (_, _, window) = Transfer(Growing, Growing, new TcpSocketOptions { ReceiveBuffer = 100_000 });
        Assert.InRange(window, 1, 100_000);
    }

    [Fact]
    public void A_send_buffer_that_may_not_grow_bounds_what_is_in_flight()
    {
        var (_, rate, _) = Transfer(Growing with { MaxSendBuffer = 0 }, Growing);
        Assert.True(rate < 1.1 * Initial * 8 / 0.04, $"{rate} bit/s");
    }

    /// <summary>The reader takes 4000 bytes in each round trip of 10 ms: nothing is won by a larger window.</summary>
    [Fact]
    public void A_slow_reader_does_not_get_a_larger_window()
    {
        var path = new Impairments { Latency = TimeSpan.FromMilliseconds(5), Bandwidth = 100e6 };
        var world = new SimWorld(5, path, Growing, Growing);
        world.Listen();
        var sender = world.Connect();
        TcpSocket? receiver = null;
        var lent = 0;
        for (var i = 0; i < 300; i++)
        {
            world.Run(TimeSpan.FromMilliseconds(10), host =>
            {
                while (host.Events.TryDequeue(out var socket, out _))
                {
                    if (socket is TcpListener listener)
                        receiver ??= listener.Accept();
                }

                Fill(world, sender);
            });
            if (receiver is null)
                continue;
            PacketBuffer.ReleaseChain(receiver.Read(out var bytes, out _));
            lent += bytes;
            var taken = Math.Min(lent, 4000);
            receiver.Consumed(taken, world.Now);
            lent -= taken;
        }

        Assert.InRange(lent, Initial / 2, Initial);
        Assert.InRange(receiver!.Info.ReceiveWindow + lent, 1, Initial);
        sender.Abort(world.Now);
        receiver.Abort(world.Now);
        world.AssertNoLeak();
    }

    private static void Fill(SimWorld world, TcpSocket sender)
    {
        sender.TakeAcknowledged();
        while (sender.State == TcpState.Established && sender.SendRoom >= 16384)
        {
            var buffer = world.Pool.Rent(16384);
            buffer.Append(16384);
            if (sender.Write(buffer, world.Now) != StackError.None)
                return;
        }
    }

    [Fact]
    public void What_the_send_buffer_grows_by_is_the_writers_to_use()
    {
        var script = new TcpScript
        {
            Options = Growing with { Timestamps = false, SendBuffer = 20_000, MaxSendBuffer = 60_000, CongestionControl = CongestionAlgorithm.NewReno },
        }.Run(TcpScript.Accepted + """
            +0 write 20000
            +0 forget
            +20ms < . 1:1(0) ack 14601 win 65535
            +0 writable
            +0 forget
            """);
        // Twice the congestion window of 14600, which grows after that; 5400 bytes are not acknowledged.
        script.Socket.TakeAcknowledged();
        Assert.Equal(29_200 - 5400, script.Socket.SendRoom);
        script.AssertNoLeak();
    }

    // Memory

    private static readonly TcpOptions Scarce = new()
    {
        Timestamps = false,
        CongestionControl = CongestionAlgorithm.NewReno,
        Memory = 64 << 10,
        ReceiveBuffer = 1 << 20,
    };

    /// <summary>As much as the specs write; what is not named would be a share of the memory.</summary>
    private static readonly TcpSocketOptions Named = new() { SendBuffer = 128 << 10 };

    /// <summary>A buffer of 16 KiB is held after the acknowledgement: a quarter of 64 KiB.</summary>
    [Theory]
    [InlineData(64 << 10, 16_000)]
    [InlineData(1 << 20, 29_200)]
    public void A_send_buffer_does_not_grow_where_a_quarter_of_all_memory_is_held(long memory, int expected)
    {
        var script = new TcpScript
        {
            Options = Growing with
            {
                Timestamps = false, SendBuffer = 16_000, MaxSendBuffer = 60_000, CongestionControl = CongestionAlgorithm.NewReno, Memory = memory,
            },
        }.Run(TcpScript.Accepted + """
            +0 write 16000
            +0 forget
            +20ms < . 1:1(0) ack 1461 win 65535
            +0 forget
            """);
        Assert.Equal(expected, script.Socket.SendBuffer);
        script.AssertNoLeak();
    }

    /// <summary>50 of 64 KiB are held: what was announced stays announced, and no more is until they are acknowledged.</summary>
    [Fact]
    public void Under_pressure_the_window_does_not_open_and_does_again_after_it()
    {
        var script = new TcpScript { Options = Scarce, SocketOptions = Named }.Run(TcpScript.Accepted + """
            +0 write 16384
            +0 write 16384
            +0 write 16384
            +0 write 848
            +0 forget
            +0 < P. 1:1461(1460) ack 1 win 65535
            +0 > . 14601:14601(0) ack 1461 win 64075
            +0 counter TcpExtTCPMemoryPressures 1
            +0 read 1460
            +0 < P. 1461:2921(1460) ack 1 win 65535
            +0 > . 14601:14601(0) ack 2921 win 62615
            +0 read 1460
            +10ms < . 2921:2921(0) ack 14601 win 65535
            +0 forget
            +10ms forget
            +0 < . 2921:2921(0) ack 43801 win 65535
            +0 forget
            +10ms forget
            +0 < . 2921:2921(0) ack 50001 win 65535
            +0 < P. 2921:4381(1460) ack 50001 win 65535
            +40ms > . 50001:50001(0) ack 4381 win 65535
            +0 read 1460
            """);
        Assert.Equal(0, script.Host.Tcp.MemoryHeld);
        script.AssertNoLeak();
    }

    [Fact]
    public void Without_memory_nobody_connects_and_nobody_is_answered()
    {
        var script = new TcpScript { Options = Scarce, SocketOptions = Named }.Run(TcpScript.Accepted + """
            +0 write 33000
            +0 write 33000
            +0 forget
            +0 peer 50001
            +0 < S 0:0(0) win 65535 <mss 1460>
            +0 counter TcpExtListenDrops 1
            +0 counter TcpMemoryRefused 1
            """);
        var remote = new IpEndpoint(IpAddress.Parse("192.0.2.2"), 80);
        Assert.Equal(StackError.NoBufferSpace, script.Host.Tcp.Connect(remote, default, default, Instant.FromMilliseconds(20_000_000), out _));
    }

    /// <summary>66000 bytes wait to be acknowledged: what comes is taken as long as there are fewer than four segments, and then not acknowledged.</summary>
    [Fact]
    public void Without_memory_what_comes_is_refused_and_taken_when_it_comes_again()
    {
        var script = new TcpScript { Options = Scarce, SocketOptions = Named }.Run(TcpScript.Accepted + """
            +0 write 33000
            +0 write 33000
            +0 forget
            +0 < . 1:1461(1460) ack 1 win 65535
            +0 < . 1461:2921(1460) ack 1 win 65535
            +0 < . 2921:4381(1460) ack 1 win 65535
            +0 < . 4381:5841(1460) ack 1 win 65535
            +1ms forget
            +0 < . 5841:7301(1460) ack 1 win 65535
            +0 > . 14601:14601(0) ack 5841
            +0 counter TcpExtTCPRcvQDrop 1
            +0 read 5840
            +0 forget
            +0 < . 5841:7301(1460) ack 1 win 65535
            +0 forget
            +0 read 1460
            +0 counter TcpExtTCPRcvQDrop 1
            """);
        script.AssertNoLeak();
        Assert.Equal(0, script.Host.Tcp.MemoryHeld);
    }

    [Fact]
    public void Without_memory_what_came_ahead_of_a_gap_goes_first()
    {
        var script = new TcpScript { Options = Scarce, SocketOptions = Named }.Run(TcpScript.AcceptedWithSack + """
            +0 < . 2921:4381(1460) ack 1 win 65535
            +0 > . 1:1(0) ack 1
            +0 < . 4381:5841(1460) ack 1 win 65535
            +0 > . 1:1(0) ack 1
            +0 < . 5841:7301(1460) ack 1 win 65535
            +0 > . 1:1(0) ack 1
            +0 < . 7301:8761(1460) ack 1 win 65535
            +0 > . 1:1(0) ack 1
            +0 write 33000
            +0 write 33000
            +0 forget
            +0 < . 8761:10221(1460) ack 1 win 65535
            +0 forget
            +0 < . 1:1461(1460) ack 1 win 65535
            +0 forget
            +0 read 1460
            """);
        Assert.True(script.Host.Counters.TcpExtOfoPruned > 0);
        script.AssertNoLeak();
        Assert.Equal(0, script.Host.Tcp.MemoryHeld);
    }

    /// <summary>Twelve flows in the memory of few, over a path that loses: everything arrives, and in the end nothing is held.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Many_flows_share_little_memory_and_all_get_on(int seed)
    {
        var path = new Impairments { Latency = TimeSpan.FromMilliseconds(5), Bandwidth = 50e6, QueueLimit = 50, Loss = 0.01, Reorder = 0.01 };
        var options = Growing with { Memory = 4 << 20 };
        var world = new SimWorld(seed, path, options, options);
        var transfer = new SimTransfer(world);
        for (var i = 0; i < 12; i++)
        {
            transfer.Start();
            transfer.Run(TimeSpan.FromMilliseconds(20));
        }

        transfer.Run(TimeSpan.FromSeconds(10));
        Assert.All(transfer.Received, bytes => Assert.True(bytes > 500_000, $"{bytes} bytes"));
        Assert.InRange(world.Left.Tcp.MemoryHeld, 1, 4 << 20);
        transfer.End();
        Assert.Equal(0, world.Left.Tcp.MemoryHeld);
        Assert.Equal(0, world.Right.Tcp.MemoryHeld);
    }
}
