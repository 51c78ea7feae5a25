using System.Buffers.Binary;
using Tapwire.Stack.Ip;

namespace Tapwire.Proxy;

/// <summary>The header of the PROXY protocol, version 2 (haproxy.org, proxy-protocol.txt, 2.2): it goes before the first byte of a connection, and tells the server whose connection it is.</summary>
public static class ProxyProtocol
{
    /// <summary>The longest header, in bytes: that of IPv6.</summary>
    public const int MaxLength = 16 + 36;

    private const byte VersionTwoProxy = 0x21;
    private const byte TcpOverV4 = 0x11;
    private const byte TcpOverV6 = 0x21;

    private static ReadOnlySpan<byte> Signature => [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A];

    /// <summary>The header for a TCP connection. Where the families of both ends differ, the IPv4 address is a mapped one.</summary>
    /// <param name="source">The client.</param>
    /// <param name="destination">What the client has connected to.</param>
    public static byte[] HeaderOf(IpEndpoint source, IpEndpoint destination)
    {
        var isV4 = source.Address.IsV4 && destination.Address.IsV4;
        var address = isV4 ? 4 : 16;
        var header = new byte[Signature.Length + 4 + (2 * address) + 4];
        Signature.CopyTo(header);
        var rest = header.AsSpan(Signature.Length);
        (rest[0], rest[1]) = (VersionTwoProxy, isV4 ? TcpOverV4 : TcpOverV6);
        BinaryPrimitives.WriteUInt16BigEndian(rest[2..], (ushort)((2 * address) + 4));
        rest = rest[4..];
        foreach (var each in (ReadOnlySpan<IpAddress>)[source.Address, destination.Address])
        {
            if (isV4)
                each.CopyTo(rest);
            else
                each.CopyTo16(rest);
            rest = rest[address..];
        }

        BinaryPrimitives.WriteUInt16BigEndian(rest, source.Port);
        BinaryPrimitives.WriteUInt16BigEndian(rest[2..], destination.Port);
        return header;
    }
}
