using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Buffers;

namespace Tapwire.Wires.Capture;

/// <summary>An interface as a capture's file has it. Counters may be written and read on any thread.</summary>
/// <param name="id">Its number in the file, from 0 in the order of the descriptions.</param>
public sealed class CapturedInterface(int id, string name, Medium medium, int mtu)
{
    private long _received;
    private long _dropped;

    public int Id => id;

    public string Name => name;

    public Medium Medium => medium;

    /// <summary>In bytes.</summary>
    public int Mtu => mtu;

    /// <summary>Packets that have been captured.</summary>
    public long Received => Interlocked.Read(ref _received);

    /// <summary>Packets that were wanted and found no room.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    internal void CountReceived() => Interlocked.Increment(ref _received);

    /// <summary>A packet was wanted, and could not be kept.</summary>
    public void CountDropped() => Interlocked.Increment(ref _dropped);
}

/// <summary>
/// What the actors that see packets and the one that writes them share of a capture: which packets are wanted, the numbers of interfaces, and how much memory is left. All of it may be used
/// on any thread, without a lock.
/// </summary>
public sealed class CaptureFeed(CaptureOptions options)
{
    private readonly CaptureFilter _filter = new(options.Host, options.Port);
    private readonly CaptureFilter? _except = options.Except is { } reader ? new CaptureFilter(reader.Address, reader.Port, takesFragments: false) : null;
    private CapturedInterface[] _interfaces = [];
    private long _held;
    private long _taken;
    private volatile bool _ended;

    public CaptureOptions Options => options;

    /// <summary>The interfaces so far, by their numbers.</summary>
    public IReadOnlyList<CapturedInterface> Interfaces => Volatile.Read(ref _interfaces);

    /// <summary>Bytes of memory that packets hold which are not written yet.</summary>
    public long Held => Interlocked.Read(ref _held);

    /// <summary>Packets captured, of all interfaces.</summary>
    public long Received => Interfaces.Sum(static each => each.Received);

    /// <summary>Packets wanted and dropped, of all interfaces.</summary>
    public long Dropped => Interfaces.Sum(static each => each.Dropped);

    /// <summary>The number of an interface, which it gets with the first call. An interface that has gone and come again keeps it, and so do the same interface's shards.</summary>
    /// <returns>Null: its packets are not wanted.</returns>
    public CapturedInterface? InterfaceOf(string name, Medium medium, int mtu)
    {
        if (options.Interface.Length > 0 && name != options.Interface)
            return null;
        if (options.Outer)
            name = $"{name} (outer)";
        while (true)
        {
            var before = Volatile.Read(ref _interfaces);
            if (Array.Find(before, each => each.Name == name && each.Medium == medium) is { } known)
                return known;
            var added = new CapturedInterface(before.Length, name, medium, mtu);
            if (Interlocked.CompareExchange(ref _interfaces, [.. before, added], before) == before)
                return added;
        }
    }

    /// <summary>Whether a frame is wanted, if there is room for it.</summary>
    public bool Wants(PacketBuffer frame, Medium medium) => !_ended && _filter.Matches(frame.Span, medium) && !(_except is { } except && except.Matches(frame.Span, medium));

    /// <summary>Asks for memory for a packet.</summary>
    /// <param name="bytes">The whole size of its buffer; the writer says <see cref="GiveBack"/> of it.</param>
    /// <returns>False: there is no room, and the packet has been counted; or the capture has as many packets as it shall have.</returns>
    public bool TryTake(CapturedInterface on, int bytes)
    {
        if (_ended)
            return false;
        if (Interlocked.Add(ref _held, bytes) > options.Memory)
        {
            GiveBack(bytes);
            on.CountDropped();
            return false;
        }

        if (options.Count > 0 && Interlocked.Increment(ref _taken) > options.Count)
        {
            _ended = true;
            GiveBack(bytes);
            return false;
        }

        on.CountReceived();
        return true;
    }

    /// <summary>A packet has been written, or given up.</summary>
    public void GiveBack(int bytes) => Interlocked.Add(ref _held, -bytes);

    /// <summary>No packet is wanted any more.</summary>
    public void End() => _ended = true;
}
