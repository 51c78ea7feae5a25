namespace Tapwire.Posix;

internal static unsafe partial class Libc
{
    public const int IPPROTO_IP = 0;
    public const int IP_MTU_DISCOVER = 10;
    public const int IPV6_MTU_DISCOVER = 23;

    /// <summary>Of both families: datagrams may be fragmented on their way, and carry no "don't fragment".</summary>
    public const int IP_PMTUDISC_DONT = 0;

    public const int SOL_UDP = 17;
    public const int UDP_SEGMENT = 103;
    public const int UDP_GRO = 104;

    /// <summary>Takes datagrams over IPv6 that have no checksum.</summary>
    public const int UDP_NO_CHECK6_RX = 102;

    /// <summary>The MTU of a connected socket's path.</summary>
    public const int IP_MTU = 14;

    /// <inheritdoc cref="IP_MTU"/>
    public const int IPV6_MTU = 24;

    public const int SO_MARK = 36;
    public const int SO_SNDBUFFORCE = 32;
    public const int SO_RCVBUFFORCE = 33;

    /// <summary>Most datagrams of one call with UDP_SEGMENT (linux/udp.h: UDP_MAX_SEGMENTS, of older kernels).</summary>
    public const int UdpMaxSegments = 64;

    /// <summary>struct in_pktinfo of a received or sent datagram over IPv4.</summary>
    public const int IP_PKTINFO = 8;

    /// <summary>The traffic class; a received one comes in one byte, a sent one is an int.</summary>
    public const int IP_TOS = 1;

    public const int IP_RECVTOS = 13;

    /// <summary>struct in6_pktinfo. A socket of IPv6 has it for datagrams over IPv4, too, with a mapped address.</summary>
    public const int IPV6_PKTINFO = 50;

    public const int IPV6_RECVPKTINFO = 49;

    /// <summary>The traffic class, an int.</summary>
    public const int IPV6_TCLASS = 67;

    public const int IPV6_RECVTCLASS = 66;
}
