namespace Tapwire;

/// <summary>A lab's time as programs have it. Timers run on the thread pool, as those of <see cref="TimeProvider.System"/> do.</summary>
internal sealed class LabTime(LabTimers timers, DateTimeOffset start) : TimeProvider
{
    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <inheritdoc/>
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <inheritdoc/>
    public override long GetTimestamp() => timers.Elapsed.Ticks;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => start + timers.Elapsed;

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(callback);
        var timer = new LabTimer(timers, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class LabTimer(LabTimers timers, TimerCallback callback, object? state) : ITimer
    {
        private static readonly TimeSpan Most = TimeSpan.FromMilliseconds(uint.MaxValue - 1);

        private readonly ExecutionContext? _context = ExecutionContext.Capture();
        private readonly Lock _gate = new();
        private LabTimerEntry? _entry;
        private bool _isDisposed;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Check(dueTime, nameof(dueTime));
            Check(period, nameof(period));
            lock (_gate)
            {
                if (_isDisposed)
                    return false;
                Remove();
                if (dueTime != Timeout.InfiniteTimeSpan)
                    _entry = timers.Add(dueTime, period > TimeSpan.Zero ? period : TimeSpan.Zero, Fire, isProgram: true);
                return true;
            }
        }

        public void Dispose()
        {
            lock (_gate)
            {
                _isDisposed = true;
                Remove();
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private static void Check(TimeSpan time, string name)
        {
            if (time != Timeout.InfiniteTimeSpan && (time < TimeSpan.Zero || time > Most))
                throw new ArgumentOutOfRangeException(name, time, "A timer's times are 0 to 49 days, or infinite.");
        }

        private void Remove()
        {
            if (_entry is { } entry)
                timers.Remove(entry);
            _entry = null;
        }

        private void Fire() => ThreadPool.UnsafeQueueUserWorkItem(static timer => timer.Call(), this, preferLocal: false);

        private void Call()
        {
            if (_context is null)
                callback(state);
            else
                ExecutionContext.Run(_context, static timer => ((LabTimer)timer!).CallNow(), this);
        }

        private void CallNow() => callback(state);
    }
}
