using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Guests;

/// <summary>
/// A connection that the driver's stack has accepted at a published port, and the one to the guest. The guest is connected first. Until then the driver's connection delivers nothing; if
/// the guest does not take it, the peer gets RST.
/// <para>States: Connecting → Attaching → Joined.</para>
/// </summary>
internal sealed class PublishedRelayActor : RelayActor
{
    private readonly Connect _request;

    public PublishedRelayActor(IActorRef outer, IActorRef inner, Accepted accepted, IpEndpoint from, IpEndpoint to, BufferPool pool)
        : base(outer, inner, pool)
    {
        Outer.Id = accepted.Id;
        _request = new Connect(to, null, InnerOptions) { Local = from };
        Receive<Connecting>(connecting => Inner.Id = connecting.Id);
        Receive<Connected>(connected =>
        {
            Inner.Open(connected);
            Outer.Stack.Tell(new Attach(accepted.Id));
            Become(Attaching);
        });
        Receive<ConnectFailed>(_ =>
        {
            Inner.Id = null;
            Context.Stop(Self);
        });
        Receive<Stopping>(_ => Context.Stop(Self));
    }

    /// <param name="outer">The driver's stack actor.</param>
    /// <param name="inner">The guest's stack actor.</param>
    /// <param name="accepted">The actor's from now on.</param>
    /// <param name="from">The peer that the guest sees.</param>
    /// <param name="to">The guest's end.</param>
    public static Props Props(IActorRef outer, IActorRef inner, Accepted accepted, IpEndpoint from, IpEndpoint to, BufferPool pool) =>
        Akka.Actor.Props.Create(() => new PublishedRelayActor(outer, inner, accepted, from, to, pool));

    protected override void PreStart() => Inner.Stack.Tell(_request);

    private void Attaching()
    {
        Receive<Connected>(connected =>
        {
            Outer.Open(connected);
            Become(Joined);
            Outer.TakeFrom(Inner);
        });
        Receive<Stopping>(_ => Context.Stop(Self));
        ReceiveStreams();
        ReceiveEnd();
    }
}
