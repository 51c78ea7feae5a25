using Akka.Actor;
using Akka.Event;

namespace Tapwire.Messages;

/// <summary>
/// Scheduler or StackActor → StackActor: drain the frame queue, run due timers, emit, re-arm. Posted by the first frame in an empty queue, by socket
/// calls, and by the scheduler at the engine's next deadline; no answer.
/// </summary>
public sealed class Poll : IDeadLetterSuppression, INotInfluenceReceiveTimeout
{
    /// <summary>Posted by the actor itself: there is work.</summary>
    public static readonly Poll Now = new();

    /// <summary>Posted by the scheduler: a deadline has come.</summary>
    public static readonly Poll Due = new();

    /// <summary>Posted by the actor itself by way of its dispatcher: owners of sockets that have been told something have had their turn to answer.</summary>
    public static readonly Poll Answered = new();

    private Poll()
    {
    }
}
