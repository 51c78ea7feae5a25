using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Link;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors;

/// <summary>
/// Joins one TCP socket of the stack to one application's descriptor, or to a TCP connection of the host. It reads the application only while the stack has room, writes it only what it takes,
/// and never waits: unread bytes close the TCP window, a full send queue fills the application's own socket. Its first message is <see cref="JoinSocket"/>.
/// <para>States: Unconnected → Binding → Unconnected; Unconnected → Opening → Established → Draining; an accepted connection begins in Attaching. From
/// Unconnected it may hand its descriptor over to a listener.</para>
/// </summary>
/// <remarks>
/// A driver may have very many of these, most of them idle. So all have the same props, a state is one method, and nothing is made before it is needed. The state
/// is kept here, not by <c>Context.Become</c>, which costs a cell 150 bytes from its first use on.
/// </remarks>
internal sealed partial class ConnectionActor : ActorBase, IWithUnboundedStash
{
    /// <summary>Of all such actors: what tells them apart comes with <see cref="JoinSocket"/>.</summary>
    public static readonly Props Props = Props.Create<ConnectionActor>();

    /// <summary>
    /// Reads of the application per message, up to 256 KiB. What there is beyond it reads in the same turn, as far as its credit goes: of a thousand writers each in turn
    /// is a quarter slower where they change after every message, because what they write leaves the caches in between.
    /// </summary>
    private const int ReadsPerTurn = 4;

    /// <summary>How long an application can ask why its non-blocking connect has failed: its descriptor says no more when it is closed.</summary>
    private static readonly TimeSpan ErrorKept = TimeSpan.FromSeconds(60);

    // As the first message says; null only before it.
    private SocketContext _context = null!;
    private StreamEnd _link = null!;
    private SocketFamily _family;
    private StackError _error;
    private IpEndpoint _local;
    private IpEndpoint _remote;

    // What the application has set; null: nothing.
    private SocketSettings? _settings;

    // A bind or connect that is not answered yet, and options asked of the stack; null: none.
    private Question? _asked;
    private Queue<Question>? _optionCalls;

    // Ends the actor once the reason of a failure has been kept long enough. Not by IWithTimers, for which Akka.NET makes a scheduler for every actor: few connections
    // fail, and all would pay.
    private ICancelable? _expiry;

    // What the stack has for this actor, to be given back if the actor goes first.
    private SocketId? _binding;
    private SocketId? _socket;

    // Bytes on their way to the application, the first buffer possibly in part.
    private PacketBuffer? _head;
    private PacketBuffer? _tail;
    private int _credit;

    // The handler of the present state, with the state's data; null before the first message.
    private Func<ConnectionActor, object, bool>? _state;

    // Fast Open: the application may write, but it is not known whether the peer is there.
    private bool _isEarly;

    public IStash Stash { get; set; } = null!;

    /// <summary>Null where nothing is logged at this level, so that no logger is made.</summary>
    private static ILoggingAdapter? DebugLog => Context.System.Log.IsDebugEnabled ? Context.GetLogger() : null;

    /// <summary>Only what an application has is ever unconnected.</summary>
    private StreamLink Pair => (StreamLink)_link;

    protected override bool Receive(object message) => _state is { } state ? state(this, message) : Join(message);

    private void Enter(Func<ConnectionActor, object, bool> state) => _state = state;

    /// <summary>Before the first message.</summary>
    private bool Join(object message)
    {
        if (message is not JoinSocket join)
            return false;
        _context = join.Context;
        _link = join.Link;
        _family = join.Family;
        if (join.Options != default)
            _settings = new SocketSettings { Options = join.Options };
        if (join.Accepted is { } accepted)
        {
            _socket = accepted.Id;
            _local = accepted.Local;
            _remote = accepted.Remote;
            Enter(static (self, message) => self.Attaching(message));
        }
        else
        {
            Enter(static (self, message) => self.Unconnected(message));
        }

        _link.Start(_context.Reactor, Readiness.Readable, LinkReady.Tell, Self);
        if (_socket is { } id)
            _context.Stack.Tell(new Attach(id));
        return true;
    }

    /// <summary>Gives back whatever the actor still has: a connection that it leaves behind is reset, on both sides.</summary>
    protected override void PostStop()
    {
        if (_link is null)
            return;
        _expiry?.Cancel();
        Unbind();
        if (_socket is { } socket)
            _context.Stack.Tell(new Abort(socket));
        if (_asked is { } asked)
            Answer(asked.Request.Failed(StackError.ConnectionAborted));
        while (NextOptionCall() is { } call)
            call.Session.Tell(new LinkReply(call.Request.Failed(StackError.ConnectionAborted)));
        if (!_link.IsClosed)
            _link.Reset();
        Context.Parent.Tell(new SocketEnded(_link.Handle));
        PacketBuffer.ReleaseChain(_head);
    }

    private bool Unconnected(object message)
    {
        switch (message)
        {
            case LinkCall call:
                AnswerCall(call.Request);
                return true;
            default:
                return EndsBeforeConnection(message);
        }
    }

    private void AnswerCall(LinkRequest asked)
    {
        switch (asked)
        {
            case BindRequest { Local.Family: SocketFamily.V6, Local.Endpoint.Address.IsV4: false } bind when _settings?.Hints.IsV6Only == true:
                Reply(bind.Failed(StackError.AddressNotAvailable));
                break;
            case BindRequest bind when _binding is null:
                _context = _context.ForTcp(bind.Local.Endpoint.Port);
                _context.Stack.Tell(new Bind(bind.Local.Endpoint, Options.ReuseAddress));
                _asked = new Question(bind, Sender);
                Enter((self, next) => self.Binding(next, bind));
                break;
            case BindRequest bind:
                Reply(bind.Failed(StackError.InvalidArgument));
                break;
            case ConnectRequest { AwaitHandshake: true } connect:
                Reply(connect.Failed(StackError.NotConnected));
                break;
            case ConnectRequest { Remote.Family: SocketFamily.Unspecified } connect:
                Reply(connect.Connected(Named(_local)));
                break;
            case ConnectRequest connect:
                _error = StackError.None;
                _context.Stack.Tell(new Connect(connect.Remote.Endpoint, _binding, Options));
                _binding = null;
                _asked = new Question(connect, Sender);
                Enter((self, next) => self.Opening(next, connect));
                break;
            case ListenRequest listen:
                Context.Parent.Tell(new BecomeListener(_context, AcceptLink.From(Pair), _family, _binding, Options, listen, Sender));
                _binding = null;
                Enter(static (self, message) => self.HandedOver(message));
                break;
            case LinkSocketRequest request:
                AnswerUnconnected(request);
                break;
        }
    }

    private bool Binding(object message, BindRequest bind)
    {
        switch (message)
        {
            case Bound bound:
                _binding = bound.Id;
                _local = bound.Local;
                Answer(bind.Bound(Named(_local)));
                BackToUnconnected();
                break;
            case BindFailed failed:
                Answer(bind.Failed(failed.Error));
                BackToUnconnected();
                break;
            default:
                Stash.Stash();
                break;
        }

        return true;
    }

    private bool Opening(object message, ConnectRequest connect)
    {
        switch (message)
        {
            case Connecting connecting:
                _socket = connecting.Id;
                _local = connecting.Local;
                _remote = connect.Remote.Endpoint;
                if (connect.NoWait && !connecting.IsEarly)
                    Answer(connect.InProgress());
                return true;
            case Connected connected:
                Pair.Discard(connect.Discard);
                Establish(connected);
                Answer(connect.Connected(Named(_local)));
                return true;
            case ConnectFailed failed:
                FailToOpen(connect, failed.Error);
                return true;
            case LinkCall { Request: ConnectRequest again }:
                Reply(again.Failed(LinkErrno.AlreadyConnecting));
                return true;
            case LinkCall { Request: BindRequest or ListenRequest } call:
                Reply(call.Request.Failed(StackError.InvalidArgument));
                return true;
            case LinkCall call:
                AnswerUnconnected((LinkSocketRequest)call.Request);
                return true;
            default:
                return EndsBeforeConnection(message);
        }
    }

    /// <summary>What ends a socket that has no connection: its application, or the driver.</summary>
    private bool EndsBeforeConnection(object message)
    {
        switch (message)
        {
            case LinkReady ready:
                StopIfHungUp(ready);
                return true;
            case Stopping:
                StopInOrder();
                return true;
            default:
                return false;
        }
    }

    private void FailToOpen(ConnectRequest connect, StackError error)
    {
        var atOnce = _socket is null;
        _socket = null;
        _error = error;
        DebugLog?.Debug("Connection to {Remote} failed: {Error}", connect.Remote, error);
        if (!connect.NoWait || atOnce)
        {
            // Without the client's filler the descriptor is writable again, as that of an unconnected socket is.
            _error = StackError.None;
            Pair.Discard(connect.Discard);
            Answer(connect.Failed(error));
            BackToUnconnected();
            return;
        }

        _link.Reset();
        Fail();
    }

    /// <summary>The descriptor is reset, and that is all that it can say; for a while the true reason can be asked for.</summary>
    private void Fail()
    {
        _expiry = Context.System.Scheduler.ScheduleTellOnceCancelable(ErrorKept, Self, PoisonPill.Instance, ActorRefs.NoSender);
        Enter(static (self, message) => self.Failed(message));
    }

    /// <summary>A non-blocking connect, or a connection, has failed and its descriptor is reset; the application may ask why.</summary>
    private bool Failed(object message)
    {
        if (message is not LinkCall call)
            return HasNoDescriptor(message);
        AnswerUnconnected((LinkSocketRequest)call.Request);
        return true;
    }

    /// <summary>The descriptor belongs to a listener's actor; requests that came here meanwhile go there.</summary>
    private bool HandedOver(object message)
    {
        if (message is not LinkCall call)
            return HasNoDescriptor(message);
        Context.Parent.Forward(call);
        return true;
    }

    /// <summary>What is left to hear for a socket whose descriptor is reset or another actor's: late reports mean nothing.</summary>
    private bool HasNoDescriptor(object message)
    {
        if (message is Stopping)
            StopInOrder();
        return message is Stopping or LinkReady;
    }

    private void Unbind()
    {
        if (_binding is { } binding)
            _context.Stack.Tell(new Unbind(binding));
        _binding = null;
    }

    /// <summary>The application may have closed a socket that is not connected.</summary>
    private void StopIfHungUp(LinkReady ready)
    {
        if ((ready.Readiness & Readiness.HangUp) != 0 && _link.State() is ReadResult.Closed or ReadResult.Reset)
            Context.Stop(Self);
    }

    private void BackToUnconnected()
    {
        Enter(static (self, message) => self.Unconnected(message));
        Stash.UnstashAll();
    }

    /// <summary>Answers the bind or connect that is under way, once.</summary>
    private void Answer(LinkAnswer answer)
    {
        _asked?.Session.Tell(new LinkReply(answer));
        _asked = null;
    }

    /// <summary>Answers the request that is being handled.</summary>
    private void Reply(LinkAnswer answer) => Sender.Tell(new LinkReply(answer));

    /// <summary>The driver stops: what the application has not read cannot be given to it any more, and it is to know.</summary>
    private void StopInOrder()
    {
        if (_socket is { } socket)
            _context.Stack.Tell(new Close(socket));
        _socket = null;
        if (_head is null && !_link.IsClosed)
            _link.Dispose();
        Context.Stop(Self);
    }

    /// <summary>A request that waits for an answer of the stack, and whom that goes to.</summary>
    private sealed record Question(LinkSocketRequest Request, IActorRef Session);
}
