using System.Diagnostics;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Tcp;

namespace Tapwire.Bench.Scale;

/// <summary>
/// Two engines, and nothing else: what one emits is handed to the other at once, in real time. The server echoes; the client, on several addresses, has
/// all connections.
/// </summary>
internal sealed class EngineRun : IScaleRun
{
    private const int Ports = 32;
    private const int FirstPort = 10_000;
    private const int PortsPerAddress = 50_000;

    /// <summary>Handshakes under way at once.</summary>
    private const int Batch = 256;

    private readonly BufferPool _pool = new();
    private readonly NetworkStack _client;
    private readonly NetworkStack _server;
    private readonly List<TcpSocket> _sockets = [];
    private readonly List<TcpSocket> _served = [];
    private readonly long _origin = Stopwatch.GetTimestamp();
    private int _made;
    private int _echoed;
    private int _ended;

    public EngineRun(int connections)
    {
        var options = new TcpOptions { MaxSockets = Math.Max(1 << 20, connections + 16), MaxEmbryonic = 1 << 16, MaxTimeWait = 1 << 16 };
        _client = Make(options, 1);
        _server = Make(options, 2);
        _server.AddAddress(_server.Interfaces[0], new IpPrefix(IpAddress.Parse("10.0.0.2"), 8), Now);
        for (var i = 0; i <= connections / PortsPerAddress / Ports; i++)
            _client.AddAddress(_client.Interfaces[0], new IpPrefix(IpAddress.FromV4(0x0A000100u + (uint)i), 8), Now);
        for (ushort port = 0; port < Ports; port++)
        {
            if (_server.Tcp.Listen(new IpEndpoint(IpAddress.Unspecified, (ushort)(FirstPort + port)), Batch * 2, new TcpSocketOptions { NoDelay = true }, out _) != StackError.None)
                throw new InvalidOperationException("A port of the server is not free.");
        }
    }

    public string Name => "engine";

    public object[] Roots => [_client, _server, _sockets, _served];

    public int Connected { get; private set; }

    private Instant Now => new(Stopwatch.GetElapsedTime(_origin).Ticks + 1);

    public void Connect(int connections, LatencyLog perConnection)
    {
        _sockets.EnsureCapacity(connections);
        _served.EnsureCapacity(connections);
        while (Connected < connections)
        {
            var batch = Math.Min(Batch, connections - Connected);
            var begun = Stopwatch.GetTimestamp();
            for (var i = 0; i < batch; i++)
                Open();
            RunUntil(() => Connected == _made && _served.Count == _made);
            perConnection.Add(Stopwatch.GetElapsedTime(begun) / batch, batch);
        }
    }

    /// <summary>One byte there and back, one connection after the other.</summary>
    public void RoundTrips(ReadOnlySpan<int> connections, int count, LatencyLog latency)
    {
        for (var i = 0; i < count; i++)
        {
            var socket = _sockets[connections[i % connections.Length]];
            var begun = Stopwatch.GetTimestamp();
            var data = _pool.Rent(1, BufferPool.HeaderRoom);
            data.Append(1)[0] = (byte)i;
            if (socket.Write(data, Now) != StackError.None)
                throw new InvalidOperationException($"A connection does not take a byte: {socket.Error}.");
            var expected = _echoed + 1;
            while (_echoed != expected)
                Turn();
            latency.Add(Stopwatch.GetElapsedTime(begun));
        }
    }

    /// <summary>Runs through the time in which nothing is sent.</summary>
    /// <returns>Turns in which an engine had something to do.</returns>
    public int? Idle(TimeSpan time)
    {
        var turns = 0;
        var end = Now + time;
        for (var now = Now; now < end; now = Now)
        {
            var next = Instant.Min(_client.PollAt, _server.PollAt);
            if (next > now)
            {
                Thread.Sleep((int)Math.Clamp((Instant.Min(next, end) - now).TotalMilliseconds, 1, 1000));
                continue;
            }

            turns++;
            Turn();
        }

        return turns;
    }

    public void CloseAll(LatencyLog perConnection)
    {
        for (var first = 0; first < _sockets.Count; first += Batch)
        {
            var begun = Stopwatch.GetTimestamp();
            var batch = Math.Min(Batch, _sockets.Count - first);
            var wanted = _ended + 2 * batch;
            for (var i = first; i < first + batch; i++)
                _sockets[i].Close(Now);
            RunUntil(() => _ended >= wanted);
            perConnection.Add(Stopwatch.GetElapsedTime(begun) / batch, batch);
        }

        _sockets.Clear();
        _served.Clear();
    }

    public void Dispose()
    {
        _client.Close(Now);
        _server.Close(Now);
    }

    private NetworkStack Make(TcpOptions tcp, byte host)
    {
        var secret = new byte[32];
        secret.AsSpan().Fill(host);
        return new NetworkStack(new StackOptions { Interfaces = [new() { Medium = Medium.Ip }], Tcp = tcp }, _pool, secret);
    }

    private void Open()
    {
        var port = _made % Ports;
        var source = _made / Ports;
        var local = new IpEndpoint(IpAddress.FromV4(0x0A000100u + (uint)(source / PortsPerAddress)), (ushort)(FirstPort + source % PortsPerAddress));
        var remote = new IpEndpoint(IpAddress.Parse("10.0.0.2"), (ushort)(FirstPort + port));
        var error = _client.Tcp.Connect(remote, local, new TcpSocketOptions { NoDelay = true }, Now, out var socket);
        if (socket is null)
            throw new InvalidOperationException($"Connection {_made} is refused: {error}.");
        _sockets.Add(socket);
        _made++;
    }

    private void RunUntil(Func<bool> condition)
    {
        while (!condition())
            Turn();
    }

    private void Turn()
    {
        var now = Now;
        _client.Poll(now);
        Carry(_client, _server, now);
        _server.Poll(now);
        Carry(_server, _client, now);
        while (_client.TryDequeueEvent(out var socket, out var events))
            ClientEvent((TcpSocket)socket, events, now);
        while (_server.TryDequeueEvent(out var socket, out var events))
            ServerEvent(socket, events, now);
    }

    private static void Carry(NetworkStack from, NetworkStack to, Instant now)
    {
        while (from.Interfaces[0].TryDequeueFrame(out var frame))
            to.Receive(frame, now);
    }

    private void ClientEvent(TcpSocket socket, SocketEvents events, Instant now)
    {
        if ((events & SocketEvents.Connected) != 0)
            Connected++;
        if ((events & SocketEvents.Readable) != 0)
        {
            var chain = socket.Read(out var bytes, out _);
            PacketBuffer.ReleaseChain(chain);
            socket.Consumed(bytes, now);
            _echoed += bytes;
        }

        if ((events & SocketEvents.Closed) == 0)
            return;
        _ended++;
        if (socket.Error != StackError.None)
            throw new InvalidOperationException($"A connection of the client has ended: {socket.Error}.");
    }

    private void ServerEvent(StackSocket source, SocketEvents events, Instant now)
    {
        if (source is TcpListener listener)
        {
            while (listener.Accept() is { } accepted)
                _served.Add(accepted);
            return;
        }

        var socket = (TcpSocket)source;
        if ((events & SocketEvents.Readable) != 0)
            Echo(socket, now);
        if ((events & SocketEvents.Writable) != 0)
            socket.TakeAcknowledged();
        if ((events & SocketEvents.Closed) != 0)
            _ended++;
    }

    private static void Echo(TcpSocket socket, Instant now)
    {
        var chain = socket.Read(out var bytes, out var endOfStream);
        while (chain is not null)
        {
            var next = chain.Next;
            chain.Next = null;
            socket.Write(chain, now);
            chain = next;
        }

        socket.Consumed(bytes, now);
        if (endOfStream)
            socket.Close(now);
    }
}
