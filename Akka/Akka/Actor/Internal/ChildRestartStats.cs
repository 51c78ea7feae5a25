using Akka.Util;

namespace Akka.Actor.Internal;

/// <summary>What a parent keeps of a child.</summary>
public interface IChildStats;

/// <summary>A name that is taken by a child about to be made.</summary>
public class ChildNameReserved : IChildStats
{
    private ChildNameReserved() { }

    public static ChildNameReserved Instance { get; } = new();

    public override string ToString() => "Name";
}

/// <summary>A child and how often it has been restarted of late.</summary>
public class ChildRestartStats : IChildStats
{
    public ChildRestartStats(IInternalActorRef child, uint maxNrOfRetriesCount = 0, long restartTimeWindowStartTicks = 0)
    {
        Child = child;
        MaxNrOfRetriesCount = maxNrOfRetriesCount;
        RestartTimeWindowStartTicks = restartTimeWindowStartTicks;
    }

    public IInternalActorRef Child { get; }

    public long Uid => Child.Path.Uid;

    public uint MaxNrOfRetriesCount { get; private set; }

    public long RestartTimeWindowStartTicks { get; private set; }

    /// <summary>Whether the parent has told the child to stop.</summary>
    internal bool ShallDie { get; set; }

    /// <summary>Counts a restart; says whether it is allowed.</summary>
    /// <param name="maxNrOfRetries">Negative for no limit.</param>
    /// <param name="withinTimeMilliseconds">The window in which the restarts are counted; not positive for none.</param>
    public bool RequestRestartPermission(int maxNrOfRetries, int withinTimeMilliseconds)
    {
        if (maxNrOfRetries == 0)
            return false;
        if (withinTimeMilliseconds > 0)
            return RetriesInWindowOkay(maxNrOfRetries > 0 ? (uint)maxNrOfRetries : 1, withinTimeMilliseconds);
        return maxNrOfRetries < 0 || ++MaxNrOfRetriesCount <= maxNrOfRetries;
    }

    private bool RetriesInWindowOkay(uint retries, int windowMilliseconds)
    {
        var now = MonotonicClock.ElapsedHighRes.Ticks + 1; // 0 means that no window has begun
        if (RestartTimeWindowStartTicks == 0)
            RestartTimeWindowStartTicks = now;
        if (now - RestartTimeWindowStartTicks <= windowMilliseconds * TimeSpan.TicksPerMillisecond)
            return ++MaxNrOfRetriesCount <= retries;
        MaxNrOfRetriesCount = 1;
        RestartTimeWindowStartTicks = now;
        return true;
    }
}
