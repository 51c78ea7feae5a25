using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Guests;
using Tapwire.Links.Protocol;
using Tapwire.Messages;

namespace Tapwire.Actors;

/// <summary>
/// Reclaims what a message to a stopped actor owns. Buffers return to their pool, descriptors are closed, sockets and reservations go back to the stack, and
/// requests are refused. There is one per actor system.
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
            case LinkReply { Descriptor: { } descriptor }:
                descriptor.Dispose();
                break;
            case JoinSocket join:
                join.Refuse();
                break;
            case LinkCall { Request.Passed: { } passed }:
                passed.Dispose();
                break;
            case AddGuest add:
                add.Wire.Dispose();
                break;
            case BecomeListener listen:
                listen.Refuse();
                break;
        }

        if (Refusal.Of(letter.Message) is { } answer)
            letter.Sender?.Tell(answer, ActorRefs.NoSender);
    });

    protected override void PreStart() => Context.System.EventStream.Subscribe(Self, typeof(AllDeadLetters));

    protected override void PostStop() => Context.System.EventStream.Unsubscribe(Self);
}
