using System.Collections.Concurrent;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Wires;

namespace Tapwire.Tests.Actors.Support;

/// <summary>
/// A wire whose other end is the test: it puts frames in, takes frames out, and can be full or fail. Its queues stand the thread on which an answered
/// <c>Ask</c> goes on.
/// </summary>
internal sealed class MemoryWire(string name = "memory") : IWire
{
    private readonly ConcurrentQueue<byte[]> _incoming = new();
    private Action<Readiness> _ready = _ => { };

    public ConcurrentQueue<byte[]> Sent { get; private init; } = new();

    /// <summary>Says on which queue of the device a frame comes in; this wire is the first.</summary>
    public Func<byte[], MemoryWire>? Steering { get; set; }

    /// <summary>How many frames each read gave.</summary>
    public List<int> Reads { get; } = [];

    /// <summary>How many frames each write took.</summary>
    public List<int> Writes { get; } = [];

    public string Name => name;

    public Medium Medium { get; init; } = Medium.Ethernet;

    public int Mtu => 1500;

    public MacAddress? HardwareAddress => null;

    public WireOffloads Offloads { get; init; }

    public long Refused { get; set; }

    public bool HasCarrier { get; private set; } = true;

    /// <summary>Somebody comes to its other end, or goes.</summary>
    public void SetCarrier(bool isThere)
    {
        HasCarrier = isThere;
        _ready(Readiness.Readable);
    }

    /// <summary>Frames that it takes before it is full; negative: any number.</summary>
    public int Room { get; set; } = -1;

    /// <summary>Frames that have not been read yet.</summary>
    public int Waiting => _incoming.Count;

    public bool Broken { get; set; }

    /// <summary>It opens, and fails when it is started.</summary>
    public bool FailsToStart { get; set; }

    /// <summary>Thrown once, by a read that has found a frame.</summary>
    public Exception? ReadFault { get; set; }

    /// <summary>Thrown once, by a write.</summary>
    public Exception? WriteFault { get; set; }

    public bool Disposed { get; private set; }

    public void Start(IReactor reactor, Action<Readiness> ready)
    {
        if (FailsToStart)
            throw new WireException($"{name}: cannot be watched.");
        _ready = ready;
        if (_incoming.Count > 0)
            ready(Readiness.Readable);
    }

    /// <summary>Another queue of the same device: what it sends comes out of this wire.</summary>
    public MemoryWire AddQueue() => new(name) { Sent = Sent };

    public void Deliver(byte[] frame)
    {
        if (Steering?.Invoke(frame) is { } queue && queue != this)
        {
            queue.Deliver(frame);
            return;
        }

        _incoming.Enqueue(frame);
        if (_incoming.Count == 1)
            _ready(Readiness.Readable);
    }

    /// <summary>Several frames, reported once, as a device does that filled up while nobody looked.</summary>
    public void DeliverAll(IEnumerable<byte[]> frames)
    {
        foreach (var frame in frames)
            _incoming.Enqueue(frame);
        _ready(Readiness.Readable);
    }

    public void BecomeWritable(int room)
    {
        Room = room;
        _ready(Readiness.Writable);
    }

    public int Read(BufferPool pool, Span<PacketBuffer> frames, out bool more)
    {
        ThrowIfBroken();
        var count = 0;
        while (count < frames.Length && _incoming.TryDequeue(out var bytes))
        {
            var frame = pool.Rent(bytes.Length);
            bytes.CopyTo(frame.Append(bytes.Length));
            frames[count++] = frame;
            ThrowOnce(ReadFault);
        }

        Reads.Add(count);
        more = count == frames.Length;
        return count;
    }

    public int Write(ReadOnlySpan<PacketBuffer> frames)
    {
        ObjectDisposedException.ThrowIf(Disposed, this);
        ThrowIfBroken();
        ThrowOnce(WriteFault);
        var count = 0;
        foreach (var frame in frames)
        {
            if (Room == 0)
                break;
            if (Room > 0)
                Room--;
            var bytes = new byte[frame.TotalLength];
            frame.CopyTo(bytes);
            Sent.Enqueue(bytes);
            count++;
        }

        Writes.Add(count);
        return count;
    }

    public void Dispose() => Disposed = true;

    /// <summary>The device vanishes, and the kernel says so by an error on the next read.</summary>
    public void Break()
    {
        Broken = true;
        _ready(Readiness.HangUp);
    }

    private void ThrowOnce(Exception? fault)
    {
        if (fault is null)
            return;
        ReadFault = WriteFault = null;
        throw fault;
    }

    private void ThrowIfBroken()
    {
        if (Broken)
            throw new WireException($"{name}: no such device.");
    }
}
