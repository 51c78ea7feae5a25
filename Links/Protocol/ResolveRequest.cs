using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using Tapwire.Posix;
using Tapwire.Stack.Ip;

namespace Tapwire.Links.Protocol;

/// <summary>
/// Looks up the addresses of a name, or the name of an address, with the driver's resolver. Errors are <see cref="LinkErrno.NoEntry"/> (no such name),
/// <see cref="LinkErrno.NoData"/> (no address of that family), <see cref="LinkErrno.ServerFailure"/>, ETIMEDOUT (no server answers), EINVAL (no host's name),
/// and <see cref="LinkErrno.NoServer"/>, each with its reason.
/// </summary>
/// <param name="Family">Of the addresses; Unspecified: both. Not used with <paramref name="IsReverse"/>.</param>
/// <param name="IsReverse">The name is an address as text, and its name is looked for.</param>
/// <param name="Name">Up to <see cref="MaxName"/> bytes.</param>
/// <param name="Most">Addresses that the client has room for; 0: <see cref="MaxAddresses"/>.</param>
public sealed record ResolveRequest(uint Id, SocketFamily Family, bool IsReverse, string Name, int Most = 0) : LinkRequest(LinkMessageType.Resolve, Id)
{
    /// <summary>A name in UTF-8 that is longer is none.</summary>
    public const int MaxName = 255;

    /// <summary>Addresses in an answer; the stack's own resolver finds no more.</summary>
    public const int MaxAddresses = 512;

    /// <summary>Bytes of the frame before the name.</summary>
    internal const int Head = 24;

    private const int BodyHead = 8;

    /// <exception cref="ArgumentOutOfRangeException">It is no family of IP.</exception>
    public static SocketFamily FamilyOf(AddressFamily family) => family switch
    {
        AddressFamily.Unspecified => SocketFamily.Unspecified,
        AddressFamily.InterNetwork => SocketFamily.V4,
        AddressFamily.InterNetworkV6 => SocketFamily.V6,
        _ => throw new ArgumentOutOfRangeException(nameof(family), family, null),
    };

    /// <summary>The canonical name, or the name of an address, and the addresses.</summary>
    /// <param name="scope">The number of the interface on whose link the link-local IPv6 addresses are; 0: none is said.</param>
    public LinkAnswer Found(IReadOnlyList<IpAddress> addresses, string name, uint scope = 0)
    {
        var count = Math.Min(addresses.Count, Most is > 0 and < MaxAddresses ? Most : MaxAddresses);
        var text = Encoding.UTF8.GetBytes(name);
        var body = new byte[BodyHead + (count * Sockaddr.Size) + text.Length];
        BinaryPrimitives.WriteInt32LittleEndian(body, count);
        BinaryPrimitives.WriteInt32LittleEndian(body.AsSpan(4), text.Length);
        for (var i = 0; i < count; i++)
        {
            var address = Sockaddr.From(new IpEndpoint(addresses[i], 0));
            if (addresses[i] is { IsV6: true, IsLinkLocal: true })
                address = address with { Scope = scope };
            address.WriteTo(body.AsSpan(BodyHead + (i * Sockaddr.Size)));
        }

        text.CopyTo(body, BodyHead + (count * Sockaddr.Size));
        return new(Type, Id, 0, body);
    }

    /// <inheritdoc cref="AddGuestRequest.Refused"/>
    public LinkAnswer Refused(int errno, string reason) => LinkAnswer.Refusal(Type, Id, errno, reason);

    /// <summary>Bytes of the whole frame.</summary>
    internal int Size => Head + Encoding.UTF8.GetByteCount(Name);

    /// <exception cref="LinkProtocolException">The frame, of at least <see cref="Head"/> bytes, is malformed.</exception>
    internal static ResolveRequest Read(uint id, ReadOnlySpan<byte> frame)
    {
        var length = LinkRequestCodec.AtMost(BinaryPrimitives.ReadUInt16LittleEndian(frame[20..]), MaxName, "length of a name");
        if (frame.Length != Head + length)
            throw new LinkProtocolException($"A {LinkMessageType.Resolve} of {frame.Length} bytes with a name of {length}.");
        var isReverse = LinkRequestCodec.AtMost(BinaryPrimitives.ReadUInt16LittleEndian(frame[18..]), 1, "kind of a look-up") == 1;
        return new(id, (SocketFamily)BinaryPrimitives.ReadUInt16LittleEndian(frame[16..]), isReverse, Encoding.UTF8.GetString(frame[Head..]),
            BinaryPrimitives.ReadUInt16LittleEndian(frame[22..]));
    }

    internal void WriteBody(Span<byte> frame)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(frame[16..], (ushort)Family);
        BinaryPrimitives.WriteUInt16LittleEndian(frame[18..], (ushort)(IsReverse ? 1 : 0));
        BinaryPrimitives.WriteUInt16LittleEndian(frame[20..], (ushort)(frame.Length - Head));
        BinaryPrimitives.WriteUInt16LittleEndian(frame[22..], (ushort)Most);
        Encoding.UTF8.GetBytes(Name, frame[Head..]);
    }

    /// <summary>Reads what <see cref="Found"/> has written.</summary>
    /// <exception cref="LinkProtocolException">The answer is malformed.</exception>
    internal static (IReadOnlyList<Sockaddr> Addresses, string Name) ReadAnswer(ReadOnlySpan<byte> body)
    {
        if (body.Length < BodyHead)
            throw Malformed();
        var count = LinkRequestCodec.AtMost(BinaryPrimitives.ReadUInt32LittleEndian(body), MaxAddresses, "number of addresses");
        var length = LinkRequestCodec.AtMost(BinaryPrimitives.ReadUInt32LittleEndian(body[4..]), MaxName, "length of a name");
        if (body.Length != BodyHead + (count * Sockaddr.Size) + length)
            throw Malformed();
        var addresses = new Sockaddr[count];
        for (var i = 0; i < count; i++)
            addresses[i] = Sockaddr.TryRead(body[(BodyHead + (i * Sockaddr.Size))..], out var address) ? address : throw Malformed();
        return (addresses, Encoding.UTF8.GetString(body[^length..]));

        static LinkProtocolException Malformed() => new($"The answer to {LinkMessageType.Resolve} is malformed.");
    }
}
