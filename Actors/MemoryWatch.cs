using Tapwire.Stack;

namespace Tapwire.Actors;

/// <summary>
/// Looks how much memory is left, whoever uses it, before the kernel's way of making room becomes to kill somebody. Each stack looks while it has something to do:
/// after some time, and after so many bytes that not much can have been used meanwhile. The shards of a driver share one.
/// </summary>
/// <param name="left">Tells what is left, as a part of all, 0 to 1.</param>
/// <param name="bytes">All that there is.</param>
public sealed class MemoryWatch(Func<double> left, long bytes)
{
    /// <summary>What is left when it becomes scarce, and when it is exhausted, as parts of all. It is ample again only a little above.</summary>
    public const double Scarce = 0.25;
    public const double Exhausted = 0.125;

    private const double Half = 0.5;

    /// <summary>Of a machine this much is left before anybody would speak of need: 300 MB of 8 GB, and what a process could use in a blink.</summary>
    private const double Slack = 1 / 32.0;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();

    public MemoryState State { get; } = new();

    /// <summary>A part of all so small that it does not matter.</summary>
    private long Step { get; } = Math.Max(bytes / 64, 1 << 20);

    /// <summary>Whether it is time to look.</summary>
    public bool IsDue(TimeSpan sinceLook, long bytesSince) => sinceLook >= Pause || bytesSince >= Step;

    /// <summary>Looks, unless another shard is at it.</summary>
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
        // What has become scarce stays so until there is some more: windows are not to flutter.
        var now = State.Level;
        if (part < (now == MemoryLevel.Exhausted ? Exhausted + Slack : Exhausted))
            return MemoryLevel.Exhausted;
        return part < (now == MemoryLevel.Ample ? Scarce : Scarce + Slack) ? MemoryLevel.Scarce : MemoryLevel.Ample;
    }
}
