using System.Numerics;

namespace Tapwire.Stack;

/// <summary>Something that happens at a set time. A timer is armed in at most one wheel, at most once; arming it again moves it.</summary>
internal abstract class Timer
{
    internal Timer? WheelNext;
    internal Timer? WheelPrevious;
    internal long WheelTick;
    internal short WheelSlot = -1;

    public bool IsArmed => WheelSlot >= 0;

    /// <summary>When it fires: the deadline it was armed with, rounded up to the wheel's tick. <see cref="Instant.Never"/> while not armed.</summary>
    public Instant Deadline => IsArmed ? new Instant(WheelTick * TimerWheel.TickLength) : Instant.Never;

    /// <summary>Called once the deadline is reached, with the timer no longer armed. It may arm and cancel timers, itself included.</summary>
    protected internal abstract void Fire(Instant now);
}

/// <summary>
/// A hierarchical timer wheel (Varghese and Lauck, scheme 7): six levels of 64 slots, 100 µs per tick. Arming and cancelling cost the same
/// whatever the number of timers; a timer is moved down at most once per level. Deadlines are rounded up, so nothing fires early.
/// </summary>
internal sealed class TimerWheel
{
    /// <summary>One tick in <see cref="Instant"/> ticks: 100 µs.</summary>
    public const long TickLength = TimeSpan.TicksPerMillisecond / 10;

    private const int SlotBits = 6;
    private const int Slots = 1 << SlotBits;
    private const int Levels = 6;

    /// <summary>78 days: the last level less one slot, which could not be told from the current one. Later deadlines wait there and are placed again.</summary>
    private const long Span = (Slots - 1L) << (SlotBits * (Levels - 1));

    /// <summary>A slot of a higher level with at most this many timers is searched for its true deadline; with more, waking up once at the slot's beginning is
    /// cheaper.</summary>
    private const int SearchLimit = 16;

    private readonly Timer?[] _slots = new Timer?[Levels * Slots];
    private readonly ulong[] _occupied = new ulong[Levels];
    private long _current;
    private long _advancedTo;
    private long _next = long.MaxValue;
    private bool _nextKnown = true;

    /// <summary>Number of timers armed.</summary>
    public int Count { get; private set; }

    /// <summary>Nothing fires before this. It is usually exact; where many timers are far away it may be early, never late.</summary>
    public Instant NextDeadline
    {
        get
        {
            if (!_nextKnown)
            {
                _next = FindNext();
                _nextKnown = true;
            }

            return _next == long.MaxValue ? Instant.Never : new Instant(_next * TickLength);
        }
    }

    /// <summary>Sets a timer, or moves it if it is armed. A deadline that has passed fires on the next tick after the last <see cref="Advance"/>.</summary>
    public void Arm(Timer timer, Instant deadline)
    {
        // Deadlines near Instant.Never must not overflow; nobody lives to see them fire.
        var tick = deadline.Ticks > long.MaxValue - TickLength ? long.MaxValue / TickLength : (deadline.Ticks + TickLength - 1) / TickLength;
        tick = Math.Max(tick, _advancedTo + 1);
        if (timer.IsArmed)
        {
            if (timer.WheelTick == tick)
                return;
            Cancel(timer);
        }

        timer.WheelTick = tick;
        Insert(timer);
        Count++;
        if (_nextKnown && tick < _next)
            _next = tick;
    }

    /// <summary>Cancels a timer. Does nothing to one that is not armed.</summary>
    public void Cancel(Timer timer)
    {
        if (!timer.IsArmed)
            return;
        Unlink(timer);
        Count--;
        if (timer.WheelTick <= _next)
            _nextKnown = false;
    }

    /// <summary>Fires everything that is due at <paramref name="now"/>, in the order of the deadlines.</summary>
    public void Advance(Instant now)
    {
        var target = now.Ticks / TickLength;
        if (target < _advancedTo)
            return;
        _advancedTo = target;
        while (FirstSlot(out var level, out var slot, out var start) && start <= target)
        {
            // The slot's own time: no timer moved down or fired here is behind the current tick.
            _current = Math.Max(start, _current);
            var index = level * Slots + slot;
            _nextKnown = false;
            if (level == 0)
                FireSlot(index, now);
            else
                MoveDown(index);
        }

        _current = target;
        // An early estimate whose timers have all been cancelled since is now in the past.
        if (_next <= target)
            _nextKnown = false;
    }

    private void FireSlot(int index, Instant now)
    {
        // Timers armed meanwhile go beyond the target, so the loop ends; timers cancelled meanwhile have left the list.
        while (_slots[index] is { } timer)
        {
            Unlink(timer);
            Count--;
            timer.Fire(now);
        }
    }

    private void MoveDown(int index)
    {
        var timer = _slots[index];
        _slots[index] = null;
        _occupied[index / Slots] &= ~(1UL << (index % Slots));
        while (timer is not null)
        {
            var next = timer.WheelNext;
            timer.WheelNext = null;
            timer.WheelPrevious = null;
            Insert(timer);
            timer = next;
        }
    }

    private void Insert(Timer timer)
    {
        // The highest bit in which the tick differs from the current one gives the level: on that level both are in the same turn. A timer for the current tick
        // itself (just moved down) belongs in the current slot of level 0.
        var tick = Math.Min(timer.WheelTick, _current + Span);
        var differing = (ulong)((tick ^ _current) | (Slots - 1));
        var level = Math.Min((63 - BitOperations.LeadingZeroCount(differing)) / SlotBits, Levels - 1);
        var slot = (int)(tick >> (level * SlotBits)) & (Slots - 1);
        var index = level * Slots + slot;
        var head = _slots[index];
        timer.WheelNext = head;
        timer.WheelPrevious = null;
        if (head is not null)
            head.WheelPrevious = timer;
        _slots[index] = timer;
        timer.WheelSlot = (short)index;
        _occupied[level] |= 1UL << slot;
    }

    private void Unlink(Timer timer)
    {
        var index = timer.WheelSlot;
        if (timer.WheelPrevious is null)
        {
            _slots[index] = timer.WheelNext;
            if (timer.WheelNext is null)
                _occupied[index / Slots] &= ~(1UL << (index % Slots));
        }
        else
        {
            timer.WheelPrevious.WheelNext = timer.WheelNext;
        }

        if (timer.WheelNext is not null)
            timer.WheelNext.WheelPrevious = timer.WheelPrevious;
        timer.WheelNext = null;
        timer.WheelPrevious = null;
        timer.WheelSlot = -1;
    }

    /// <summary>The first occupied slot of the lowest level that has one. Only the current slot may begin in the past.</summary>
    private bool FirstSlot(out int level, out int slot, out long start)
    {
        for (level = 0; level < Levels; level++)
        {
            var occupied = _occupied[level];
            if (occupied == 0)
                continue;
            var shift = level * SlotBits;
            var position = (int)(_current >> shift) & (Slots - 1);
            var distance = BitOperations.TrailingZeroCount(BitOperations.RotateRight(occupied, position));
            slot = (position + distance) & (Slots - 1);
            start = ((_current >> shift) + distance) << shift;
            return true;
        }

        slot = 0;
        start = 0;
        return false;
    }

    private long FindNext()
    {
        if (!FirstSlot(out var level, out var slot, out var start))
            return long.MaxValue;
        if (level == 0)
            return start;
        var earliest = long.MaxValue;
        var searched = 0;
        for (var timer = _slots[level * Slots + slot]; timer is not null; timer = timer.WheelNext)
        {
            if (++searched > SearchLimit)
                return start;
            earliest = Math.Min(earliest, timer.WheelTick);
        }

        return earliest;
    }
}
