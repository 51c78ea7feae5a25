using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;

namespace Tapwire.Wires;

/// <summary>Work that a wire does for the stack.</summary>
[Flags]
public enum WireOffloads
{
    None = 0,

    /// <summary>Completes partial transport checksums, and reports whether those of received frames were verified.</summary>
    Checksum = 1,

    /// <summary>Cuts TCP super-frames over IPv4 into segments, and delivers super-frames.</summary>
    TcpSegmentationV4 = 2,

    /// <summary>Cuts TCP super-frames over IPv6 into segments, and delivers super-frames.</summary>
    TcpSegmentationV6 = 4,

    /// <summary>Cuts UDP super-frames.</summary>
    UdpSegmentation = 8,
}

/// <summary>
/// The network side of a driver: it receives and sends frames. One owner calls it; no call blocks. Readiness is edge-like. After <see cref="Read"/> has said
/// that it need not be called again, or <see cref="Write"/> has taken fewer frames than given, the handler given to <see cref="Start"/> is called once more
/// when there is something to read (new, or left by that read), or room again. A report may also come when there is nothing to do.
/// </summary>
public interface IWire : IDisposable
{
    /// <summary>The device's name, as in "tw0".</summary>
    string Name { get; }

    Medium Medium { get; }

    /// <summary>Largest payload of a frame in bytes, without the Ethernet header.</summary>
    int Mtu { get; }

    /// <summary>The address that this end should use on an Ethernet wire, if the wire prescribes one.</summary>
    MacAddress? HardwareAddress { get; }

    WireOffloads Offloads { get; }

    /// <summary>The part of <see cref="Offloads"/> that this process does itself, because the device does not.</summary>
    WireOffloads SoftwareOffloads => WireOffloads.None;

    /// <summary>The wire's protocol, where it has one of its own; null: it moves frames and nothing else.</summary>
    IProtocolWire? Protocol => this as IProtocolWire;

    /// <summary>Somebody may be at the other end. Without, frames are dropped and counted. The owner looks at it after each report.</summary>
    bool HasCarrier => true;

    /// <summary>Begins to report readiness, including frames that have already arrived. The handler may be called on any thread, also from within this call; it
    /// must be short and not throw.</summary>
    void Start(IReactor reactor, Action<Readiness> ready);

    /// <summary>Takes frames off the wire, at most as many as fit.</summary>
    /// <param name="pool">Rents the buffers. A wire may keep a buffer for the next frame until it is disposed.</param>
    /// <param name="frames">All null; filled from the start. The caller owns the frames in it, also when this throws.</param>
    /// <param name="more">There may be more frames, and no report will come: the caller must read again. Otherwise a report comes as soon as there is a frame,
    /// if necessary at once.</param>
    /// <returns>Number of frames; it may be 0, or less than asked for, although there are more.</returns>
    /// <exception cref="WireException">The device is gone or refuses to work; the caller must dispose the wire.</exception>
    int Read(BufferPool pool, Span<PacketBuffer> frames, out bool more);

    /// <summary>Puts frames on the wire, in order. The wire copies; the caller keeps and releases the buffers.</summary>
    /// <returns>Number of frames taken; fewer than given means that the wire is full now. A frame that the device refuses (too long, malformed) counts as
    /// taken, and in <see cref="Refused"/>.</returns>
    /// <exception cref="WireException">The device is gone or refuses to work; the caller must dispose the wire.</exception>
    int Write(ReadOnlySpan<PacketBuffer> frames);

    /// <summary>Frames that the device refused, or that arrived unusable (truncated, larger than a buffer), since the start.</summary>
    long Refused { get; }
}

/// <summary>The device has failed: it was removed, or an operation on it failed for good.</summary>
public sealed class WireException : IOException
{
    public WireException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    public WireException()
    {
    }

    public WireException(string message)
        : base(message)
    {
    }
}
