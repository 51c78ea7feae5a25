using System.Security.Cryptography;
using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Settings;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Names;

/// <summary>DriverActor → NamesActor, NamesActor → ResolverActor: names are looked up by these settings from now on. No answer.</summary>
internal sealed record UseNames(DnsSettings Settings);

/// <summary>What the driver's resolver works with.</summary>
/// <param name="Sockets">The stack that has the sockets.</param>
/// <param name="Names">The actor that has questions within <see cref="ResolveScope.Host"/>, and those to the links, answered.</param>
/// <param name="Secret">What ids derive from.</param>
internal sealed record ResolverContext(SocketContext Sockets, DnsSettings Settings, IActorRef Names, TimeProvider Clock, byte[] Secret);

/// <summary>
/// The driver's resolver: owns the engine (<see cref="Resolver"/>), and has a child for each message to a server, with a socket of the driver's stack. So where the driver has servers
/// no question leaves by the host. What it has no server for goes to the host's resolver, if whoever asks allows that.
/// <para>States: Loading, until a hosts file has been read → Serving.</para>
/// </summary>
internal sealed class ResolverActor : ReceiveActor, IWithTimers
{
    /// <summary>How long what has been read of the hosts file counts, before the file is looked at again.</summary>
    private static readonly TimeSpan HostsAge = TimeSpan.FromSeconds(5);

    /// <summary>Questions that may wait for the hosts file; another one finds the resolver busy.</summary>
    private const int MaxEarly = 1024;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly ResolverContext _context;
    private readonly long _began;
    private readonly ResolverCounters _counters = new();
    private readonly Dictionary<long, (Resolve Question, IActorRef Asker)> _asked = [];
    private readonly Dictionary<long, IActorRef> _exchanges = [];
    private readonly Dictionary<IActorRef, (long Number, IpEndpoint Server)> _numbers = [];
    private readonly List<(Resolve Question, IActorRef Asker)> _early = [];
    private DnsSettings _settings;
    private Resolver _resolver;
    private HostsFile _hosts;
    private Instant _hostsRead = Instant.Zero;
    private DueTimer _due = new();
    private int _changes;

    public ResolverActor(ResolverContext context)
    {
        _context = context;
        _began = context.Clock.GetTimestamp();
        _settings = context.Settings;
        _resolver = MakeResolver();
        _hosts = HostsFile.Of(_settings);
        if (_hosts.IsNone)
            Serving();
        else
            Loading();
    }

    public ITimerScheduler Timers { get; set; } = null!;

    public static Props Props(ResolverContext context) => Akka.Actor.Props.Create(() => new ResolverActor(context));

    private Instant Now => new(_context.Clock.GetElapsedTime(_began).Ticks);

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.Stop;

    protected override void PreStart()
    {
        if (!_settings.IsOff)
            _log.Info("Names are looked up at {Servers}", string.Join(", ", _settings.ToOptions().Routes.Select(static route => DnsSettings.Format([route]))));
        if (!_hosts.IsNone)
            ReadHosts();
    }

    protected override void PostStop()
    {
        var counters = _counters;
        _log.Debug("Names: {Sent} questions sent, {FromCache} answered from the cache, {TimedOut} time-outs, {Strangers} messages that were no answer, {CasesLost} without their case, {Busy} beyond the limits",
            counters.Sent, counters.FromCache, counters.TimedOut, counters.Strangers, counters.CasesLost, counters.Busy);
        foreach (var (question, asker) in _asked.Values.Concat(_early))
            asker.Tell(AnswerTo(question, LookupAnswer.Failed(LookupResult.ServerFailure)));
    }

    private void Loading()
    {
        Receive<Resolve>(question =>
        {
            if (_early.Count < MaxEarly)
                _early.Add((question, Sender));
            else
                Sender.Tell(AnswerTo(question, LookupAnswer.Failed(LookupResult.Busy)));
        });
        Receive<HostsRead>(read =>
        {
            if (Take(read))
                GoOnServing();
        });
        Receive<Terminated>(_ => { }); // exchanges of earlier settings
        Receive<ExchangeReceived>(_ => { });
        Receive<LinksAnswer>(_ => { });
        Receive<ExchangeFailed>(_ => { });
        Receive<Due>(_ => { });
        ReceiveAlways();
    }

    private void Serving()
    {
        Receive<Resolve>(question =>
        {
            if (!_hosts.IsNone && Now - _hostsRead >= HostsAge)
                ReadHosts();
            Begin(question, Sender);
            Drain();
        });
        Receive<HostsRead>(read =>
        {
            _ = Take(read);
        });
        Receive<ExchangeReceived>(received =>
        {
            if (!_numbers.TryGetValue(Sender, out var exchange))
                return;
            _resolver.Received(exchange.Number, exchange.Server, received.Message, Now);
            Drain();
        });
        Receive<LinksAnswer>(answer =>
        {
            if (answer.Round != _changes)
                return; // to a question of earlier settings
            _resolver.LinksAnswered(answer.Number, answer.Answer, Now);
            Drain();
        });
        Receive<ExchangeFailed>(failed => Lose(Sender, failed.Reason));
        Receive<Terminated>(gone => Lose(gone.ActorRef, StackError.ConnectionAborted));
        Receive<Due>(_ =>
        {
            _due.Fired();
            _resolver.Poll(Now);
            Drain();
        });
        ReceiveAlways();
    }

    private void ReceiveAlways()
    {
        Receive<UseNames>(wanted => Use(wanted.Settings));
        Receive<GetStatus>(_ => Sender.Tell(new NamesReport(_settings.IsOff ? null : ResolverStatuses.Of(_settings, _resolver, _counters))));
    }

    private bool IsOfLinks(Resolve question) => question.Kind == LookupKind.Name
        ? IpAddress.TryParse(question.Name, out var address) && _settings.AsksLinksFor(DnsName.OfAddress(address))
        : DnsName.TryParse(question.Name, out var name) && _settings.AsksLinksFor(name);

    private void Begin(Resolve question, IActorRef asker)
    {
        long number;
        if (_settings.IsOff && !IsOfLinks(question))
        {
            Answer(question, asker, LookupAnswer.Failed(LookupResult.NoServer));
            return;
        }

        if (question.Kind != LookupKind.Name)
        {
            number = _resolver.Resolve(question.Name, question.Kind, Now);
        }
        else if (IpAddress.TryParse(question.Name, out var address))
        {
            number = _resolver.Resolve(address, Now);
        }
        else
        {
            asker.Tell(AnswerTo(question, LookupAnswer.Failed(LookupResult.NotAName)));
            return;
        }

        _asked.Add(number, (question, asker));
    }

    /// <summary>Does what the engine wants, and sets the timer.</summary>
    private void Drain()
    {
        while (_resolver.TryDequeue(out var next))
        {
            switch (next)
            {
                case ExchangeBegins exchange:
                    Add(exchange);
                    break;
                case ExchangeEnds { Exchange: var number } when _exchanges.Remove(number, out var child):
                    _numbers.Remove(child);
                    Context.Stop(child);
                    break;
                case LinksAsked asked:
                    _context.Names.Tell(new LinksQuestion(_changes, asked.Number, asked.Name, asked.Type));
                    break;
                case LookupEnds ends when _asked.Remove(ends.Lookup, out var asked):
                    Answer(asked.Question, asked.Asker, ends.Answer);
                    break;
            }
        }

        _due.Set(Timers, _resolver.PollAt, Now);
    }

    private void Add(ExchangeBegins exchange)
    {
        _log.Debug("A question to {Server} by {Transport}", exchange.Server, exchange.Transport);
        var props = exchange.Transport == DnsTransport.Udp ? DatagramExchangeActor.Props(_context.Sockets, exchange) : StreamExchangeActor.Props(_context.Sockets, exchange);
        var child = Context.Watch(Context.ActorOf(props.WithDispatcher(_context.Sockets.Dispatcher)));
        _exchanges.Add(exchange.Exchange, child);
        _numbers.Add(child, (exchange.Exchange, exchange.Server));
    }

    /// <summary>An exchange has failed, or its actor has. Those that the engine has ended are none any more.</summary>
    private void Lose(IActorRef child, StackError reason)
    {
        if (!_numbers.Remove(child, out var exchange))
            return;
        _exchanges.Remove(exchange.Number);
        _log.Debug("The name server {Server} cannot be asked: {Reason}", exchange.Server, reason);
        _resolver.Failed(exchange.Number, Now);
        Drain();
    }

    private void Answer(Resolve question, IActorRef asker, LookupAnswer answer)
    {
        if (answer.Result == LookupResult.NoServer && question.Scope != ResolveScope.Network)
        {
            _context.Names.Tell(new AskHost(question), asker);
            return;
        }

        if (answer.Result != LookupResult.Found)
            _log.Debug("The name {HostName} cannot be resolved: {Reason}", question.Name, answer.Result);
        if (answer.Addresses.Count > 1)
            _context.Sockets.Stack.Tell(new OrderAddresses(AnswerTo(question, answer), asker));
        else
            asker.Tell(AnswerTo(question, answer));
    }

    private static Resolved AnswerTo(Resolve question, LookupAnswer answer) =>
        new(question.Name, answer.Addresses) { Result = answer.Result, CanonicalName = answer.Name, Interface = answer.Interface };

    /// <summary>Begins anew with other settings: nothing of what the old servers have said counts any more, and who waits is asked for again.</summary>
    private void Use(DnsSettings settings)
    {
        _early.AddRange(_asked.Values);
        _asked.Clear();
        foreach (var child in _exchanges.Values)
            Context.Stop(child);
        _exchanges.Clear();
        _numbers.Clear();
        _due.Cancel(Timers);
        _changes++;
        _settings = settings;
        _resolver = MakeResolver();
        _hosts = HostsFile.Of(settings);
        if (_hosts.IsNone)
        {
            GoOnServing();
            return;
        }

        ReadHosts();
        Become(Loading);
    }

    private void GoOnServing()
    {
        Become(Serving);
        foreach (var (question, asker) in _early)
            Begin(question, asker);
        _early.Clear();
        Drain();
    }

    /// <summary>Each resolver has a secret of its own: ids that have been seen must not come again.</summary>
    private Resolver MakeResolver() => new(_settings.ToOptions(), SHA256.HashData([.. _context.Secret, .. "names"u8, .. BitConverter.GetBytes(_changes)]), _counters);

    private void ReadHosts()
    {
        _hostsRead = Now;
        _hosts.ReadAsync().PipeTo(Self);
    }

    /// <returns>False: it is a file that the settings no longer name.</returns>
    private bool Take(HostsRead read)
    {
        if (!ReferenceEquals(read.File, _hosts))
            return false;
        if (read.Problem is { } problem)
            _log.Warning("The hosts file is not used: {Reason}", problem);
        if (read.Table is { } table)
            _resolver.HostsFile = table;
        return true;
    }
}
