using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Dispatch;
using Tapwire.Actors.Link;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Proxy;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Wires;

namespace Tapwire.Actors.Proxy;

/// <summary>
/// One connection of a program of the host. It carries out what the program asks for, and then leaves both connections to a child, the
/// <see cref="ConnectionActor"/> that joins the program's to a socket of the stack.
/// <para>States: Handshaking → Resolving → Connecting → Joined; or Handshaking → Binding → Awaiting → Joined; or Handshaking → Associating → Associated.
/// A refused client ends in Refused, where it has time to read the answer.</para>
/// </summary>
internal sealed partial class ProxySessionActor : OwningActor, IWithTimers
{
    /// <summary>How long a refused client may take to close.</summary>
    private static readonly TimeSpan FarewellPatience = TimeSpan.FromSeconds(5);

    /// <summary>Reads per message of bytes that are discarded, before another actor has its turn.</summary>
    private const int ReadsPerTurn = 16;

    private static readonly TcpSocketOptions Options = new() { NoDelay = true, KeepAlive = true };

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly ProxyContext _context;
    private readonly HostStream _client;
    private readonly string _peer;

    // Null for a forwarded port, which has no handshake.
    private readonly ProxyHandshake? _handshake;
    private readonly bool _isBusy;
    private readonly Destination? _target;
    private readonly bool _sendsProxyHeader;

    // What the stack keeps for this actor. Released if the actor ends first.
    private SocketId? _socket;
    private SocketId? _listener;

    public ProxySessionActor(ProxyContext context, HostStream client, string peer, ProxyHandshake? handshake, bool isBusy, Destination? target, bool sendsProxyHeader)
    {
        _context = context;
        _client = client;
        _peer = peer;
        _handshake = handshake;
        _isBusy = isBusy;
        _target = target;
        _sendsProxyHeader = sendsProxyHeader;
        Handshaking();
    }

    public ITimerScheduler Timers { get; set; } = null!;

    /// <summary>A client that names its destination, by SOCKS or HTTP.</summary>
    /// <param name="client">The actor's from now on.</param>
    /// <param name="isBusy">Too many connections are open: the request is refused, in the client's own protocol.</param>
    public static Props Props(ProxyContext context, HostStream client, string peer, ProxyHandshake handshake, bool isBusy) =>
        Akka.Actor.Props.Create(() => new ProxySessionActor(context, client, peer, handshake, isBusy, null, false));

    /// <summary>A client of a forwarded port.</summary>
    /// <param name="sendsProxyHeader">The target is told of the client by the PROXY protocol.</param>
    /// <inheritdoc cref="Props(ProxyContext, HostStream, string, ProxyHandshake, bool)"/>
    public static Props Props(ProxyContext context, HostStream client, string peer, Destination target, bool sendsProxyHeader = false) =>
        Akka.Actor.Props.Create(() => new ProxySessionActor(context, client, peer, null, false, target, sendsProxyHeader));

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.Stop;

    protected override void PreStart()
    {
        _client.Start(_context.Sockets.Reactor, Readiness.Readable, LinkReady.Tell, Self);
        AwaitFor(_handshake is null ? _context.Settings.Proxy.ConnectTimeout : _context.Settings.Proxy.HandshakeTimeout);
        if (_target is { } destination)
            Connect(destination);
    }

    protected override void PostStop()
    {
        if (_socket is { } socket)
            _context.Stack.Tell(new Abort(socket));
        CloseListener();
        if (!_client.IsClosed)
            _client.Reset();
    }

    private void AwaitFor(TimeSpan patience) => Timers.StartSingleTimer(nameof(TookTooLong), TookTooLong.Instance, patience);

    private void Handshaking()
    {
        Receive<LinkReady>(_ => ReadHandshake());
        Receive<TookTooLong>(_ => Fail(null, "it has not sent a whole request in time"));
        ReceiveStopping();
    }

    private void ReadHandshake()
    {
        Span<byte> input = stackalloc byte[ProxyHandshake.MaxInput];
        while (_client.Peek(input, out var count) is var read and not ReadResult.Empty)
        {
            if (read != ReadResult.Data)
            {
                Context.Parent.Tell(ConnectionFailed.Instance);
                _log.Debug("Client {Peer} has closed before it asked for anything", _peer);
                Context.Stop(Self);
                return;
            }

            var step = _handshake!.Advance(input[..count]);
            _client.Take(step.Consumed);
            if (!step.Answer.IsEmpty && !Answer(step.Answer.Span))
                return;
            if (step.Refusal is { } refusal)
            {
                Context.Parent.Tell(ConnectionFailed.Instance);
                if (step.IsWrongPassword)
                    _context.Refusals.Warn(_log, "Refused client {Peer}: {Reason}", _peer, refusal);
                else
                    _context.Refusals.Inform(_log, "Refused client {Peer}: {Reason}", _peer, refusal);
                SayFarewell();
                return;
            }

            if (step.Request is { } request)
            {
                Carry(request);
                return;
            }

            if (step.Consumed > 0)
                continue;

            // The handshake needs more bytes. While unread bytes are queued, Peek does not show that the client has closed, so its state is asked for. Bytes
            // that have come before the close are handled first.
            if (_client.State() is ReadResult.Empty or ReadResult.Data)
                return;
            if (_client.Peek(input, out var all) == ReadResult.Data && all > count)
                continue;
            Context.Parent.Tell(ConnectionFailed.Instance);
            _log.Debug("Client {Peer} has closed in the middle of its request", _peer);
            Context.Stop(Self);
            return;
        }
    }

    private void Carry(ProxyRequest request)
    {
        _log.Debug("Client {Peer} asks for {Command} {Destination}", _peer, request.Command, request.Destination);
        AwaitFor(_context.Settings.Proxy.ConnectTimeout);
        if (_isBusy)
            Fail(ProxyOutcome.Busy, "too many connections are open");
        else if (request.Command == SocksCommand.Connect)
            Connect(request.Destination);
        else if (request.Command == SocksCommand.Bind)
            Bind(request.Destination);
        else
            Associate(request.Destination);
    }

    /// <summary>Writes to the client. False: the client takes not even a short answer, and this actor stops.</summary>
    private bool Answer(ReadOnlySpan<byte> bytes)
    {
        if (_client.TryWrite(bytes))
            return true;
        _log.Debug("Client {Peer} does not read its answer", _peer);
        Context.Stop(Self);
        return false;
    }

    /// <summary>The request has failed. The client is told, if its protocol has an answer.</summary>
    /// <param name="outcome">Null: the client is not told.</param>
    private void Fail(ProxyOutcome? outcome, string reason)
    {
        Context.Parent.Tell(ConnectionFailed.Instance);
        _context.Refusals.Inform(_log, "The request of client {Peer} has failed: {Reason}", _peer, reason);
        if (_handshake is null || outcome is null)
            Context.Stop(Self);
        else if (Answer(_handshake.Reply(outcome.Value)))
            SayFarewell();
    }

    private void SayFarewell()
    {
        _client.EndOfStream();
        AwaitFor(FarewellPatience);
        if (_socket is { } socket)
            _context.Stack.Tell(new Abort(socket));
        _socket = null;
        CloseListener();
        Become(Refused);
        Self.Tell(LinkReady.Of(Readiness.Readable), ActorRefs.NoSender);
    }

    /// <summary>The client has its answer, and its further bytes are read and discarded. Closing with bytes unread would send RST, and the client might lose the
    /// answer.</summary>
    private void Refused()
    {
        Receive<LinkReady>(_ =>
        {
            if (IsGone())
                Leave();
        });
        Receive<TookTooLong>(_ => Leave());
        Receive<Connecting>(connecting => _context.Stack.Tell(new Abort(connecting.Id)));
        Receive<Accepted>(accepted => _context.Stack.Tell(new Abort(accepted.Id)));
        Receive<Listening>(listening => _context.Stack.Tell(new Unlisten(listening.Id)));
        Receive<AssociationOpened>(_ => { }); // of a relay that has been stopped
        ReceiveStopping();
    }

    /// <summary>Discards a batch of what the client still sends. True: the client has closed.</summary>
    private bool IsGone()
    {
        Span<byte> input = stackalloc byte[4096];
        for (var reads = 0; reads < ReadsPerTurn; reads++)
        {
            var read = _client.Peek(input, out var count);
            if (read != ReadResult.Data)
                return read != ReadResult.Empty;
            _client.Take(count);
        }

        Context.GoOnLater(LinkReady.TellReadable);
        return false;
    }

    private void Leave()
    {
        _client.Dispose();
        Context.Stop(Self);
    }

    /// <summary>Gives a connected socket that is on hold an actor that joins it to the client.</summary>
    private void Join(SocketId id, IpEndpoint local, IpEndpoint remote)
    {
        Timers.CancelAll();
        _socket = null;
        if (_sendsProxyHeader)
            _client.BeginWith(ProxyProtocol.HeaderOf(_client.Remote, _client.Local));
        var connection = Context.Watch(Context.ActorOf(_context.Connection));
        connection.Tell(new JoinSocket(_context.Sockets, _client.HandOver(), SocketFamily.V4, Options, new Accepted(id, local, remote)));
        Become(() => Joined(connection));
    }

    private void Joined(IActorRef child)
    {
        Receive<Terminated>(_ => Context.Stop(Self));
        Receive<SocketEnded>(_ => { });
        Receive<LinkReady>(_ => { }); // reported before the connection changed hands
        Receive<Stopping>(child.Forward);
    }

    /// <summary>The client may close while it waits. A half-close (end of its stream) is no close.</summary>
    private void ReceiveClientGone() => Receive<LinkReady>(ready =>
    {
        if ((ready.Readiness & Readiness.HangUp) == 0 || _client.State() is ReadResult.Empty or ReadResult.EndOfStream)
            return;
        Context.Parent.Tell(ConnectionFailed.Instance);
        _log.Debug("Client {Peer} has closed before it had a connection", _peer);
        Context.Stop(Self);
    });

    private void ReceiveStopping() => Receive<Stopping>(_ => Context.Stop(Self));

    private void CloseListener()
    {
        if (_listener is { } listener)
            _context.Stack.Tell(new Unlisten(listener));
        _listener = null;
    }
}
