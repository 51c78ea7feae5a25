using System.Runtime.CompilerServices;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp.Connection;

namespace Tapwire.Stack.Tcp;

/// <summary>
/// TCP of one stack (RFC 9293): OPEN calls, the parts that all connections of a stack share, and the turns of those with something to send.
/// </summary>
/// <remarks>
/// A segment goes from <see cref="TcpDemultiplexer"/> to the socket of its connection, to <see cref="SynCache"/> while the handshake of a passive open lasts, to
/// <see cref="TimeWaits"/> when the connection is over, and to <see cref="PassiveOpen"/> if it belongs to none.
/// </remarks>
public sealed partial class TcpLayer
{
    internal const byte Protocol = 6;

    internal readonly TcpOptions Options;
    internal readonly IIpOutput Ip;
    internal readonly SocketEventQueue Events;
    internal readonly TimerWheel Timers;
    internal readonly ReassemblyRangePool Ranges;
    internal readonly TransmissionPool Transmissions;
    internal readonly SenderStatePool Senders;
    internal readonly PathMtuCache PathMtu = new();
    internal readonly KeyedRandom Random;

    /// <summary>All entries with a pair of endpoints: connections, embryos and records in TIME-WAIT.</summary>
    internal readonly TcpTable Table;
    internal readonly TcpPorts Ports;
    internal readonly TcpSecrets Secrets;
    internal readonly ControlSegments Control;
    internal readonly SynCache SynCache;
    internal readonly PassiveOpen Passive;
    internal readonly TimeWaits TimeWaits;

    /// <summary>The sockets in line to send.</summary>
    internal readonly OutputTurns Turns;

    /// <summary>Number of servers that a client remembers.</summary>
    private const int FastOpenCacheCapacity = 1024;

    private readonly TcpDemultiplexer _demultiplexer;
    private FastOpenCache? _fastOpenCache;

    /// <summary>The options shared last.</summary>
    private StrongBox<TcpSocketOptions> _options = new(default);

    /// <param name="shared">Random numbers that are the same in all shards of a driver; for a stack without shards, <paramref name="random"/> again.</param>
    internal TcpLayer(TcpOptions options, IIpOutput ip, SocketEventQueue events, TimerWheel timers, KeyedRandom random, TcpCounters counters,
        StackShard? shard = null, KeyedRandom? shared = null)
    {
        options.Validate();
        Options = options;
        Ip = ip;
        Events = events;
        Timers = timers;
        Counters = counters;
        Random = random;
        Turns = new OutputTurns(ip);
        Senders = new SenderStatePool(this);
        Table = new TcpTable(random);
        var sequenceKey = random.NextHash();
        var timestampKey = random.NextHash();

        // Derived, not drawn, so that the numbers drawn by others stay as they are.
        Ranges = new ReassemblyRangePool(sequenceKey.Hash(0, 0, 1));
        Transmissions = new TransmissionPool(sequenceKey.Hash(0, 0, 2));
        Ports = new TcpPorts(Table, new EphemeralPorts(random, shard), shard);
        Control = new ControlSegments(options, ip, counters, random);
        Passive = new PassiveOpen(this, new SynCookies(random), shard is null ? null : new SegmentCrossings(shard, ip));

        // A client's next connection may be another shard's, which must accept the Fast Open cookies of this one.
        Secrets = new TcpSecrets(sequenceKey, timestampKey, (shared ?? random).NextHash());
        SynCache = new SynCache(this);
        TimeWaits = new TimeWaits(this);
        _demultiplexer = new TcpDemultiplexer(this);
    }

    public TcpCounters Counters { get; }

    /// <summary>Number of connections with a socket, in whatever state.</summary>
    public int Count { get; private set; }

    /// <summary>Number of connections in SYN-RECEIVED after a passive open.</summary>
    public int EmbryonicCount => SynCache.Count;

    /// <summary>Number of connections in TIME-WAIT.</summary>
    public int TimeWaitCount => TimeWaits.Count;

    /// <summary>The client side's knowledge of servers for Fast Open; made when a socket first asks for it.</summary>
    internal FastOpenCache FastOpenCache => _fastOpenCache ??= new FastOpenCache(FastOpenCacheCapacity);

    /// <summary>Begins an active open. The result comes as an event of the socket: Connected, or Closed with its <see cref="TcpSocket.Error"/>.</summary>
    /// <param name="local">With an unspecified address, or port 0, the stack chooses.</param>
    /// <param name="options">With <see cref="TcpSocketOptions.FastOpen"/>, and a known cookie, Connected comes at once, and the first Write sends the
    /// SYN.</param>
    /// <param name="socket">Null unless None is returned.</param>
    /// <returns>None; NetworkUnreachable; AddressNotAvailable: the local address is not ours, no ephemeral port is free, or the same connection exists or is in
    /// TIME-WAIT; NoBufferSpace: too many sockets; InvalidArgument: no host can have that remote endpoint.</returns>
    public StackError Connect(IpEndpoint remote, IpEndpoint local, in TcpSocketOptions options, Instant now, out TcpSocket? socket)
    {
        socket = null;
        if (remote.Port == 0 || remote.Address.IsUnspecified)
            return StackError.InvalidArgument;
        if (remote.Address.IsMulticast || remote.Address.IsLimitedBroadcast)
            return StackError.NetworkUnreachable;
        if (Count >= Options.MaxSockets)
        {
            Counters.TcpSocketsRefused++;
            return StackError.NoBufferSpace;
        }

        if (RefusesMore())
            return StackError.NoBufferSpace;

        var error = Ip.Route(remote.Address, local.Address, out var route);
        if (error != StackError.None)
            return error;
        if (route.ToGroup)
            return StackError.NetworkUnreachable;
        var pair = new TcpPair(new IpEndpoint(route.Source, local.Port), remote);
        TcpTimeWait? replaced = null;
        if (local.Port == 0 ? !Ports.TryChoose(ref pair) : !Ports.IsFree(pair, now, out replaced))
            return StackError.AddressNotAvailable;

        var sequence = Secrets.InitialSequence(pair, now);
        if (replaced is not null)
        {
            Counters.TcpExtTWRecycled++;
            sequence = replaced.SndNxt + TimeWaits.RecycledDistance;
            TimeWaits.Remove(replaced);
        }

        var connection = new TcpConnection(pair, Table.HashOf(pair));
        Table.Add(connection);
        socket = Adopt(connection, Shared(options));
        Counters.TcpActiveOpens++;
        socket.BeginActive(sequence, route, now);
        return StackError.None;
    }

    /// <summary>Listens on a port.</summary>
    /// <param name="local">An own address or a wildcard (:: serves both families); with port 0 the stack chooses one.</param>
    /// <param name="backlog">How many finished connections may wait to be accepted; less than 1 counts as 1.</param>
    /// <param name="options">The options that connections inherit. With <see cref="TcpSocketOptions.FastOpenQueue"/> above 0 (or after
    /// <see cref="TcpListener.SetOptions"/>) a connection whose SYN has a valid Fast Open cookie is Acceptable at once, in SYN-RECEIVED, with its
    /// data.</param>
    /// <param name="listener">Null unless None is returned.</param>
    /// <returns>None; AddressInUse: a listener or connections have the port, and do not share it (<see cref="PortSharing"/>); AddressNotAvailable: the address is
    /// not ours.</returns>
    public StackError Listen(IpEndpoint local, int backlog, in TcpSocketOptions options, out TcpListener? listener)
    {
        var error = Reserve(local, new PortSharing { ReuseAddress = options.ReuseAddress, ReusePort = options.ReusePort }, out listener);
        listener?.BeginListening(backlog, options);
        return error;
    }

    /// <summary>Reserves a port for later use, as bind(2) does, under the rules of <see cref="Listen"/>.</summary>
    /// <param name="binding">Null unless None is returned.</param>
    public StackError Bind(IpEndpoint local, in PortSharing sharing, out TcpBinding? binding)
    {
        var error = Reserve(local, sharing, out var place);
        binding = place is null ? null : new TcpBinding(place);
        return error;
    }

    /// <inheritdoc cref="TcpDemultiplexer.Receive"/>
    internal void Receive(PacketBuffer segment, in IpReceiveInfo info, Instant now) => _demultiplexer.Receive(segment, info, now);

    /// <summary>Gives a connection that is in the table its socket, and counts it.</summary>
    internal TcpSocket Adopt(TcpConnection connection, StrongBox<TcpSocketOptions> options)
    {
        Count++;
        return new TcpSocket(this, connection, options);
    }

    /// <summary>The connection has ended without TIME-WAIT.</summary>
    internal void Remove(TcpConnection connection)
    {
        Timers.Cancel(connection);
        Table.Remove(connection);
        Count--;
    }

    /// <summary>The connection has ended, and its endpoints wait until no segment of it can be in the network.</summary>
    internal void EnterTimeWait(TcpConnection connection, TcpTimeWait record, Instant now)
    {
        Count--;
        TimeWaits.Enter(connection, record, now);
    }

    /// <summary>Shares equal options between sockets, which is possible because options are replaced, not changed.</summary>
    internal StrongBox<TcpSocketOptions> Shared(in TcpSocketOptions options)
    {
        if (_options.Value != options)
            _options = new(options);
        return _options;
    }

    /// <summary>The timestamp clock: 1 ms (RFC 7323, 5.4).</summary>
    internal static uint TimestampClock(Instant now) => (uint)now.Milliseconds;

    private StackError Reserve(IpEndpoint local, in PortSharing sharing, out TcpListener? listener)
    {
        listener = null;
        if (!local.Address.IsUnspecified && Ip.Route(local.Address, local.Address, out _) == StackError.AddressNotAvailable)
            return StackError.AddressNotAvailable;
        if (local.Port == 0 && !Ports.TryChoose(ref local))
            return StackError.AddressInUse;
        var place = new TcpListener(this, local, sharing);
        if (!Ports.TryAdd(place))
            return StackError.AddressInUse;
        listener = place;
        return StackError.None;
    }
}
