namespace Tapwire.Stack.Buffers;

/// <summary>
/// Packet buffers of four sizes, and one class without memory for constant data, kept for reuse. One pool serves all parts of a driver; renting and returning
/// may happen on any thread. The pool bounds what it keeps, not what it hands out: every queue that holds buffers has its own limit.
/// </summary>
public class BufferPool
{
    /// <summary>Room that every part leaves before a transport payload: virtio, Ethernet, IPv6 and TCP headers with all options, rounded up.</summary>
    public const int HeaderRoom = 192;

    /// <summary>The largest buffer: a 64 KiB super-frame after its header room.</summary>
    public const int MaxCapacity = 65536 + 512;

    /// <summary>The class of the buffers that have no memory of their own.</summary>
    internal const int ConstantClass = 4;

    private static readonly int[] Sizes = [256, 2048, 16384, MaxCapacity, 0];

    [ThreadStatic]
    private static Magazine? t_magazine;

    private readonly SizeClass[] _classes;
    private long _rented;

    /// <param name="retainedBytes">Free memory that each size class keeps in any case, in bytes. It keeps up to half of its recent peak use if that is more.
    /// Every thread that returns buffers keeps up to 512 KiB more.</param>
    public BufferPool(int retainedBytes = 16 << 20) => _classes = [.. Sizes.Select(size => new SizeClass(Math.Max(1, retainedBytes / CountedAs(size))))];

    /// <summary>Buffers handed out and not yet returned.</summary>
    public long Rented => Interlocked.Read(ref _rented);

    /// <summary>Hands out an empty buffer with one reference.</summary>
    /// <param name="capacity">Bytes needed after the headroom.</param>
    /// <param name="headroom">Bytes left free before the data.</param>
    /// <exception cref="ArgumentOutOfRangeException">Together more than <see cref="MaxCapacity"/>.</exception>
    public PacketBuffer Rent(int capacity, int headroom = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)(capacity + headroom), (uint)MaxCapacity, nameof(capacity));
        return RentOf(IndexFor(capacity + headroom), headroom);
    }

    /// <summary>As <see cref="Rent(int, int)"/>, with <paramref name="length"/> bytes of data, unwritten.</summary>
    public PacketBuffer RentFilled(int length)
    {
        var buffer = Rent(length);
        buffer.Append(length);
        return buffer;
    }

    /// <summary>Hands out a copy with one reference.</summary>
    public PacketBuffer RentCopy(ReadOnlySpan<byte> bytes)
    {
        var buffer = RentFilled(bytes.Length);
        bytes.CopyTo(buffer.Span);
        return buffer;
    }

    /// <summary>Copies few bytes in a large buffer to a small one, because a queue is charged for the memory that it holds. Takes the packet over.</summary>
    /// <param name="packet">Without fragments.</param>
    /// <returns>The packet itself, or a copy of its bytes alone.</returns>
    public PacketBuffer Fit(PacketBuffer packet)
    {
        if (packet.Capacity <= Sizes[1] || packet.Length * 2 > packet.Capacity || IndexFor(packet.Length) >= packet.SizeClass)
            return packet;
        var copy = RentCopy(packet.Span);
        packet.Release();
        return copy;
    }

    /// <summary>Hands out a buffer of constant data with one reference: it can be trimmed and be part of other buffers, not written.</summary>
    public PacketBuffer Rent(ConstantBytes bytes, int offset, int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)offset, (uint)bytes.Length, nameof(offset));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)(bytes.Length - offset), nameof(count));
        var buffer = RentOf(ConstantClass, headroom: 0);
        buffer.Refer(bytes, offset, count);
        return buffer;
    }

    /// <summary>Frees the buffers beyond those that are kept in any case, as if there had been no recent load. Any thread may call it.</summary>
    public void Trim()
    {
        foreach (var sizeClass in _classes)
            sizeClass.Trim();
    }

    /// <summary>Called with every buffer before it is handed out. An exception from here leaves the renting call, and nothing is handed out.</summary>
    protected virtual void OnRented(PacketBuffer buffer)
    {
    }

    /// <summary>Called with every returned buffer; false keeps it from being used again.</summary>
    protected virtual bool OnReturned(PacketBuffer buffer) => true;

    /// <summary>All memory of a buffer, data or not: for pools that look for writes to returned buffers.</summary>
    protected static Span<byte> MemoryOf(PacketBuffer buffer) => buffer.WholeArray;

    internal void Return(PacketBuffer buffer)
    {
        Interlocked.Decrement(ref _rented);
        if (OnReturned(buffer) && !OfThisThread().TryPush(buffer))
            _classes[buffer.SizeClass].Push(buffer);
    }

    private PacketBuffer RentOf(int index, int headroom)
    {
        var buffer = OfThisThread().TryPop(index) ?? _classes[index].TryPop() ?? new PacketBuffer(this, index, Sizes[index]);
        buffer.Rented(headroom);
        OnRented(buffer);
        Interlocked.Increment(ref _rented);
        return buffer;
    }

    /// <summary>This thread's magazine, if it is or can become this pool's; otherwise one that is both empty and full.</summary>
    private Magazine OfThisThread()
    {
        var magazine = t_magazine;
        return magazine is not null && magazine.Pool == this ? magazine : Claim(magazine);
    }

    private Magazine Claim(Magazine? magazine)
    {
        // A thread mostly serves one pool. Its magazine changes pools only while the pool it served is not in use.
        if (magazine is null)
            t_magazine = magazine = new Magazine();
        else if (magazine.Pool is { } other && other.Rented != 0)
            return Magazine.None;
        magazine.Unload();
        magazine.Pool = this;
        return magazine;
    }

    /// <summary>A buffer without memory counts as a small one.</summary>
    private static int CountedAs(int size) => size == 0 ? Sizes[0] : size;

    private static int IndexFor(int size)
    {
        var index = 0;
        while (Sizes[index] < size)
            index++;
        return index;
    }

    /// <summary>A few free buffers of one pool that one thread has at hand, so that renting takes no lock.</summary>
    private sealed class Magazine
    {
        public static readonly Magazine None = new();

        private static readonly int[] Limits = [.. Sizes.Select(size => Math.Clamp((128 << 10) / CountedAs(size), 1, 64))];

        private readonly PacketBuffer?[] _top = new PacketBuffer?[Sizes.Length];
        private readonly int[] _counts = new int[Sizes.Length];

        /// <summary>The pool that the magazine serves. Null: nothing can be put in or taken out.</summary>
        public BufferPool? Pool { get; set; }

        public PacketBuffer? TryPop(int index)
        {
            var buffer = _top[index];
            if (buffer is null)
                return null;
            _top[index] = buffer.Next;
            buffer.Next = null;
            _counts[index]--;
            return buffer;
        }

        public bool TryPush(PacketBuffer buffer)
        {
            var index = buffer.SizeClass;
            if (Pool is null || _counts[index] == Limits[index])
                return false;
            buffer.Next = _top[index];
            _top[index] = buffer;
            _counts[index]++;
            return true;
        }

        /// <summary>Gives all buffers back to their pool.</summary>
        public void Unload()
        {
            for (var i = 0; i < Sizes.Length; i++)
            {
                while (TryPop(i) is { } buffer)
                    Pool!._classes[i].Push(buffer);
            }
        }
    }

    /// <summary>
    /// A stack, because the buffer returned last is the one still in the cache. It keeps <paramref name="limit"/> buffers, or half of the recent peak use, so
    /// that a load that comes and goes does not allocate each time.
    /// </summary>
    private sealed class SizeClass(int limit)
    {
        /// <summary>Number of returns after which the recorded peak decays by an eighth.</summary>
        private const int DecayInterval = 4096;

        private readonly Lock _lock = new();
        private PacketBuffer? _top;
        private int _count;
        private int _used;
        private int _peak;
        private int _returns;

        private int Limit => Math.Max(limit, _peak / 2);

        /// <summary>Takes a free buffer. Null: the caller makes a new one, which counts as in use from now on.</summary>
        public PacketBuffer? TryPop()
        {
            lock (_lock)
            {
                _used++;
                _peak = Math.Max(_peak, _used);
                return _count > 0 ? Pop() : null;
            }
        }

        public void Push(PacketBuffer buffer)
        {
            lock (_lock)
            {
                _used--;
                if (++_returns >= DecayInterval)
                    Decay();
                if (_count >= Limit)
                    return;
                buffer.Next = _top;
                _top = buffer;
                _count++;
            }
        }

        public void Trim()
        {
            lock (_lock)
            {
                _peak = _used;
                while (_count > limit)
                    Pop();
            }
        }

        private void Decay()
        {
            _returns = 0;
            _peak = Math.Max(_used, _peak - _peak / 8);
            while (_count > Limit)
                Pop();
        }

        private PacketBuffer Pop()
        {
            var buffer = _top!;
            _top = buffer.Next;
            buffer.Next = null;
            _count--;
            return buffer;
        }
    }
}
