using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Names;

/// <summary>NamesActor's answer to <see cref="GetStatus"/>.</summary>
/// <param name="Status">Null: the driver has no name servers and no names of its own.</param>
internal sealed record NamesReport(NamesStatus? Status);

/// <summary>What a lease, a router or a wire's own configuration says of names.</summary>
/// <param name="Domains">In which short names are looked for.</param>
internal sealed record LeasedServers(IReadOnlyList<IpAddress> Servers, IReadOnlyList<string> Domains);

/// <summary>DhcpActor, DriverActor → NamesActor: an interface has been given these name servers. No answer.</summary>
/// <param name="Source">The interface, and by whom.</param>
/// <param name="Lease">Null: it has none now, but will have.</param>
internal sealed record LeasedNames(string Source, LeasedServers? Lease);

/// <summary>DriverActor → NamesActor: the source names none any more. No answer.</summary>
internal sealed record LeasedNamesGone(string Source)
{
    /// <summary>The message that says what a router or a wire's own configuration names now.</summary>
    public static object Or(string source, IReadOnlyList<IpAddress> servers, IReadOnlyList<string> domains) =>
        servers.Count + domains.Count == 0 ? new LeasedNamesGone(source) : new LeasedNames(source, new LeasedServers(servers, domains));
}

/// <summary>What a driver's look-ups of names work with.</summary>
/// <param name="Sockets">The stack that has the sockets.</param>
/// <param name="Host">Makes the actor of the host's resolver, which answers <see cref="Resolve"/>, too.</param>
/// <param name="Secret">What ids derive from.</param>
internal sealed record NamesContext(SocketContext Sockets, DnsSettings Settings, Props Host, TimeProvider Clock, byte[] Secret);

/// <summary>
/// Whom everybody in the driver asks for names. It decides who answers: the driver's own resolver (<see cref="ResolverActor"/>), or the host's. Each of them is made when it is needed
/// first, so that a driver without name servers has no resolver, no cache and no secret of one.
/// <para>Name servers of leases are used where the settings have none. While an interface waits for its lease nobody is asked, the host's resolver neither: it must not learn the network's names.</para>
/// </summary>
internal sealed class NamesActor : ReceiveActor
{
    private readonly NamesContext _context;
    private readonly SortedDictionary<string, LeasedServers?> _leased = new(StringComparer.Ordinal);
    private DnsSettings _settings;
    private string _used = "";
    private IActorRef _resolver = ActorRefs.Nobody;
    private IActorRef _host = ActorRefs.Nobody;

    public NamesActor(NamesContext context)
    {
        _context = context;
        _settings = context.Settings;
        Receive<Resolve>(Pass);
        Receive<UseNames>(wanted =>
        {
            _settings = wanted.Settings;
            Use();
        });
        Receive<LeasedNames>(leased =>
        {
            _leased[leased.Source] = leased.Lease;
            Use();
        });
        Receive<LeasedNamesGone>(gone =>
        {
            _leased.Remove(gone.Source);
            Use();
        });
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

    protected override void PreStart() => Use();

    private void Pass(Resolve question)
    {
        if (question.Scope != ResolveScope.Host && IsWaiting)
            Sender.Tell(new Resolved(question.Name, []) { Result = LookupResult.ServerFailure });
        else if (question.Scope == ResolveScope.Host || (question.Scope == ResolveScope.Any && _resolver.IsNobody()))
            Host().Forward(question);
        else if (_resolver.IsNobody())
            Sender.Tell(new Resolved(question.Name, []) { Result = LookupResult.NoServer });
        else
            _resolver.Forward(question);
    }

    /// <summary>A resolver that has been made stays: it answers those who wait, also when its last server goes.</summary>
    private void Use()
    {
        var wanted = WithLeases();
        var text = wanted.ToString();
        if (text == _used)
            return;
        _used = text;
        if (!_resolver.IsNobody())
            _resolver.Tell(new UseNames(wanted));
        else if (!wanted.IsOff)
            _resolver = Made(ResolverActor.Props(new ResolverContext(_context.Sockets, wanted, Self, _context.Clock, _context.Secret)), "servers");
    }

    private bool TakesLeases => _settings.Servers.Count == 0 && !_settings.Split.Any(static route => route.Domain.IsRoot);

    /// <summary>Servers for all names will come with a lease, and there are none yet.</summary>
    private bool IsWaiting => _leased.Count > 0 && TakesLeases && _leased.ContainsValue(null) && !_leased.Values.Any(static lease => lease?.Servers.Count > 0);

    private DnsSettings WithLeases()
    {
        if (_leased.Count == 0)
            return _settings;
        var leases = _leased.Values.OfType<LeasedServers>().ToList();
        return _settings with
        {
            Servers = TakesLeases ? [.. leases.SelectMany(static lease => lease.Servers).Distinct().Take(ResolverOptions.MaxServers).Select(static server => new IpEndpoint(server, ResolverOptions.Port))] : _settings.Servers,
            Search = _settings.Search.Count > 0 ? _settings.Search : [.. leases.SelectMany(static lease => lease.Domains).Select(static domain => DnsName.TryParse(domain, out var name) ? name : null)
                .OfType<DnsName>().Distinct().Take(ResolverOptions.MaxSearch)],
        };
    }

    private IActorRef Host()
    {
        if (_host.IsNobody())
            _host = Made(_context.Host, "host");
        return _host;
    }

    private IActorRef Made(Props props, string name) => Context.Watch(Context.ActorOf(props.WithDispatcher(_context.Sockets.Dispatcher), name));
}
