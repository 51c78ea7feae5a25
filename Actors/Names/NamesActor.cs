using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Names;

namespace Tapwire.Actors.Names;

/// <summary>NamesActor's answer to <see cref="GetStatus"/>.</summary>
/// <param name="Status">Null: the driver has no name servers and no names of its own.</param>
internal sealed record NamesReport(NamesStatus? Status);

/// <summary>What a driver's look-ups of names work with.</summary>
/// <param name="Sockets">The stack that has the sockets.</param>
/// <param name="Host">Makes the actor of the host's resolver, which answers <see cref="Resolve"/>, too.</param>
/// <param name="Secret">What ids derive from.</param>
internal sealed record NamesContext(SocketContext Sockets, DnsSettings Settings, Props Host, TimeProvider Clock, byte[] Secret);

/// <summary>
/// Whom everybody in the driver asks for names. It decides who answers: the driver's own resolver (<see cref="ResolverActor"/>), or the host's. Each of them is made when it is needed
/// first, so that a driver without name servers has no resolver, no cache and no secret of one, and nothing of its assembly is loaded.
/// </summary>
internal sealed class NamesActor : ReceiveActor
{
    private readonly NamesContext _context;
    private IActorRef _resolver = ActorRefs.Nobody;
    private IActorRef _host = ActorRefs.Nobody;

    public NamesActor(NamesContext context)
    {
        _context = context;
        Receive<Resolve>(Pass);
        Receive<UseNames>(Use);
        Receive<GetStatus>(status =>
        {
            if (_resolver.IsNobody())
                Sender.Tell(new NamesReport(null));
            else
                _resolver.Forward(status);
        });
        // Neither of the two ends by itself, and without them nobody would be answered.
        Receive<Terminated>(_ => Context.Stop(Self));
        Receive<Stopping>(_ => Context.Stop(Self));
    }

    public static Props Props(NamesContext context) => Akka.Actor.Props.Create(() => new NamesActor(context));

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.LoseMessage;

    protected override void PreStart() => Use(new UseNames(_context.Settings));

    private void Pass(Resolve question)
    {
        if (question.Scope == ResolveScope.Host || (question.Scope == ResolveScope.Any && _resolver.IsNobody()))
            Host().Forward(question);
        else if (_resolver.IsNobody())
            Sender.Tell(new Resolved(question.Name, []) { Result = LookupResult.NoServer });
        else
            _resolver.Forward(question);
    }

    /// <summary>A resolver that has been made stays: it answers those who wait, also when its last server goes.</summary>
    private void Use(UseNames wanted)
    {
        if (!_resolver.IsNobody())
            _resolver.Forward(wanted);
        else if (!wanted.Settings.IsOff)
            _resolver = Made(ResolverActor.Props(new ResolverContext(_context.Sockets, wanted.Settings, Self, _context.Clock, _context.Secret)), "servers");
    }

    private IActorRef Host()
    {
        if (_host.IsNobody())
            _host = Made(_context.Host, "host");
        return _host;
    }

    private IActorRef Made(Props props, string name) => Context.Watch(Context.ActorOf(props.WithDispatcher(_context.Sockets.Dispatcher), name));
}
