using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;

namespace Tapwire.Actors;

/// <summary>
/// Takes back what a message to an actor that has stopped would take with it: buffers go to their pool, an accepted connection that nobody will attach to is
/// aborted. One per actor system.
/// </summary>
internal sealed class DeadLetterReclaimer : ReceiveActor
{
    public DeadLetterReclaimer() => Receive<AllDeadLetters>(letter =>
    {
        switch (letter.Message)
        {
            case IOwnsBuffers owner:
                owner.Release();
                break;
            case Accepted accepted when letter.Sender is not null:
                letter.Sender.Tell(new Abort(accepted.Id));
                break;
        }
    });

    protected override void PreStart() => Context.System.EventStream.Subscribe(Self, typeof(AllDeadLetters));

    protected override void PostStop() => Context.System.EventStream.Unsubscribe(Self);
}
