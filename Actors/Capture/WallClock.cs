namespace Tapwire.Actors.Capture;

/// <summary>The time of day at the driver's monotonic time stamps. It follows the system's clock where that is set.</summary>
internal sealed class WallClock(TimeProvider clock)
{
    private const long NanosecondsPerSecond = 1_000_000_000;

    /// <summary>How often the system's clock is looked at, and from which difference on it is believed: below, it is the time that the look takes.</summary>
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);
    private const long Believed = 1_000_000;

    private long _timestamp;
    private long _nanoseconds = long.MinValue;

    public long Now => NanosecondsAt(clock.GetTimestamp());

    /// <returns>Nanoseconds since 1970.</returns>
    public long NanosecondsAt(long timestamp)
    {
        if (_nanoseconds == long.MinValue || clock.GetElapsedTime(_timestamp, timestamp) > LookInterval)
            Look();
        return _nanoseconds + Between(_timestamp, timestamp);
    }

    private void Look()
    {
        var timestamp = clock.GetTimestamp();
        var nanoseconds = (clock.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick;
        if (_nanoseconds == long.MinValue || Math.Abs(_nanoseconds + Between(_timestamp, timestamp) - nanoseconds) > Believed)
            _nanoseconds = nanoseconds;
        else
            _nanoseconds += Between(_timestamp, timestamp);
        _timestamp = timestamp;
    }

    private long Between(long from, long to) => clock.TimestampFrequency == NanosecondsPerSecond ? to - from : clock.GetElapsedTime(from, to).Ticks * TimeSpan.NanosecondsPerTick;
}
