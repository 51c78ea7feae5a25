using System.Text;
using Tapwire.Posix;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using static System.Buffers.Binary.BinaryPrimitives;

namespace Tapwire.Links.Protocol;

/// <summary>An entry of the answer to <see cref="ListInterfacesRequest"/>: an interface, or one of its addresses.</summary>
/// <param name="Index">As programs see it: 1 is loopback, which a driver does not list.</param>
/// <param name="HardwareAddress">Null: packets have no Ethernet header.</param>
/// <param name="Address">Null: the entry is about the interface itself. Its addresses follow.</param>
public sealed record LinkInterface(string Name, int Index, int Mtu, MacAddress? HardwareAddress, IpPrefix? Address)
{
    /// <summary>Bytes of an entry.</summary>
    public const int Size = 72;

    /// <summary>An answer fits the 1,024 bytes that a client can have room for.</summary>
    public const int MostInAnswer = 14;

    private const int HeadSize = 8;
    private const int NameSize = 16;

    // IFF_UP, IFF_RUNNING and IFF_MULTICAST, with IFF_BROADCAST, or with IFF_POINTOPOINT and IFF_NOARP.
    private const uint EthernetFlags = 0x1043;
    private const uint PointToPointFlags = 0x10D1;

    // ARPHRD_ETHER and ARPHRD_NONE.
    private const ushort EthernetType = 1;
    private const ushort NoType = 0xFFFE;

    /// <summary>The number of an interface of the stack as programs see it.</summary>
    public static int IndexOf(int index) => index + 2;

    /// <summary>The body of an answer.</summary>
    internal static byte[] Write(IReadOnlyList<LinkInterface> all, int from)
    {
        var count = Math.Clamp(all.Count - from, 0, MostInAnswer);
        var body = new byte[HeadSize + count * Size];
        WriteUInt32LittleEndian(body, (uint)all.Count);
        for (var i = 0; i < count; i++)
            all[from + i].WriteTo(body.AsSpan(HeadSize + i * Size, Size));
        return body;
    }

    /// <summary>Reads the interfaces of an answer, without their addresses.</summary>
    /// <returns>The number of all entries, of which an answer may have a part.</returns>
    internal static (int Total, List<(string Name, int Index)> Names) ReadNames(ReadOnlySpan<byte> body)
    {
        var names = new List<(string, int)>();
        if (body.Length < HeadSize)
            return (0, names);
        for (var entry = body[HeadSize..]; entry.Length >= Size; entry = entry[Size..])
        {
            var name = entry.Slice(20, NameSize);
            names.Add((Encoding.UTF8.GetString(name[..Math.Max(0, name.IndexOf((byte)0))]), (int)ReadUInt32LittleEndian(entry)));
        }

        return ((int)Math.Min(ReadUInt32LittleEndian(body), LinkProtocol.MaxInterfaceEntries), names);
    }

    private void WriteTo(Span<byte> entry)
    {
        WriteUInt32LittleEndian(entry, (uint)Index);
        WriteUInt32LittleEndian(entry[4..], HardwareAddress is null ? PointToPointFlags : EthernetFlags);
        WriteUInt32LittleEndian(entry[8..], (uint)Mtu);
        WriteUInt16LittleEndian(entry[12..], HardwareAddress is null ? NoType : EthernetType);
        HardwareAddress?.CopyTo(entry[14..]);
        Encoding.UTF8.GetEncoder().Convert(Name, entry.Slice(20, NameSize - 1), flush: true, out _, out _, out _);
        if (Address is not { } prefix)
            return;
        Sockaddr.From(new IpEndpoint(prefix.Address, 0)).WriteTo(entry[36..]);
        WriteUInt32LittleEndian(entry[(36 + Sockaddr.Size)..], (uint)prefix.Length);
    }
}
