using System.Runtime.InteropServices;

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

    /// <summary>struct cmsghdr on 64-bit Linux with the size of UDP_SEGMENT (16 bits) or UDP_GRO (32 bits) after it.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 24)]
    public struct SegmentMessage
    {
        /// <summary>CMSG_LEN of UDP_SEGMENT's value.</summary>
        public const int SendLength = 18;

        public nuint Length;
        public int Level;
        public int Type;
        public int Size;
    }
}
