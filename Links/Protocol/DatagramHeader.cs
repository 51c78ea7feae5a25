using System.Buffers.Binary;
using Tapwire.Posix;

namespace Tapwire.Links.Protocol;

/// <summary>
/// What precedes the payload of every message on a datagram socket's descriptor: a <see cref="Sockaddr"/>. From the application it is the
/// destination, or AF_UNSPEC for the connected peer; to the application it is the sender, or AF_UNSPEC with an errno in place of the address: the
/// socket's pending error, without payload.
/// </summary>
public static class DatagramHeader
{
    public const int Size = Sockaddr.Size;

    /// <summary>Largest payload, in bytes: an ICMPv6 message that fills an IPv6 packet, whose length field does not count its own header. Of UDP it is 8 bytes less, and over
    /// IPv4 20 bytes less.</summary>
    public const int MaxPayload = 65_535;

    /// <summary>A bit of the family: a <see cref="DatagramExtension"/> follows the header.</summary>
    public const ushort Extended = 0x8000;

    private const int ErrorAt = 4;

    /// <summary>Sets <see cref="Extended"/> in a header that is written.</summary>
    public static void Extend(Span<byte> header) => header[1] |= Extended >> 8;

    /// <summary>Takes <see cref="Extended"/> out of a header that was read. False: it was not there.</summary>
    public static bool TakeExtended(Span<byte> header)
    {
        var isExtended = (header[1] & (Extended >> 8)) != 0;
        header[1] &= unchecked((byte)~(Extended >> 8));
        return isExtended;
    }

    /// <summary>Writes the header of a message that reports an error.</summary>
    public static void WriteError(Span<byte> destination, int errno)
    {
        Sockaddr.None.WriteTo(destination);
        BinaryPrimitives.WriteInt32LittleEndian(destination[ErrorAt..], errno);
    }

    /// <summary>The errno in a header of family AF_UNSPEC.</summary>
    public static int ReadError(ReadOnlySpan<byte> source) => BinaryPrimitives.ReadInt32LittleEndian(source[ErrorAt..]);
}
