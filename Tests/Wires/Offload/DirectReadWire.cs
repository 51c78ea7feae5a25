using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Wires.Offload;

/// <summary>Places the frames of another wire where they are wanted, as a TAP device without offloads does, and writes over as much of the room as it may.</summary>
internal sealed class DirectReadWire(IWire inner) : IDirectReadWire
{
    private const byte Scribble = 0xEE;

    private readonly BufferPool _pool = new();
    private long _refused;

    public int FrameRoom { get; private set; } = 2048;

    /// <summary>What a read has left is reported.</summary>
    public bool Repeats { get; set; }

    /// <summary>Times that a frame was asked for and there was none.</summary>
    public int Vain { get; private set; }

    /// <summary>The device is gone once all its frames have been read.</summary>
    public bool GoneAtEnd { get; set; }

    public string Name => inner.Name;

    public Medium Medium => inner.Medium;

    public int Mtu => inner.Mtu;

    public MacAddress? HardwareAddress => inner.HardwareAddress;

    public WireOffloads Offloads => inner.Offloads;

    public long Refused => inner.Refused + _refused;

    public bool BeginRead() => Repeats;

    public int ReadFrame(Span<byte> room)
    {
        if (FrameRoom == 0 || room.Length < FrameRoom)
            Assert.Fail($"{room.Length} bytes of room, {FrameRoom} needed.");
        room[..FrameRoom].Fill(Scribble);
        PacketBuffer frame = null!;
        if (inner.Read(_pool, new Span<PacketBuffer>(ref frame), out _) == 0)
        {
            Vain++;
            return GoneAtEnd ? throw new WireException("gone") : -1;
        }

        var length = frame.TotalLength;
        if (length < FrameRoom)
        {
            frame.CopyTo(room);
        }
        else
        {
            // From now on, frames may be larger than what is placed.
            FrameRoom = 0;
            _refused++;
            length = 0;
        }

        frame.Release();
        return length;
    }

    public int Read(BufferPool pool, Span<PacketBuffer> frames, out bool more)
    {
        Assert.Equal(0, FrameRoom);
        return inner.Read(pool, frames, out more);
    }

    public void Start(IReactor reactor, Action<Readiness> ready) => inner.Start(reactor, ready);

    public int Write(ReadOnlySpan<PacketBuffer> frames) => inner.Write(frames);

    public void Dispose() => inner.Dispose();
}
