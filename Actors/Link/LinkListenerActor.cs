using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Connection;
using Tapwire.Actors.Dispatch;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Wires;
using Tapwire.Posix;

namespace Tapwire.Actors.Link;

/// <summary>
/// An application's listening socket. Each accepted connection goes to the application over the listening descriptor, as a record with a descriptor of its own.
/// While the application does not accept, a handful of connections wait in the pair, one waits here, and the others wait in the stack's backlog.
/// </summary>
internal sealed class LinkListenerActor : ListenerActor
{
    private readonly SocketContext _context;
    private readonly IReactor _reactor;
    private readonly AcceptLink _link;
    private readonly SocketFamily _family;
    private TcpSocketOptions _options;
    private SocketHints _hints;
    private readonly ListenRequest _request;
    private readonly RefusalLog _refusals = new(Context.System.Scheduler);

    // Gets the answer to the listen request; null once it has it.
    private IActorRef? _session;
    private Waiting? _waiting;

    // A pair made ahead, while there was nothing else to do: making one takes as long as the rest of an accept, and the peer waits.
    private Pair? _spare;

    public LinkListenerActor(BecomeListener listen, IReactor reactor)
        : base(listen.Context.Stack, new Listen(Sockaddr.Wildcard(listen.Family), Math.Clamp(listen.Request.Backlog, 1, 65535), listen.Binding, listen.Options))
    {
        _context = listen.Context;
        _reactor = reactor;
        _link = listen.Link;
        _family = listen.Family;
        _options = listen.Options;
        _hints = new SocketHints(listen.Remembered);
        _request = listen.Request;
        _session = listen.Session;
    }

    /// <summary>To be made on the link actor's thread, whichever shard has the port. Messages between the two then keep the order that applications rely on: a
    /// request about an accepted socket comes after the socket was made, and a bind after a close finds the port free.</summary>
    public static Props Props(BecomeListener listen, IReactor reactor) => Akka.Actor.Props.Create(() => new LinkListenerActor(listen, reactor));

    protected override void PreStart()
    {
        // First: the request hands the reserved port back to the stack, and must be sent even if the rest fails.
        base.PreStart();
        _link.Start(_reactor, Readiness.Readable, LinkReady.Tell, Self);
    }

    protected override void PostStop()
    {
        base.PostStop();
        Answer(_request.Failed(StackError.ConnectionAborted));
        if (_waiting is { } waiting)
        {
            waiting.Pair.Dispose();
            _context.Stack.Tell(new Abort(waiting.Accepted.Id));
        }

        _spare?.Dispose();
        _link.Dispose();
        Context.Parent.Tell(new SocketEnded(_link.Handle));
    }

    protected override LogLevel Level => LogLevel.DebugLevel;

    protected override void OnListening(Listening listening)
    {
        Answer(_request.Listening(InterfaceNumbers.Name(listening.Local, _family, listening.Interface)));
        Stack.Tell(new Accept(listening.Id, 1));
    }

    /// <summary>Ends the socket. Linux would let the application listen on it again; here it needs a new one, and its descriptor reads end of file.</summary>
    protected override void OnListenFailed(StackError error)
    {
        Answer(_request.Failed(error));
        Leave(null);
    }

    /// <summary>Answers the listen request, once.</summary>
    private void Answer(LinkAnswer answer)
    {
        _session?.Tell(new LinkReply(answer));
        _session = null;
    }

    protected override void OnAccepted(SocketId listener, Accepted accepted)
    {
        try
        {
            var pair = _spare ?? Pair.Make();
            _spare = null;
            _hints.ApplyTo(pair.Application);
            _waiting = new Waiting(accepted, pair);
            Pass(listener);
        }
        catch (PosixException e)
        {
            _refusals.Warn(Log, "A connection from {Remote} is reset: {Reason}", accepted.Remote, e.Message);
            Stack.Tell(new Abort(accepted.Id));
            Stack.Tell(new Accept(listener, 1));
        }
    }

    protected override void WhileListening(Listening listening)
    {
        Receive<LinkReady>(ready =>
        {
            if ((ready.Readiness & Readiness.HangUp) != 0 && _link.IsHungUp())
                Context.Stop(Self);
            else if ((ready.Readiness & Readiness.Writable) != 0 && _waiting is not null)
                Pass(listening.Id);
        });
        Receive<OptionAnswer>(_ => { });
        Receive<MakeSpare>(_ => PrepareSpare());
        Receive<LinkCall>(call => Sender.Tell(new LinkReply(Answer(call.Request, listening))));
    }

    private void Pass(SocketId listener)
    {
        var (accepted, (link, application)) = _waiting!;
        var record = new AcceptRecord(InterfaceNumbers.Name(accepted.Remote, _family, accepted.Interface), InterfaceNumbers.Name(accepted.Local, _family, accepted.Interface), (uint)application.Handle);
        switch (_link.TrySend(record, application))
        {
            case WriteResult.Done:
                _waiting = null;
                _link.AwaitRoom(false);
                Context.Parent.Tell(new JoinSocket(_context, link, _family, _options, accepted, _hints.Inherited) { IsOneOfMany = true, Listener = _link.Handle });
                Stack.Tell(new Accept(listener, 1));
                Context.GoOnLater(MakeSpare.Tell);
                break;
            case WriteResult.Full:
                _link.AwaitRoom(true);
                break;
            default:
                Context.Stop(Self);
                break;
        }
    }

    /// <summary>Where none can be made now, the next connection tries again, and says why it fails.</summary>
    private void PrepareSpare()
    {
        try
        {
            _spare ??= Pair.Make();
        }
        catch (PosixException)
        {
        }
    }

    private LinkAnswer Answer(LinkRequest request, Listening listening)
    {
        switch (request)
        {
            case LinkSocketRequest about when _hints.Answer(about, LinkSocketType.Stream, _family) is { } hint:
                return hint;
            case GetSockNameRequest name:
                return name.Named(InterfaceNumbers.Name(listening.Local, _family, listening.Interface));
            case GetPeerNameRequest peer:
                return peer.Failed(StackError.NotConnected);
            case ListenRequest again:
                return again.Listening(InterfaceNumbers.Name(listening.Local, _family, listening.Interface));
            case CloseRequest close:
                StopListening(); // before the answer, which says that the port is free
                Context.Stop(Self);
                return close.Done();
            case ShutdownRequest shutdown:
                StopListening();
                Leave(listening);
                return shutdown.Done();
            case GetOptionRequest get:
                if (LinkOptions.Fixed(get.Level, get.Name, _family, LinkSocketType.Stream, listens: true) is { } known)
                    return get.Value(known);
                if (LinkOptions.IsReuseAddress(get.Level, get.Name))
                    return get.Value(_options.ReuseAddress ? 1 : 0);
                if (LinkOptions.IsReusePort(get.Level, get.Name))
                    return get.Value(_options.ReusePort ? 1 : 0);
                if (LinkOptions.IsTcpInfo(get))
                    return LinkOptions.EncodeListening(get);
                return LinkOptions.Map(get.Level, get.Name) switch
                {
                    null => get.Failed(StackError.NoSuchOption),
                    SocketOption.PathMtu => get.Failed(StackError.NotConnected),
                    SocketOption.OutputQueue or SocketOption.UnsentQueue => get.Failed(StackError.InvalidArgument),
                    { } option => LinkOptions.Encode(get, option, SocketOptions.OrDefault(option, SocketOptions.Get(_options, option), _context.Defaults)),
                };
            case SetOptionRequest set:
                return Set(set, listening.Id);
            default:
                return request.Failed(StackError.InvalidArgument);
        }
    }

    /// <summary>Sets an option, which connections that are accepted from now on have, too.</summary>
    private LinkAnswer Set(SetOptionRequest set, SocketId listener)
    {
        var option = LinkOptions.Map(set.Level, set.Name);
        var isReuse = LinkOptions.IsReuseAddress(set.Level, set.Name);
        var isReusePort = LinkOptions.IsReusePort(set.Level, set.Name);
        if (option is null && !isReuse && !isReusePort)
            return set.Failed(StackError.NoSuchOption);
        if (!LinkOptions.TryDecode(set.Level, option, set.Value.Span, out var value))
            return set.Failed(LinkOptions.RefusalOf(option));
        if (isReuse || isReusePort)
        {
            // The port was shared, or not, when it was bound.
            _options = isReuse ? _options with { ReuseAddress = value != 0 } : _options with { ReusePort = value != 0 };
            return set.Done();
        }

        var error = SocketOptions.Set(ref _options, option!.Value, value);
        if (error != StackError.None)
            return set.Failed(error);
        Stack.Tell(new SetOption(listener, option.Value, value));
        return set.Done();
    }

    /// <summary>The socket is none any more, and its application may still ask about it: the link's actor answers from now on.</summary>
    /// <param name="listening">Null: it has not come to listen.</param>
    private void Leave(Listening? listening)
    {
        var properties = new SocketProperties(_family, _options, _hints);
        properties.SetLocal(listening?.Local ?? default, listening?.Interface);
        Context.Parent.Tell(new SocketEnded(_link.Handle, new EndedSocket(properties, _context.Defaults, wasConnected: false)));
        _link.Dispose();
        Become(() =>
        {
            Receive<LinkCall>(call => Context.Parent.Forward(call));
            Receive<Accepted>(accepted => Stack.Tell(new Abort(accepted.Id)));
            Receive<Stopping>(_ => Context.Stop(Self));
            Receive<LinkReady>(_ => { });
            Receive<OptionAnswer>(_ => { });
            Receive<MakeSpare>(_ => { });
        });
        Stash.UnstashAll();
    }

    /// <summary>An accepted connection whose record does not fit into the pair yet.</summary>
    private sealed record Waiting(Accepted Accepted, Pair Pair);

    /// <summary>The two ends of a connection that has no owner yet.</summary>
    private sealed record Pair(StreamLink Link, ApplicationEnd Application) : IDisposable
    {
        /// <exception cref="PosixException">No descriptor or memory is left.</exception>
        public static Pair Make()
        {
            var link = StreamLink.Create(out var application);
            return new Pair(link, application);
        }

        /// <summary>If the application has its end already, it reads that the connection was reset.</summary>
        public void Dispose()
        {
            Application.Dispose();
            Link.Reset();
        }
    }

    private sealed class MakeSpare
    {
        public static readonly Action<object?> Tell = static actor => ((IActorRef)actor!).Tell(new MakeSpare());
    }
}
