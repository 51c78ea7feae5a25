using Tapwire.Stack.Buffers;
using Tapwire.Posix;

namespace Tapwire.Wires;

/// <summary>
/// One direction of a <see cref="Cable"/>: the frames on their way from one end to the other. Both ends and the clock's timer call it, each from its own
/// thread; the lock is not held while an end is notified.
/// </summary>
internal sealed class CableDirection
{
    private const long NanosecondsPerTick = 100;

    private readonly Lock _lock = new();
    private readonly CableOptions _options;
    private readonly CableLine _line;
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly bool _takesTime;
    private readonly Queue<PacketBuffer> _arrived = new();

    // Ordered by due time, then by number: frames due at the same time keep their order.
    private readonly PriorityQueue<PacketBuffer, (long Due, long Number)> _underWay = new();

    private BufferPool _pool = new();
    private CableCounters _counters;
    private TimeProvider? _timers;
    private ITimer? _timer;
    private long _armedFor = long.MaxValue;
    private long _number;
    private long _arrivedMemory;
    private long _underWayMemory;
    private bool _readerWaits = true;
    private bool _writerWaits;
    private bool _closed;

    public CableDirection(CableOptions options, CableImpairments impairments, TimeProvider time, ulong seed)
    {
        _options = options;
        _line = new CableLine(impairments, seed);
        _time = time;

        // In real time the reader's reactor has the better timers. Until there is one, due frames arrive when an end is called.
        _timers = time == TimeProvider.System ? null : time;
        _start = time.GetTimestamp();
        _takesTime = impairments.TakesTime;
    }

    /// <summary>The ends, which are notified when there is something to read, or room again.</summary>
    public required CableEnd Writer { get; set; }

    /// <inheritdoc cref="Writer"/>
    public required CableEnd Reader { get; set; }

    public CableCounters Counters
    {
        get
        {
            lock (_lock)
                return _counters;
        }
    }

    private bool HasRoom => _closed || (_arrivedMemory < _options.ReceiveBytes && _underWayMemory < _options.InFlightBytes);

    /// <summary>Takes frames until there is no room.</summary>
    public int Write(ReadOnlySpan<PacketBuffer> frames)
    {
        var taken = 0;
        bool arrived;
        lock (_lock)
        {
            var now = Deliver();
            for (; taken < frames.Length && HasRoom; taken++)
                Accept(frames[taken], now);
            _writerWaits |= taken < frames.Length;
            Arm(now);
            arrived = TakeReaderWaits();
        }

        if (arrived)
            Reader.Report(Readiness.Readable);
        return taken;
    }

    public int Read(BufferPool pool, Span<PacketBuffer> frames)
    {
        var read = 0;
        bool room;
        lock (_lock)
        {
            // From now on frames are copied to buffers of this reader's pool.
            _pool = pool;
            var now = Deliver();
            while (read < frames.Length && _arrived.TryDequeue(out var frame))
            {
                _arrivedMemory -= frame.Capacity;
                frames[read++] = frame;
            }

            _readerWaits |= read < frames.Length;
            Arm(now);
            room = TakeWriterWaits();
        }

        if (room)
            Writer.Report(Readiness.Writable);
        return read;
    }

    /// <summary>The reader has started: reports frames that arrived before.</summary>
    public void Started(IReactor reactor)
    {
        bool arrived;
        lock (_lock)
        {
            _timers ??= new ReactorTimeProvider(reactor);
            Arm(Deliver());
            arrived = TakeReaderWaits();
        }

        if (arrived)
            Reader.Report(Readiness.Readable);
    }

    /// <summary>The reader is gone: drops frames under way, and those written from now on.</summary>
    public void Close()
    {
        bool room;
        lock (_lock)
        {
            if (_closed)
                return;
            _closed = true;
            _counters = _counters with { Disconnected = _counters.Disconnected + _arrived.Count + _underWay.Count };
            while (_arrived.TryDequeue(out var frame))
                frame.Release();
            while (_underWay.TryDequeue(out var frame, out _))
                frame.Release();
            _timer?.Dispose();
            room = _writerWaits;
            _writerWaits = false;
        }

        if (room)
            Writer.Report(Readiness.Writable);
    }

    private void Accept(PacketBuffer frame, long now)
    {
        if (_closed)
        {
            _counters = _counters with { Disconnected = _counters.Disconnected + 1 };
            return;
        }

        if (_line.Loses())
        {
            _counters = _counters with { Lost = _counters.Lost + 1 };
            return;
        }

        var corrupt = _line.Corrupts();
        var copy = Copy(frame, corrupt);
        if (corrupt)
        {
            _counters = _counters with { Corrupted = _counters.Corrupted + 1 };
            _line.Corrupt(copy.Span);
        }

        PacketBuffer? twin = null;
        if (_line.Duplicates())
        {
            _counters = _counters with { Duplicated = _counters.Duplicated + 1 };
            twin = Copy(copy, corrupt: false);
        }

        Send(copy, now);
        if (twin is not null)
            Send(twin, now);
    }

    /// <summary>Copies a frame as it will be received. A partial checksum is completed if the receiver has to verify it.</summary>
    private PacketBuffer Copy(PacketBuffer frame, bool corrupt)
    {
        var copy = _pool.Rent(frame.TotalLength);
        frame.CopyTo(copy.Append(frame.TotalLength));
        copy.Offload = frame.Offload;
        if (!corrupt && (_options.Offloads & WireOffloads.Checksum) != 0)
            return copy;

        if (copy.Offload.Checksum == ChecksumState.Partial)
            PartialChecksum.TryComplete(copy);
        copy.Offload.Checksum = ChecksumState.None;
        return copy;
    }

    /// <summary>Puts a frame on the line, and then on its way.</summary>
    private void Send(PacketBuffer frame, long now)
    {
        if (!_takesTime)
        {
            Arrive(frame);
            return;
        }

        if (!_line.TryPass(frame.Length, now, out var due, out var isReordered))
        {
            _counters = _counters with { QueueFull = _counters.QueueFull + 1 };
            frame.Release();
            return;
        }

        if (isReordered)
            _counters = _counters with { Reordered = _counters.Reordered + 1 };
        _underWay.Enqueue(frame, (due, _number++));
        _underWayMemory += frame.Capacity;
        if (due <= now)
            Deliver(now);
    }

    private void Arrive(PacketBuffer frame)
    {
        _counters = _counters with { Frames = _counters.Frames + 1, Bytes = _counters.Bytes + frame.Length };
        _arrived.Enqueue(frame);
        _arrivedMemory += frame.Capacity;
    }

    /// <summary>Delivers due frames, and returns the time.</summary>
    private long Deliver()
    {
        if (!_takesTime)
            return 0;
        var now = _time.GetElapsedTime(_start).Ticks * NanosecondsPerTick;
        Deliver(now);
        return now;
    }

    private void Deliver(long now)
    {
        while (_underWay.TryPeek(out _, out var first) && first.Due <= now)
        {
            var frame = _underWay.Dequeue();
            _underWayMemory -= frame.Capacity;
            Arrive(frame);
        }
    }

    /// <summary>Sets the timer to the next due frame.</summary>
    private void Arm(long now)
    {
        var due = _underWay.TryPeek(out _, out var first) ? first.Due : long.MaxValue;
        if (due == _armedFor || _timers is null || _closed)
            return;
        _armedFor = due;
        if (due == long.MaxValue)
        {
            _timer?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            return;
        }

        var delay = TimeSpan.FromTicks((due - now + NanosecondsPerTick - 1) / NanosecondsPerTick);
        _timer ??= _timers.CreateTimer(static direction => ((CableDirection)direction!).TimerFired(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _timer.Change(delay, Timeout.InfiniteTimeSpan);
    }

    private void TimerFired()
    {
        bool arrived, room;
        lock (_lock)
        {
            if (_closed)
                return;
            _armedFor = long.MaxValue;
            Arm(Deliver());
            arrived = TakeReaderWaits();
            room = TakeWriterWaits();
        }

        if (arrived)
            Reader.Report(Readiness.Readable);
        if (room)
            Writer.Report(Readiness.Writable);
    }

    private bool TakeReaderWaits()
    {
        var report = _readerWaits && _arrived.Count > 0 && Reader.IsStarted;
        _readerWaits &= !report;
        return report;
    }

    /// <summary>Room is reported when half of it is free, not for each frame that leaves.</summary>
    private bool TakeWriterWaits()
    {
        var report = _writerWaits && _arrivedMemory <= _options.ReceiveBytes / 2 && _underWayMemory <= _options.InFlightBytes / 2;
        _writerWaits &= !report;
        return report;
    }
}
