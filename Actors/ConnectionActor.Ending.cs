using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Connection;
using Tapwire.Actors.Link;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;

namespace Tapwire.Actors;

// How a socket ends, and who answers for it after that.
internal sealed partial class ConnectionActor
{
    protected override void PostStop()
    {
        if (_link is not null)
            Release(idleOn: null);
    }

    /// <summary>Releases what the actor still has. A connection that is still open is reset on both sides.</summary>
    private void Release(int? idleOn)
    {
        _unconnected?.Release();
        if (_socket is { } socket)
            _context.Stack.Tell(new Abort(socket));
        _early?.TryFail(StackError.ConnectionAborted);
        _options.Fail(StackError.ConnectionAborted);
        if (!_link.IsClosed)
            _link.Reset();
        Context.Parent.Tell(new SocketEnded(_link.Handle, IdleOn: idleOn));
        _receive.Release();
    }

    /// <summary>The application has closed, and the connection has ended: there may be another one for this actor.</summary>
    private void Retire()
    {
        if (_shard is null)
        {
            Stop();
            return;
        }

        Release(idleOn: _shard);
        Properties = default;
        (_context, _link, _state, _unconnected, _socket, _early) = (null!, null!, null, null, null, null);
        (_receive, _send, _options) = (default, default, default);
    }

    /// <summary>Before the first socket, or between two of them. What is still said of the last one is late.</summary>
    private bool HasNoSocket(object message)
    {
        switch (message)
        {
            case LinkCall late:
                Reply(late.Request.Failed(LinkErrno.BadHandle));
                return true;
            case Stopping:
                Stop();
                return true;
            default:
                return message is LinkReady or WriteDone;
        }
    }

    /// <summary>The connection has ended in the stack. Its options stay with the socket; requests that have crossed the message are answered from them.</summary>
    private void NoteEnd(Closed closed)
    {
        _socket = null;
        Properties.Keep(closed.Options);
        while (_options.Next() is { } question)
            question.Answer(question.Request switch
            {
                SetOptionRequest set => Properties.Set(set),
                GetOptionRequest get => Properties.Get(get, _context.Defaults),
                _ => question.Request.Failed(StackError.NotConnected),
            });
    }

    /// <summary>The application has taken all bytes. Next it reads end of file, or ECONNRESET.</summary>
    private void End(StackError reason)
    {
        // As in Linux (tcp_reset): after the peer's FIN, its RST only says that nobody reads any more.
        if (reason == StackError.ConnectionReset && _receive.HasEnded && _send.IsOpen)
            reason = StackError.BrokenPipe;
        LogEnd(reason);
        // A request that waits for the handshake takes the error, as SO_ERROR would.
        if (_early?.TryFail(reason == StackError.None ? StackError.NotConnected : reason) != true)
            Properties.SetError(reason);
        if (reason == StackError.None)
            _link.Dispose();
        else
            _link.Reset();
        Leave(wasConnected: true);
    }

    /// <summary>A non-blocking connect has failed: the reset of the descriptor tells the application.</summary>
    public void FailConnecting(StackError error)
    {
        _unconnected = null;
        Properties.SetError(error);
        _link.Reset();
        Leave(wasConnected: false);
    }

    /// <summary>The socket has ended, and its application may still ask about it: the link's actor answers from now on.</summary>
    private void Leave(bool wasConnected)
    {
        if (_link is not StreamLink)
        {
            Stop();
            return;
        }

        Context.Parent.Tell(new SocketEnded(_link.Handle, new EndedSocket(Properties, _context.Defaults, wasConnected, wasEarly: _early is not null)));
        Enter(static (self, message) => self.HandedOver(message));
    }

    /// <summary>The socket becomes a listener: another actor has its descriptor and its port from now on.</summary>
    public void HandOver(AcceptLink link, ListenRequest request, SocketId? binding)
    {
        _unconnected = null;
        Context.Parent.Tell(new BecomeListener(_context, link, Properties.Family, binding, Properties.Options, request, Sender, Properties.Hints.Values));
        Enter(static (self, message) => self.HandedOver(message));
    }

    /// <summary>Requests that have come here meanwhile go to whoever answers now: the listener's actor, or the link's.</summary>
    private bool HandedOver(object message)
    {
        if (message is not LinkCall call)
            return HasNoDescriptor(message);
        Context.Parent.Forward(call);
        return true;
    }

    /// <summary>For a socket whose descriptor is reset, or another actor's. Late reports are ignored.</summary>
    private bool HasNoDescriptor(object message)
    {
        if (message is Stopping)
            StopInOrder();
        return message is Stopping or LinkReady or OptionAnswer or TcpInfoAnswer;
    }

    /// <summary>The driver stops. The application reads end of file, or ECONNRESET if bytes that it has not read are lost.</summary>
    public void StopInOrder()
    {
        if (_socket is { } socket)
            _context.Stack.Tell(new Close(socket));
        _socket = null;
        if (_receive.IsEmpty && !_link.IsClosed)
            _link.Dispose();
        Stop();
    }

    public void Stop() => Context.Stop(Self);

    private void LogEnd(StackError reason) => DebugLog?.Debug("Connection {Local} to {Remote} ended: {Reason}", Properties.Local, Properties.Remote, reason);
}
