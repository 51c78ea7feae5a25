using Tapwire.Stack;

namespace Tapwire.Actors;

/// <summary>
/// Checks how much memory is left, whatever uses it, to react before the kernel kills a process to make room. Each stack checks while it has something to do:
/// after some time, and after an amount of bytes during which little can have been used. The shards of a driver share one.
/// </summary>
/// <param name="left">Returns the remaining part of all memory, 0 to 1.</param>
/// <param name="bytes">All memory.</param>
public sealed class MemoryWatch(Func<double> left, long bytes)
{
    /// <summary>The remaining part of memory below which it counts as scarce, and the one below which it counts as exhausted. It recovers at values a little
    /// higher.</summary>
    public const double Scarce = 0.25;
    public const double Exhausted = 0.125;

    private const double Half = 0.5;

    /// <summary>This part of a machine's memory may be in use before there is any shortage: 300 MB of 8 GB, which a process could use in an instant.</summary>
    private const double Slack = 1 / 32.0;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();

    public MemoryState State { get; } = new();

    /// <summary>A part of all memory too small to matter.</summary>
    private long Step { get; } = Math.Max(bytes / 64, 1 << 20);

    /// <summary>The next check is due.</summary>
    public bool IsDue(TimeSpan sinceLook, long bytesSince) => sinceLook >= Pause || bytesSince >= Step;

    /// <summary>Checks, unless another shard is checking.</summary>
    public MemoryLevel Look()
    {
        if (!_lock.TryEnter())
            return State.Level;
        try
        {
            var part = left();
            State.IsHalfUsed = part < Half;
            return State.Level = LevelOf(part);
        }
        finally
        {
            _lock.Exit();
        }
    }

    private MemoryLevel LevelOf(double part)
    {
        // A shortage ends only at a higher value, so that windows do not flutter.
        var now = State.Level;
        if (part < (now == MemoryLevel.Exhausted ? Exhausted + Slack : Exhausted))
            return MemoryLevel.Exhausted;
        return part < (now == MemoryLevel.Ample ? Scarce : Scarce + Slack) ? MemoryLevel.Scarce : MemoryLevel.Ample;
    }
}
