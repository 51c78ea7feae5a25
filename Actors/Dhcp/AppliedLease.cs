using Akka.Actor;
using Akka.Event;
using Tapwire.Links.Protocol;
using Tapwire.Stack;

namespace Tapwire.Actors.Dhcp;

/// <summary>
/// What the stacks have of an interface's lease, and what they shall have: one change is under way at a time, and what has come meanwhile follows. It belongs to a DHCP client's actor.
/// </summary>
/// <param name="driver">Who carries changes out.</param>
internal sealed class AppliedLease(string name, IActorRef driver, IActorRef self, IWithTimers actor, ILoggingAdapter log)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private LeasedConfiguration? _has;
    private LeasedConfiguration? _wanted;

    // What is being asked of the driver, and what the stacks have refused: that is not asked for again.
    private (LeasedConfiguration? Lease, bool IsAsked) _asked;
    private LeasedConfiguration? _refused;

    // A stack has not answered in time, so that nobody knows what it has: all of it goes before anything comes.
    private bool _isUnsure;

    /// <summary>The stacks have what they shall have.</summary>
    public bool IsDone => !_isUnsure && ReferenceEquals(_wanted, _has);

    public void Want(LeasedConfiguration? lease)
    {
        _wanted = lease;
        GoOn();
    }

    /// <summary>Asks for the next change, if there is one.</summary>
    public void GoOn()
    {
        var next = _isUnsure ? null : _wanted;
        if (_asked.IsAsked || IsDone || (next is not null && ReferenceEquals(next, _refused)))
            return;
        _asked = (next, true);
        driver.Tell(new LeaseChanges(name, _has, next), self);
    }

    /// <summary>The driver has carried the change out, or has not.</summary>
    public void Answered(CommandAnswer answer)
    {
        var (lease, _) = _asked;
        _asked = default;
        switch (answer.Error)
        {
            case 0:
                _has = lease;
                _isUnsure = false;
                break;
            case (int)StackError.ConnectionAborted:
                return; // the driver stops
            case (int)StackError.TimedOut:
                _has = lease ?? _has;
                _isUnsure = true;
                actor.Timers.StartSingleTimer(Again.Instance, Again.Instance, Pause);
                return;
            case LinkErrno.Busy:
                actor.Timers.StartSingleTimer(Again.Instance, Again.Instance, Pause);
                return;
            default:
                log.Warning("{Interface}: the lease cannot be used: {Reason}", name, answer.Reason);
                _has = null;
                _refused = lease;
                break;
        }

        GoOn();
    }

    /// <summary>The timer: the driver was busy, and is asked again.</summary>
    internal sealed class Again
    {
        public static readonly Again Instance = new();
    }
}
