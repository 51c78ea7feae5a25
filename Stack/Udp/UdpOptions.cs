using Tapwire.Stack.Multicast;

namespace Tapwire.Stack.Udp;

/// <summary>Limits of UDP.</summary>
public sealed class UdpOptions
{
    /// <summary>UDP sockets at one time, 1..4194304.</summary>
    public int Sockets { get; init; } = 65536;

    /// <summary>Datagrams that wait in one socket's receive queue, 1..1048576; the newest is dropped.</summary>
    public int QueuedDatagrams { get; init; } = 4096;

    internal void Validate()
    {
        Ranges.Sockets.Check(Sockets, nameof(Sockets));
        Ranges.QueuedDatagrams.Check(QueuedDatagrams, nameof(QueuedDatagrams));
    }

    /// <summary>What each option may be.</summary>
    public static class Ranges
    {
        public static ValueRange<int> Sockets { get; } = new(1, 1 << 22);

        public static ValueRange<int> QueuedDatagrams { get; } = new(1, 1 << 20);
    }
}

/// <summary>Options of a UDP socket at its creation.</summary>
public readonly record struct UdpSocketOptions
{
    public UdpSocketOptions()
    {
    }

    /// <summary>With which sockets the address is shared. With SO_REUSEADDR the newest one gets unicast datagrams, as on Linux; with SO_REUSEPORT they are
    /// spread.</summary>
    public PortSharing Sharing { get; init; }

    /// <summary>SO_REUSEADDR.</summary>
    public bool ReuseAddress
    {
        get => Sharing.ReuseAddress;
        init => Sharing = Sharing with { ReuseAddress = value };
    }

    /// <summary>SO_BROADCAST: allows sending to a broadcast address.</summary>
    public bool Broadcast { get; init; }

    /// <summary>SO_RCVBUF: bytes of memory that undelivered datagrams may hold, 2 KiB..64 MiB; values outside are clamped.</summary>
    public int ReceiveBuffer { get; init; } = 212_992;

    /// <summary>SO_SNDBUF: bytes of datagrams that may wait for room on the egress queue, 2 KiB..64 MiB; values outside are clamped.</summary>
    public int SendBuffer { get; init; } = 212_992;

    /// <summary>IP_TTL; 0 takes the stack's.</summary>
    public byte HopLimit { get; init; }

    /// <summary>IP_MULTICAST_TTL: TTL of datagrams to a group; with 0 they do not leave.</summary>
    public byte MulticastHopLimit { get; init; } = 1;

    /// <summary>IP_MULTICAST_LOOP: sockets of this host that are in the group get what this one sends to it.</summary>
    public bool MulticastLoop { get; init; } = true;

    /// <summary>IP_MULTICAST_ALL: the socket receives from every group that the host is in on the interface, also those that it has not joined itself.</summary>
    public bool MulticastAll { get; init; } = true;

    /// <summary>IP_MULTICAST_IF: the index of the interface by which datagrams to a group leave; null: the route says.</summary>
    public byte? MulticastInterface { get; init; }

    /// <summary>Groups that the socket is in from the beginning; what is no longer possible is left out.</summary>
    public IReadOnlyList<Membership> Memberships { get; init; } = [];

    /// <summary>IP_TOS: DSCP and ECN bits of packets sent.</summary>
    public byte TrafficClass { get; init; }

    /// <summary>Received datagrams come with the time of their arrival (SO_TIMESTAMP).</summary>
    public bool ArrivalTimes { get; init; }

    /// <summary>IP_RECVERR: errors come with what is known of them, also while the socket is not connected.</summary>
    public bool ErrorReports { get; init; }

    /// <summary>UDP_SEGMENT: bytes of payload in each datagram that a longer payload is cut into; 0: it is one datagram.</summary>
    public ushort SegmentSize { get; init; }

    /// <summary>IP_MTU_DISCOVER: of what is sent over IPv4, also by a socket of both families.</summary>
    public MtuDiscovery MtuDiscovery { get; init; } = MtuDiscovery.Want;

    /// <summary>IPV6_MTU_DISCOVER: of what is sent over IPv6.</summary>
    public MtuDiscovery MtuDiscoveryV6 { get; init; } = MtuDiscovery.Want;

    /// <summary>IPV6_MTU: packets of more bytes leave in fragments over IPv6, or not at all, even where the path takes them; 1280..65535, 0: what the path takes.</summary>
    public ushort PacketSizeV6 { get; init; }

    /// <summary>IPV6_DONTFRAG: over IPv6 nothing leaves in fragments, whatever <see cref="MtuDiscoveryV6"/> says (RFC 3542, 11.2); longer datagrams are refused.</summary>
    public bool DontFragmentV6 { get; init; }
}
