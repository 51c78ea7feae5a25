using System.Buffers.Binary;
using System.Text;

namespace Tapwire.Links.Protocol;

/// <summary>
/// Looks for services on the driver's links by multicast DNS (RFC 6763), for as long as is said; then they come as JSON. Errors are EINVAL (no type of services),
/// <see cref="LinkErrno.NoServer"/> (no link is asked), and <see cref="LinkErrno.ServerFailure"/>, each with its reason.
/// </summary>
/// <param name="Service">The type, as "_http._tcp", up to <see cref="MaxService"/> bytes; empty: the types themselves.</param>
/// <param name="Milliseconds">1 to <see cref="MostMilliseconds"/>.</param>
public sealed record BrowseRequest(uint Id, string Service, int Milliseconds) : LinkRequest(LinkMessageType.Browse, Id)
{
    /// <summary>A longer text is no type.</summary>
    public const int MaxService = 63;

    public const int MostMilliseconds = 30_000;

    /// <summary>Bytes of the frame before the text.</summary>
    internal const int Head = 24;

    /// <summary>Bytes of the whole frame.</summary>
    internal int Size => Head + Encoding.UTF8.GetByteCount(Service);

    /// <param name="json">No longer than <see cref="LinkProtocol.MaxAnswer"/> allows.</param>
    public LinkAnswer Found(ReadOnlyMemory<byte> json) => new(Type, Id, 0, json);

    /// <inheritdoc cref="AddGuestRequest.Refused"/>
    public LinkAnswer Refused(int errno, string reason) => LinkAnswer.Refusal(Type, Id, errno, reason);

    /// <exception cref="LinkProtocolException">The frame, of at least <see cref="Head"/> bytes, is malformed.</exception>
    internal static BrowseRequest Read(uint id, ReadOnlySpan<byte> frame)
    {
        var length = LinkRequestCodec.AtMost(BinaryPrimitives.ReadUInt16LittleEndian(frame[20..]), MaxService, "length of a service");
        if (frame.Length != Head + length || BinaryPrimitives.ReadUInt16LittleEndian(frame[22..]) != 0)
            throw new LinkProtocolException($"A {LinkMessageType.Browse} of {frame.Length} bytes with a service of {length}.");
        var time = LinkRequestCodec.AtMost(BinaryPrimitives.ReadUInt32LittleEndian(frame[16..]), MostMilliseconds, "time to browse");
        return new(id, Encoding.UTF8.GetString(frame[Head..]), Math.Max(1, time));
    }

    internal void WriteBody(Span<byte> frame)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(frame[16..], (uint)Milliseconds);
        BinaryPrimitives.WriteUInt16LittleEndian(frame[20..], (ushort)(frame.Length - Head));
        Encoding.UTF8.GetBytes(Service, frame[Head..]);
    }
}
