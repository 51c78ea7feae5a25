using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Wires;

namespace Tapwire;

/// <summary>A host's device, from when it is opened until it fails. Used on the loop only.</summary>
internal sealed class LabWire(LabHost host, LabCable cable) : IWire
{
    /// <summary>Frames that wait to be read; one more is not received.</summary>
    private const int MostIncoming = 1 << 16;

    private readonly Queue<byte[]> _incoming = new();
    private Action<Readiness>? _ready;
    private bool _isAwaited = true;
    private bool _hasFailed;

    public string Name => host.Name;

    public Medium Medium => Medium.Ethernet;

    public int Mtu => LabHost.EthernetMtu;

    public MacAddress? HardwareAddress => host.HardwareAddress;

    public WireOffloads Offloads => WireOffloads.None;

    public long Refused => 0;

    public void Start(IReactor reactor, Action<Readiness> ready)
    {
        ThrowIfFailed();
        _ready = ready;
        Report();
    }

    public int Read(BufferPool pool, Span<PacketBuffer> frames, out bool more)
    {
        ThrowIfFailed();
        var count = 0;
        while (count < frames.Length && _incoming.TryDequeue(out var bytes))
        {
            var frame = pool.Rent(bytes.Length);
            bytes.CopyTo(frame.Append(bytes.Length));
            frames[count++] = frame;
        }

        more = _incoming.Count > 0;
        _isAwaited = !more;
        return count;
    }

    public int Write(ReadOnlySpan<PacketBuffer> frames)
    {
        ThrowIfFailed();
        foreach (var frame in frames)
        {
            var bytes = new byte[frame.TotalLength];
            frame.CopyTo(bytes);
            cable.Send(host, bytes);
        }

        return frames.Length;
    }

    /// <summary>A frame has arrived.</summary>
    /// <returns>False: it is not received.</returns>
    public bool TryReceive(byte[] frame)
    {
        if (_hasFailed || _incoming.Count >= MostIncoming)
            return false;
        _incoming.Enqueue(frame);
        Report();
        return true;
    }

    /// <summary>The device fails, as if it had been removed.</summary>
    public void Fail()
    {
        _hasFailed = true;
        _incoming.Clear();
        _ready?.Invoke(Readiness.HangUp);
    }

    public void Dispose()
    {
        _hasFailed = true;
        _ready = null;
        _incoming.Clear();
    }

    private void Report()
    {
        if (!_isAwaited || _incoming.Count == 0 || _ready is not { } ready)
            return;
        _isAwaited = false;
        ready(Readiness.Readable);
    }

    private void ThrowIfFailed()
    {
        if (_hasFailed)
            throw new WireException($"{Name}: no such device.");
    }
}

/// <summary>A host of a lab has no descriptor to watch.</summary>
internal sealed class NoReactor : IReactor
{
    public static readonly NoReactor Instance = new();

    public IRegistration Register(int descriptor, Readiness interest, Action<object?, Readiness> ready, object? state) =>
        throw new NotSupportedException("A host of a lab has no descriptors.");
}
