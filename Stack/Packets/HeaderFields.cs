namespace Tapwire.Stack.Packets;

/// <summary>Where the fields of an Ethernet header are, in bytes from its start.</summary>
public static class EthernetField
{
    public const int Destination = 0;
    public const int Source = 6;
    public const int Type = 12;
}

/// <summary>Where the fields of an IPv4 header are, in bytes from its start (RFC 791, 3.1).</summary>
public static class Ipv4Field
{
    /// <summary>The version in the upper half, the header's length in words in the lower.</summary>
    public const int VersionAndLength = 0;
    public const int TrafficClass = 1;
    public const int TotalLength = 2;
    public const int Identification = 4;

    /// <summary>Three flags, and the fragment's offset.</summary>
    public const int Fragment = 6;
    public const int HopLimit = 8;
    public const int Protocol = 9;
    public const int Checksum = 10;
    public const int Source = 12;
    public const int Destination = 16;

    /// <summary>Of <see cref="Fragment"/>: a fragment has one of these bits.</summary>
    public const ushort IsFragmentMask = 0x3FFF;

    /// <summary>Of <see cref="Fragment"/>: the offset, in units of 8 bytes.</summary>
    public const ushort OffsetMask = 0x1FFF;

    /// <summary>Of <see cref="Fragment"/>.</summary>
    public const ushort DontFragment = 0x4000;

    /// <summary>Of <see cref="Fragment"/>: this is not the last fragment.</summary>
    public const ushort MoreFragments = 0x2000;

    /// <summary><see cref="VersionAndLength"/> of a header without options.</summary>
    public const byte WithoutOptions = 0x45;
}

/// <summary>Where the fields of an IPv6 header are, in bytes from its start (RFC 8200, 3).</summary>
public static class Ipv6Field
{
    /// <summary>Four bits of version, eight of traffic class, twenty of flow label.</summary>
    public const int VersionClassAndFlow = 0;

    /// <summary>Bytes after the header, extension headers included.</summary>
    public const int PayloadLength = 4;
    public const int NextHeader = 6;
    public const int HopLimit = 7;
    public const int Source = 8;
    public const int Destination = 24;
}

/// <summary>Where the fields of a TCP header are, in bytes from its start (RFC 9293, 3.1).</summary>
public static class TcpField
{
    /// <summary>The source port; the destination port follows.</summary>
    public const int Ports = 0;
    public const int DestinationPort = 2;
    public const int Sequence = 4;
    public const int Acknowledgment = 8;

    /// <summary>The header's length in words in the upper half.</summary>
    public const int DataOffset = 12;
    public const int Flags = 13;
    public const int Window = 14;
    public const int Checksum = 16;
    public const int UrgentPointer = 18;

    /// <summary>Bytes of a header without options.</summary>
    public const int MinLength = 20;

    /// <summary>Bytes of the longest header.</summary>
    public const int MaxLength = 60;

    /// <summary>The header's length in bytes, by its byte at <see cref="DataOffset"/>.</summary>
    public static int LengthOf(byte dataOffset) => (dataOffset >> 4) * 4;
}
