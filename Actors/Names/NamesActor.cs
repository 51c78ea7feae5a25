using System.Security.Cryptography;
using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Names.Mdns;
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

/// <summary>ResolverActor → NamesActor, for whoever has asked: the driver has no server for this name. The host's resolver answers by <see cref="Resolved"/>.</summary>
internal sealed record AskHost(Resolve Question);

/// <summary>What a driver's look-ups of names work with.</summary>
/// <param name="Sockets">The stack that has the sockets.</param>
/// <param name="Host">Makes the actor of the host's resolver, which answers <see cref="Resolve"/>, too.</param>
/// <param name="Secret">What ids derive from.</param>
internal sealed record NamesContext(SocketContext Sockets, DnsSettings Settings, Props Host, TimeProvider Clock, byte[] Secret)
{
    /// <summary>What multicast DNS publishes from the beginning; null: nothing.</summary>
    public MdnsIdentity? Identity { get; init; }
}

/// <summary>
/// Whom everybody in the driver asks for names. It decides who answers: the driver's own resolver (<see cref="ResolverActor"/>), or the host's; and for names in .local the links (<see cref="MdnsActor"/>). Each of them is made when it is needed
/// first, so that a driver without name servers has no resolver, no cache and no secret of one.
/// <para>Name servers of leases are used where the settings have none. While an interface waits for its lease nobody is asked, the host's resolver neither: it must not learn the network's names.</para>
/// </summary>
internal sealed class NamesActor : ReceiveActor
{
    private static readonly TimeSpan StatusPatience = TimeSpan.FromSeconds(4);

    private readonly NamesContext _context;
    private readonly SortedDictionary<string, LeasedServers?> _leased = new(StringComparer.Ordinal);
    private DnsSettings _settings;
    private string _used = "";
    private IActorRef _resolver = ActorRefs.Nobody;
    private IActorRef _host = ActorRefs.Nobody;
    private IActorRef _links = ActorRefs.Nobody;
    private MdnsIdentity? _identity;
    private long _linksQuestions;
    private int _linksMade;

    // Who waits for what the host finds of a name. Each has a limit on its own questions.
    private readonly Dictionary<string, List<IActorRef>> _askedOfHost = [];

    public NamesActor(NamesContext context)
    {
        _context = context;
        _settings = context.Settings;
        _identity = context.Identity;
        Receive<Resolve>(Pass);
        Receive<AskHost>(ask => AskHost(ask.Question, Sender));
        Receive<Resolved>(Pass);
        Receive<LinksQuestion>(question =>
        {
            var links = Links();
            _linksQuestions++;
            links.Forward(question);
        });
        Receive<BrowseServices>(browse =>
        {
            if (!_settings.AsksLinksFor(browse.Type))
            {
                Sender.Tell(ServicesFound.Failed(LookupResult.NoServer));
                return;
            }

            var links = Links();
            _linksQuestions++;
            links.Forward(browse);
        });
        Receive<PublishName>(wanted =>
        {
            _identity = wanted.Identity;
            if (!_links.IsNobody())
                _links.Tell(wanted);
            else if (_identity is not null)
                Links();
        });
        Receive<LinkLeaves>(leaves =>
        {
            if (_links.IsNobody())
                Sender.Tell(LinkLeft.Instance);
            else
                _links.Forward(leaves);
        });
        Receive<MdnsIdle>(idle =>
        {
            if (!Sender.Equals(_links) || idle.Questions != _linksQuestions || _identity is not null)
                return;
            _links.Tell(Stopping.Instance);
            _links = ActorRefs.Nobody;
        });
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
        Receive<GetStatus>(Report);
        // Neither of the two ends by itself, and without them nobody would be answered. Of the links it is expected where they have been told so.
        Receive<Terminated>(gone =>
        {
            if (gone.ActorRef.Equals(_resolver) || gone.ActorRef.Equals(_host) || gone.ActorRef.Equals(_links))
                Context.Stop(Self);
        });
        Receive<Stopping>(_ => Stop());
    }

    public static Props Props(NamesContext context) => Akka.Actor.Props.Create(() => new NamesActor(context));

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.LoseMessage;

    protected override void PreStart()
    {
        Use();
        if (_identity is not null)
            Links();
    }

    /// <summary>What is published on the links is taken back first.</summary>
    private void Stop()
    {
        if (_links.IsNobody())
        {
            Context.Stop(Self);
            return;
        }

        _links.Tell(Stopping.Instance);
        Become(() =>
        {
            Receive<Terminated>(gone =>
            {
                if (gone.ActorRef.Equals(_links))
                    Context.Stop(Self);
            });
            Receive<Stopping>(_ => Context.Stop(Self));
            Receive<Resolve>(question => Sender.Tell(new Resolved(question.Name, []) { Result = LookupResult.ServerFailure }));
            Receive<LinkLeaves>(_ => Sender.Tell(LinkLeft.Instance));
            Receive<BrowseServices>(_ => Sender.Tell(ServicesFound.Failed(LookupResult.ServerFailure)));
            Receive<GetStatus>(_ => Sender.Tell(new NamesReport(null)));
            ReceiveAny(static _ => { });
        });
    }

    private void Report(GetStatus status)
    {
        if (_links.IsNobody())
        {
            if (_resolver.IsNobody())
                Sender.Tell(new NamesReport(null));
            else
                _resolver.Forward(status);
            return;
        }

        ReportAsync(_resolver, _links).PipeTo(Sender, Self, failure: static _ => new NamesReport(null));
    }

    private static async Task<NamesReport> ReportAsync(IActorRef resolver, IActorRef links)
    {
        var asked = resolver.IsNobody() ? Task.FromResult(new NamesReport(null)) : resolver.Ask<NamesReport>(GetStatus.Instance, StatusPatience);
        var multicast = (await links.Ask<MdnsReport>(GetStatus.Instance, StatusPatience)).Status;
        return new NamesReport(((await asked).Status ?? NamesStatus.None) with { Multicast = multicast });
    }

    private void Pass(Resolve question)
    {
        if (question.Scope != ResolveScope.Host && _settings.AsksLinksFor(NameOf(question)))
        {
            if (_resolver.IsNobody())
                _resolver = Make(WithLeases());
            _resolver.Forward(question);
        }
        else if (question.Scope != ResolveScope.Host && IsWaiting)
            Sender.Tell(new Resolved(question.Name, []) { Result = LookupResult.ServerFailure });
        else if (question.Scope == ResolveScope.Host || (question.Scope == ResolveScope.Any && _resolver.IsNobody()))
            AskHost(question, Sender);
        else if (_resolver.IsNobody())
            Sender.Tell(new Resolved(question.Name, []) { Result = LookupResult.NoServer });
        else
            _resolver.Forward(question);
    }

    /// <summary>Asks the host's resolver. What it finds for the stack's network the stack puts in order: the host's order is that of its own addresses.</summary>
    private void AskHost(Resolve question, IActorRef asker)
    {
        if (question.Scope == ResolveScope.Host)
        {
            Host().Tell(question, asker);
        }
        else if (_askedOfHost.TryGetValue(question.Name, out var waiting))
        {
            waiting.Add(asker);
        }
        else
        {
            _askedOfHost[question.Name] = [asker];
            Host().Tell(question);
        }
    }

    private void Pass(Resolved resolved)
    {
        if (!_askedOfHost.Remove(resolved.Name, out var waiting))
            return;
        foreach (var asker in waiting)
            _context.Sockets.Stack.Tell(new OrderAddresses(resolved, asker));
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
            _resolver = Make(wanted);
    }

    private IActorRef Make(DnsSettings wanted) => Made(ResolverActor.Props(new ResolverContext(_context.Sockets, wanted, Self, _context.Clock, _context.Secret)), "servers");

    /// <summary>The name that is asked for; of one that is none the root.</summary>
    private static DnsName NameOf(Resolve question) =>
        question.Kind == LookupKind.Name ? IpAddress.TryParse(question.Name, out var address) ? DnsName.OfAddress(address) : DnsName.Root
        : DnsName.TryParse(question.Name, out var name) ? name
        : DnsName.Root;

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

    private IActorRef Links()
    {
        if (!_links.IsNobody())
            return _links;
        _linksQuestions = 0;
        // The name of one that ends is not free yet.
        return _links = Made(MdnsActor.Props(new MdnsContext(_context.Sockets, _identity, _context.Clock, SHA256.HashData([.. _context.Secret, .. BitConverter.GetBytes(++_linksMade)]))), $"links-{_linksMade}");
    }

    private IActorRef Made(Props props, string name) => Context.Watch(Context.ActorOf(props.WithDispatcher(_context.Sockets.Dispatcher), name));
}
