using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Wires;

namespace Tapwire.Tests.Links.Support;

/// <summary>
/// A driver without actors, stack and wire: connections between applications are spliced, byte by byte, on one reactor thread. Some ports fail on
/// purpose.
/// </summary>
internal sealed class FakeDriver : IDisposable
{
    public const ushort RefusedPort = 1;
    public const ushort SilentPort = 2;

    /// <summary>Connects, sends "last words", and dies of a time-out.</summary>
    public const ushort DyingPort = 3;

    /// <summary>Answers a connect never.</summary>
    public const ushort HangingPort = 4;

    public static readonly IpAddress Address = IpAddress.Parse("10.99.0.2");

    private readonly LinkHarness _harness = new();
    private readonly Reactor _reactor;
    private readonly Dictionary<ulong, FakeSocket> _sockets = [];
    private readonly Dictionary<ushort, FakeSocket> _listeners = [];
    private readonly Dictionary<ushort, FakeSocket> _datagrams = [];
    private readonly HashSet<LinkSession> _sessions = [];
    private ushort _nextPort = 50_000;

    public FakeDriver()
    {
        _reactor = new Reactor("fake driver", e => Failure ??= e);
        Run(() => _harness.Listener.Start(_reactor, _ => Accept()));
    }

    public BufferPool Pool { get; } = new();

    public string Path => _harness.Path;

    public Exception? Failure { get; private set; }

    public Dictionary<(int Level, int Name), byte[]> Options { get; } = [];

    public List<PeerCredentials> Peers { get; } = [];

    /// <summary>What it was asked to change, all of which it claims to have done.</summary>
    public List<InterfaceRequest> Changes { get; } = [];

    /// <summary>Sockets that an application still has open.</summary>
    public int SocketCount => Ask(() => _sockets.Count);

    public int SessionCount => Ask(() => _sessions.Count);

    public void Dispose()
    {
        Run(Stop);
        _reactor.Dispose();
        Xunit.Assert.Null(Failure);
        Xunit.Assert.Equal(0, Pool.Rented);
    }

    /// <summary>Closes everything in order, as a driver that ends does. A second call finds nothing left.</summary>
    public void Stop()
    {
        foreach (var session in _sessions)
            session.Dispose();
        _sessions.Clear();
        foreach (var socket in _sockets.Values.ToArray())
            Remove(socket);
        _harness.Dispose();
    }

    /// <summary>Runs on the driver's thread and waits for it.</summary>
    public void Run(Action action) => Ask(() =>
    {
        action();
        return true;
    });

    /// <summary>Resets the application's end of every connection, as the peer's RST does.</summary>
    public void ResetAll(StackError error) => Run(() =>
    {
        foreach (var socket in _sockets.Values)
        {
            if (socket.Stream is null)
                continue;
            socket.Error = error;
            socket.Stream.Reset();
            PacketBuffer.ReleaseChain(socket.Pending);
            socket.Pending = null;
        }
    });

    private T Ask<T>(Func<T> question)
    {
        var completion = new TaskCompletionSource<T>();
        _reactor.Post(_ =>
        {
            try
            {
                completion.SetResult(question());
            }
            catch (Exception e)
            {
                completion.SetException(e);
                throw;
            }
        }, null);
        return completion.Task.GetAwaiter().GetResult();
    }

    private void Accept()
    {
        AcceptResult result;
        while ((result = _harness.Listener.TryAccept(out var session, out var peer)) != AcceptResult.None)
        {
            if (result != AcceptResult.Accepted)
                continue;
            Peers.Add(peer);
            _sessions.Add(session!);
            session!.Start(_reactor, _ => Serve(session));
        }
    }

    private void Serve(LinkSession session)
    {
        if (session.IsClosed)
            return;
        try
        {
            session.Flush();
            ReadResult read;
            do
            {
                var requests = new List<LinkRequest>();
                read = session.ReadRequests(requests);
                foreach (var request in requests)
                    Handle(session, request);
            }
            while (read == ReadResult.Data);
            if (read != ReadResult.Closed)
                return;
        }
        catch (LinkProtocolException)
        {
        }

        _sessions.Remove(session);
        session.Dispose();
    }

    private void Handle(LinkSession session, LinkRequest request)
    {
        switch (request)
        {
            case SocketRequest { Family: SocketFamily.V6 }:
                session.Send(request.Failed(StackError.AddressFamilyNotSupported));
                break;
            case SocketRequest make:
                var socket = FakeSocket.Create(make.SocketType, make.Family, out var end);
                Add(socket);
                session.Send(make.Created(end.Handle), end);
                break;
            case LinkSocketRequest about when !_sockets.TryGetValue(about.Handle, out _):
                session.Send(about.Failed(LinkErrno.BadHandle));
                break;
            case LinkSocketRequest about:
                Handle(session, about, _sockets[about.Handle]);
                break;
            case PingRequest { Sequence: 13 }:
                session.Send(request.Failed(StackError.TimedOut));
                break;
            case PingRequest ping:
                session.Send(ping.Replied(TimeSpan.FromMilliseconds(1.5), ping.Destination, 64));
                break;
            case StatusRequest status:
                session.Send(status.Status($$"""{"sockets":{{_sockets.Count}}}"""));
                break;
            case AddAddressRequest add:
                session.Send(add.Address == Address ? add.Failed(StackError.AddressInUse) : add.Done());
                break;
            case RemoveAddressRequest remove:
                session.Send(remove.Address == IpAddress.Parse("192.0.2.1") ? remove.Failed(StackError.AddressNotAvailable) : remove.Done());
                break;
            case InterfaceRequest change:
                Changes.Add(change);
                session.Send(change is RemoveInterfaceRequest { Name: "gone" } ? change.Refused(LinkErrno.NoInterface, "There is no interface gone.")
                    : change is RemoveInterfaceRequest { Name: "old" } ? change.Failed(LinkErrno.UnknownRequest)
                    : change.Done());
                break;
        }
    }

    private void Handle(LinkSession session, LinkSocketRequest request, FakeSocket socket)
    {
        switch (request)
        {
            case BindRequest bind:
                session.Send(Bind(socket, bind));
                break;
            case ConnectRequest connect:
                Connect(session, socket, connect);
                break;
            case ListenRequest listen:
                session.Send(Listen(socket, listen));
                break;
            case GetSockNameRequest name:
                session.Send(name.Named(socket.Local));
                break;
            case GetPeerNameRequest name:
                session.Send(socket.Remote == Sockaddr.None ? name.Failed(StackError.NotConnected) : name.Named(socket.Remote));
                break;
            case SetOptionRequest { Level: 999 }:
                session.Send(request.Failed(StackError.NoSuchOption));
                break;
            case SetOptionRequest set:
                Options[(set.Level, set.Name)] = set.Value.ToArray();
                session.Send(set.Done());
                break;
            case GetOptionRequest { Level: LinkOption.SolSocket, Name: LinkOption.SoError } get:
                session.Send(get.Value((int)socket.Error));
                socket.Error = StackError.None;
                break;
            case GetOptionRequest get:
                session.Send(Options.TryGetValue((get.Level, get.Name), out var value) ? get.Value(value) : get.Failed(StackError.NoSuchOption));
                break;
            case ShutdownRequest shutdown:
                session.Send(shutdown.Done());
                break;
            case CloseRequest close:
                Remove(socket);
                session.Send(close.Done());
                break;
        }
    }

    private LinkAnswer Bind(FakeSocket socket, BindRequest bind)
    {
        var address = bind.Local.Endpoint.Address;
        if (!address.IsUnspecified && address != Address)
            return bind.Failed(StackError.AddressNotAvailable);
        var port = bind.Local.Endpoint.Port == 0 ? _nextPort++ : bind.Local.Endpoint.Port;
        if (_listeners.ContainsKey(port) || _datagrams.ContainsKey(port))
            return bind.Failed(StackError.AddressInUse);
        socket.Local = Sockaddr.From(new IpEndpoint(Address, port));
        if (socket.Datagram is not null)
            _datagrams.Add(port, socket);
        return bind.Bound(socket.Local);
    }

    private LinkAnswer Listen(FakeSocket socket, ListenRequest listen)
    {
        socket.Accept = AcceptLink.From(socket.Stream!);
        socket.Stream = null;
        socket.Accept.Start(_reactor, Readiness.Writable, _ => OfferConnections(socket));
        _listeners.Add(socket.Local.Endpoint.Port, socket);
        return listen.Listening(socket.Local);
    }

    private void Connect(LinkSession session, FakeSocket socket, ConnectRequest connect)
    {
        var port = connect.Remote.Endpoint.Port;
        if (socket.Datagram is not null)
        {
            if (socket.Local == Sockaddr.None)
            {
                socket.Local = Sockaddr.From(new IpEndpoint(Address, _nextPort++));
                _datagrams.Add(socket.Local.Endpoint.Port, socket);
            }

            socket.Remote = connect.Remote;
            session.Send(connect.Connected(socket.Local));
            return;
        }

        var error = port switch
        {
            RefusedPort => StackError.ConnectionRefused,
            SilentPort => StackError.TimedOut,
            DyingPort or HangingPort => StackError.None,
            _ => _listeners.ContainsKey(port) ? StackError.None : StackError.ConnectionRefused,
        };
        if (error != StackError.None)
        {
            Refuse(session, socket, connect, error);
            return;
        }

        if (port == HangingPort)
            return;
        if (socket.Local == Sockaddr.None)
            socket.Local = Sockaddr.From(new IpEndpoint(Address, _nextPort++));
        socket.Remote = connect.Remote;
        socket.Stream!.Discard(connect.Discard);
        session.Send(connect.NoWait ? connect.InProgress() : connect.Connected(socket.Local));
        if (port == DyingPort)
            Die(socket);
        else
            Join(socket, _listeners[port]);
    }

    private static void Refuse(LinkSession session, FakeSocket socket, ConnectRequest connect, StackError error)
    {
        if (!connect.NoWait)
        {
            session.Send(connect.Failed(error));
            return;
        }

        session.Send(connect.InProgress());
        socket.Error = error;
        socket.Stream!.Reset();
    }

    private void Die(FakeSocket socket)
    {
        var words = Pool.Rent(100);
        "last words"u8.CopyTo(words.Append(10));
        PacketBuffer? chain = words;
        socket.Stream!.Write(ref chain, out _);
        socket.Error = StackError.TimedOut;
        socket.Stream.Reset();
    }

    private void Join(FakeSocket socket, FakeSocket listener)
    {
        var other = FakeSocket.Create(LinkSocketType.Stream, socket.Family, out var end);
        other.Local = socket.Remote;
        other.Remote = socket.Local;
        other.Peer = socket;
        socket.Peer = other;
        Add(other);
        listener.Backlog.Enqueue((other, end));
        OfferConnections(listener);
        Pump(socket);
        Pump(other);
    }

    private void OfferConnections(FakeSocket listener)
    {
        if (listener.Accept!.IsClosed)
            return;
        if (listener.Accept.IsHungUp())
        {
            Remove(listener);
            return;
        }

        while (listener.Backlog.TryPeek(out var next)
            && listener.Accept.TrySend(new AcceptRecord(next.Socket.Remote, next.Socket.Local), next.End) == WriteResult.Done)
            listener.Backlog.Dequeue();
    }

    private void Add(FakeSocket socket)
    {
        _sockets.Add(socket.Handle, socket);
        socket.Stream?.Start(_reactor, Readiness.Readable | Readiness.Writable, _ => Pump(socket));
        socket.Datagram?.Start(_reactor, Readiness.Readable, _ => Forward(socket));
    }

    /// <summary>Moves what can be moved, both ways.</summary>
    private void Pump(FakeSocket socket)
    {
        Move(socket.Peer, socket);
        Move(socket, socket.Peer);
        if (socket.Stream is { IsClosed: false } stream && stream.State() is ReadResult.Closed or ReadResult.Reset && (socket.Ended || socket.Peer is null))
            Remove(socket);
    }

    private void Move(FakeSocket? from, FakeSocket? to)
    {
        if (from?.Stream is not { IsClosed: false } source || to?.Stream is null)
            return;
        while (true)
        {
            if (to.Pending is not null && !to.Stream.IsClosed && to.Stream.Write(ref to.Pending, out _) == WriteResult.Full)
                return;
            PacketBuffer.ReleaseChain(to.Pending);
            to.Pending = null;
            if (from.Ended)
                return;

            switch (source.Read(Pool, StreamLink.MaxRead, out to.Pending))
            {
                case ReadResult.Empty:
                    return;
                case ReadResult.Data:
                    break;
                case ReadResult.Reset:
                    from.Ended = true;
                    to.Error = StackError.ConnectionReset;
                    to.Stream.Reset();
                    return;
                default:
                    from.Ended = true;
                    if (!to.Stream.IsClosed)
                        to.Stream.EndOfStream();
                    return;
            }
        }
    }

    private void Forward(FakeSocket socket)
    {
        while (true)
        {
            switch (socket.Datagram!.Read(Pool, BufferPool.HeaderRoom, out var payload, out var to))
            {
                case ReadResult.Empty:
                    return;
                case ReadResult.Closed:
                    Remove(socket);
                    return;
            }

            var destination = to == Sockaddr.None ? socket.Remote : to;
            if (_datagrams.TryGetValue(destination.Endpoint.Port, out var other))
                other.Datagram!.Write(payload!, socket.Local);
            else if (socket.Remote != Sockaddr.None)
                socket.Datagram.WriteError((int)StackError.ConnectionRefused);
            payload!.Release();
        }
    }

    private void Remove(FakeSocket socket)
    {
        if (!_sockets.Remove(socket.Handle))
            return;
        foreach (var (waiting, end) in socket.Backlog)
        {
            end.Dispose();
            Remove(waiting);
        }

        if (socket.Accept is not null)
            _listeners.Remove(socket.Local.Endpoint.Port);
        if (socket.Datagram is not null)
            _datagrams.Remove(socket.Local.Endpoint.Port);
        socket.Dispose();
        if (socket.Peer is { Stream.IsClosed: false } peer)
        {
            if (!socket.Ended)
                peer.Stream.EndOfStream();
            if (peer.Ended)
                Remove(peer);
        }
    }
}

internal sealed class FakeSocket : IDisposable
{
    public PacketBuffer? Pending;

    public StreamLink? Stream { get; set; }

    public AcceptLink? Accept { get; set; }

    public DatagramLink? Datagram { get; private init; }

    public required ulong Handle { get; init; }

    public required SocketFamily Family { get; init; }

    public Sockaddr Local { get; set; }

    public Sockaddr Remote { get; set; }

    public StackError Error { get; set; }

    public FakeSocket? Peer { get; set; }

    /// <summary>The application has sent its last byte and it has been passed on.</summary>
    public bool Ended { get; set; }

    public Queue<(FakeSocket Socket, ApplicationEnd End)> Backlog { get; } = new();

    public static FakeSocket Create(LinkSocketType type, SocketFamily family, out ApplicationEnd end)
    {
        if (type == LinkSocketType.Datagram)
        {
            var datagram = DatagramLink.Create(out end);
            return new FakeSocket { Handle = datagram.Handle, Family = family, Datagram = datagram };
        }

        var stream = StreamLink.Create(out end);
        return new FakeSocket { Handle = stream.Handle, Family = family, Stream = stream };
    }

    public void Dispose()
    {
        PacketBuffer.ReleaseChain(Pending);
        Pending = null;
        Stream?.Dispose();
        Accept?.Dispose();
        Datagram?.Dispose();
    }
}
