using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Connection;
using Tapwire.Actors.Dispatch;
using Tapwire.Actors.Link;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Wires;

namespace Tapwire.Actors;

/// <summary>
/// Joins one TCP socket of the stack to one application's descriptor, or to a TCP connection of the host. It never blocks: it reads the application only while
/// the stack has room, and writes only what the application takes. Bytes that the application does not read close the TCP window; a full send queue fills the
/// application's own socket. The first message is <see cref="JoinSocket"/>.
/// <para>States: Unconnected → Established → Draining → HandedOver; Unconnected → HandedOver, to a listener or after a failure; Established → Closing. An accepted connection
/// begins in Attaching. An actor of the link's begins anew after Closing.</para>
/// </summary>
/// <remarks>
/// A driver may have very many of these, most of them idle. So all share one Props, a state is one method, and nothing is made before it is needed. The state is
/// a field here: <c>Context.Become</c> costs an actor 150 bytes from its first use on.
/// </remarks>
internal sealed partial class ConnectionActor : ActorBase, IWithUnboundedStash
{
    /// <summary>The same for all: what differs comes with <see cref="JoinSocket"/>.</summary>
    public static readonly Props Props = Props.Create<ConnectionActor>();

    public SocketProperties Properties;

    // From the first message; null only before it.
    private SocketContext _context = null!;
    private StreamEnd _link = null!;

    // The handler of the present state, with the state's data; null before the first message.
    private Func<ConnectionActor, object, bool>? _state;

    // The shard whose connection actors this one belongs to; null: it serves one socket only. A socket that is bound may be on another shard than its actor.
    private int? _shard;

    // Null once there is, or was, a connection.
    private UnconnectedSocket? _unconnected;

    // The connection in the stack. It is reset if the actor ends first.
    private SocketId? _socket;

    // Null unless the application was told of the connection before its handshake is done; stays if the connection ends before that.
    private EarlyHandshake? _early;
    private ReceiveDirection _receive;
    private SendDirection _send;
    private OptionCalls _options;

    public IStash Stash { get; set; } = null!;

    /// <summary>Null if the debug level is off: then no logger is made.</summary>
    public static ILoggingAdapter? DebugLog => Context.System.Log.IsDebugEnabled ? Context.GetLogger() : null;

    public IActorRef Stack => _context.Stack;

    protected override bool Receive(object message) => _state is { } state ? state(this, message) : Join(message);

    private void Enter(Func<ConnectionActor, object, bool> state) => _state = state;

    /// <summary>Before the first message.</summary>
    private bool Join(object message)
    {
        if (message is not JoinSocket join)
            return HasNoSocket(message);
        _shard = join.IsOneOfMany ? join.Context.Shard?.Index ?? 0 : null;
        _context = join.Context;
        _link = join.Link;
        Properties = new SocketProperties(join.Family, join.Options, new SocketHints(join.Remembered));
        if (join.Accepted is { } accepted)
        {
            _socket = accepted.Id;
            Properties.SetEnds(accepted.Local, accepted.Remote, accepted.Interface);
            Enter(static (self, message) => self.Attaching(message));
        }
        else
        {
            _unconnected = new UnconnectedSocket(this, (StreamLink)_link);
            Enter(static (self, message) => self._unconnected!.Receive(message));
        }

        _link.Start(_context.Reactor, Readiness.Readable, LinkReady.Tell, Self);
        if (_socket is { } id)
            _context.Stack.Tell(new Attach(id));
        return true;
    }

    /// <summary>An accepted connection, until the stack hands it over with all that has happened to it.</summary>
    private bool Attaching(object message)
    {
        switch (message)
        {
            case Connected connected:
                Establish(connected);
                break;
            case Closed closed:
                NoteEnd(closed);
                End(closed.Reason);
                break;
            case Stopping:
                StopInOrder();
                break;
            default:
                Stash.Stash();
                break;
        }

        return true;
    }

    public void Establish(Connected connected)
    {
        // An accepted connection's descriptor is watched only since, and its state is still to be reported. Others' may have been reported before.
        var isReported = _unconnected is not null;
        _unconnected = null;
        _socket = connected.Id;
        Properties.SetEnds(connected.Local, connected.Remote, connected.Interface);
        _send.Grant(connected.SendRoom);
        _early = connected.IsEarly ? new EarlyHandshake() : null;
        DebugLog?.Debug("Connected: {Local} to {Remote}", connected.Local, connected.Remote);
        Enter(static (self, message) => self.Established(message));
        Stash.UnstashAll();
        if (isReported)
            Self.Tell(LinkReady.Of(Readiness.Readable));
    }

    private bool Established(object message)
    {
        switch (message)
        {
            case ReadReady ready:
                _receive.Enqueue(ready);
                if (Deliver() && ready.EndOfStream)
                    _link.EndOfStream();
                return true;
            case WriteDone done:
                _send.Grant(done.Bytes);
                GoOn(_send.Read(_link, _context, _socket!.Value));
                return true;
            case LinkReady ready:
                if ((ready.Readiness & Readiness.Writable) != 0 && !_receive.IsEmpty && Deliver() && _receive.HasEnded)
                    _link.EndOfStream();
                if ((ready.Readiness & ~Readiness.Writable) != 0)
                    GoOn(_send.Look(_link, _context, _socket!.Value));
                return true;
            case Closed closed:
                NoteEnd(closed);
                if (_receive.IsEmpty)
                    End(closed.Reason);
                else
                    EnterDraining(closed.Reason);
                return true;
            case HandshakeDone:
                _early?.Complete();
                _early = null;
                return true;
            case LinkCall call:
                AnswerConnected(call.Request);
                return true;
            case Stopping when _send.IsOpen && _link is StreamLink link:
                GoOn(_send.Stop(link, _context, _socket!.Value));
                return true;
            default:
                return AnswersOptionOrStops(message);
        }
    }

    private bool Deliver() => _receive.Deliver(_link, _context, _socket);

    private void GoOn(SendOutcome outcome)
    {
        switch (outcome)
        {
            case SendOutcome.HasMore:
                Self.Tell(LinkReady.Of(Readiness.Readable), ActorRefs.NoSender);
                break;
            case SendOutcome.Drained:
                StopInOrder();
                break;
            case SendOutcome.Closed:
                AbandonBy(new Close(_socket!.Value));
                break;
            case SendOutcome.Reset:
                AbandonBy(new Abort(_socket!.Value));
                break;
        }
    }

    // A method of its own: the compiler allocates the closure at the beginning of the method that has it.
    private void EnterDraining(StackError reason) => Enter((self, message) => self.Draining(message, reason));

    /// <summary>The connection has ended, and bytes wait for the application to read them.</summary>
    private bool Draining(object message, StackError reason)
    {
        switch (message)
        {
            case LinkReady ready:
                Drain(ready, reason);
                return true;
            case LinkCall { Request: GetPeerNameRequest peer }:
                Reply(peer.Failed(StackError.NotConnected));
                return true;
            case LinkCall call:
                AnswerUnconnected((LinkSocketRequest)call.Request);
                return true;
            default:
                return AnswersOptionOrStops(message);
        }
    }

    private void Drain(LinkReady ready, StackError reason)
    {
        if ((ready.Readiness & Readiness.Writable) != 0 && Deliver())
        {
            End(reason);
            return;
        }

        switch (SendDirection.Discard(_link, _context.Pool))
        {
            case SendOutcome.Closed:
                Stop();
                break;
            case SendOutcome.HasMore:
                Context.GoOnLater(LinkReady.TellReadable);
                break;
        }
    }

    /// <summary>The application has closed its descriptor.</summary>
    private void AbandonBy(object farewell)
    {
        _context.Stack.Tell(farewell);
        _receive.Release();
        _link.Dispose();
        Enter(static (self, message) => self.Closing(message));
    }

    /// <summary>The application has closed. The stack finishes the connection and says when.</summary>
    private bool Closing(object message)
    {
        switch (message)
        {
            case ReadReady ready:
                ready.Release();
                return true;
            case Closed closed:
                _socket = null;
                LogEnd(closed.Reason);
                Retire();
                return true;
            case WriteDone or LinkReady:
                return true;
            case LinkCall call:
                Reply(call.Request.Failed(LinkErrno.BadHandle));
                return true;
            default:
                return AnswersOptionOrStops(message);
        }
    }
}
