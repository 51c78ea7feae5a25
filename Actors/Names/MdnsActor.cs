using System.Security.Cryptography;
using System.Text;
using Akka.Actor;
using Akka.Event;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Names.Mdns;
using Tapwire.Stack;
using Tapwire.Stack.Interfaces;

namespace Tapwire.Actors.Names;

/// <summary>MdnsActor's answer to <see cref="GetStatus"/>.</summary>
internal sealed record MdnsReport(MulticastNamesStatus Status);

/// <summary>MdnsActor → NamesActor: nobody has looked a name up for a while, and none is published. The parent stops the actor, unless it has passed on a question meanwhile.</summary>
/// <param name="Questions">Questions that the actor has been asked.</param>
internal sealed record MdnsIdle(long Questions);

/// <summary>What a driver's multicast DNS works with.</summary>
/// <param name="Sockets">The stack that has the sockets.</param>
/// <param name="Identity">What is published; null: nothing.</param>
/// <param name="Secret">What delays derive from.</param>
internal sealed record MdnsContext(SocketContext Sockets, MdnsIdentity? Identity, TimeProvider Clock, byte[] Secret);

/// <summary>
/// Multicast DNS on all interfaces with Ethernet: owns an engine (<see cref="MdnsLink"/>) and has a socket's actor for each. It follows the stack's interfaces and addresses.
/// <para>States: Waiting, for the interfaces → Running → Leaving, in which the last messages go out.</para>
/// </summary>
internal sealed class MdnsActor : ReceiveActor, IWithTimers
{
    /// <summary>How long the groups are stayed in after the last question, if nothing is published.</summary>
    private static readonly TimeSpan IdleTime = TimeSpan.FromMinutes(2);

    /// <summary>When a socket is tried again that there could not be.</summary>
    private static readonly TimeSpan ReopenTime = TimeSpan.FromSeconds(30);

    /// <summary>Questions that may wait for the interfaces.</summary>
    private const int MaxEarly = 256;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly MdnsContext _context;
    private readonly long _began;
    private readonly MdnsCounters _counters = new();
    private readonly Dictionary<byte, WatchedLink> _links = [];
    private readonly Dictionary<long, AskedOfLinks> _asked = [];
    private readonly ServiceBrowses _browses = new();
    private readonly List<(object Question, IActorRef Asker)> _early = [];
    private readonly HashSet<string> _leaving = [];
    private MdnsIdentity? _identity;
    private long _questions;
    private long _number;
    private Instant _lastQuestion;
    private int _made;
    private DueTimer _due = new();

    public MdnsActor(MdnsContext context)
    {
        _context = context;
        _identity = context.Identity;
        _began = context.Clock.GetTimestamp();
        Receive<InterfaceNames>(names =>
        {
            Become(Running);
            Use(names);
            foreach (var (question, asker) in _early)
                Begin(question, asker);
            _early.Clear();
            Drain();
        });
        Receive<LinksQuestion>(question => Wait(question, () => new LinksAnswer(question.Round, question.Number, MulticastAnswer.Failed(LookupResult.Busy))));
        Receive<BrowseServices>(browse => Wait(browse, static () => ServicesFound.Failed(LookupResult.Busy)));
        Receive<PublishName>(wanted => _identity = wanted.Identity);
        Receive<LinkLeaves>(leaves =>
        {
            _leaving.Add(leaves.Interface);
            Sender.Tell(LinkLeft.Instance);
        });
        Receive<LinkUp>(_ => { });
        Receive<GetStatus>(_ => Sender.Tell(Report()));
        Receive<Stopping>(_ => Leave());
    }

    public ITimerScheduler Timers { get; set; } = null!;

    private Instant Now => new(_context.Clock.GetElapsedTime(_began).Ticks);

    public static Props Props(MdnsContext context) => Akka.Actor.Props.Create(() => new MdnsActor(context));

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.Stop;

    protected override void PreStart() => _context.Sockets.Stack.Tell(new WatchInterfaces(IsOn: true));

    protected override void PostStop()
    {
        _context.Sockets.Stack.Tell(new WatchInterfaces(IsOn: false));
        Fail();
    }

    private void Running()
    {
        Drained<InterfaceNames>(Use);
        Drained<LinkUp>(up => Find(up.Index)?.Engine.LinkUp(Now));
        Drained<MdnsReceived>(received => Find(received.Interface)?.Engine.Received(received.From, received.Destination, received.Message.Span, Now));
        Drained<LinksQuestion>(question =>
        {
            _questions++;
            Begin(question, Sender);
        });
        Drained<BrowseServices>(browse =>
        {
            _questions++;
            Begin(browse, Sender);
        });
        Drained<PublishName>(wanted =>
        {
            _identity = wanted.Identity;
            if (_identity is null)
                AwaitIdle();
            foreach (var link in _links.Values)
                link.Engine.Publish(_identity, Now);
        });
        Drained<LinkLeaves>(leaves =>
        {
            _leaving.Add(leaves.Interface);
            if (_links.Values.FirstOrDefault(link => link.Name == leaves.Interface) is { } link)
                Remove(link);
            Sender.Tell(LinkLeft.Instance);
        });
        Drained<Due>(_ =>
        {
            _due.Fired();
            foreach (var link in _links.Values)
                link.Engine.Poll(Now);
        });
        Receive<MdnsSocketFailed>(failed => Lose(Sender, failed.Reason));
        Receive<MdnsNotSent>(_ => _counters.NotSent++);
        Receive<Terminated>(gone => Lose(gone.ActorRef, StackError.ConnectionAborted));
        Receive<Reopen>(_ => OpenSockets());
        Receive<CloseIdle>(_ => TellIdle());
        Receive<GetStatus>(_ => Sender.Tell(Report()));
        Receive<Stopping>(_ => Leave());

        // After each call the engines' wishes are carried out.
        void Drained<T>(Action<T> call) => Receive<T>(message =>
        {
            call(message);
            Drain();
        });
    }

    /// <summary>Whoever waits is answered: nobody will say more.</summary>
    private void Fail()
    {
        foreach (var (question, asker) in _asked.Values.Select(static asked => ((object)asked.Question, asked.Asker)).Concat(_early))
            asker.Tell(Refusal.Of(question)!);
        _asked.Clear();
        _early.Clear();
        _browses.Fail();
    }

    /// <summary>Takes back what is published, and waits until the sockets have sent that.</summary>
    private void Leave()
    {
        Fail();
        foreach (var link in _links.Values.ToList())
            Remove(link);
        var closing = Context.GetChildren().ToHashSet();
        if (closing.Count == 0)
        {
            Context.Stop(Self);
            return;
        }

        Become(() =>
        {
            Receive<Terminated>(gone =>
            {
                closing.Remove(gone.ActorRef);
                if (closing.Count == 0)
                    Context.Stop(Self);
            });
            Receive<LinksQuestion>(question => Sender.Tell(Refusal.Of(question)!));
            Receive<BrowseServices>(browse => Sender.Tell(Refusal.Of(browse)!));
            Receive<LinkLeaves>(_ => Sender.Tell(LinkLeft.Instance));
            Receive<GetStatus>(_ => Sender.Tell(Report()));
            Receive<Stopping>(_ => Context.Stop(Self));
            ReceiveAny(static _ => { });
        });
    }

    /// <summary>The stack has these interfaces, with these addresses.</summary>
    private void Use(InterfaceNames names)
    {
        var interfaces = (names.Interfaces ?? []).Where(static each => each.Options.Medium == Medium.Ethernet).ToList();
        _leaving.RemoveWhere(name => !interfaces.Exists(each => each.Options.Name == name));
        interfaces.RemoveAll(each => _leaving.Contains(each.Options.Name));
        foreach (var link in _links.Values.Where(link => !interfaces.Exists(each => each.Index == link.Index && each.Options.Name == link.Name)).ToList())
            Remove(link);
        foreach (var each in interfaces)
        {
            var link = _links.GetValueOrDefault((byte)each.Index) ?? Add(each);
            link.Engine.UseAddresses(each.Addresses, Now);
        }
    }

    private WatchedLink Add(InterfaceName added)
    {
        var secret = SHA256.HashData([.. _context.Secret, .. "mdns"u8, .. Encoding.UTF8.GetBytes(added.Options.Name), .. BitConverter.GetBytes(_made++)]);
        var link = new WatchedLink((byte)added.Index, added.Options.Name, new MdnsLink(secret, _counters, added.Options.Mtu));
        link.Engine.Publish(_identity, Now);
        _links.Add(link.Index, link);
        OpenSocket(link);
        return link;
    }

    private void Remove(WatchedLink link)
    {
        link.Engine.Stop();
        Drain(link);
        // Behind the last messages.
        link.Socket?.Tell(PoisonPill.Instance);
        _links.Remove(link.Index);
    }

    private void OpenSockets()
    {
        foreach (var link in _links.Values.Where(static link => link.Socket is null))
            OpenSocket(link);
    }

    private void OpenSocket(WatchedLink link) =>
        link.Socket = Context.Watch(Context.ActorOf(MdnsSocketActor.Props(_context.Sockets, link.Index).WithDispatcher(_context.Sockets.Dispatcher)));

    private WatchedLink? Find(byte index) => _links.GetValueOrDefault(index);

    private void Lose(IActorRef socket, StackError reason)
    {
        if (_links.Values.FirstOrDefault(link => socket.Equals(link.Socket)) is not { } link)
            return;
        link.Socket = null;
        if (reason != link.Problem)
        {
            _log.Warning("{Interface}: names in .local can neither be published nor looked up, tries again: {Reason}", link.Name,
                reason == StackError.AddressInUse ? "a program has UDP port 5353 for itself" : reason.Describe());
        }

        link.Problem = reason;
        Timers.StartSingleTimer(Reopen.Instance, Reopen.Instance, ReopenTime);
    }

    /// <summary>The interfaces are not known yet.</summary>
    private void Wait(object question, Func<object> refusal)
    {
        _questions++;
        if (_early.Count < MaxEarly)
            _early.Add((question, Sender));
        else
            Sender.Tell(refusal());
    }

    private void Begin(object question, IActorRef asker)
    {
        _lastQuestion = Now;
        AwaitIdle();
        _number++;
        if (question is BrowseServices browse)
            Browse(browse, asker);
        else
            Ask((LinksQuestion)question, asker);
    }

    private void Browse(BrowseServices browse, IActorRef asker)
    {
        if (_links.Count == 0)
        {
            asker.Tell(ServicesFound.Failed(LookupResult.NoServer));
            return;
        }

        _browses.Begin(_number, asker, _links.Count);
        foreach (var link in _links.Values)
            link.Engine.Browse(_number, browse.Type, browse.Time, Now);
    }

    private void Ask(LinksQuestion question, IActorRef asker)
    {
        if (_links.Count == 0)
        {
            asker.Tell(new LinksAnswer(question.Round, question.Number, MulticastAnswer.Failed(LookupResult.NoServer)));
            return;
        }

        _asked.Add(_number, new AskedOfLinks(question, asker) { Left = _links.Count });
        foreach (var link in _links.Values)
            link.Engine.Ask(_number, question.Name, question.Type, Now);
    }

    /// <summary>The first link that knows is believed. Where none does, that there is such a name says more than that nobody answers.</summary>
    private void Take(MdnsAnswered answered, WatchedLink link)
    {
        if (!_asked.TryGetValue(answered.Number, out var asked))
            return;
        // A link-local address says nothing where there are several links, unless it is said on which it is (RFC 4007, 11).
        var answer = _links.Count > 1 ? answered.Answer with { Interface = link.Index } : answered.Answer;
        asked.Left--;
        if (asked.Best is null || answer.Result is LookupResult.Found or LookupResult.NoData)
            asked.Best = answer;
        if (answer.Result != LookupResult.Found && asked.Left > 0)
            return;
        _asked.Remove(answered.Number);
        asked.Asker.Tell(new LinksAnswer(asked.Question.Round, asked.Question.Number, asked.Best));
    }

    private void Drain()
    {
        var due = Instant.Never;
        foreach (var link in _links.Values)
        {
            Drain(link);
            due = Instant.Min(due, link.Engine.PollAt);
        }

        _due.Set(Timers, due, Now);
    }

    private void Drain(WatchedLink link)
    {
        while (link.Engine.TryDequeue(out var next))
        {
            switch (next)
            {
                case MdnsSend send when link.Socket is { } socket:
                    socket.Tell(new MdnsTransmit(send));
                    break;
                case MdnsSend:
                    _counters.NotSent++;
                    break;
                case MdnsAnswered answered:
                    Take(answered, link);
                    break;
                case MdnsBrowsed browsed:
                    _browses.Take(browsed, link.Name, link.Index);
                    break;
                case MdnsEstablished established:
                    _log.Info("{Interface}: this host is {HostName}", link.Name, $"{established.Label}.local");
                    break;
                case MdnsRenamed renamed:
                    _log.Warning("{Interface}: another host is {HostName}; tries {Next}", link.Name, $"{renamed.Taken}.local", $"{renamed.Next}.local");
                    break;
            }
        }
    }

    private void AwaitIdle()
    {
        if (!Timers.IsTimerActive(CloseIdle.Instance))
            Timers.StartSingleTimer(CloseIdle.Instance, CloseIdle.Instance, IdleTime);
    }

    private void TellIdle()
    {
        if (_identity is not null)
            return;
        if (_asked.Count == 0 && Now - _lastQuestion >= IdleTime)
            Context.Parent.Tell(new MdnsIdle(_questions));
        AwaitIdle();
    }

    private MdnsReport Report() => new(new MulticastNamesStatus(
        [.. _links.Values.OrderBy(static link => link.Index).Select(static link => new LinkNameStatus(link.Name, link.StateText, link.Engine.Label is { } label ? $"{label}.local" : null))],
        _counters.Sent, _counters.Received, _counters.Asked, _counters.Answered, _counters.FromCache, _counters.TimedOut, _counters.Conflicts, _links.Values.Sum(static link => link.Engine.Cached))
    {
        Refused =
        [
            new("malformed", _counters.Malformed),
            new("foreign", _counters.Foreign),
            new("offLink", _counters.OffLink),
            new("rateLimited", _counters.RateLimited),
            new("full", _counters.Full),
            new("notSent", _counters.NotSent),
        ],
    });

    /// <summary>The timer: sockets are tried again.</summary>
    private sealed class Reopen
    {
        public static readonly Reopen Instance = new();
    }

    /// <summary>The timer: perhaps nobody has asked for long.</summary>
    private sealed class CloseIdle
    {
        public static readonly CloseIdle Instance = new();
    }
}
