using System.Buffers.Binary;
using System.Text;
using Tapwire.Stack.Ip;

namespace Tapwire.Proxy;

/// <summary>ATYP, address and port in requests, replies and datagrams (RFC 1928, 4 to 7).</summary>
public static class SocksAddress
{
    /// <summary>Bytes of the longest one that is written here: an IPv6 address.</summary>
    public const int MaxWritten = 1 + 16 + 2;

    /// <summary>Bytes of the longest one that can be read: a name of 255.</summary>
    public const int MaxRead = 1 + 1 + 255 + 2;

    /// <param name="length">With Complete: bytes that it takes.</param>
    public static ParseStatus TryRead(ReadOnlySpan<byte> bytes, out Destination destination, out int length)
    {
        destination = default;
        length = 0;
        if (bytes.IsEmpty)
            return ParseStatus.Incomplete;
        var start = 1;
        int size;
        switch ((SocksAddressType)bytes[0])
        {
            case SocksAddressType.V4:
                size = 4;
                break;
            case SocksAddressType.V6:
                size = 16;
                break;
            case SocksAddressType.DomainName when bytes.Length < 2:
                return ParseStatus.Incomplete;
            case SocksAddressType.DomainName when bytes[1] == 0:
                return ParseStatus.Malformed;
            case SocksAddressType.DomainName:
                start = 2;
                size = bytes[1];
                break;
            default:
                return ParseStatus.UnknownAddressType;
        }

        length = start + size + 2;
        if (bytes.Length < length)
            return ParseStatus.Incomplete;
        var address = bytes.Slice(start, size);
        var port = BinaryPrimitives.ReadUInt16BigEndian(bytes[(start + size)..]);
        if (start == 2)
            return Destination.TryCreate(Encoding.UTF8.GetString(address), port, out destination) ? ParseStatus.Complete : ParseStatus.Malformed;
        destination = new Destination(IpAddress.FromBytes(address), null, port);
        return ParseStatus.Complete;
    }

    /// <returns>The number of bytes written, at most <see cref="MaxWritten"/>.</returns>
    public static int Write(Span<byte> bytes, IpEndpoint endpoint)
    {
        var address = endpoint.Address;
        bytes[0] = (byte)(address.IsV4 ? SocksAddressType.V4 : SocksAddressType.V6);
        address.CopyTo(bytes[1..]);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[(1 + address.Length)..], endpoint.Port);
        return 1 + address.Length + 2;
    }
}
