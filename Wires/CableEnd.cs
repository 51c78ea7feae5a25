using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;

namespace Tapwire.Wires;

/// <summary>One end of a <see cref="Cable"/>.</summary>
internal sealed class CableEnd(CableOptions options, string name, MacAddress address) : IWire
{

    private Action<Readiness>? _ready;
    private volatile bool _unplugged;
    private bool _disposed;

    public string Name => name;

    public Medium Medium => options.Medium;

    public int Mtu => options.Mtu;

    public MacAddress? HardwareAddress => options.Medium == Medium.Ethernet ? address : null;

    public WireOffloads Offloads => options.Offloads;

    public long Refused { get; private set; }

    public CableDirection Incoming { get; set; } = null!;

    public CableDirection Outgoing { get; set; } = null!;

    public bool IsStarted => Volatile.Read(ref _ready) is not null;

    public void Start(IReactor reactor, Action<Readiness> ready)
    {
        ThrowIfUnusable();
        if (_ready is not null)
            throw new InvalidOperationException($"{name} has been started already.");
        Volatile.Write(ref _ready, ready);
        Incoming.Started(reactor);
    }

    public int Read(BufferPool pool, Span<PacketBuffer> frames, out bool more)
    {
        ThrowIfUnusable();
        var read = Incoming.Read(pool, frames);
        more = read == frames.Length;
        return read;
    }

    public int Write(ReadOnlySpan<PacketBuffer> frames)
    {
        ThrowIfUnusable();
        var taken = 0;
        while (taken < frames.Length)
        {
            var acceptable = taken;
            while (acceptable < frames.Length && IsAcceptable(frames[acceptable]))
                acceptable++;
            if (acceptable > taken)
            {
                taken += Outgoing.Write(frames[taken..acceptable]);
                if (taken < acceptable)
                    return taken;
            }

            if (taken == frames.Length)
                break;
            Refused++;
            taken++;
        }

        return taken;
    }

    /// <summary>Notifies the owner, if there is one.</summary>
    public void Report(Readiness readiness) => Volatile.Read(ref _ready)?.Invoke(readiness);

    public void Unplug()
    {
        _unplugged = true;
        Report(Readiness.HangUp);
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Volatile.Write(ref _ready, null);
        Incoming.Close();
    }

    private void ThrowIfUnusable()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_unplugged)
            throw new WireException($"{name} has been removed.");
    }

    private bool IsAcceptable(PacketBuffer frame)
    {
        ref readonly var note = ref frame.Offload;
        var link = options.Medium == Medium.Ethernet ? EthernetHeader.Length : 0;
        var offload = note.Segmentation switch
        {
            Segmentation.None => WireOffloads.None,
            Segmentation.TcpV4 => WireOffloads.TcpSegmentationV4,
            Segmentation.TcpV6 => WireOffloads.TcpSegmentationV6,
            _ => WireOffloads.UdpSegmentation,
        };
        var limit = note.Segmentation == Segmentation.None ? options.Mtu + link : BufferPool.MaxCapacity;
        return frame.TotalLength >= Math.Max(link, 1) && frame.TotalLength <= limit
            && (options.Offloads & offload) == offload
            && (note.Checksum != ChecksumState.Partial || note.ChecksumStart + note.ChecksumOffset + 2 <= frame.TotalLength);
    }
}
