namespace Akka.TestKit.Internal;

/// <summary>Names for the kinds of a duration: finite, none given (null), or infinite (negative).</summary>
public static class TimeSpanExtensions
{
    public static bool IsUndefined(this TimeSpan? timeSpan) => timeSpan is null;

    public static bool IsZero(this TimeSpan timeSpan) => timeSpan == TimeSpan.Zero;

    public static bool IsZero(this TimeSpan? timeSpan) => timeSpan is { } value && value.IsZero();

    public static bool IsPositiveFinite(this TimeSpan timeSpan) => timeSpan > TimeSpan.Zero && timeSpan != TimeSpan.MaxValue;

    public static bool IsPositiveFinite(this TimeSpan? timeSpan) => timeSpan is { } value && value.IsPositiveFinite();

    public static bool IsInfinite(this TimeSpan timeSpan) => timeSpan < TimeSpan.Zero;

    public static bool IsInfinite(this TimeSpan? timeSpan) => timeSpan is { } value && value.IsInfinite();

    public static bool IsInfiniteTimeout(this TimeSpan timeSpan) => timeSpan == Timeout.InfiniteTimeSpan;

    public static bool IsInfiniteTimeout(this TimeSpan? timeSpan) => timeSpan is { } value && value.IsInfiniteTimeout();

    /// <exception cref="ArgumentException">The duration is infinite.</exception>
    public static void EnsureIsPositiveFinite(this TimeSpan timeSpan, string parameterName)
    {
        if (timeSpan.IsInfinite())
            throw new ArgumentException($"The timespan must be greater than or equal to zero. It was {timeSpan}", parameterName);
    }

    /// <summary>The shorter of both; null and a negative one count as infinite.</summary>
    public static TimeSpan Min(this TimeSpan a, TimeSpan? b)
    {
        if (b is not { } other || other.IsInfinite())
            return a;
        return a.IsInfinite() || a > other ? other : a;
    }
}
