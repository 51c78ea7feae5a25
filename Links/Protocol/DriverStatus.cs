using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Links.Protocol;

/// <summary>A driver's state and counters, in the answer to <see cref="StatusRequest"/>. Counters are totals since its start.</summary>
/// <param name="Interfaces">In the order of the settings; at least one.</param>
/// <param name="Sessions">Control connections of applications.</param>
/// <param name="Sockets">Sockets of applications.</param>
/// <param name="Guests">The network namespaces that the driver serves.</param>
/// <param name="Connections">Some of the stack's sockets, up to a limit; <paramref name="ConnectionCount"/> counts all.</param>
/// <param name="BuffersRented">Packet buffers that are in use.</param>
/// <param name="Counters">The engine's counters by name, without those that are zero.</param>
public sealed record DriverStatus(TimeSpan Uptime, IReadOnlyList<InterfaceStatus> Interfaces, int Sessions, int Sockets, IReadOnlyList<PortStatus> Ports,
    IReadOnlyList<GuestStatus> Guests, int ConnectionCount, IReadOnlyList<ConnectionStatus> Connections, long BuffersRented, IReadOnlyDictionary<string, long> Counters)
{
    /// <summary>Null: the driver has no name servers and no names of its own.</summary>
    public NamesStatus? Names { get; init; }

    /// <summary>The captures of packets that run.</summary>
    public IReadOnlyList<CaptureStatus> Captures { get; init; } = [];

    /// <summary>The driver's process id; 0: not told.</summary>
    public int Process { get; init; }

    /// <summary>What keeps connections from sending at this moment, with their number; those that wait for nothing but their programs are left out. Of at most 4,096 sockets of each shard.</summary>
    public IReadOnlyDictionary<SenderLimit, int> Limits { get; init; } = new Dictionary<SenderLimit, int>();

    /// <summary>Listeners with as many waiting connections as may wait, of the same sockets; no more than 16 are listed.</summary>
    public IReadOnlyList<FullListenerStatus> FullListeners { get; init; } = [];

    /// <summary>How often the process had no descriptor left.</summary>
    public DescriptorRefusals Descriptors { get; init; }

    /// <summary>Those of all interfaces.</summary>
    public IEnumerable<IpPrefix> Addresses() => Interfaces.SelectMany(static each => each.Addresses);
}

/// <summary>A listener that has no room for another connection.</summary>
/// <param name="Waiting">Connections that wait to be accepted.</param>
/// <param name="Backlog">How many may.</param>
public sealed record FullListenerStatus(IpEndpoint Local, int Waiting, int Backlog);

/// <summary>Descriptors that a process could not have, because of its limit on open files.</summary>
/// <param name="Count">So far.</param>
/// <param name="Since">Since the last one; null: there was none.</param>
/// <param name="Limit">The limit; 0: nobody has looked.</param>
public readonly record struct DescriptorRefusals(long Count, TimeSpan? Since, int Limit);

/// <summary>An attachment to a network.</summary>
/// <param name="Routes">Longest prefix first, those to the addresses' own prefixes included.</param>
public sealed record InterfaceStatus(string Name, WireStatus Wire, IReadOnlyList<IpPrefix> Addresses, IReadOnlyList<RouteStatus> Routes)
{
    /// <summary>Stations on the network, in address order; no more than 512 are listed.</summary>
    public IReadOnlyList<NeighborStatus> Neighbors { get; init; } = [];

    /// <summary>Null: it has no DHCP client.</summary>
    public LeaseStatus? Lease { get; init; }

    /// <summary>Null: it has no DHCPv6 client.</summary>
    public LeaseStatus? Lease6 { get; init; }

    /// <summary>Null: it has no DHCP server.</summary>
    public ServedStatus? Served { get; init; }
}

/// <summary>An interface's DHCP server, of both families. Counters are totals since its start.</summary>
/// <param name="Leases">In address order; no more than 512 are listed.</param>
/// <param name="Received">Messages of clients.</param>
/// <param name="Sent">Answers.</param>
/// <param name="Dropped">Messages that were not answered, or refused, by reason.</param>
public sealed record ServedStatus(IReadOnlyList<ServedLeaseStatus> Leases, long Received, long Sent, IReadOnlyList<KeyValuePair<string, long>> Dropped)
{
    public static ServedStatus Nothing { get; } = new([], 0, 0, []);
}

/// <summary>An address that a station has been given.</summary>
/// <param name="Name">As the station calls itself; empty: it does not say.</param>
/// <param name="Expires">Until the lease ends.</param>
public sealed record ServedLeaseStatus(IpAddress Address, string HardwareAddress, string Name, TimeSpan Expires);

/// <summary>A station on an interface's network.</summary>
/// <param name="HardwareAddress">Null: it is not known.</param>
/// <param name="State">As iproute2 names it, in upper case: REACHABLE, STALE, DELAY, PROBE, INCOMPLETE, FAILED, PERMANENT.</param>
public sealed record NeighborStatus(IpAddress Address, string? HardwareAddress, string State);

/// <summary>An interface's DHCP client. Counters are totals since its start.</summary>
/// <param name="State">As RFC 2131, Figure 5, names it, in lower case; "probing" while neighbours are asked for the address. Of DHCPv6 as RFC 8415, 18.2 has
/// them: "soliciting", "requesting", "confirming", "bound", "renewing", "rebinding", "declining"; "informing" and "informed" without an address, "idle" while routers say nothing of it. "starting", "failed".</param>
public sealed record LeaseStatus(string State)
{
    /// <summary>The leased address, the first of several; null: none. So are the others.</summary>
    public IpPrefix? Address { get; init; }

    /// <summary>Of DHCPv6 the address of the last answer.</summary>
    public IpAddress? Server { get; init; }

    /// <summary>The stacks have all that the lease brings; of DHCPv6 also all that there is without an address.</summary>
    public bool IsApplied { get; init; }

    /// <summary>Until the lease ends; null: never, or there is none.</summary>
    public TimeSpan? Expires { get; init; }

    /// <summary>Until its server is asked for more time.</summary>
    public TimeSpan? Renews { get; init; }

    public long Sent { get; init; }

    /// <summary>Messages that were used.</summary>
    public long Received { get; init; }

    /// <summary>Messages, or parts of them, that were not used, by reason.</summary>
    public IReadOnlyList<KeyValuePair<string, long>> Dropped { get; init; } = [];
}

/// <param name="Gateway">Unspecified where destinations are on the link themselves.</param>
public sealed record RouteStatus(IpPrefix Destination, IpAddress Gateway)
{
    /// <inheritdoc cref="Route.Metric"/>
    public int Metric { get; init; }
}

/// <summary>The network side of an interface.</summary>
/// <param name="Up">The device is there.</param>
public sealed record WireStatus(string Name, bool Up, int Mtu, string? HardwareAddress, string Offloads,
    long FramesReceived, long BytesReceived, long FramesSent, long BytesSent, long FramesRefused, long FramesDropped)
{
    public static readonly IReadOnlyDictionary<string, long> NoCounters = new Dictionary<string, long>();

    /// <summary>The other ends of a wire with a protocol of its own, as WireGuard's peers.</summary>
    public IReadOnlyList<PeerStatus> Peers { get; init; } = [];

    /// <summary>The counters of such a wire above 0, by name.</summary>
    public IReadOnlyDictionary<string, long> Counters { get; init; } = NoCounters;
}

/// <summary>A WireGuard peer, as 'wg show' shows it.</summary>
/// <param name="PublicKey">In base64.</param>
/// <param name="Endpoint">Null: not known yet.</param>
/// <param name="SinceHandshake">Since the latest handshake; null: there was none.</param>
/// <param name="UnansweredFor">Since the first handshake message that nothing has answered; null: all are answered.</param>
/// <param name="PersistentKeepalive">Zero: off.</param>
public sealed record PeerStatus(string PublicKey, IpEndpoint? Endpoint, IReadOnlyList<IpPrefix> AllowedIps, TimeSpan? SinceHandshake, TimeSpan? UnansweredFor, long BytesReceived, long BytesSent,
    TimeSpan PersistentKeepalive);

/// <summary>A capture of packets.</summary>
/// <param name="Name">Its file, "standard output", or the process that has asked for it, as "process id 1234".</param>
/// <param name="Packets">Captured so far.</param>
/// <param name="Dropped">Packets that its reader was too slow for.</param>
public sealed record CaptureStatus(string Name, long Packets, long Dropped)
{
    /// <summary>The only interface; empty: all.</summary>
    public string Interface { get; init; } = "";

    /// <summary>It has the datagrams of tunnels.</summary>
    public bool Outer { get; init; }

    /// <summary>The filter's address; null: any.</summary>
    public IpAddress? Host { get; init; }

    /// <summary>The filter's port; 0: any.</summary>
    public ushort Port { get; init; }

    /// <summary>Bytes recorded of each packet.</summary>
    public int SnapLength { get; init; }

    /// <summary>It ends after so many packets; 0: it does not.</summary>
    public long Count { get; init; }
}

/// <summary>A port that leads from one network to the other. All but <paramref name="Open"/> are totals since the start.</summary>
/// <param name="Name">Its kind and its entry in the settings: "socks 127.0.0.1:1080", "forward tcp:...", "expose udp:...".</param>
/// <param name="Open">Connections, or UDP clients, at this moment.</param>
/// <param name="Accepted">Connections, or UDP clients, so far.</param>
/// <param name="Refused">Connections, or datagrams of new UDP clients, for which there was no room.</param>
/// <param name="Failed">Accepted connections or clients whose handshake failed, or whose destination could not be reached.</param>
/// <param name="DatagramsDropped">Datagrams that could not be passed on.</param>
public sealed record PortStatus(string Name, int Open, long Accepted, long Refused, long Failed, long DatagramsDropped);

/// <summary>A network namespace that the driver serves.</summary>
/// <param name="Process">The id of the process that has asked for it.</param>
/// <param name="Wire">Its device: received is what the guest has sent.</param>
/// <param name="Published">The ports that lead to it, as "tcp:8080=80".</param>
/// <param name="Connections">Connections at this moment, those included that are being made.</param>
/// <param name="Accepted">Connections so far.</param>
/// <param name="Refused">Connections for which there was no room.</param>
/// <param name="Flows">Flows of datagrams that are remembered, and <paramref name="FlowsAccepted"/> so far.</param>
/// <param name="DatagramsDropped">Datagrams and echo requests that could not be passed on.</param>
public sealed record GuestStatus(GuestAddresses Addresses, int Process, WireStatus Wire, IReadOnlyList<string> Published, int Connections, long Accepted, long Refused, int Flows, long FlowsAccepted,
    long DatagramsDropped);

/// <summary>The driver's resolver. Counters are totals since the start.</summary>
/// <param name="Servers">As "10.99.0.1", those of a domain as "corp.example=10.0.0.53".</param>
/// <param name="Search">Domains in which short names are looked for.</param>
/// <param name="Queries">Messages to servers.</param>
/// <param name="Answers">Answers of servers that were used.</param>
/// <param name="FromCache">Questions that the cache has answered.</param>
/// <param name="TimeOuts">Servers that have not answered in time.</param>
/// <param name="Busy">Look-ups and questions beyond the limits.</param>
/// <param name="Cached">Answers in the cache at this moment.</param>
public sealed record NamesStatus(IReadOnlyList<string> Servers, IReadOnlyList<string> Search, long Queries, long Answers, long FromCache, long TimeOuts, long Busy, int Cached)
{
    /// <summary>Messages that were not used, by reason.</summary>
    public required IReadOnlyList<KeyValuePair<string, long>> Refused { get; init; }

    /// <summary>Names in .local; null while none is published and nobody looks one up.</summary>
    public MulticastNamesStatus? Multicast { get; init; }

    /// <summary>Of a driver without name servers.</summary>
    public static NamesStatus None { get; } = new([], [], 0, 0, 0, 0, 0, 0) { Refused = [] };
}

/// <summary>Multicast DNS (RFC 6762). Counters are totals since it was begun.</summary>
/// <param name="Links">The interfaces on which it is spoken.</param>
/// <param name="Asked">Questions for those who look names up.</param>
/// <param name="TimedOut">Questions that nobody has answered.</param>
/// <param name="Conflicts">Times that another host had the name.</param>
/// <param name="Cached">Records of other hosts that are known at this moment.</param>
public sealed record MulticastNamesStatus(IReadOnlyList<LinkNameStatus> Links, long Sent, long Received, long Asked, long Answered, long FromCache, long TimedOut, long Conflicts, int Cached)
{
    /// <summary>Messages that were not used, or not sent, by reason.</summary>
    public required IReadOnlyList<KeyValuePair<string, long>> Refused { get; init; }
}

/// <summary>This host's name on one interface.</summary>
/// <param name="State">resolving: none is published there; probing, announcing, established; failed: a program has the port for itself.</param>
/// <param name="Name">As "box.local"; null: none.</param>
public sealed record LinkNameStatus(string Interface, string State, string? Name);

/// <summary>One socket of the stack.</summary>
/// <param name="State">As RFC 9293 names it: "Established", "SynSent", ...; "Listen"; "Udp" and "Icmp" of datagram sockets.</param>
/// <param name="Remote">Port 0: it has no peer.</param>
/// <param name="SendQueue">Bytes that the peer has not acknowledged, or that wait for the wire; of a listener the connections that may wait to be accepted.</param>
/// <param name="ReceiveQueue">Bytes that the owner has not taken; of a listener the connections that wait to be accepted.</param>
/// <param name="Tcp">Null until the handshake is done, and for sockets that are no connections.</param>
public sealed record ConnectionStatus(string State, IpEndpoint Local, IpEndpoint Remote, int SendQueue, int ReceiveQueue, TcpInfo? Tcp = null)
{
    /// <summary>Since the stack has had it.</summary>
    public TimeSpan Age { get; init; }

    /// <summary>The interface that it is bound to by its addresses; empty: all.</summary>
    public string Interface { get; init; } = "";

    /// <summary>Datagrams dropped because the owner did not take them.</summary>
    public long Dropped { get; init; }

    /// <summary>Null: nobody has taken it yet.</summary>
    public SocketOwner? Owner { get; init; }
}

/// <summary>Whose a socket is.</summary>
/// <param name="Kind">"application"; a part of the driver: "service", "proxy", "guests", "names" ...</param>
/// <param name="Name">Of an application the program's name (/proc/PID/comm), empty if it is gone; of a service its name.</param>
/// <param name="Process">The process that has made the socket or its listener. Others may have got it since. 0: it is none.</param>
/// <param name="User">Its user id.</param>
public sealed record SocketOwner(string Kind, string Name, int Process = 0, uint User = 0);
