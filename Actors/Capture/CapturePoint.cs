using System.Buffers.Binary;
using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Wires.Capture;

namespace Tapwire.Actors.Capture;

/// <summary>
/// Where packets of one actor are copied for one capture, as blocks of its file. They leave for the writer a turn at a time. What the writer has not written yet is bounded by the
/// <see cref="CaptureFeed"/>; a packet for which there is no room is counted there, and nobody waits.
/// </summary>
internal sealed class CapturePoint(CaptureFeed feed, IActorRef writer, BufferPool pool, WallClock clock)
{
    private PacketBuffer? _first;
    private PacketBuffer? _last;

    public CaptureFeed Feed => feed;

    public IActorRef Writer => writer;

    /// <summary>Copies a frame, if it is wanted, as the beginning of a block. <see cref="Add"/> ends it.</summary>
    /// <param name="timestamp">When the frame came or went, by the driver's clock.</param>
    /// <returns>Null: it is not wanted, or there is no room.</returns>
    public PacketBuffer? Copy(PacketBuffer frame, CapturedInterface on, long timestamp)
    {
        if (!feed.Wants(frame, on.Medium))
            return null;
        var original = frame.TotalLength;
        var captured = Math.Min(original, feed.Options.SnapLength);
        var head = Pcapng.PacketHeaderLength + Pcapng.Padded(captured);
        PacketBuffer block;
        try
        {
            block = pool.Rent(head + Pcapng.MaxTailLength);
        }
        catch (OutOfMemoryException)
        {
            on.CountDropped();
            return null;
        }

        if (!feed.TryTake(on, block.Capacity))
        {
            block.Release();
            return null;
        }

        var bytes = block.Append(head);
        Pcapng.PacketHeader(bytes, on.Id, clock.NanosecondsAt(timestamp), captured, original);
        bytes[(Pcapng.PacketHeaderLength + captured)..].Clear();
        CopyBytes(frame, bytes.Slice(Pcapng.PacketHeaderLength, captured));
        CompleteChecksum(frame, bytes.Slice(Pcapng.PacketHeaderLength, captured));
        return block;
    }

    /// <summary>Ends a block, and has it written.</summary>
    /// <param name="drop">Why the packet was dropped; null: it was not.</param>
    public void Add(PacketBuffer block, CaptureDirection direction, string? drop)
    {
        var at = block.Length;
        block.Append(Pcapng.MaxTailLength);
        block.Truncate(Pcapng.PacketTail(block.Span, at, direction, drop is null ? null : $"dropped: {drop}"));
        if (_last is null)
            _first = block;
        else
            _last.Next = block;
        _last = block;
    }

    /// <summary>Gives the writer what has come since the last call.</summary>
    public void Flush()
    {
        if (_first is null)
            return;
        writer.Tell(new CapturedPackets(feed, _first));
        _first = _last = null;
    }

    private static void CopyBytes(PacketBuffer frame, Span<byte> to)
    {
        var part = frame.Span[..Math.Min(frame.Length, to.Length)];
        part.CopyTo(to);
        to = to[part.Length..];
        for (var i = 0; i < frame.FragmentCount && to.Length > 0; i++)
        {
            var fragment = frame.GetFragment(i);
            fragment = fragment[..Math.Min(fragment.Length, to.Length)];
            fragment.CopyTo(to);
            to = to[fragment.Length..];
        }
    }

    /// <summary>Completes in the copy the checksum that the frame leaves to a device: whoever reads the capture would take it for wrong. That of a super-frame is the one of the whole.</summary>
    private static void CompleteChecksum(PacketBuffer frame, Span<byte> copy)
    {
        ref readonly var note = ref frame.Offload;
        var at = note.ChecksumStart + note.ChecksumOffset;
        if (note.Checksum != ChecksumState.Partial || at + sizeof(ushort) > Math.Min(copy.Length, frame.Length))
            return;
        var checksum = Checksum.Finish(Checksum.Sum(frame, note.ChecksumStart));
        BinaryPrimitives.WriteUInt16BigEndian(copy[at..], checksum == 0 ? (ushort)0xFFFF : checksum);
    }
}
