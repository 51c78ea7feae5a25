namespace Tapwire.Wires;

/// <summary>A wire whose frames can be read one by one to where the caller wants them. A frame so read has no <see cref="Stack.Buffers.OffloadNote"/>.</summary>
internal interface IPlacingWire : IWire
{
    /// <summary>The least room for one frame, in bytes; 0 if frames cannot be placed now: <see cref="IWire.Read"/> takes them.</summary>
    int FrameRoom { get; }

    /// <summary>The caller reads now.</summary>
    /// <returns>True: what it leaves is reported; false: it has to read until nothing is left.</returns>
    bool BeginRead();

    /// <summary>Reads the next frame to the start of <paramref name="room"/>.</summary>
    /// <param name="room">At least <see cref="FrameRoom"/> bytes. What lies behind the frame may be written, too.</param>
    /// <returns>The frame's length; 0 if it was of no use and has been counted, after which <see cref="FrameRoom"/> may have changed; -1 if there is none.</returns>
    /// <exception cref="WireException">The device is gone or refuses to work; the wire is to be disposed.</exception>
    int ReadFrame(Span<byte> room);
}
