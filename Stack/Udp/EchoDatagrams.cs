using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Udp;

/// <summary>What the datagrams of a socket are on the network.</summary>
public enum DatagramKind
{
    /// <summary>UDP.</summary>
    Udp,

    /// <summary>
    /// ICMP echo messages: what Linux calls a ping socket (socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)). A payload is a whole message with its ICMP header. The socket's local
    /// port is the identifier of its requests, which the stack writes into them. Peers have no port, and those that are given are ignored.
    /// </summary>
    Echo,
}

/// <summary>The payloads of sockets of <see cref="DatagramKind.Echo"/>.</summary>
internal static class EchoDatagrams
{
    public static byte ProtocolTo(this DatagramKind kind, IpAddress destination) =>
        kind == DatagramKind.Udp ? IpProtocol.Udp : destination.IsV4 ? IpProtocol.Icmp : IpProtocol.Icmpv6;

    /// <summary>Bytes in front of a payload on the network.</summary>
    public static int HeadersTo(this DatagramKind kind, IpAddress destination) =>
        (destination.IsV4 ? Ipv4Header.Length : Ipv6Header.Length) + (kind == DatagramKind.Udp ? UdpHeader.Length : 0);

    /// <summary>The longest payload that a packet holds, in bytes: the length field counts the header of IPv4, and not that of IPv6.</summary>
    public static int MostTo(this DatagramKind kind, IpAddress destination) => ushort.MaxValue - kind.HeadersTo(destination) + (destination.IsV4 ? 0 : Ipv6Header.Length);

    /// <summary>Where the checksum is that is still to be completed, or -1.</summary>
    public static int ChecksumOffsetTo(this DatagramKind kind, IpAddress destination) =>
        kind == DatagramKind.Udp ? UdpHeader.ChecksumOffset : destination.IsV4 ? -1 : Icmpv6Header.ChecksumOffset;

    /// <summary>An application may send echo requests only (Linux: ping_supported).</summary>
    public static bool IsRequest(PacketBuffer payload, IpAddress destination) =>
        payload.Length >= Icmpv4Header.Length && payload.Span[0] == (destination.IsV4 ? Icmpv4Type.Echo : Icmpv6Type.EchoRequest) && payload.Span[1] == 0;

    /// <summary>Writes identifier and checksum into a request. Takes the payload over.</summary>
    /// <returns>The payload itself, or a copy where somebody else refers to its bytes too.</returns>
    public static PacketBuffer Complete(PacketBuffer payload, ushort identifier, IpAddress destination, BufferPool pool)
    {
        var request = payload;
        if (!payload.IsExclusive || payload.FragmentCount != 0 || payload.Headroom < BufferPool.HeaderRoom)
        {
            request = pool.Rent(payload.TotalLength, BufferPool.HeaderRoom);
            payload.CopyTo(request.Append(payload.TotalLength));
            payload.Release();
        }

        Icmpv4View.TryParse(request.Span, out var header);
        if (destination.IsV4)
            Icmpv4Header.EchoRequest(identifier, header.Sequence).Emit(request.Span);
        else
            Icmpv6Header.EchoRequest(identifier, header.Sequence).Emit(request.Span);
        return request;
    }
}
