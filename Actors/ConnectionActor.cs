using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Link;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors;

/// <summary>What every socket's actor works with.</summary>
/// <param name="Defaults">What an option reads as that the application has not set.</param>
internal sealed record SocketContext(IActorRef Stack, Wires.IReactor Reactor, BufferPool Pool, TcpSocketOptions Defaults = default);

/// <summary>
/// Joins one TCP socket of the stack to one application's descriptor, or to a TCP connection of the host. It reads the application only while the stack has room, writes it only what it takes,
/// and never waits: unread bytes close the TCP window, a full send queue fills the application's own socket.
/// <para>States: Unconnected → Binding → Unconnected; Unconnected → Opening → Established → Draining; an accepted connection begins in Attaching. From
/// Unconnected it may hand its descriptor over to a listener.</para>
/// </summary>
internal sealed partial class ConnectionActor : ReceiveActor, IWithUnboundedStash, IWithTimers
{
    /// <summary>Reads of the application per message: up to 256 KiB before another actor has its turn.</summary>
    private const int ReadsPerTurn = 4;

    /// <summary>How long an application can ask why its non-blocking connect has failed: its descriptor says no more when it is closed.</summary>
    private static readonly TimeSpan ErrorKept = TimeSpan.FromSeconds(60);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly SocketContext _context;
    private readonly StreamEnd _link;
    private readonly LinkFamily _family;
    private readonly Queue<(LinkSocketRequest Request, IActorRef Session)> _optionCalls = new();

    // A bind or connect that is not answered yet.
    private (LinkSocketRequest Request, IActorRef Session)? _asked;
    private TcpSocketOptions _options;
    private SocketHints _hints;
    private StackError _error;
    private IpEndpoint _local;
    private IpEndpoint _remote;

    // What the stack has for this actor, to be given back if the actor goes first.
    private SocketId? _binding;
    private SocketId? _socket;

    // Bytes on their way to the application, the first buffer possibly in part.
    private PacketBuffer? _head;
    private PacketBuffer? _tail;
    private int _credit;

    /// <summary>A socket that an application has just made, or, with <paramref name="accepted"/>, a connection that a listener has accepted.</summary>
    public ConnectionActor(SocketContext context, StreamEnd link, LinkFamily family, TcpSocketOptions options, Accepted? accepted)
    {
        _context = context;
        _link = link;
        _family = family;
        _options = options;
        if (accepted is null)
        {
            Unconnected();
            return;
        }

        _socket = accepted.Id;
        _local = accepted.Local;
        _remote = accepted.Remote;
        Attaching();
    }

    public IStash Stash { get; set; } = null!;

    /// <summary>Only what an application has is ever unconnected.</summary>
    private StreamLink Pair => (StreamLink)_link;

    public ITimerScheduler Timers { get; set; } = null!;

    public static Props Props(SocketContext context, StreamEnd link, LinkFamily family, TcpSocketOptions options = default, Accepted? accepted = null) =>
        Akka.Actor.Props.Create(() => new ConnectionActor(context, link, family, options, accepted));

    protected override void PreStart()
    {
        var self = Self;
        _link.Start(_context.Reactor, Wires.Readiness.Readable, readiness => self.Tell(LinkReady.Of(readiness), ActorRefs.NoSender));
        if (_socket is { } id)
            _context.Stack.Tell(new Attach(id));
    }

    /// <summary>Gives back whatever the actor still has: a connection that it leaves behind is reset, on both sides.</summary>
    protected override void PostStop()
    {
        Unbind();
        if (_socket is { } socket)
            _context.Stack.Tell(new Abort(socket));
        if (_asked is { } asked)
            Answer(asked.Request.Failed(StackError.ConnectionAborted));
        while (_optionCalls.TryDequeue(out var call))
            call.Session.Tell(new LinkReply(call.Request.Failed(StackError.ConnectionAborted)));
        if (!_link.IsClosed)
            _link.Reset();
        Context.Parent.Tell(new SocketEnded(_link.Handle));
        PacketBuffer.ReleaseChain(_head);
    }

    private void Unconnected()
    {
        Receive<LinkCall>(call =>
        {
            switch (call.Request)
            {
                case BindRequest { Local.Family: LinkFamily.V6, Local.Endpoint.Address.IsV4: false } bind when _hints.IsV6Only:
                    Sender.Tell(new LinkReply(bind.Failed(StackError.AddressNotAvailable)));
                    break;
                case BindRequest bind when _binding is null:
                    _context.Stack.Tell(new Bind(bind.Local.Endpoint, _options.ReuseAddress));
                    _asked = (bind, Sender);
                    Become(() => Binding(bind));
                    break;
                case BindRequest bind:
                    Sender.Tell(new LinkReply(bind.Failed(StackError.InvalidArgument)));
                    break;
                case ConnectRequest { Remote.Family: LinkFamily.Unspecified } connect:
                    Sender.Tell(new LinkReply(connect.Connected(Named(_local))));
                    break;
                case ConnectRequest connect:
                    _error = StackError.None;
                    _context.Stack.Tell(new Connect(connect.Remote.Endpoint, _binding, _options));
                    _binding = null;
                    _asked = (connect, Sender);
                    Become(() => Opening(connect));
                    break;
                case ListenRequest listen:
                    Context.Parent.Tell(new BecomeListener(Pair, _family, _binding, _options, listen, Sender));
                    _binding = null;
                    Become(HandedOver);
                    break;
                case LinkSocketRequest request:
                    AnswerUnconnected(request);
                    break;
            }
        });
        ReceiveHangUp();
        ReceiveStopping();
    }

    private void Binding(BindRequest bind)
    {
        Receive<Bound>(bound =>
        {
            _binding = bound.Id;
            _local = bound.Local;
            Answer(bind.Bound(Named(_local)));
            BackToUnconnected();
        });
        Receive<BindFailed>(failed =>
        {
            Answer(bind.Failed(failed.Error));
            BackToUnconnected();
        });
        ReceiveAny(_ => Stash.Stash());
    }

    private void Opening(ConnectRequest connect)
    {
        Receive<Connecting>(connecting =>
        {
            _socket = connecting.Id;
            _local = connecting.Local;
            _remote = connect.Remote.Endpoint;
            if (connect.NoWait)
                Answer(connect.InProgress());
        });
        Receive<Connected>(connected =>
        {
            Pair.Discard(connect.Discard);
            Establish(connected);
            Answer(connect.Connected(Named(_local)));
        });
        Receive<ConnectFailed>(failed =>
        {
            var atOnce = _socket is null;
            _socket = null;
            _error = failed.Error;
            _log.Debug("Connection to {Remote} failed: {Error}", connect.Remote, failed.Error);
            if (!connect.NoWait || atOnce)
            {
                // Without the client's filler the descriptor is writable again, as that of an unconnected socket is.
                _error = StackError.None;
                Pair.Discard(connect.Discard);
                Answer(connect.Failed(failed.Error));
                BackToUnconnected();
                return;
            }

            _link.Reset();
            Timers.StartSingleTimer(nameof(ErrorKept), PoisonPill.Instance, ErrorKept);
            Become(Failed);
        });
        Receive<LinkCall>(call =>
        {
            switch (call.Request)
            {
                case ConnectRequest again:
                    Sender.Tell(new LinkReply(again.Failed(LinkErrno.AlreadyConnecting)));
                    break;
                case BindRequest or ListenRequest:
                    Sender.Tell(new LinkReply(call.Request.Failed(StackError.InvalidArgument)));
                    break;
                case LinkSocketRequest request:
                    AnswerUnconnected(request);
                    break;
            }
        });
        ReceiveHangUp();
        ReceiveStopping();
    }

    /// <summary>A non-blocking connect has failed and its descriptor is reset; the application may ask why.</summary>
    private void Failed()
    {
        Receive<LinkCall>(call => AnswerUnconnected((LinkSocketRequest)call.Request));
        Receive<LinkReady>(_ => { });
        ReceiveStopping();
    }

    /// <summary>The descriptor belongs to a listener's actor; requests that came here meanwhile go there.</summary>
    private void HandedOver()
    {
        Receive<LinkCall>(call => Context.Parent.Forward(call));
        Receive<LinkReady>(_ => { });
        ReceiveStopping();
    }

    private void Unbind()
    {
        if (_binding is { } binding)
            _context.Stack.Tell(new Unbind(binding));
        _binding = null;
    }

    /// <summary>The application has closed a socket that is not connected.</summary>
    private void ReceiveHangUp() => Receive<LinkReady>(ready =>
    {
        if ((ready.Readiness & Wires.Readiness.HangUp) != 0 && _link.State() is LinkRead.Closed or LinkRead.Reset)
            Context.Stop(Self);
    });

    private void BackToUnconnected()
    {
        Become(Unconnected);
        Stash.UnstashAll();
    }

    /// <summary>Answers the bind or connect that is under way, once.</summary>
    private void Answer(LinkAnswer answer)
    {
        _asked?.Session.Tell(new LinkReply(answer));
        _asked = null;
    }

    private void AnswerUnconnected(LinkSocketRequest request)
    {
        LinkAnswer answer;
        switch (request)
        {
            case GetSockNameRequest name:
                answer = name.Named(Named(_local));
                break;
            case CloseRequest close:
                Unbind(); // before the answer, which says that the port is free
                Sender.Tell(new LinkReply(close.Done()));
                Context.Stop(Self);
                return;
            case SetOptionRequest set:
                answer = SetOption(set);
                break;
            case GetOptionRequest get:
                answer = GetOption(get);
                break;
            default:
                answer = request.Failed(StackError.NotConnected);
                break;
        }

        Sender.Tell(new LinkReply(answer));
    }

    private LinkAnswer SetOption(SetOptionRequest request)
    {
        if (_hints.Answer(request) is { } hint)
            return hint;
        var option = LinkOptions.Map(request.Level, request.Name);
        if (!LinkOptions.TryDecode(option, request.Value.Span, out var value))
            return request.Failed(StackError.InvalidArgument);
        if (LinkOptions.IsReuseAddress(request.Level, request.Name))
        {
            _options = _options with { ReuseAddress = value != 0 };
            return request.Done();
        }

        if (option is null)
            return request.Failed(StackError.NoSuchOption);
        var error = SocketOptions.Set(ref _options, option.Value, value);
        return error == StackError.None ? request.Done() : request.Failed(error);
    }

    private LinkAnswer GetOption(GetOptionRequest request)
    {
        if (LinkOptions.Fixed(request.Level, request.Name, _family, LinkSocketType.Stream, listens: false) is { } known)
            return request.Value(known);
        if (_hints.Answer(request) is { } hint)
            return hint;
        if (LinkOptions.IsTcpInfo(request))
            return LinkOptions.Encode(request, default(TcpInfo));
        if (LinkOptions.IsReuseAddress(request.Level, request.Name))
            return request.Value(_options.ReuseAddress ? 1 : 0);
        switch (LinkOptions.Map(request.Level, request.Name))
        {
            case null or SocketOption.Broadcast:
                return request.Failed(StackError.NoSuchOption);
            case SocketOption.Error:
                var error = _error;
                _error = StackError.None;
                return request.Value((int)error);
            case { } option:
                return LinkOptions.Encode(request, option, OrDefault(option, SocketOptions.Get(_options, option)));
        }
    }

    /// <summary>The value of an option, or, where it is the stack's, what that is.</summary>
    private int OrDefault(SocketOption option, int value) =>
        value != 0 || option is SocketOption.Linger or SocketOption.Error ? value : SocketOptions.Get(_context.Defaults, option);

    /// <summary>An address as the application's socket sees it.</summary>
    private LinkAddress Named(IpEndpoint endpoint) => LinkAddress.From(endpoint, _family);

    /// <summary>The driver stops: what the application has not read cannot be given to it any more, and it is to know.</summary>
    private void ReceiveStopping() => Receive<Stopping>(_ =>
    {
        if (_socket is { } socket)
            _context.Stack.Tell(new Close(socket));
        _socket = null;
        if (_head is null && !_link.IsClosed)
            _link.Dispose();
        Context.Stop(Self);
    });
}
