namespace Tapwire.Wires;

/// <summary>
/// A wire that reads a frame straight into memory of the caller's choice. Merging segments (GRO) costs no copy then: each is read behind the payload of the one before it.
/// A frame so read has no <see cref="Stack.Buffers.OffloadNote"/>.
/// </summary>
internal interface IDirectReadWire : IWire
{
    /// <summary>The least room for one frame, in bytes; 0 if only <see cref="IWire.Read"/> can take them now, as frames with offloads.</summary>
    int FrameRoom { get; }

    /// <summary>Begins a batch of reads.</summary>
    /// <returns>True: frames that the caller leaves unread are reported again. False: it has to read until nothing is left.</returns>
    bool BeginRead();

    /// <summary>Reads the next frame to the start of <paramref name="room"/>.</summary>
    /// <param name="room">At least <see cref="FrameRoom"/> bytes. What lies behind the frame may be written, too.</param>
    /// <returns>The frame's length. 0: the frame was unusable and has been counted; <see cref="FrameRoom"/> may have changed. -1: there is none.</returns>
    /// <exception cref="WireException">The device is gone or refuses to work; the wire is to be disposed.</exception>
    int ReadFrame(Span<byte> room);
}
