using Tapwire.Tests.Support;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Tcp;
using Xunit;

namespace Tapwire.Tests.Actors.Support;

/// <summary>The host at the far end of a <see cref="MemoryWire"/>: a bare engine that the test moves by hand.</summary>
internal sealed class Peer
{
    public static readonly IpAddress Address = IpAddress.Parse("10.99.0.1");

    private readonly BufferPool _pool;
    private readonly Func<Instant> _now;
    private readonly Dictionary<TcpSocket, List<byte>> _received = [];
    private readonly Queue<(Instant At, byte[] Bytes)> _underWay = [];

    public Peer(MemoryWire wire, BufferPool pool, Func<Instant> now)
    {
        Wire = wire;
        _pool = pool;
        _now = now;
        Stack = new NetworkStack(new StackOptions { Interfaces = [new() { HardwareAddress = MacAddress.Parse("02:00:00:00:00:01") }] }, pool, Secret(1));
        Stack.AddAddress(new IpPrefix(Address, 24), now());
    }

    public NetworkStack Stack { get; }

    /// <summary>The wire that leads to the driver; another one after an outage.</summary>
    public MemoryWire Wire { get; set; }

    public Instant Now => _now();

    /// <summary>Loses every frame for which it is true, in either direction.</summary>
    public Func<byte[], bool> Loses { get; set; } = _ => false;

    /// <summary>How long a frame of the driver is under way; one of the peer is there at once.</summary>
    public TimeSpan Latency { get; set; }

    /// <summary>Sockets that have reached their end.</summary>
    public HashSet<StackSocket> Ended { get; } = [];

    public HashSet<TcpSocket> EndOfStream { get; } = [];

    public static byte[] Secret(byte seed)
    {
        var secret = new byte[32];
        secret.AsSpan().Fill(seed);
        return secret;
    }

    public TcpSocket Connect(ushort port)
    {
        var error = Stack.Tcp.Connect(new IpEndpoint(DriverSetup.Address, port), default(IpEndpoint), default, Now, out var socket);
        Assert.Equal(StackError.None, error);
        return socket!;
    }

    public TcpListener Listen(ushort port, int backlog = 16)
    {
        var error = Stack.Tcp.Listen(new IpEndpoint(IpAddress.AnyV4, port), backlog, default, out var listener);
        Assert.Equal(StackError.None, error);
        return listener!;
    }

    public void Send(TcpSocket socket, ReadOnlySpan<byte> bytes)
    {
        var buffer = _pool.Rent(bytes.Length);
        bytes.CopyTo(buffer.Append(bytes.Length));
        Assert.Equal(StackError.None, socket.Write(buffer, Now));
    }

    /// <summary>All bytes that have come on a socket so far.</summary>
    public byte[] Received(TcpSocket socket) => _received.TryGetValue(socket, out var bytes) ? [.. bytes] : [];

    /// <summary>How many bytes have come on a socket so far.</summary>
    public int ReceivedCount(TcpSocket socket) => _received.TryGetValue(socket, out var bytes) ? bytes.Count : 0;

    /// <summary>Sockets are read as bytes come, unless they are listed here.</summary>
    public HashSet<TcpSocket> NotReading { get; } = [];

    /// <summary>Moves frames between the two ends until neither has more to say. True if any moved.</summary>
    public bool Exchange()
    {
        var any = false;
        var rounds = 0;
        for (var moved = true; moved;)
        {
            moved = false;
            Assert.True(++rounds < 100_000, "The two ends never come to rest.");
            while (Wire.Sent.TryDequeue(out var bytes))
            {
                moved = true;
                if (!Loses(bytes))
                    _underWay.Enqueue((Now + Latency, bytes));
            }

            while (_underWay.TryPeek(out var first) && first.At <= Now)
            {
                moved = true;
                var bytes = _underWay.Dequeue().Bytes;
                var frame = _pool.Rent(bytes.Length);
                bytes.CopyTo(frame.Append(bytes.Length));
                Stack.Receive(frame, Now);
            }

            Stack.Poll(Now);
            TakeEvents();
            Stack.Poll(Now);
            while (Stack.TryDequeueFrame(out var frame))
            {
                moved = true;
                var bytes = new byte[frame.TotalLength];
                frame.CopyTo(bytes);
                frame.Release();
                if (!Loses(bytes))
                    Wire.Deliver(bytes);
            }

            any |= moved;
        }

        return any;
    }

    public void ReadAll(TcpSocket socket)
    {
        var chain = socket.Read(out var count, out var endOfStream);
        if (!_received.TryGetValue(socket, out var bytes))
            _received[socket] = bytes = [];
        for (var buffer = chain; buffer is not null; buffer = buffer.Next)
            bytes.AddRange(buffer.Span);
        PacketBuffer.ReleaseChain(chain);
        if (count > 0)
            socket.Consumed(count, Now);
        if (endOfStream)
            EndOfStream.Add(socket);
    }

    private void TakeEvents()
    {
        while (Stack.TryDequeueEvent(out var socket, out var events))
        {
            if (socket is TcpSocket tcp && (events & SocketEvents.Readable) != 0 && !NotReading.Contains(tcp))
                ReadAll(tcp);
            if ((events & SocketEvents.Closed) != 0)
                Ended.Add(socket);
        }
    }
}
