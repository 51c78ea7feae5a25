using Akka.Actor;
using Tapwire.Stack;

namespace Tapwire.Actors;

/// <summary>The timer of an actor around something that says when it wants to be woken, as the engine does. Set only when that time has changed.</summary>
internal struct DueTimer()
{
    private Instant _at = Instant.Never;

    /// <param name="at">When to wake it; <see cref="Instant.Never"/>: not by time.</param>
    public void Set(ITimerScheduler timers, Instant at, Instant now)
    {
        if (at == _at)
            return;
        _at = at;
        if (at == Instant.Never)
            timers.Cancel(Due.Instance);
        else
            timers.StartSingleTimer(Due.Instance, Due.Instance, at > now ? at - now : TimeSpan.Zero);
    }

    /// <summary>The timer has fired.</summary>
    public void Fired() => _at = Instant.Never;

    public void Cancel(ITimerScheduler timers)
    {
        timers.Cancel(Due.Instance);
        _at = Instant.Never;
    }
}

/// <summary>An actor's own <see cref="DueTimer"/>: it is time.</summary>
internal sealed class Due
{
    public static readonly Due Instance = new();

    private Due()
    {
    }
}
