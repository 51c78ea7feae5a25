using System.Reflection;
using Tapwire.Stack.Tcp;

namespace Tapwire.Stack;

/// <summary>
/// What a stack has counted since it was made: one number per event and per reason for a drop. Names that Linux's SNMP tables
/// (/proc/net/snmp, /proc/net/netstat) have mean the same here. Plain numbers, written by the stack's owner only; another thread may read values
/// that are a moment old.
/// </summary>
public sealed class StackCounters
{
    // Frames
    public long InFrames;
    public long InBytes;

    /// <summary>Frames of an interface that has been removed.</summary>
    public long InNoInterface;
    public long OutFrames;
    public long OutBytes;

    /// <summary>Packets dropped because the egress queue was beyond its limit: answers and errors only, for transports hold back earlier.</summary>
    public long EgressOverflow;

    /// <summary>Packets to own addresses that were handed back to this stack.</summary>
    public long LoopbackPackets;

    /// <summary>Packets to own addresses dropped because the loopback queue was full.</summary>
    public long LoopbackOverflow;

    // Ethernet
    public long EthernetTooShort;

    /// <summary>Frames to another station's unicast address.</summary>
    public long EthernetOtherHost;

    /// <summary>Frames from a group address, or from this stack's own.</summary>
    public long EthernetBadSource;
    public long EthernetVlanTagged;
    public long EthernetUnknownType;

    // ARP and neighbours
    public long ArpInRequests;
    public long ArpInReplies;
    public long ArpOutRequests;
    public long ArpOutReplies;
    public long ArpOutAnnouncements;
    public long ArpTooShort;

    /// <summary>Hardware or protocol type or address length other than Ethernet and IPv4.</summary>
    public long ArpBadFormat;
    public long ArpBadOperation;

    /// <summary>Sender address that no station can have: group, broadcast, loopback, or at odds with the frame's source.</summary>
    public long ArpBadSender;

    /// <summary>Our own packets, which have come back: the network has a loop.</summary>
    public long ArpOwnSender;

    /// <summary>Requests and announcements about addresses of other stations.</summary>
    public long ArpNotForUs;

    /// <summary>Replies that nobody asked for.</summary>
    public long ArpUnsolicited;

    /// <summary>Claims of a neighbour's address from another hardware address that were not believed (the holder is being asked).</summary>
    public long ArpMovesRefused;

    /// <summary>Neighbours that took another hardware address.</summary>
    public long ArpMoves;

    /// <summary>ARP packets of another station that claims one of this stack's addresses (RFC 5227, 2.4).</summary>
    public long ArpAddressConflicts;

    // IPv6 neighbour discovery
    public long NdpInSolicits;
    public long NdpInAdvertisements;
    public long NdpOutSolicits;
    public long NdpOutAdvertisements;

    public long NdpInRouterAdvertisements;
    public long NdpOutRouterSolicits;
    public long NdpInRouterSolicits;
    public long NdpOutRouterAdvertisements;

    /// <summary>Router advertisements on an interface that is not configured by routers.</summary>
    public long NdpInRoutersIgnored;
    public long NdpInRedirectsIgnored;

    /// <summary>Routers, prefixes, routes, name servers or search domains for which there was no place.</summary>
    public long NdpRouterTableFull;

    /// <summary>Advertised prefixes in which no address was to be had.</summary>
    public long NdpNoAddress;

    /// <summary>Messages whose hop limit is not 255, which may come from beyond the link (RFC 4861, 6.1, 7.1, 8.1).</summary>
    public long NdpBadHopLimit;

    /// <summary>Messages that are too short, have a bad code, address or option, or came in fragments (RFC 6980).</summary>
    public long NdpBadFormat;

    /// <summary>Solicitations of other stations' addresses.</summary>
    public long NdpNotForUs;

    /// <summary>Advertisements that nobody asked for.</summary>
    public long NdpUnsolicited;

    /// <summary>Messages of other stations that have, or want, one of this stack's addresses.</summary>
    public long NdpAddressConflicts;

    /// <summary>Own addresses given up because another station has them (RFC 4862, 5.4).</summary>
    public long NdpDuplicateAddresses;

    // Neighbours of both families
    public long NeighborUnreachable;
    public long NeighborQueueOverflow;
    public long NeighborTableOverflow;

    /// <summary>Packets that waited for a neighbour which did not answer.</summary>
    public long NeighborQueueDropped;

    // IP input
    public long IpInReceives;
    public long IpInDelivers;
    public long IpInTruncated;
    public long IpInBadVersion;

    /// <summary>IPv4 packets with a header length below 20 bytes or beyond the packet.</summary>
    public long IpInBadHeaderLength;

    /// <summary>IPv4 packets whose total length is below the header's or beyond the frame.</summary>
    public long IpInBadLength;
    public long IpInBadChecksum;
    public long IpInBadOptions;
    public long IpInSourceRoute;

    /// <summary>Source addresses that no packet may have: group, broadcast, unspecified, loopback, reserved.</summary>
    public long IpInMartianSource;

    /// <summary>Destination addresses that no packet on a wire may have: unspecified, loopback, reserved.</summary>
    public long IpInMartianDestination;

    /// <summary>Packets from a wire that carry one of this stack's own addresses as their source ("land").</summary>
    public long IpInOwnSource;

    /// <summary>Packets to other hosts, which this stack does not forward, and to groups that it is not in, or not from their source.</summary>
    public long IpInAddrErrors;

    /// <summary>Packets to an own address of another interface than the one on which they came (RFC 1122, 3.3.4.2: strong host model).</summary>
    public long IpInOtherInterface;

    /// <summary>Unicast packets that came in a link-layer broadcast (RFC 1122, 3.3.6).</summary>
    public long IpInLinkBroadcast;
    public long IpInUnknownProtos;

    /// <summary>IPv6 packets whose extension headers are cut short, or are more than honest senders make.</summary>
    public long Ip6InBadChain;

    /// <summary>IPv6 packets with an extension header or an option that this stack refuses.</summary>
    public long Ip6InHdrErrors;

    // Reassembly

    /// <summary>Fragments to own addresses.</summary>
    public long IpReasmReqds;

    /// <summary>Datagrams that were made whole.</summary>
    public long IpReasmOKs;

    /// <summary>Datagrams that were given up after some of their fragments had arrived, for whatever reason.</summary>
    public long IpReasmFails;

    /// <summary>Datagrams given up because the rest did not come in time.</summary>
    public long IpReasmTimeout;

    /// <summary>Datagrams given up because a fragment overlapped another one (RFC 5722).</summary>
    public long IpReasmOverlaps;

    /// <summary>Fragments whose bytes had all arrived before; they change nothing.</summary>
    public long IpReasmDuplicates;

    /// <summary>Fragments that no honest sender makes: empty, cut within 8 bytes, beyond 65,535 bytes, within the TCP header; and those that contradict the last one.</summary>
    public long IpReasmMalformed;

    /// <summary>Datagrams given up because they had more fragments than one may have.</summary>
    public long IpReasmTooMany;

    /// <summary>Datagrams that gave way to newer ones because there was no more memory, or place, for fragments.</summary>
    public long IpReasmEvicted;

    /// <summary>Datagrams whose fragments' ECN fields do not fit together (RFC 3168, 5.3).</summary>
    public long IpReasmBadEcn;

    /// <summary>Fragments dropped because the machine, or the control group, is out of memory.</summary>
    public long IpReasmMemErrors;

    // IP output
    public long IpOutRequests;
    public long IpOutNoRoutes;

    /// <summary>Packets larger than the MTU, which nobody on the way may fragment.</summary>
    public long IpOutTooBig;

    /// <summary>Datagrams that left in fragments.</summary>
    public long IpFragOKs;

    /// <summary>Datagrams that would have left in fragments, and found no room on the egress queue.</summary>
    public long IpFragFails;

    /// <summary>Fragments made.</summary>
    public long IpFragCreates;

    // Forwarding between interfaces

    /// <summary>Packets forwarded to another host; a super-frame is one.</summary>
    public long IpForwDatagrams;

    /// <summary>Packets for another host whose hop limit has run out here.</summary>
    public long IpForwHopLimit;

    /// <summary>Packets for another host to which there is no route.</summary>
    public long IpForwNoRoutes;

    /// <summary>Packets for another host from an address that has no meaning beyond its own link.</summary>
    public long IpForwBadScope;

    /// <summary>Packets for another host that are longer than the next link takes, and must not be fragmented.</summary>
    public long IpForwTooBig;

    /// <summary>Packets for another host that found the queue of the interface full.</summary>
    public long IpForwQueueFull;

    /// <summary>Super-frames for another host that the next device does not cut.</summary>
    public long IpForwUncut;

    // Address translation

    /// <summary>Flows that were translated.</summary>
    public long NatSessions;

    /// <summary>Packets that would have begun one more flow than there may be.</summary>
    public long NatTableFull;

    /// <summary>The same, of flows of one host.</summary>
    public long NatHostFull;

    /// <summary>Packets that would have begun a flow for which there was no port.</summary>
    public long NatNoPort;

    /// <summary>Packets for which the interface has no address of their family.</summary>
    public long NatNoAddress;

    /// <summary>Answers and errors that belong to no flow.</summary>
    public long NatNoSession;

    /// <summary>Packets of protocols that are not translated.</summary>
    public long NatUnknownProtocol;

    // ICMP
    public long IcmpInMsgs;
    public long IcmpInTruncated;
    public long IcmpInCsumErrors;
    public long IcmpInEchos;
    public long IcmpInEchoReps;
    public long IcmpInDestUnreachs;
    public long IcmpInTimeExcds;
    public long IcmpInParmProbs;
    public long IcmpInRedirectsIgnored;
    public long IcmpInUnknownTypes;

    /// <summary>Messages to a broadcast or multicast address, which are not answered (RFC 1122, 3.2.2.6).</summary>
    public long IcmpInGroupIgnored;

    /// <summary>Echo requests to other hosts dropped because as many waited for those hosts' answers as may.</summary>
    public long IcmpInForwardOverflow;

    /// <summary>Errors whose quoted packet is cut short, malformed, or was not sent by this stack.</summary>
    public long IcmpInBadQuotes;

    /// <summary>"Too big" with an MTU below 68.</summary>
    public long IcmpInBadMtu;

    /// <summary>Echo replies that no socket awaits.</summary>
    public long IcmpInEchoRepsUnmatched;
    public long IcmpEchoQueueOverflow;
    public long IcmpOutEchos;
    public long IcmpOutEchoReps;
    public long IcmpOutDestUnreachs;
    public long IcmpOutParmProbs;
    public long IcmpOutTimeExcds;
    public long IcmpOutRedirects;

    /// <summary>Errors that were due but held back by the rate limit.</summary>
    public long IcmpOutRateLimited;

    // IGMP and MLD

    /// <summary>Queries of routers about the groups that this host is in.</summary>
    public long MulticastInQueries;

    /// <summary>Reports and leaves of other hosts.</summary>
    public long MulticastInReports;

    /// <summary>Messages that are cut short, have a wrong checksum, or may have come from beyond the link.</summary>
    public long MulticastInMalformed;

    /// <summary>IGMP messages that are none of a host's business.</summary>
    public long MulticastInUnknownTypes;

    /// <summary>Reports and leaves sent.</summary>
    public long MulticastOutReports;

    // UDP
    public long UdpInDatagrams;
    public long UdpOutDatagrams;
    public long UdpNoPorts;
    public long UdpInTruncated;
    public long UdpInBadLength;
    public long UdpInCsumErrors;
    public long UdpInBadPort;
    public long UdpRcvbufErrors;

    /// <summary>Datagrams dropped because the machine, or the control group, is out of memory.</summary>
    public long UdpMemErrors;
    public long UdpSndbufErrors;

    /// <summary>Error reports (IP_RECVERR) dropped because the socket's queue was full.</summary>
    public long UdpErrorsDropped;

    /// <summary>Datagrams to a group that no socket on their port wants.</summary>
    public long UdpGroupFiltered;

    private static readonly FieldInfo[] Fields = typeof(StackCounters).GetFields(BindingFlags.Public | BindingFlags.Instance);

    /// <summary>TCP's part.</summary>
    public TcpCounters Tcp { get; } = new();

    /// <summary>All counters with their names, in the order of this file; TCP's at the end.</summary>
    public IEnumerable<(string Name, long Value)> All()
    {
        foreach (var field in Fields)
            yield return (field.Name, (long)field.GetValue(this)!);
        foreach (var counter in Tcp.All())
            yield return counter;
    }
}
