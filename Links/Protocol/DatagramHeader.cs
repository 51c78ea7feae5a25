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

    /// <summary>Largest payload: a 65,535-byte IPv4 packet without its headers.</summary>
    public const int MaxPayload = 65_507;

    private const int ErrorAt = 4;

    /// <summary>Writes the header of a message that reports an error.</summary>
    public static void WriteError(Span<byte> destination, int errno)
    {
        Sockaddr.None.WriteTo(destination);
        BinaryPrimitives.WriteInt32LittleEndian(destination[ErrorAt..], errno);
    }

    /// <summary>The errno in a header of family AF_UNSPEC.</summary>
    public static int ReadError(ReadOnlySpan<byte> source) => BinaryPrimitives.ReadInt32LittleEndian(source[ErrorAt..]);
}
