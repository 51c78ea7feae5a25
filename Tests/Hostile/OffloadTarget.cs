using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Support;
using Tapwire.Tests.Wires.Offload;
using Tapwire.Wires.Offload;
using static Tapwire.Tests.Hostile.HostileException;

namespace Tapwire.Tests.Hostile;

/// <summary>
/// Software offload of either family, given a frame. One that may be merged gets a successor; of both together comes what cutting turns into the same two frames. Any other frame comes through as
/// it was.
/// </summary>
internal static class OffloadTarget
{
    private static readonly BufferPool Pool = new();

    public static byte[][] Seeds =>
    [
        .. HostileTemplates.Make(1),
        .. ((SegmentFrame[])[
            new() { Payload = [1, 2, 3] }, new() { IsV6 = true, Payload = new byte[100] }, new() { IsV6 = true, Options = [] },
            new() { IsV6 = true, Payload = [1], FirstExtension = 44, Extensions = [6, 0, 0, 1, 0, 0, 0, 1] }]).Select(frame => frame.ToBytes()),
    ];

    public static void Check(Span<byte> input)
    {
        foreach (var link in (ReadOnlySpan<int>)[0, EthernetHeader.Length])
        {
            // Most of what chance makes would not get past a checksum.
            Tampering.Repair(input, link);
            if (TcpSegmentView.Read(input, link, out var segment) == SegmentKind.Mergeable && segment.Verify(input))
                CheckPair(input, segment, link);
            else if (input.Length > 0)
                CheckAlone(input, link);
        }
    }

    private static void CheckPair(Span<byte> input, in TcpSegmentView segment, int link)
    {
        Require(segment.Payload > 0 && segment.Length <= input.Length && segment.TcpAt + TcpHeader.MinLength <= segment.Headers, "A segment is not within its frame.");
        var first = input[..segment.Length].ToArray();
        ClearIdentification(first, link, segment);
        var second = first.ToArray();
        var tcp = second.AsSpan(segment.TcpAt);
        BinaryPrimitives.WriteUInt32BigEndian(tcp[4..], segment.Sequence + (uint)segment.Payload);
        tcp.Slice(16, 2).Clear();
        BinaryPrimitives.WriteUInt16BigEndian(tcp[16..], Checksum.Finish(Checksum.Sum(tcp, segment.PseudoHeader(second, tcp.Length))));
        PacketBuffer[] frames = [Pool.RentCopy(first), Pool.RentCopy(second)];
        var count = new TcpCoalescer(link).Coalesce(Pool, frames);
        var merges = !segment.Pushes && segment.Length - link + segment.Payload <= ushort.MaxValue;
        Require(count == (merges ? 1 : 2), "What follows is not merged, or more than that is.");
        if (merges)
        {
            using var segmenter = new TcpSegmenter(Pool, link);
            Require(segmenter.TryBegin(frames[0]), "A merged super-frame cannot be cut.");
            var segments = segmenter.Cut();
            Require(segments.Length == 2 && Same(segments[0], first, link, segment) && Same(segments[1], second, link, segment), "What was merged is cut into something else.");
            segmenter.Sent(2);
            Require(segmenter.Cut().IsEmpty, "A super-frame has no end.");
        }

        foreach (var frame in frames.AsSpan(0, count))
            frame.Release();
    }

    private static void CheckAlone(Span<byte> input, int link)
    {
        PacketBuffer[] frames = [Pool.RentCopy(input)];
        Require(new TcpCoalescer(link).Coalesce(Pool, frames) == 1, "A frame is lost.");
        Require(frames[0].Span.SequenceEqual(input[..frames[0].Length]), "A frame is changed.");
        frames[0].Release();
    }

    /// <summary>Compares a segment with what it was, apart from IPv4's identification: the second one counts up.</summary>
    private static bool Same(PacketBuffer segment, byte[] frame, int link, in TcpSegmentView view)
    {
        var bytes = SegmentFrame.BytesOf(segment);
        ClearIdentification(bytes, link, view);
        return bytes.AsSpan().SequenceEqual(frame);
    }

    private static void ClearIdentification(Span<byte> frame, int link, in TcpSegmentView view)
    {
        if (view.IsV6)
            return;
        frame.Slice(link + 4, 2).Clear();
        Tampering.FixIpChecksum(frame[link..]);
    }
}
