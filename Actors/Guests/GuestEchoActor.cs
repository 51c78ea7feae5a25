using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Forwarding;

namespace Tapwire.Actors.Guests;

/// <summary>An echo request of a guest's, which the driver's stack asks in its place.</summary>
internal sealed class GuestEchoActor : OwningActor
{
    /// <summary>How long another host may take to answer. Nobody waits longer.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly IActorRef _outer;
    private readonly IActorRef _inner;
    private ForwardedEcho? _echo;

    public GuestEchoActor(IActorRef outer, IActorRef inner, ForwardedEcho echo)
    {
        _outer = outer;
        _inner = inner;
        _echo = echo;
        Receive<PingAnswer>(answer =>
        {
            _inner.Tell(new AnswerEcho(_echo!, answer.Error));
            _echo = null;
            Context.Stop(Self);
        });
    }

    /// <param name="outer">The driver's stack actor, which answers in any case, be it by a dead letter's refusal.</param>
    /// <param name="inner">The guest's stack actor.</param>
    /// <param name="echo">The actor's from now on.</param>
    public static Props Props(IActorRef outer, IActorRef inner, ForwardedEcho echo) => Akka.Actor.Props.Create(() => new GuestEchoActor(outer, inner, echo));

    protected override void PreStart() => _outer.Tell(new Ping(_echo!.Destination, _echo.Size, Patience));

    protected override void PostStop() => _echo?.Release();
}
