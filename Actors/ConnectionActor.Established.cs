using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Dispatch;
using Tapwire.Actors.Link;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Wires;

namespace Tapwire.Actors;

// The data path: from the handshake to the last byte in both directions.
internal sealed partial class ConnectionActor
{
    /// <summary>The application's side of an established connection.</summary>
    private enum AppSide
    {
        /// <summary>It may write more.</summary>
        Open,

        /// <summary>It has shut down its sending side.</summary>
        Finished,

        /// <summary>The driver stops: what it has written goes out, as far as the driver's patience goes, and then the connection is closed.</summary>
        Stopping,
    }

    private bool Attaching(object message)
    {
        switch (message)
        {
            case Connected connected:
                Establish(connected);
                break;
            case Closed closed:
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

    private void Establish(Connected connected)
    {
        _socket = connected.Id;
        _local = connected.Local;
        _remote = connected.Remote;
        _credit = connected.SendRoom;
        _isEarly = connected.IsEarly;
        DebugLog?.Debug("Connected: {Local} to {Remote}", _local, _remote);
        Enter(static (self, message) => self.Established(message));
        Stash.UnstashAll();
        Self.Tell(LinkReady.Of(Readiness.Readable));
    }

    /// <summary>As it begins, and as most connections stay: open on both sides.</summary>
    private bool Established(object message) => Established(message, AppSide.Open, endOfStream: false);

    /// <param name="app">Whether the application may still write.</param>
    /// <param name="endOfStream">The peer has sent its last byte; the application is told after what is on its way to it.</param>
    private bool Established(object message, AppSide app, bool endOfStream)
    {
        switch (message)
        {
            case ReadReady ready:
                Append(ready.Chain);
                if (ready.EndOfStream)
                    EnterEstablished(app, endOfStream: true);
                if (Flush() && ready.EndOfStream)
                    _link.EndOfStream();
                return true;
            case WriteDone done:
                _credit += done.Bytes;
                if (app != AppSide.Finished)
                    ReadApplication(app, endOfStream);
                return true;
            case LinkReady ready:
                if ((ready.Readiness & Readiness.Writable) != 0 && _head is not null && Flush() && endOfStream)
                    _link.EndOfStream();
                if ((ready.Readiness & ~Readiness.Writable) != 0)
                    LookAtApplication(app, endOfStream);
                return true;
            case Closed closed:
                _socket = null;
                if (_head is null)
                    End(closed.Reason);
                else
                    EnterDraining(closed.Reason);
                return true;
            case HandshakeDone:
                _isEarly = false;
                if (_asked is { } awaited)
                    Answer(awaited.Request.Failed(StackError.AlreadyConnected));
                return true;
            case LinkCall call:
                AnswerConnected(call.Request);
                return true;
            case Stopping when app == AppSide.Open && _link is StreamLink pair:
                pair.EndOfInput();
                EnterEstablished(AppSide.Stopping, endOfStream);
                ReadApplication(AppSide.Stopping, endOfStream);
                return true;
            default:
                return AnswersOptionOrStops(message);
        }
    }

    // A state's data is kept by its handler. These are methods of their own so that only a change of state makes one.
    private void EnterEstablished(AppSide app, bool endOfStream) => Enter((self, message) => self.Established(message, app, endOfStream));

    private void EnterDraining(StackError reason) => Enter((self, message) => self.Draining(message, reason));

    /// <summary>The connection has ended, the application has still to read.</summary>
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
        if ((ready.Readiness & Readiness.Writable) != 0 && Flush())
        {
            End(reason);
            return;
        }

        // Nobody takes what the application writes now; that it closes is to be seen.
        for (var reads = 0; _link.Read(_context.Pool, StreamLink.MaxRead, out var data) is var read and not ReadResult.Empty; reads++)
        {
            if (read is ReadResult.Closed or ReadResult.Reset)
            {
                Context.Stop(Self);
                return;
            }

            if (read == ReadResult.EndOfStream)
                return;
            data!.Release();
            if (reads == ReadsPerTurn)
            {
                Context.GoOnLater(LinkReady.TellReadable);
                return;
            }
        }
    }

    /// <summary>The application has closed; the stack finishes on its own and says when.</summary>
    private bool Closing(object message)
    {
        switch (message)
        {
            case ReadReady ready:
                ready.Release();
                return true;
            case Closed closed:
                _socket = null;
                DebugLog?.Debug("Connection {Local} to {Remote} ended: {Reason}", _local, _remote, closed.Reason);
                Context.Stop(Self);
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

    /// <summary>Everything has been given to the application: it reads end of file, or ECONNRESET.</summary>
    private void End(StackError reason)
    {
        _socket = null;
        _error = reason;
        DebugLog?.Debug("Connection {Local} to {Remote} ended: {Reason}", _local, _remote, reason);
        if (_asked is { } awaited)
        {
            // Whoever has waited for the handshake takes the error by that.
            Answer(awaited.Request.Failed(reason == StackError.None ? StackError.NotConnected : reason));
            _error = StackError.None;
        }

        if (reason == StackError.None)
            _link.Dispose();
        else
            _link.Reset();
        if (reason is StackError.None or StackError.ConnectionReset || _link is not StreamLink)
        {
            Context.Stop(Self);
            return;
        }

        Fail();
    }

    private void Append(PacketBuffer? chain)
    {
        if (chain is null)
            return;
        if (_tail is null)
            _head = chain;
        else
            _tail.Next = chain;
        while (chain.Next is { } next)
            chain = next;
        _tail = chain;
    }

    /// <summary>Gives the application what it takes, and the stack the credit for it. True: nothing is left.</summary>
    private bool Flush()
    {
        if (_head is null)
            return true;
        _link.Narrow(_context.Memory.IsHalfUsed);
        var result = _link.Write(ref _head, out var written);
        if (result == WriteResult.Closed)
        {
            // It reads no more, though it may go on writing.
            PacketBuffer.ReleaseChain(_head);
            _head = null;
            if (_socket is { } socket)
                _context.Stack.Tell(new Shutdown(socket, ShutdownDirection.Receive));
        }

        if (_head is null)
            _tail = null;
        if (written > 0 && _socket is { } id)
            _context.Stack.Tell(ReadDone.Of(id, written));
        _link.AwaitRoom(_head is not null);
        return _head is null;
    }

    private void LookAtApplication(AppSide app, bool endOfStream)
    {
        if (app != AppSide.Finished && _credit > 0)
        {
            ReadApplication(app, endOfStream);
            return;
        }

        // No credit, or nothing more to read: a close is seen all the same. What is unread then waits for credit.
        switch (_link.State())
        {
            case ReadResult.Reset:
                AbandonBy(new Abort(_socket!.Value));
                break;
            case ReadResult.Closed when app == AppSide.Finished:
                AbandonBy(new Close(_socket!.Value));
                break;
        }
    }

    private void ReadApplication(AppSide app, bool endOfStream)
    {
        var id = _socket!.Value;
        for (var reads = 0; _credit > 0; reads++)
        {
            if (reads == ReadsPerTurn)
            {
                Self.Tell(LinkReady.Of(Readiness.Readable), ActorRefs.NoSender);
                return;
            }

            switch (_link.Read(_context.Pool, Math.Min(_credit, StreamLink.MaxRead), out var data))
            {
                case ReadResult.Data:
                    _credit -= data!.Length;
                    _context.Stack.Tell(WriteRequest.Of(id, data));
                    break;
                case not ReadResult.Reset when app == AppSide.Stopping:
                    StopInOrder();
                    return;
                case ReadResult.EndOfStream:
                    _context.Stack.Tell(new Shutdown(id, ShutdownDirection.Send));
                    EnterEstablished(AppSide.Finished, endOfStream);
                    return;
                case ReadResult.Closed:
                    AbandonBy(new Close(id));
                    return;
                case ReadResult.Reset:
                    AbandonBy(new Abort(id));
                    return;
                default:
                    return;
            }
        }

        if (app == AppSide.Stopping && !Pair.HasUnread)
            StopInOrder();
    }

    /// <summary>The application has closed its descriptor.</summary>
    private void AbandonBy(object farewell)
    {
        _context.Stack.Tell(farewell);
        PacketBuffer.ReleaseChain(_head);
        _head = _tail = null;
        _link.Dispose();
        Enter(static (self, message) => self.Closing(message));
    }

    private void AnswerConnected(LinkRequest asked)
    {
        switch (asked)
        {
            case GetSockNameRequest name:
                Reply(name.Named(Named(_local)));
                break;
            case GetPeerNameRequest peer:
                Reply(peer.Named(Named(_remote)));
                break;
            case ConnectRequest { AwaitHandshake: true } connect when _isEarly && _asked is null:
                _asked = new Question(connect, Sender);
                break;
            case ConnectRequest connect:
                Reply(connect.Failed(StackError.AlreadyConnected));
                break;
            case SetOptionRequest set when LinkOptions.Map(set.Level, set.Name) is { } option:
                if (LinkOptions.TryDecode(option, set.Value.Span, out var value))
                    AskStack(set, new SetOption(_socket!.Value, option, value));
                else
                    Reply(set.Failed(StackError.InvalidArgument));
                break;
            case GetOptionRequest get when LinkOptions.IsTcpInfo(get):
                AskStack(get, new GetTcpInfo(_socket!.Value));
                break;
            case GetOptionRequest get when LinkOptions.Map(get.Level, get.Name) is { } option:
                AskStack(get, new GetOption(_socket!.Value, option));
                break;
            case SetOptionRequest or GetOptionRequest:
                AnswerUnconnected((LinkSocketRequest)asked);
                break;
            case ShutdownRequest shutdown:
                Shutdown(shutdown);
                break;
            case CloseRequest close:
                Reply(close.Done());
                AbandonBy(new Close(_socket!.Value));
                break;
            case LinkSocketRequest request:
                Reply(request.Failed(StackError.InvalidArgument));
                break;
        }
    }

    private void Shutdown(ShutdownRequest request)
    {
        var id = _socket!.Value;
        if (request.How is ShutdownHow.Receive or ShutdownHow.Both)
            _context.Stack.Tell(new Shutdown(id, ShutdownDirection.Receive));
        if (request.How is ShutdownHow.Send or ShutdownHow.Both)
            _context.Stack.Tell(new Shutdown(id, ShutdownDirection.Send));
        Reply(request.Done());
    }
}
