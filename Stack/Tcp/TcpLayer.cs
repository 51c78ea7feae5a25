using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <summary>
/// TCP of one stack (RFC 9293): it knows all connections and listeners, gives each segment to the one it belongs to, and lets those with something
/// to send take turns.
/// </summary>
public sealed partial class TcpLayer
{
    internal const byte Protocol = 6;

    internal readonly TcpOptions Options;
    internal readonly IIpOutput Ip;
    internal readonly SocketEventQueue Events;
    internal readonly TimerWheel Timers;
    internal readonly ReassemblyRangePool Ranges = new();
    internal readonly TransmissionPool Transmissions = new();
    internal readonly SenderStatePool Senders;
    internal readonly PathMtuCache PathMtu = new();
    internal readonly KeyedRandom Random;

    private readonly TcpTable _table;
    private readonly SipHash _sequenceKey;
    private readonly SipHash _timestampKey;
    private readonly EphemeralPorts _ephemeral;
    private readonly StackShard? _shard;
    private RateLimit _resets;
    private RateLimit _challenges;
    private TcpSocket? _firstOutput;
    private TcpSocket? _lastOutput;

    /// <param name="shared">What all shards of a driver have alike; for a stack of its own, <paramref name="random"/> again.</param>
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
        _shard = shard;
        Senders = new SenderStatePool(this);
        _table = new TcpTable(random);
        _sequenceKey = random.NextHash();
        _timestampKey = random.NextHash();
        _ephemeral = new EphemeralPorts(random, shard);
        _resets = new RateLimit(options.ResetsPerSecond);
        // Half of the allowance at random, so that nobody can learn about other connections by counting (CVE-2016-5696).
        _challenges = new RateLimit(options.ChallengeAcksPerSecond - random.Next(options.ChallengeAcksPerSecond / 2 + 1));
        _cookies = new SynCookies(random);

        // A client's next connection may be another shard's: what is handed out is to count there, too.
        _fastOpenKey = (shared ?? random).NextHash();
    }

    public TcpCounters Counters { get; }

    /// <summary>Connections with a socket, in whatever state.</summary>
    public int Count { get; private set; }

    /// <summary>Connections in SYN-RECEIVED after a passive open.</summary>
    public int EmbryonicCount { get; private set; }

    /// <summary>Connections in TIME-WAIT.</summary>
    public int TimeWaitCount { get; private set; }

    /// <summary>A socket waits for its turn to send.</summary>
    internal bool OutputPending => _firstOutput is not null;

    /// <summary>Takes a segment, and its buffer.</summary>
    /// <param name="segment">Begins with the TCP header and ends with the payload.</param>
    internal void Receive(PacketBuffer segment, in IpReceiveInfo info, Instant now)
    {
        Counters.TcpInSegs++;
        var start = segment.Headroom - info.HeaderLength;
        if (segment.FragmentCount > 0)
            segment = Linear(segment);
        if (!Accept(segment, info, out var header))
        {
            segment.Release();
            return;
        }

        header.IsMarked = (info.TrafficClass & EcnField.Mask) == EcnField.Experienced;
        var pair = new TcpPair(new IpEndpoint(info.Destination, header.DestinationPort), new IpEndpoint(info.Source, header.SourcePort));
        switch (_table.Find(pair))
        {
            case TcpConnection connection:
                connection.Socket.SegmentArrives(ref header, segment, now);
                break;
            case TcpEmbryo embryo:
                EmbryoReceives(embryo, ref header, segment, now);
                break;
            case TcpTimeWait timeWait:
                TimeWaitReceives(timeWait, header, segment, now);
                break;
            default:
                ListenerReceives(pair, ref header, segment, start, info.Hops, now);
                break;
        }
    }

    /// <summary>Lets sockets emit while there is room, each a bounded number of segments per turn.</summary>
    internal void Output(Instant now)
    {
        while (_firstOutput is { } socket && Ip.HasRoom)
        {
            _firstOutput = socket.NextOutput;
            if (_firstOutput is null)
                _lastOutput = null;
            socket.NextOutput = null;
            socket.IsInOutput = false;
            if (socket.Output(now))
                WantOutput(socket);
        }
    }

    /// <summary>Puts a socket into the queue of those that may have something to send.</summary>
    internal void WantOutput(TcpSocket socket)
    {
        if (socket.IsInOutput)
            return;
        socket.IsInOutput = true;
        if (_lastOutput is null)
            _firstOutput = socket;
        else
            _lastOutput.NextOutput = socket;
        _lastOutput = socket;
    }

    internal bool TryTakeChallenge(Instant now) => _challenges.TryTake(now);

    /// <summary>The initial sequence number of a connection: a clock of 4 µs plus a keyed hash of the endpoints (RFC 6528, 3).</summary>
    internal uint InitialSequence(in TcpPair pair, Instant now) => (uint)(now.Microseconds / 4) + (uint)HashOf(_sequenceKey, pair);

    /// <summary>What is added to the clock for a connection's timestamps, so that they tell neither the uptime nor one connection from another.</summary>
    internal uint TimestampOffset(in TcpPair pair) => (uint)HashOf(_timestampKey, pair);

    /// <summary>The timestamp clock: 1 ms (RFC 7323, 5.4).</summary>
    internal static uint TimestampClock(Instant now) => (uint)now.Milliseconds;

    internal static ulong HashOf(in SipHash key, in TcpPair pair)
    {
        var (localHigh, localLow) = pair.Local.Address.Halves;
        var (remoteHigh, remoteLow) = pair.Remote.Address.Halves;
        return key.Hash(localHigh, localLow, remoteHigh, remoteLow, (ulong)pair.Local.Port << 16 | pair.Remote.Port);
    }

    /// <summary>A packet of this stack to itself may come with its payload in fragments that belong to the sender's queue.</summary>
    private PacketBuffer Linear(PacketBuffer segment)
    {
        var copy = Ip.Pool.Rent(segment.TotalLength);
        segment.CopyTo(copy.Append(segment.TotalLength));
        copy.Offload = segment.Offload;
        segment.Release();
        return copy;
    }

    /// <summary>Checks everything that does not depend on a connection, and removes the header.</summary>
    private bool Accept(PacketBuffer segment, in IpReceiveInfo info, out TcpHeader header)
    {
        var result = TcpHeader.TryParse(segment.Span, out header, out var headerLength);
        if (result != TcpParseResult.Ok)
            return Refuse(ref ReasonFor(result));
        if (segment.Offload.Checksum == ChecksumState.None
            && Checksum.Sum(segment.Span, Checksum.PseudoHeader(info.Source, info.Destination, Protocol, segment.Length)) != 0xFFFF)
            return Refuse(ref Counters.TcpInCsumErrors);
        if (info.ToGroup)
            return Refuse(ref Counters.TcpInToGroup);
        if (info.Source.IsUnspecified || info.Source.IsMulticast || info.Source.IsLimitedBroadcast || header.SourcePort == 0 || header.DestinationPort == 0)
            return Refuse(ref Counters.TcpInBadAddress);
        if (!header.Has(TcpFlags.Syn | TcpFlags.Ack | TcpFlags.Rst) || (header.Has(TcpFlags.Syn) && header.Has(TcpFlags.Fin)))
            return Refuse(ref Counters.TcpInBadFlags);
        segment.TrimStart(headerLength);
        return true;
    }

    private bool Refuse(ref long reason)
    {
        reason++;
        Counters.TcpInErrs++;
        return false;
    }

    private ref long ReasonFor(TcpParseResult result)
    {
        switch (result)
        {
            case TcpParseResult.Truncated:
                return ref Counters.TcpInTruncated;
            case TcpParseResult.BadOffset:
                return ref Counters.TcpInBadOffset;
            default:
                return ref Counters.TcpInBadOptions;
        }
    }
}
