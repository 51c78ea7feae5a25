using System.Buffers.Binary;
using System.Text;
using Tapwire.Posix;

namespace Tapwire.Links.Protocol;

/// <summary>The answer to one request.</summary>
/// <param name="Type">The request's type.</param>
/// <param name="Id">The request's id.</param>
/// <param name="Error">0, or a Linux errno; then the body is empty, or a <see cref="Reason"/>.</param>
/// <param name="Body">In the layout that belongs to the type.</param>
public sealed record LinkAnswer(LinkMessageType Type, uint Id, int Error, ReadOnlyMemory<byte> Body)
{
    /// <summary>Bytes of a body that is an address: the address and four of zero.</summary>
    internal const int AddressBodySize = 32;

    /// <summary>Bytes of the whole frame.</summary>
    public int Size => LinkProtocol.HeaderSize + Body.Length;

    /// <summary>The new socket's handle, in the answer to <see cref="LinkMessageType.Socket"/>.</summary>
    public ulong Handle => BinaryPrimitives.ReadUInt64LittleEndian(Sized(sizeof(ulong)));

    /// <summary>The address, in answers that carry one.</summary>
    public Sockaddr Address => Sockaddr.TryRead(Sized(AddressBodySize), out var address)
        ? address
        : throw new LinkProtocolException($"The answer to {Type} has an address of an unknown family.");

    public PingReply PingReply => PingReply.Read(Sized(PingReply.Size));

    /// <summary>The JSON text, in the answer to <see cref="LinkMessageType.Status"/>.</summary>
    public string Text => Encoding.UTF8.GetString(Body.Span);

    /// <summary>Why an <see cref="InterfaceRequest"/> is refused, in a sentence; empty: the error says it all.</summary>
    public string Reason => Error == 0 ? "" : Encoding.UTF8.GetString(Body.Span);

    /// <summary>A refusal with a reason, which is cut where it is too long.</summary>
    internal static LinkAnswer Refusal(LinkMessageType type, uint id, int errno, string reason)
    {
        var body = new byte[LinkProtocol.MaxReason];
        Encoding.UTF8.GetEncoder().Convert(reason, body, flush: true, out _, out var used, out _);
        return new(type, id, errno, body.AsMemory(0, used));
    }

    /// <summary>Writes the frame, <see cref="Size"/> bytes.</summary>
    public void WriteTo(Span<byte> frame)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(frame, (uint)Size);
        BinaryPrimitives.WriteUInt16LittleEndian(frame[4..], (ushort)((ushort)Type | LinkProtocol.AnswerBit));
        BinaryPrimitives.WriteUInt16LittleEndian(frame[6..], 0);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[8..], Id);
        BinaryPrimitives.WriteInt32LittleEndian(frame[12..], Error);
        Body.Span.CopyTo(frame[LinkProtocol.HeaderSize..]);
    }

    /// <summary>Reads a whole frame; its length has been checked to be at least <see cref="LinkProtocol.HeaderSize"/>. The body is copied.</summary>
    /// <exception cref="LinkProtocolException">It is no answer.</exception>
    public static LinkAnswer Read(ReadOnlySpan<byte> frame)
    {
        var type = BinaryPrimitives.ReadUInt16LittleEndian(frame[4..]);
        if ((type & LinkProtocol.AnswerBit) == 0)
            throw new LinkProtocolException("The driver has sent a frame that is no answer.");
        return new(
            (LinkMessageType)(type & ~LinkProtocol.AnswerBit),
            BinaryPrimitives.ReadUInt32LittleEndian(frame[8..]),
            BinaryPrimitives.ReadInt32LittleEndian(frame[12..]),
            frame[LinkProtocol.HeaderSize..].ToArray());
    }

    /// <summary>
    /// For the log. The compiler's own version would read properties that throw in answers of other types, and it would do so in the logger, where nobody
    /// expects an exception.
    /// </summary>
    public override string ToString() => $"{nameof(LinkAnswer)} {{ Type = {Type}, Id = {Id}, Error = {Error}, Body = {Body.Length} bytes }}";

    private ReadOnlySpan<byte> Sized(int size) => Body.Length == size
        ? Body.Span
        : throw new LinkProtocolException($"The answer to {Type} has {Body.Length} bytes, not {size}.");
}

/// <summary>What came of an ICMP echo request.</summary>
/// <param name="HopLimit">As received in the reply; 0 if not known.</param>
public readonly record struct PingReply(TimeSpan RoundTrip, Sockaddr From, byte HopLimit)
{
    /// <summary>Bytes on the link: i64 round trip in ns, address, u32 hop limit.</summary>
    public const int Size = 40;

    internal void WriteTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteInt64LittleEndian(destination, RoundTrip.Ticks * TimeSpan.NanosecondsPerTick);
        From.WriteTo(destination[8..]);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[36..], HopLimit);
    }

    internal static PingReply Read(ReadOnlySpan<byte> source)
    {
        if (!Sockaddr.TryRead(source[8..], out var from))
            throw new LinkProtocolException("A ping reply comes from an address of an unknown family.");
        var ticks = BinaryPrimitives.ReadInt64LittleEndian(source) / TimeSpan.NanosecondsPerTick;
        return new(new TimeSpan(ticks), from, source[36]);
    }
}
