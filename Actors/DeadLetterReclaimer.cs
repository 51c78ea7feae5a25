using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Link;
using Tapwire.Links.Protocol;
using Tapwire.Messages;

namespace Tapwire.Actors;

/// <summary>
/// Takes back what a message to an actor that has stopped would take with it: buffers go to their pool, descriptors are closed, sockets and reservations go
/// back to the stack, and whoever asks for something is refused. One per actor system.
/// </summary>
internal sealed class DeadLetterReclaimer : ReceiveActor
{
    public DeadLetterReclaimer() => Receive<AllDeadLetters>(letter =>
    {
        if (letter.Message is IOwnsBuffers owner)
            owner.Release();
        else if (letter.Message is LinkReply { Descriptor: { } descriptor })
            descriptor.Dispose();
        else if (letter.Message is JoinSocket join)
            join.Refuse();
        else if (letter.Message is BecomeListener listen)
            listen.Refuse();
        else if (letter.Sender is { } sender && AnswerTo(letter.Message) is { } answer)
            sender.Tell(answer);
    });

    private static object? AnswerTo(object message) => message switch
    {
        Accepted accepted => new Abort(accepted.Id),
        Connecting connecting => new Abort(connecting.Id),
        Bound bound => new Unbind(bound.Id),
        Listening listening => new Unlisten(listening.Id),
        DatagramOpened opened => new CloseDatagram(opened.Id),
        LinkCall call => new LinkReply(call.Request.Failed(LinkErrno.BadHandle)),
        _ => null,
    };

    protected override void PreStart() => Context.System.EventStream.Subscribe(Self, typeof(AllDeadLetters));

    protected override void PostStop() => Context.System.EventStream.Unsubscribe(Self);
}
