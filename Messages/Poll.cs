using Akka.Actor;
using Akka.Event;

namespace Tapwire.Messages;

/// <summary>
/// Scheduler or StackActor → StackActor: process the frame queue, run due timers, send, set the next deadline. Posted by the first frame in an empty queue, by
/// socket calls, and by the scheduler at the engine's next deadline; no answer.
/// </summary>
public sealed class Poll : IDeadLetterSuppression, INotInfluenceReceiveTimeout
{
    /// <summary>Posted by the actor itself: there is work.</summary>
    public static readonly Poll Now = new();

    /// <summary>Posted by the scheduler: a deadline has come.</summary>
    public static readonly Poll Due = new();

    /// <summary>Posted by the actor itself through its dispatcher: owners of sockets with events have had their turn to answer.</summary>
    public static readonly Poll Answered = new();

    private Poll()
    {
    }
}
