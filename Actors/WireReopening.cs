using Akka.Actor;
using Tapwire.Wires;

namespace Tapwire.Actors;

/// <summary>Opens a wire again after a failure, with pauses that double up to a limit. It belongs to the wire's actor, which is told <see cref="Due"/> when a pause is over.</summary>
/// <param name="actor">Has the timer.</param>
/// <param name="open">Throws <see cref="WireException"/> if the wire does not open.</param>
internal sealed class WireReopening(IWithTimers actor, Func<IWire> open, TimeSpan minimum, TimeSpan maximum)
{
    /// <summary>How long it waits before the next attempt.</summary>
    public TimeSpan Pause { get; private set; }

    /// <summary>The wire has failed.</summary>
    public void Begin() => Wait(minimum);

    /// <summary>A pause is over.</summary>
    /// <param name="failure">Why it does not open; the next pause has begun.</param>
    /// <returns>Null: it does not open.</returns>
    public IWire? TryOpen(out Exception? failure)
    {
        try
        {
            failure = null;
            return open();
        }
        catch (Exception e)
        {
            failure = e;
            Wait(TimeSpan.FromTicks(Math.Min(Pause.Ticks * 2, maximum.Ticks)));
            return null;
        }
    }

    private void Wait(TimeSpan pause)
    {
        Pause = pause;
        actor.Timers.StartSingleTimer(Due.Instance, Due.Instance, pause);
    }

    /// <summary>A timer → the actor.</summary>
    public sealed class Due
    {
        public static readonly Due Instance = new();
    }
}
