using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Forwarding;

/// <summary>
/// Gives what a router forwards by some interfaces the address of that interface, and brings the answers back (NAT44, and NAT66 with ports; RFC 4787, RFC 5382, RFC 5508, RFC 7857). A host's port has
/// the same port outside to every peer, whenever it can be the same number (endpoint-independent mapping); in comes only what answers (address- and port-dependent filtering). TCP, UDP, echo messages, and errors about
/// them are translated.
/// </summary>
/// <param name="isFree">No socket of the stack has that port, or identifier of echo messages.</param>
internal sealed class Masquerade(NatOptions options, TimerWheel timers, KeyedRandom random, Func<byte, ushort, bool> isFree, StackCounters counters)
{
    /// <summary>Ports that are tried before there is none. With half of them taken, that all fail has a chance of one in a million millions.</summary>
    private const int Tries = 40;

    private const int FirstPort = 1024;

    private readonly Dictionary<NatFlow, NatSession> _outbound = [];
    private readonly Dictionary<NatFlow, NatSession> _inbound = [];
    private readonly Dictionary<(NatFlow Near, byte Interface), NatMapping> _mappings = [];
    private readonly HashSet<NatFlow> _outers = [];
    private readonly Dictionary<IpAddress, int> _hosts = [];

    /// <summary>Flows at present.</summary>
    public int Count => _outbound.Count;

    /// <summary>Translates a packet that leaves by an interface.</summary>
    /// <param name="bytes">The packet, whole, with its IP header.</param>
    /// <param name="state">What its transport checksum is.</param>
    /// <returns>Anything but <see cref="NatOutcome.Translated"/>: it is to be dropped, and is counted.</returns>
    public NatOutcome Leave(Span<byte> bytes, ChecksumState state, NetworkInterface egress, Instant now)
    {
        if (!NatPacket.TryRead(bytes, out var packet))
            return Drop(ref counters.NatUnknownProtocol);
        if (packet.IsError)
            return Leave(packet, egress);
        if (!(packet.Protocol is IpProtocol.Tcp or IpProtocol.Udp || packet.IsEcho))
        {
            counters.NatUnknownProtocol++;
            return NatOutcome.Refused;
        }

        var flow = packet.FlowOf(isInbound: false);
        if (!_outbound.TryGetValue(flow, out var session) || session.Mapping.Egress != egress)
        {
            // Only what asks begins a flow; the rest of one that is forgotten would have another port than before.
            if (packet.Protocol is not (IpProtocol.Tcp or IpProtocol.Udp) && !packet.IsEchoRequest)
                return Drop(ref counters.NatNoSession);
            if (session is not null)
                Remove(session);
            if (Begin(flow, egress, now) is not { } begun)
                return NatOutcome.Refused;
            session = begun;
        }

        session.Passed(isInbound: false, packet.Flags, now);
        packet.Put(session.Mapping.Outer, isSource: true, hasPort: true, state);
        return NatOutcome.Translated;
    }

    /// <summary>Gives a packet that has been translated, and then could not be delivered, the source back that it had, so that its sender can be told.</summary>
    /// <returns>False: it has not been translated, and is unchanged.</returns>
    public bool TryUndo(Span<byte> bytes, ChecksumState state)
    {
        if (_inbound.Count == 0 || !NatPacket.TryRead(bytes, out var packet) || packet.IsError
            || (!packet.IsEcho && packet.Protocol is not (IpProtocol.Tcp or IpProtocol.Udp)) || !_inbound.TryGetValue(packet.FlowOf(isInbound: false), out var session))
        {
            return false;
        }

        packet.Put(session.Mapping.Inner, isSource: true, hasPort: true, state);
        return true;
    }

    /// <summary>Translates a packet to an own address back, if it answers one that has left.</summary>
    /// <param name="bytes">As for <see cref="Leave(Span{byte}, ChecksumState, NetworkInterface, Instant)"/>.</param>
    /// <param name="inner">The host that it is for.</param>
    /// <returns>False: it is for this host, and unchanged.</returns>
    public bool TryReturn(Span<byte> bytes, ChecksumState state, Instant now, out IpAddress inner)
    {
        inner = default;
        if (_inbound.Count == 0 || !NatPacket.TryRead(bytes, out var packet))
            return false;
        if (packet.IsError)
            return TryReturn(packet, out inner);
        if ((!packet.IsEcho && packet.Protocol is not (IpProtocol.Tcp or IpProtocol.Udp)) || !_inbound.TryGetValue(packet.FlowOf(isInbound: true), out var session))
            return false;
        session.Passed(isInbound: true, packet.Flags, now);
        inner = session.Mapping.Inner.Address;
        packet.Put(session.Mapping.Inner, isSource: false, hasPort: true, state);
        return true;
    }

    /// <summary>An address or an interface is gone, and with it all flows that leave from it.</summary>
    public void Forget(IpAddress outer)
    {
        foreach (var session in _outbound.Values.Where(session => session.Mapping.Outer.Address == outer).ToList())
            Remove(session);
    }

    internal void Arm(NatSession session) => timers.Arm(session, session.Until);

    internal void Remove(NatSession session)
    {
        timers.Cancel(session);
        _outbound.Remove(session.Outbound);
        _inbound.Remove(session.Inbound);
        var mapping = session.Mapping;
        var host = mapping.Inner.Address;
        if (--_hosts[host] == 0)
            _hosts.Remove(host);
        if (--mapping.Sessions != 0)
            return;
        _mappings.Remove(InsideOf(mapping.Protocol, mapping.Inner, mapping.Egress));
        _outers.Remove(NearOf(mapping.Protocol, mapping.Outer));
    }

    private static NatFlow NearOf(byte protocol, IpEndpoint near) => new(protocol, near, default);

    private static (NatFlow Near, byte Interface) InsideOf(byte protocol, IpEndpoint inner, NetworkInterface egress) => (NearOf(protocol, inner), egress.Index);

    private NatSession? Begin(in NatFlow flow, NetworkInterface egress, Instant now)
    {
        var host = flow.Near.Address;
        if (_outbound.Count >= options.Sessions)
        {
            counters.NatTableFull++;
            return null;
        }

        if (_hosts.GetValueOrDefault(host) >= options.SessionsPerHost)
        {
            counters.NatHostFull++;
            return null;
        }

        var inside = InsideOf(flow.Protocol, flow.Near, egress);
        if (!_mappings.TryGetValue(inside, out var mapping))
        {
            if (MapPort(flow, egress) is not { } made)
                return null;
            _mappings[inside] = mapping = made;
            _outers.Add(NearOf(flow.Protocol, mapping.Outer));
        }

        var session = new NatSession(this, mapping, flow.Remote, now);
        mapping.Sessions++;
        _hosts[host] = _hosts.GetValueOrDefault(host) + 1;
        _outbound[flow] = session;
        _inbound[session.Inbound] = session;
        counters.NatSessions++;
        return session;
    }

    /// <summary>The host's own port if it is free outside, which programs count on that tell peers of it; otherwise one at random (RFC 6056), but none of those that the stack's own sockets get.</summary>
    private NatMapping? MapPort(in NatFlow flow, NetworkInterface egress)
    {
        var address = egress.Own.SourceTowards(flow.Remote.Address);
        if (address.IsUnspecified || address.IsV4 != flow.Near.Address.IsV4)
        {
            counters.NatNoAddress++;
            return null;
        }

        var isEcho = flow.Protocol is IpProtocol.Icmp or IpProtocol.Icmpv6;
        for (var tries = 0; tries <= Tries; tries++)
        {
            var port = tries == 0 ? flow.Near.Port : (ushort)(FirstPort + random.Next(ushort.MaxValue + 1 - FirstPort));
            var outer = new IpEndpoint(address, port);
            var isOurs = !isEcho && (port < FirstPort || port is >= EphemeralPorts.First and <= EphemeralPorts.Last);
            // A host's own ephemeral port may be kept: a socket of the stack that gets the same one later differs by its peer.
            if ((isOurs && tries > 0) || port < (isEcho ? 0 : FirstPort) || _outers.Contains(NearOf(flow.Protocol, outer)) || !isFree(flow.Protocol, port))
                continue;
            return new NatMapping(flow.Protocol, flow.Near, outer, egress);
        }

        counters.NatNoPort++;
        return null;
    }

    /// <summary>A host behind the translator says that it has not got what came to it.</summary>
    private NatOutcome Leave(in NatPacket error, NetworkInterface egress)
    {
        if (!error.TryReadQuote(out var quote) || !_outbound.TryGetValue(quote.FlowOf(isInbound: true), out var session) || session.Mapping.Egress != egress)
            return Drop(ref counters.NatNoSession);
        quote.Put(session.Mapping.Outer, isSource: false, hasPort: true, ChecksumState.None);
        error.Put(session.Mapping.Outer, isSource: true, hasPort: false, ChecksumState.None);
        error.CompleteIcmp();
        return NatOutcome.Translated;
    }

    /// <summary>Somebody on the way says that what has left did not arrive.</summary>
    private bool TryReturn(in NatPacket error, out IpAddress inner)
    {
        inner = default;
        if (!error.TryReadQuote(out var quote) || !_inbound.TryGetValue(quote.FlowOf(isInbound: false), out var session))
            return false;
        inner = session.Mapping.Inner.Address;
        quote.Put(session.Mapping.Inner, isSource: true, hasPort: true, ChecksumState.None);
        error.Put(session.Mapping.Inner, isSource: false, hasPort: false, ChecksumState.None);
        error.CompleteIcmp();
        return true;
    }

    private static NatOutcome Drop(ref long counter)
    {
        counter++;
        return NatOutcome.Dropped;
    }
}
