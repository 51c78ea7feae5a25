using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

/// <summary>A socket in LISTEN. Connections with a finished handshake wait in its queue until they are accepted.</summary>
public sealed class TcpListener : StackSocket
{
    internal readonly TcpLayer Layer;
    internal System.Runtime.CompilerServices.StrongBox<TcpSocketOptions> Options;
    internal TcpListener? NextOnPort;

    /// <summary>Decides who else may have the port.</summary>
    internal PortSharing Sharing;

    /// <summary>The listeners among which connections are spread; null while the port is only reserved. With <see cref="PortSharing.ReusePort"/> it may have other
    /// members.</summary>
    internal ReusePortGroup<TcpListener>? Group;

    /// <summary>The place among the sockets of all shards; null in a stack that has its addresses alone, and on a port that all shards listen on.</summary>
    internal PortHolder? Holder;

    /// <summary>Number of connections in SYN-RECEIVED that came through this listener.</summary>
    internal int EmbryonicCount;

    /// <summary>Number of connections opened by Fast Open whose handshake is not done.</summary>
    internal int FastOpenCount;

    /// <summary>How long a connection that was reset before its handshake was done still counts (RFC 7413, 5.1).</summary>
    private static readonly TimeSpan FastOpenResetTime = TimeSpan.FromSeconds(60);

    private TcpSocket? _first;
    private TcpSocket? _last;

    /// <summary>The times until which such resets count, earliest first.</summary>
    private Queue<Instant>? _fastOpenResets;

    internal TcpListener(TcpLayer layer, IpEndpoint local, in PortSharing sharing)
    {
        Layer = layer;
        Local = local;
        Sharing = sharing;
        Options = new(default(TcpSocketOptions));
    }

    /// <summary>The address, which may be a wildcard, and the port.</summary>
    public IpEndpoint Local { get; }

    /// <summary>How many finished connections may wait, at least 1.</summary>
    public int Backlog { get; private set; }

    /// <summary>How many finished connections wait.</summary>
    public int Waiting { get; private set; }

    public bool IsClosed { get; private set; }

    /// <summary>False while the port is only reserved (<see cref="TcpBinding"/>).</summary>
    internal bool IsListening => Group is not null;

    internal bool IsFull => Waiting >= Backlog;

    /// <summary>Takes the connection that has waited longest; null if there is none. It may have ended already, as its <see cref="TcpSocket.Error"/> says, with
    /// bytes still to be read.</summary>
    public TcpSocket? Accept()
    {
        var socket = Dequeue();
        socket?.Accepted();
        return socket;
    }

    /// <summary>
    /// Stops listening. Connections that nobody has accepted, and those whose handshake is not done, are reset. Connections answered with a SYN cookie are
    /// unknown and are not.
    /// </summary>
    public void Close(Instant now)
    {
        if (IsClosed)
            return;
        IsClosed = true;
        Layer.Ports.Remove(this);
        Layer.SynCache.Reset(this, now);
        while (Dequeue() is { } socket)
            socket.Abort(now);
    }

    /// <summary>Sets the options of a socket that is listening. Connections that are made from now on have them.</summary>
    public void SetOptions(in TcpSocketOptions options) => Options = new(options);

    /// <summary>The options that its connections begin with.</summary>
    public TcpSocketOptions SocketOptions => Options.Value;

    internal bool HasFastOpenPlace(Instant now)
    {
        while (_fastOpenResets is { Count: > 0 } && _fastOpenResets.Peek() <= now)
            _fastOpenResets.Dequeue();
        return FastOpenCount + (_fastOpenResets?.Count ?? 0) < Options.Value.FastOpenQueue;
    }

    internal void FastOpenReset(Instant now) => (_fastOpenResets ??= new()).Enqueue(now + FastOpenResetTime);

    /// <returns>None; AddressInUse: another listener has the port, which it could not know of when it was reserved.</returns>
    internal StackError BeginListening(int backlog, in TcpSocketOptions options)
    {
        Sharing = Sharing with { ReuseAddress = options.ReuseAddress, ReusePort = options.ReusePort };
        if (!Layer.Ports.TryListen(this))
            return StackError.AddressInUse;
        Backlog = Math.Max(1, backlog);
        Options = new(options);
        return StackError.None;
    }

    internal void Enqueue(TcpSocket socket)
    {
        if (_last is null)
            _first = socket;
        else
            _last.NextAccept = socket;
        _last = socket;
        Waiting++;
        Layer.Events.Raise(this, SocketEvents.Acceptable);
    }

    private TcpSocket? Dequeue()
    {
        var socket = _first;
        if (socket is null)
            return null;
        _first = socket.NextAccept;
        if (_first is null)
            _last = null;
        socket.NextAccept = null;
        Waiting--;
        return socket;
    }
}
