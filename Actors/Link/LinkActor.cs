using Akka.Actor;
using Akka.Event;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;
using Tapwire.Wires;

namespace Tapwire.Actors.Link;

/// <summary>What the link's actor works with.</summary>
/// <param name="Guests">The actor that has the driver's guests; Names: its resolver.</param>
/// <param name="Sockets">One for each shard of the driver. Sockets are distributed among them; sessions are on the first.</param>
internal sealed record LinkContext(LinkListener Listener, IReadOnlyList<SocketContext> Sockets, int MaxSessions, int MaxSockets, IActorRef Guests, IActorRef Names)
{
    /// <inheritdoc cref="DriverContext.Operate"/>
    public Action<DriverOperation>? Operate { get; init; }

    public SocketContext Home => Sockets[0];
}

/// <summary>
/// The application side of a driver: accepts control connections, and finds the actor of an application's socket by its handle. A socket outlives the session
/// that made it: it lives as long as any process has its descriptor open.
/// </summary>
internal sealed class LinkActor : OwningActor
{
    /// <summary>Sessions beyond the limit that are let in all the same, so that somebody can ask for the driver's status.</summary>
    private const int MaxGuests = 4;

    /// <summary>How long the driver and its stacks may take to answer what a session has asked.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    // What a command waits for has a patience of its own.
    private static readonly TimeSpan CommandPatience = 2 * DriverActor.ChangePatience;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly LinkContext _context;
    private readonly ConnectionActors[] _connections;
    private readonly ApplicationSockets _sockets = new();
    private readonly EndedSockets _ended = new();
    private readonly HashSet<IActorRef> _sessions = [];

    // Sessions beyond the limit on sessions, or on descriptors, the oldest first. They can ask for the status.
    private readonly List<IActorRef> _guests = [];
    private readonly RefusalLog _refusals = new(Context.System.Scheduler);
    private int _maxSessions;
    private int _maxSockets;
    private int _nextShard;

    public LinkActor(LinkContext context)
    {
        _context = context;
        (_maxSessions, _maxSockets) = (context.MaxSessions, context.MaxSockets);
        _connections = [.. context.Sockets.Select(static shard => new ConnectionActors(shard.Dispatcher))];
        Serving();
    }

    public static Props Props(LinkContext context) => Akka.Actor.Props.Create(() => new LinkActor(context));

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.Stop;

    protected override void PreStart()
    {
        _context.Listener.Start(_context.Home.Reactor, LinkReady.To(Self));
        _log.Info("Applications connect at {Path}", _context.Listener.Path);
    }

    protected override void PostStop() => _context.Listener.Dispose();

    private void Serving()
    {
        Receive<LinkReady>(_ => AcceptSessions());
        Receive<LinkCall>(Answer);
        Receive<BecomeListener>(Listen);
        Receive<JoinSocket>(join => Join(join, _sockets.OwnerOf(join.Listener)));
        Receive<SocketCalls.Found>(found => found.Answer(_sockets));
        Receive<SocketEnded>(Forget);
        Receive<Terminated>(gone =>
        {
            _sessions.Remove(gone.ActorRef);
            _guests.Remove(gone.ActorRef);
        });
        ReceiveStatus();
        Receive<ReconfigureLink>(wanted => Sender.Tell(new LinkReconfigured(Reconfigure(wanted))));
        Receive<Stopping>(_ => Stop());
    }

    private void AcceptSessions()
    {
        while (true)
        {
            switch (_context.Listener.TryAccept(out var session, out var peer))
            {
                case AcceptResult.None:
                    return;
                case AcceptResult.Refused:
                    _refusals.Warn(_log, "Refused link client of user id {UserId}, process id {ProcessId}: not the driver's user", peer.UserId, peer.ProcessId);
                    break;
                case AcceptResult.Exhausted:
                    _refusals.Warn(_log, "Refused a link client: the driver has no descriptor left (raise the limit on open files)");
                    break;
                case AcceptResult.Accepted:
                    _log.Debug("Link client with process id {ProcessId} connected", peer.ProcessId);
                    var isGuest = session!.IsInReserve || !HasRoomForSession(peer);
                    var actor = Add(session);
                    if (isGuest)
                        AddGuest(actor);
                    break;
            }
        }
    }

    /// <summary>Whether one more session may make sockets.</summary>
    private bool HasRoomForSession(PeerCredentials peer)
    {
        if (_sessions.Count - _guests.Count < _maxSessions)
            return true;
        _refusals.Warn(_log, "Refused link client with process id {ProcessId}: {MaxSessions} are connected (tapwire.link.max-sessions)", peer.ProcessId, _maxSessions);
        return false;
    }

    private IActorRef Add(LinkSession session)
    {
        var actor = Context.Watch(Context.ActorOf(LinkSessionActor.Props(session, _refusals, _context.Home.Reactor).WithDispatcher(_context.Home.Dispatcher)));
        _sessions.Add(actor);
        return actor;
    }

    /// <summary>The newest guest replaces the oldest: guests that stay must not keep out an operator who asks for the status.</summary>
    private void AddGuest(IActorRef session)
    {
        _guests.Add(session);
        if (_guests.Count <= MaxGuests)
            return;
        Context.Stop(_guests[0]);
        _sessions.Remove(_guests[0]);
        _guests.RemoveAt(0);
    }

    /// <summary>Whether a session may make a socket. A guest may if there is room by now, and is no guest any more once it has one.</summary>
    private bool MayHaveSocket(IActorRef session, PeerCredentials peer) => !_guests.Contains(session) || HasRoomForSession(peer);

    /// <summary>Answers also when handling the request throws: the application waits for an answer.</summary>
    private void Answer(LinkCall call)
    {
        try
        {
            Handle(call);
        }
        catch (Exception)
        {
            Sender.Tell(new LinkReply(call.Request.Failed(StackError.ConnectionAborted)));
            throw;
        }
    }

    private void Handle(LinkCall call)
    {
        switch (call.Request)
        {
            case SocketRequest when !MayHaveSocket(Sender, call.Peer):
                Sender.Tell(new LinkReply(call.Request.Failed(StackError.NoBufferSpace)));
                break;
            case SocketRequest socket:
                MakeSocket(socket, call.Peer);
                break;
            case SessionRequest session:
                MakeSession(session, call.Peer);
                break;
            case LinkSocketRequest request when _sockets.TryGet(request.Handle, out var actor):
                actor.Forward(call);
                break;
            case LinkSocketRequest request when _ended.Answer(request) is { } answer:
                Sender.Tell(new LinkReply(answer));
                break;
            case PingRequest ping:
                PingCalls.Ask(ping, _context.Home.Stack, Sender, Self);
                break;
            case StatusRequest status:
                Status(status);
                break;
            case KillRequest or OperateRequest:
                OperatorCalls.Ask(call, _context.Listener.IsOperator(call.Peer), _context, _refusals, _log, Sender, Self);
                break;
            case ListSocketsRequest list:
                SocketCalls.Ask(list, _context.Sockets, Sender, Self);
                break;
            case ListInterfacesRequest list:
                InterfaceCalls.List(list, _context.Home.Stack, Sender, Self);
                break;
            case AddAddressRequest or RemoveAddressRequest or InterfaceRequest:
                ChangeInterfaces(call);
                break;
            case ResolveRequest or BrowseRequest:
                NameCalls.Ask(call.Request, _context.Names, Sender, Self);
                break;
            case CaptureRequest:
                CaptureCalls.Ask(call, _context.Listener.IsOperator(call.Peer), _refusals, _log, Context, Sender);
                break;
            case AddGuestRequest or PublishRequest:
                GuestCalls.Ask(call, _context.Guests, Sender, Self);
                break;
            default:
                Sender.Tell(new LinkReply(call.Request.Failed(LinkErrno.BadHandle)));
                break;
        }
    }

    private void MakeSession(SessionRequest request, PeerCredentials peer)
    {
        if (!HasRoomForSession(peer))
        {
            Sender.Tell(new LinkReply(request.Failed(StackError.NoBufferSpace)));
            return;
        }

        try
        {
            _ = Add(LinkSession.Create(peer, out var application));
            Sender.Tell(new LinkReply(request.Opened(), application));
        }
        catch (PosixException e)
        {
            _refusals.Warn(_log, "No further session for a link client: {Reason}", e.Message);
            Sender.Tell(new LinkReply(request.Failed(e.Errno)));
        }
    }

    private void MakeSocket(SocketRequest request, PeerCredentials peer)
    {
        if (Refusal(request) is not 0 and var errno)
        {
            Sender.Tell(new LinkReply(request.Failed(errno)));
            return;
        }

        var kind = SocketKinds.DatagramKindOf(request);
        var context = kind == DatagramKind.Echo ? _context.Sockets[0] : NextShard();
        try
        {
            ApplicationEnd application;
            if (request.SocketType == LinkSocketType.Stream)
            {
                var link = StreamLink.Create(out application);
                Join(new JoinSocket(context, link, request.Family) { IsOneOfMany = true }, peer);
            }
            else
            {
                var link = DatagramLink.Create(out application);
                Add(link.Handle, DatagramActor.Props(context, link, request.Family, kind).WithDispatcher(context.Dispatcher), peer);
            }

            _guests.Remove(Sender);
            Sender.Tell(new LinkReply(request.Created(application.Handle), application));
        }
        catch (PosixException e)
        {
            _refusals.Warn(_log, "No socket for a link client: {Reason}", e.Message);
            Sender.Tell(new LinkReply(request.Failed(e.Errno)));
        }
    }

    private int Refusal(SocketRequest request)
    {
        if (_sockets.Count >= _maxSockets)
            return (int)StackError.NoBufferSpace;
        if (_context.Home.Memory.Level == MemoryLevel.Exhausted)
        {
            _refusals.Warn(_log, "No socket for a link client: memory is exhausted");
            return (int)StackError.NoBufferSpace;
        }

        return SocketKinds.Refusal(request);
    }

    /// <summary>Distributes sockets round-robin, so that an application with many connections uses all threads.</summary>
    private SocketContext NextShard()
    {
        _nextShard = (_nextShard + 1) % _context.Sockets.Count;
        return _context.Sockets[_nextShard];
    }

    private void Join(JoinSocket join, PeerCredentials owner)
    {
        var actor = _connections[join.Context.Shard?.Index ?? 0].Take(Context);
        _sockets.Add(join.Link.Handle, actor, owner);
        actor.Tell(join);
    }

    private void Add(ulong handle, Props props, PeerCredentials owner) => _sockets.Add(handle, Context.ActorOf(props), owner);

    private void Listen(BecomeListener listen)
    {
        Add(listen.Link.Handle, LinkListenerActor.Props(listen, _context.Home.Reactor).WithDispatcher(_context.Home.Dispatcher), _sockets.OwnerOf(listen.Link.Handle));
        // Requests that the connection's actor forwards here find the listener. The pill comes behind those that are still in its mailbox.
        Sender.Tell(PoisonPill.Instance);
    }

    /// <summary>A socket has ended. What its application may still ask is answered from what remains of it, and its actor is not needed any more.</summary>
    private void Forget(SocketEnded ended)
    {
        if (!_sockets.TryGet(ended.Handle, out var actor) || !actor.Equals(Sender))
            return;
        _sockets.Remove(ended.Handle);
        if (ended.IdleOn is { } shard)
            _connections[shard].GiveBack(Sender);
        if (ended.Remains is not { } remains)
            return;
        _ended.Add(ended.Handle, remains);
        Sender.Tell(PoisonPill.Instance); // behind requests in its mailbox, which it forwards here
    }

    /// <summary>Asked of the driver, which collects it from all its actors, this one included.</summary>
    private void Status(StatusRequest request) => Context.Parent.Ask<DriverStatus>(request.FiguresOnly ? GetStatus.Figures : GetStatus.Instance, Patience).PipeTo(Sender, Self,
        status => new LinkReply(request.Status(StatusJson.Write(status))), _ => new LinkReply(request.Failed(StackError.TimedOut)));

    /// <summary>Asked of the driver, whose settings have to know of it.</summary>
    private void ChangeInterfaces(LinkCall call)
    {
        var request = call.Request;
        if (InterfaceCalls.NeedsOperator(request) && !_context.Listener.IsOperator(call.Peer))
        {
            _refusals.Warn(_log, "Refused a {Request} of link client of user id {UserId}, process id {ProcessId}: not the driver's user", request.Type, call.Peer.UserId, call.Peer.ProcessId);
            Sender.Tell(Reply(new CommandAnswer(LinkErrno.NotPermitted, InterfaceCalls.NotPermitted)));
            return;
        }

        try
        {
            Context.Parent.Ask<CommandAnswer>(InterfaceCalls.CommandOf(request), CommandPatience).PipeTo(Sender, Self, Reply,
                _ => Reply(new CommandAnswer(StackError.TimedOut, "The driver has not answered.")));
        }
        catch (CommandRefusedException e)
        {
            Sender.Tell(Reply(e.Answer));
        }

        LinkReply Reply(CommandAnswer answer) => new(InterfaceCalls.AnswerOf(request, answer));
    }

    /// <summary>Applies new limits and users to sessions that come from now on.</summary>
    /// <returns>Null, or why nothing was changed.</returns>
    private string? Reconfigure(ReconfigureLink wanted)
    {
        try
        {
            _context.Listener.Admit(wanted.Users);
        }
        catch (LinkListenException e)
        {
            return e.Message;
        }

        (_maxSessions, _maxSockets) = (wanted.Settings.MaxSessions, wanted.Settings.MaxSockets);
        return null;
    }

    private void ReceiveStatus() => Receive<GetStatus>(_ => Sender.Tell(new LinkStatus(_sessions.Count, _sockets.Count)));

    private void Stop()
    {
        _context.Listener.Dispose();
        var children = new Dismissal(Context);
        if (children.IsDone)
            Context.Stop(Self);
        else
            Become(() => Finishing(children));
    }

    private void Finishing(Dismissal children)
    {
        Receive<Terminated>(gone =>
        {
            children.Left(gone);
            if (children.IsDone)
                Context.Stop(Self);
        });
        ReceiveStatus();
        Receive<Stopping>(_ => children.Hurry());
        Receive<LinkCall>(call => Sender.Tell(GuestCalls.Refuse(call.Request)));
        Receive<JoinSocket>(join => join.Refuse());
        Receive<BecomeListener>(listen =>
        {
            listen.Refuse();
            Sender.Tell(PoisonPill.Instance);
        });
        Receive<LinkReady>(_ => { });
        Receive<SocketEnded>(ended =>
        {
            if (ended.Remains is not null || ended.IdleOn is not null)
                Sender.Tell(PoisonPill.Instance);
        });
    }
}
