using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;
using Xunit;

namespace Tapwire.Tests.Support;

/// <summary>Cuts Ethernet frames into IPv4 fragments and joins them, as simply as that can be done.</summary>
public static class Fragmented
{
    public const int Headers = EthernetHeader.Length + Ipv4Header.Length;

    /// <summary>One fragment of a frame's packet.</summary>
    /// <param name="hasMore">Null: it is not the end.</param>
    public static byte[] Piece(byte[] frame, int start, int end, bool? hasMore = null, ushort id = 1) =>
        Build.Altered([.. frame[..Headers], .. frame[(Headers + start)..(Headers + end)]], header =>
    {
        var isMore = hasMore ?? end < frame.Length - Headers;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(Ipv4Field.TotalLength), (ushort)header.Length);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(Ipv4Field.Identification), id);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(Ipv4Field.Fragment), (ushort)(start / 8 | (isMore ? Ipv4Field.MoreFragments : 0)));
    });

    /// <summary>All fragments of a frame's packet.</summary>
    /// <param name="size">Payload of each but the last, a multiple of 8.</param>
    public static List<byte[]> Pieces(byte[] frame, int size, ushort id = 1)
    {
        var pieces = new List<byte[]>();
        var length = frame.Length - Headers;
        for (var start = 0; start < length; start += size)
            pieces.Add(Piece(frame, start, Math.Min(start + size, length), id: id));
        return pieces;
    }

    /// <summary>The IP payload of frames that are one packet, or all fragments of one in their order. Each header must be right.</summary>
    /// <param name="mtu">No packet may be longer.</param>
    public static byte[] Join(IReadOnlyList<byte[]> frames, int mtu)
    {
        var whole = new List<byte>();
        foreach (var frame in frames)
        {
            Assert.True(Ipv4View.TryParse(frame.AsSpan(EthernetHeader.Length), out var header));
            Assert.InRange(header.TotalLength, Ipv4Header.Length, mtu);
            Assert.Equal(frame.Length - EthernetHeader.Length, header.TotalLength);
            Assert.Equal(0xFFFFu, Checksum.Sum(frame.AsSpan(EthernetHeader.Length, Ipv4Header.Length)));
            Assert.Equal(whole.Count, header.FragmentOffset);
            Assert.Equal(frame != frames[^1], header.MoreFragments);
            Assert.Equal(IdOf(frames[0]), header.Identification);
            whole.AddRange(frame[Headers..]);
        }

        return [.. whole];
    }

    public static ushort IdOf(byte[] frame) => BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(EthernetHeader.Length + Ipv4Field.Identification));

    public static bool HasDontFragment(byte[] frame) =>
        (BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(EthernetHeader.Length + Ipv4Field.Fragment)) & Ipv4Field.DontFragment) != 0;
}
