namespace Tapwire.Stack;

/// <summary>
/// A point on the engine's own time line, in 100 ns ticks from an origin that the caller chooses. It never goes back; it has nothing to do
/// with the wall clock. The engine receives the time with every call and never asks for it.
/// </summary>
public readonly record struct Instant(long Ticks) : IComparable<Instant>
{
    public static readonly Instant Zero = new(0);

    /// <summary>Later than every deadline: nothing is due.</summary>
    public static readonly Instant Never = new(long.MaxValue);

    public static Instant FromMicroseconds(long microseconds) => new(microseconds * TimeSpan.TicksPerMicrosecond);

    public static Instant FromMilliseconds(long milliseconds) => new(milliseconds * TimeSpan.TicksPerMillisecond);

    public long Microseconds => Ticks / TimeSpan.TicksPerMicrosecond;

    public long Milliseconds => Ticks / TimeSpan.TicksPerMillisecond;

    public static Instant Min(Instant a, Instant b) => a.Ticks < b.Ticks ? a : b;

    public static Instant Max(Instant a, Instant b) => a.Ticks > b.Ticks ? a : b;

    public static Instant operator +(Instant instant, TimeSpan duration) => new(instant.Ticks + duration.Ticks);

    public static Instant operator -(Instant instant, TimeSpan duration) => new(instant.Ticks - duration.Ticks);

    public static TimeSpan operator -(Instant later, Instant earlier) => new(later.Ticks - earlier.Ticks);

    public static bool operator <(Instant left, Instant right) => left.Ticks < right.Ticks;

    public static bool operator >(Instant left, Instant right) => left.Ticks > right.Ticks;

    public static bool operator <=(Instant left, Instant right) => left.Ticks <= right.Ticks;

    public static bool operator >=(Instant left, Instant right) => left.Ticks >= right.Ticks;

    public int CompareTo(Instant other) => Ticks.CompareTo(other.Ticks);

    public override string ToString() => this == Never ? "never" : $"{Ticks / (double)TimeSpan.TicksPerSecond:F6}s";
}
