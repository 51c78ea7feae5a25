using static Tapwire.Posix.Libc;

namespace Tapwire.Posix;

/// <summary>
/// The system's clock with timers (timerfd) that expire on a reactor's thread, some 50 µs late at most on an unloaded machine. The timers of
/// <see cref="TimeProvider.System"/> are up to 4 ms late, and expire on the thread pool.
/// </summary>
public sealed class ReactorTimeProvider(IReactor reactor) : TimeProvider
{
    /// <inheritdoc/>
    /// <remarks>Each timer holds a descriptor: this is for the few that must be precise. A delay above 0 is at least 20 µs.</remarks>
    /// <exception cref="PosixException">No descriptors left.</exception>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(callback);
        var timer = new DescriptorTimer(reactor, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed unsafe class DescriptorTimer : ITimer
    {
        private static readonly TimeSpan Shortest = TimeSpan.FromMicroseconds(20);

        // Held while the descriptor is used, so that it cannot be closed meanwhile.
        private readonly Lock _lock = new();
        private readonly TimerCallback _callback;
        private readonly object? _state;
        private readonly int _descriptor;
        private readonly IRegistration _registration;
        private bool _disposed;

        public DescriptorTimer(IReactor reactor, TimerCallback callback, object? state)
        {
            _callback = callback;
            _state = state;
            _descriptor = Errors.Check(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create");
            try
            {
                _registration = reactor.Register(_descriptor, Readiness.Readable, _ => Expired());
            }
            catch
            {
                Close(_descriptor);
                throw;
            }
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            var value = Ticks(dueTime, nameof(dueTime));
            var interval = value == 0 ? 0 : Ticks(period, nameof(period));
            var setting = new TimerSetting
            {
                ValueSeconds = value / TimeSpan.TicksPerSecond,
                ValueNanoseconds = value % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick,
                IntervalSeconds = interval / TimeSpan.TicksPerSecond,
                IntervalNanoseconds = interval % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick,
            };
            lock (_lock)
            {
                if (_disposed)
                    return false;
                Errors.Check(timerfd_settime(_descriptor, 0, &setting, null), "timerfd_settime");
                return true;
            }
        }

        public void Dispose()
        {
            lock (_lock)
            {
                if (_disposed)
                    return;
                _disposed = true;
                _registration.Dispose();
                Close(_descriptor);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        /// <summary>Ticks for the kernel, to which 0 means never.</summary>
        private static long Ticks(TimeSpan time, string name)
        {
            if (time == Timeout.InfiniteTimeSpan)
                return 0;
            ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero, name);
            return Math.Max(time.Ticks, Shortest.Ticks);
        }

        private void Expired()
        {
            lock (_lock)
            {
                // Nothing can be read if the timer was set anew after it had expired.
                ulong expirations;
                if (_disposed || Read(_descriptor, &expirations, sizeof(ulong), out _) != sizeof(ulong))
                    return;
            }

            _callback(_state);
        }
    }
}
