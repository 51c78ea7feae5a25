using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;

namespace Tapwire.Actors.Guests;

/// <summary>
/// A connection of a guest's, and the driver's connection to the same destination. The driver connects first, so that the guest sees what the destination says.
/// <para>States: Connecting → Accepting → Joined.</para>
/// </summary>
internal sealed class GuestRelayActor : RelayActor
{
    private readonly ForwardHandshake _handshake;
    private bool _isAnswered;

    public GuestRelayActor(IActorRef outer, IActorRef inner, ForwardHandshake handshake, BufferPool pool)
        : base(outer, inner, pool)
    {
        _handshake = handshake;
        Connecting();
    }

    /// <param name="outer">The driver's stack actor.</param>
    /// <param name="inner">The guest's stack actor.</param>
    public static Props Props(IActorRef outer, IActorRef inner, ForwardHandshake handshake, BufferPool pool) =>
        Akka.Actor.Props.Create(() => new GuestRelayActor(outer, inner, handshake, pool));

    protected override void PreStart() => Outer.Stack.Tell(new Connect(_handshake.Destination, null, OuterOptions));

    /// <summary>Whatever is still open is reset.</summary>
    protected override void PostStop()
    {
        if (!_isAnswered)
            Refuse(StackError.TimedOut);
        base.PostStop();
    }

    private void Connecting()
    {
        Receive<Messages.Connecting>(connecting => Outer.Id = connecting.Id);
        Receive<Connected>(connected =>
        {
            Outer.Open(connected);
            _isAnswered = true;
            Inner.Stack.Tell(new AcceptForwarded(_handshake.Source, _handshake.Destination, InnerOptions));
            Become(Accepting);
        });
        Receive<ConnectFailed>(failed =>
        {
            Outer.Id = null;
            Refuse(failed.Error);
            Context.Stop(Self);
        });
        Receive<Stopping>(_ =>
        {
            Refuse(StackError.NetworkUnreachable);
            Context.Stop(Self);
        });
    }

    private void Accepting()
    {
        Receive<Connected>(connected =>
        {
            Inner.Open(connected);
            Become(Joined);
            Inner.TakeFrom(Outer);
        });
        // The guest has no connection yet that could end in order.
        Receive<Stopping>(_ => Context.Stop(Self));
        ReceiveStreams();
        ReceiveEnd();
    }

    private void Refuse(StackError reason)
    {
        _isAnswered = true;
        Inner.Stack.Tell(new RefuseForwarded(_handshake.Source, _handshake.Destination, reason));
    }
}
