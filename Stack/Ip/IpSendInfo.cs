
namespace Tapwire.Stack.Ip;

/// <summary>Who gets a packet to a multicast group.</summary>
internal enum GroupReach : byte
{
    /// <summary>The network, and the sockets of this host that are in the group (IP_MULTICAST_LOOP).</summary>
    LinkAndHost,

    /// <summary>The network alone.</summary>
    Link,

    /// <summary>This host alone: the TTL is 0.</summary>
    Host,

    /// <summary>Nobody.</summary>
    None,
}

/// <summary>What a transport asks of the IP layer for one packet.</summary>
internal readonly record struct IpSendInfo
{
    public required IpAddress Source { get; init; }

    public required IpAddress Destination { get; init; }

    /// <summary>The IP protocol number.</summary>
    public required byte Protocol { get; init; }

    /// <summary>TTL; 0 takes the stack's default.</summary>
    public byte HopLimit { get; init; }

    public byte TrafficClass { get; init; }

    /// <summary>Of an IPv6 packet, 0..0xFFFFF: one number for each flow, which nobody can guess (RFC 6437).</summary>
    public uint FlowLabel { get; init; }

    /// <summary>Offset of the 16-bit checksum in the transport header. The field is zero; the IP layer fills it in, or leaves it to the device. Negative: no
    /// checksum is wanted.</summary>
    public required int ChecksumOffset { get; init; }

    /// <summary>What is to become of a packet that is longer than <see cref="Mtu"/>, and may become of it on its way.</summary>
    public Fragmentation Fragmentation { get; init; }

    /// <summary>Largest packet on the path, in bytes; 0: the interface's MTU.</summary>
    public int Mtu { get; init; }

    /// <summary>Who gets a packet to a multicast group.</summary>
    public GroupReach Reach { get; init; }

    /// <summary>TCP payload bytes per segment when the device must cut the packet; 0 for a packet that fits the MTU.</summary>
    public int SegmentSize { get; init; }
}
