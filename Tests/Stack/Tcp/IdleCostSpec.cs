using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>What an idle connection costs. Allocations are exact numbers, so these specs do not depend on the machine's load.</summary>
public sealed class IdleCostSpec
{
    /// <summary>Connections made before anything is counted: tables and pools have grown, and grow no more for as many again.</summary>
    private const int Before = 300;
    private const int Counted = 100;

    private readonly BufferPool _pool = new();
    private readonly NetworkStack _client;
    private readonly NetworkStack _server;
    private readonly List<TcpSocket> _sockets = new(Before + Counted);
    private readonly List<TcpSocket> _served = new(Before + Counted);
    private Instant _now = Instant.FromMilliseconds(1);
    private int _echoed;

    public IdleCostSpec()
    {
        _client = Make(1);
        _server = Make(2);
        Assert.Equal(StackError.None, _server.Tcp.Listen(new IpEndpoint(default, 7), Before, new TcpSocketOptions { NoDelay = true }, out _));
        for (var i = 0; i < Before; i++)
            Open();
        EchoAll();
    }

    private static IpAddress Client { get; } = IpAddress.Parse("10.0.0.1");

    private static IpAddress Server { get; } = IpAddress.Parse("10.0.0.2");

    [Fact]
    public void Two_ends_of_a_connection_take_less_than_1620_bytes_and_what_the_handshake_has_used()
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < Counted; i++)
            Open();
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / Counted, 500, 1620);
    }

    [Fact]
    public void A_request_and_its_answer_on_idle_connections_leave_nothing_behind()
    {
        for (var i = 0; i < Counted; i++)
            Open();
        Assert.Equal(0, Allocated.Least(EchoAll));
        Assert.Equal(0, _pool.Rented);
        Assert.Equal(Instant.Never, _server.PollAt);
    }

    [Fact]
    public void An_idle_connection_begins_to_send_with_its_initial_window()
    {
        var window = _served[0].Info.CongestionWindow;
        Assert.InRange(window, 10 * 1000, 10 * 1460);
        EchoAll();
        Assert.Equal(window, _served[0].Info.CongestionWindow);
        Assert.Equal(long.MaxValue, _served[0].Info.SlowStartThreshold);
    }

    [Fact]
    public void What_bulk_has_taught_a_connection_outlives_the_idle_time()
    {
        var socket = _served[0];
        var initial = socket.Info.CongestionWindow;
        for (var i = 0; i < 20; i++)
        {
            Write(socket, 60_000);
            Settle();
        }

        var learnt = socket.Info.CongestionWindow;
        Assert.True(learnt > initial, $"The window is {learnt} as at the beginning.");
        _now += TimeSpan.FromMilliseconds(10);
        EchoAll();
        Assert.InRange(socket.Info.CongestionWindow, learnt, long.MaxValue);
    }

    private NetworkStack Make(byte host)
    {
        var secret = new byte[32];
        secret.AsSpan().Fill(host);
        var stack = new NetworkStack(new StackOptions { Interfaces = [new() { Medium = Medium.Ip }] }, _pool, secret);
        Assert.Equal(StackError.None, stack.AddAddress(new IpPrefix(host == 1 ? Client : Server, 24), _now));
        return stack;
    }

    private void Open()
    {
        if (_client.Tcp.Connect(new IpEndpoint(Server, 7), new IpEndpoint(Client, (ushort)(10_000 + _sockets.Count)), new TcpSocketOptions { NoDelay = true }, _now, out var socket) != StackError.None)
            Assert.Fail("A connection is refused.");
        _sockets.Add(socket!);
        Settle();
        if (socket!.State != TcpState.Established)
            Assert.Fail($"A connection is {socket.State}.");
    }

    private void EchoAll()
    {
        foreach (var socket in _sockets)
        {
            var expected = _echoed + 1;
            Write(socket, 1);
            Settle();
            if (_echoed != expected)
                Assert.Fail("No echo.");
        }
    }

    private void Write(TcpSocket socket, int bytes)
    {
        var data = _pool.Rent(bytes, BufferPool.HeaderRoom);
        data.Append(bytes).Clear();
        if (socket.Write(data, _now) != StackError.None)
            Assert.Fail("A connection does not take data.");
    }

    /// <summary>Until nothing is left to do but what a timer brings within a delayed acknowledgement's time.</summary>
    private void Settle()
    {
        while (true)
        {
            var next = Instant.Min(_client.PollAt, _server.PollAt);
            if (next > _now)
            {
                if (next == Instant.Never || next > _now + TimeSpan.FromMilliseconds(100))
                    return;
                _now = next;
            }

            Poll(_client, _server);
            Poll(_server, _client);
            TakeEvents(_client, echoes: false);
            TakeEvents(_server, echoes: true);
        }
    }

    private void Poll(NetworkStack from, NetworkStack to)
    {
        from.Poll(_now);
        while (from.TryDequeueFrame(out var frame))
            to.Receive(frame, _now);
    }

    private void TakeEvents(NetworkStack stack, bool echoes)
    {
        while (stack.TryDequeueEvent(out var source, out var events))
        {
            if (source is TcpListener listener)
            {
                while (listener.Accept() is { } accepted)
                    _served.Add(accepted);
            }
            else if (source is TcpSocket socket && (events & SocketEvents.Readable) != 0)
            {
                var chain = socket.Read(out var bytes, out _);
                PacketBuffer.ReleaseChain(chain);
                socket.Consumed(bytes, _now);
                if (echoes)
                    Write(socket, bytes);
                else
                    _echoed += bytes;
            }
        }
    }
}
