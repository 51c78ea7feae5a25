using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Link;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;

namespace Tapwire.Actors;

/// <summary>
/// Takes back what a message to an actor that has stopped would take with it: buffers go to their pool, descriptors are closed, sockets and reservations go
/// back to the stack, and whoever asks for something is refused. One per actor system.
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
            case BecomeListener listen:
                listen.Refuse();
                break;
        }

        if (AnswerTo(letter.Message) is { } answer)
            letter.Sender?.Tell(answer, ActorRefs.NoSender);
    });

    /// <summary>Null: nobody waits for one. Of a status nothing can be made up: who asks for it sets himself a time.</summary>
    private static object? AnswerTo(object message) => message switch
    {
        // What the stack gives to an owner who is gone, it gets back.
        Accepted accepted => new Abort(accepted.Id),
        Connecting connecting => new Abort(connecting.Id),
        Bound bound => new Unbind(bound.Id),
        Listening listening => new Unlisten(listening.Id),
        DatagramOpened opened => new CloseDatagram(opened.Id),

        // What is asked of an actor that is gone, mostly the stack, is refused.
        Bind => new BindFailed(StackError.ConnectionAborted),
        Listen => new ListenFailed(StackError.ConnectionAborted),
        Connect => new ConnectFailed(StackError.ConnectionAborted),
        Attach or Close or Abort => new Closed(StackError.ConnectionAborted),
        OpenDatagram => new DatagramOpenFailed(StackError.ConnectionAborted),
        ConnectDatagram => new DatagramConnected(StackError.ConnectionAborted, default),
        SendDatagram => new DatagramSent(StackError.ConnectionAborted),
        SetOption or GetOption => new OptionAnswer(StackError.ConnectionAborted, 0),
        GetTcpInfo => new TcpInfoAnswer(null),
        AddAddress or RemoveAddress => new AddressAnswer(StackError.ConnectionAborted),
        Ping ping => new PingAnswer(StackError.ConnectionAborted, ping.Destination, TimeSpan.Zero, 0, ping.Size),
        Resolve resolve => new Resolved(resolve.Name, []),
        WhenReady => new DriverFailed("The driver has stopped."),
        LinkCall call => new LinkReply(call.Request.Failed(LinkErrno.BadHandle)),
        _ => null,
    };

    protected override void PreStart() => Context.System.EventStream.Subscribe(Self, typeof(AllDeadLetters));

    protected override void PostStop() => Context.System.EventStream.Unsubscribe(Self);
}
