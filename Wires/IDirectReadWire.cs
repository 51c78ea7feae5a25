using Tapwire.Stack.Buffers;

namespace Tapwire.Wires;

/// <summary>
/// A wire that reads a frame straight into memory of the caller's choice. Merging segments (GRO) then costs no copy: each is read behind the payload of the one
/// before it. Such a frame has no <see cref="Stack.Buffers.OffloadNote"/>.
/// </summary>
internal interface IDirectReadWire : IWire
{
    /// <summary>The least room for one frame, in bytes; 0 if only <see cref="IWire.Read"/> can take frames now, because they may have offloads.</summary>
    int FrameRoom { get; }

    /// <summary>Begins a batch of reads.</summary>
    /// <returns>True: frames that the caller leaves unread are reported again. False: it must read until none is left.</returns>
    bool BeginRead();

    /// <summary>Reads the next frame to the start of <paramref name="room"/>.</summary>
    /// <param name="room">At least <see cref="FrameRoom"/> bytes. Bytes behind the frame may be overwritten.</param>
    /// <returns>The frame's length. 0: the frame was unusable and has been counted; <see cref="FrameRoom"/> may have changed. -1: there is none.</returns>
    /// <exception cref="WireException">The device is gone or refuses to work; the caller must dispose the wire.</exception>
    int ReadFrame(Span<byte> room);
}

/// <summary>Reads into buffers of their own, one frame each.</summary>
internal static class DirectReads
{
    /// <inheritdoc cref="IWire.Read"/>
    /// <param name="wire">Reads to <paramref name="frames"/>.</param>
    /// <param name="room">The buffer that the last read has rented and not filled; the wire's.</param>
    public static int ReadEach(this IDirectReadWire wire, BufferPool pool, ref PacketBuffer? room, Span<PacketBuffer> frames, out bool more)
    {
        wire.BeginRead();
        var read = 0;
        var length = 1;
        while (read < frames.Length && length >= 0)
        {
            room ??= pool.RentFilled(wire.FrameRoom);
            length = wire.ReadFrame(room.Span);
            if (length == 0)
                break;
            if (length < 0)
                continue;
            var frame = room;
            room = null;
            frame.Truncate(length);
            frames[read++] = pool.Fit(frame);
        }

        more = length >= 0;
        return read;
    }
}
