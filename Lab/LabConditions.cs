using Tapwire.Wires;

namespace Tapwire;

/// <summary>
/// What becomes of frames on their way: in this order loss, corruption, duplication, the queue before the line, the line, the latency. A change holds for frames that are sent from then on, and can
/// be made at any time of a run.
/// </summary>
public abstract class LabConditions
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private protected LabConditions()
    {
    }

    /// <summary>Share of frames that are lost, 0 to 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Another value.</exception>
    public double Loss
    {
        get => Current.Loss;
        set => Set(nameof(Loss), Share(value, nameof(Loss)), static (now, share) => now with { Loss = share });
    }

    /// <summary>Mean number of frames lost one after the other (Gilbert's model); 0: each is lost independently. 0, or 1 to 1,000,000.</summary>
    /// <inheritdoc cref="Loss" path="/exception"/>
    public double LossBurst
    {
        get => Current.LossBurst;
        set
        {
            if (value is not (0 or (>= 1 and <= 1_000_000)))
                throw new ArgumentOutOfRangeException(nameof(LossBurst), value, "A burst is 1 to 1,000,000 frames on average; 0: frames are lost independently.");
            Set(nameof(LossBurst), value, static (now, burst) => now with { LossBurst = burst });
        }
    }

    /// <summary>Time that each frame takes after the line has its last bit, 0 to an hour.</summary>
    /// <inheritdoc cref="Loss" path="/exception"/>
    public TimeSpan Latency
    {
        get => Current.Latency;
        set => Set(nameof(Latency), Time(value, nameof(Latency)), static (now, time) => now with { Latency = time });
    }

    /// <summary>Uniform variation of the latency, up and down, 0 to an hour; a latency is never less than 0. It does not reorder frames.</summary>
    /// <inheritdoc cref="Loss" path="/exception"/>
    public TimeSpan Jitter
    {
        get => Current.Jitter;
        set => Set(nameof(Jitter), Time(value, nameof(Jitter)), static (now, time) => now with { Jitter = time });
    }

    /// <summary>Share of frames that take <see cref="ReorderDelay"/> longer, so that later ones overtake them, 0 to 1.</summary>
    /// <inheritdoc cref="Loss" path="/exception"/>
    public double Reordering
    {
        get => Current.Reorder;
        set => Set(nameof(Reordering), Share(value, nameof(Reordering)), static (now, share) => now with { Reorder = share });
    }

    /// <summary>How much longer reordered frames take, 0 to an hour; 1 ms by default.</summary>
    /// <inheritdoc cref="Loss" path="/exception"/>
    public TimeSpan ReorderDelay
    {
        get => Current.ReorderDelay;
        set => Set(nameof(ReorderDelay), Time(value, nameof(ReorderDelay)), static (now, time) => now with { ReorderDelay = time });
    }

    /// <summary>Share of frames that arrive twice, 0 to 1.</summary>
    /// <inheritdoc cref="Loss" path="/exception"/>
    public double Duplication
    {
        get => Current.Duplicate;
        set => Set(nameof(Duplication), Share(value, nameof(Duplication)), static (now, share) => now with { Duplicate = share });
    }

    /// <summary>Share of frames that arrive with one bit changed, 0 to 1.</summary>
    /// <inheritdoc cref="Loss" path="/exception"/>
    public double Corruption
    {
        get => Current.Corrupt;
        set => Set(nameof(Corruption), Share(value, nameof(Corruption)), static (now, share) => now with { Corrupt = share });
    }

    /// <summary>The line's rate, which takes one frame after the other, in bits per second; 0: no limit.</summary>
    /// <inheritdoc cref="Loss" path="/exception"/>
    public long BitsPerSecond
    {
        get => Current.BitsPerSecond;
        set => Set(nameof(BitsPerSecond), AtLeast(value, 0, nameof(BitsPerSecond)), static (now, rate) => now with { BitsPerSecond = rate });
    }

    /// <summary>Frames that wait for the line; one more is dropped. At least 1; 1000 by default.</summary>
    /// <inheritdoc cref="Loss" path="/exception"/>
    public int QueueFrames
    {
        get => Current.QueueFrames;
        set => Set(nameof(QueueFrames), (int)AtLeast(value, 1, nameof(QueueFrames)), static (now, frames) => now with { QueueFrames = frames });
    }

    /// <summary>Bytes of frames that wait for the line; a frame that does not fit is dropped, unless it is alone. At least 1; 4 MiB by default.</summary>
    /// <inheritdoc cref="Loss" path="/exception"/>
    public int QueueBytes
    {
        get => Current.QueueBytes;
        set => Set(nameof(QueueBytes), (int)AtLeast(value, 1, nameof(QueueBytes)), static (now, bytes) => now with { QueueBytes = bytes });
    }

    private protected abstract CableImpairments Current { get; }

    private protected abstract void Change(string property, Func<CableImpairments, CableImpairments> change);

    private void Set<T>(string property, T value, Func<CableImpairments, T, CableImpairments> change) => Change(property, now => change(now, value));

    private static double Share(double value, string property) =>
        value is >= 0 and <= 1 ? value : throw new ArgumentOutOfRangeException(property, value, "A share is 0 to 1, as in 0.05 for 5 %.");

    private static TimeSpan Time(TimeSpan value, string property) =>
        value >= TimeSpan.Zero && value <= Hour ? value : throw new ArgumentOutOfRangeException(property, value, "A time on the cable is 0 to an hour.");

    private static long AtLeast(long value, long least, string property) =>
        value >= least ? value : throw new ArgumentOutOfRangeException(property, value, FormattableString.Invariant($"It is at least {least}."));
}
