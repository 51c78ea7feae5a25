using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Link;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
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
    }

    private void Attaching()
    {
        Receive<Connected>(Establish);
        Receive<Closed>(closed => End(closed.Reason));
        ReceiveAnyUntilEstablished();
    }

    private void ReceiveAnyUntilEstablished()
    {
        ReceiveStopping();
        ReceiveAny(_ => Stash.Stash());
    }

    private void Establish(Connected connected)
    {
        _socket = connected.Id;
        _local = connected.Local;
        _remote = connected.Remote;
        _credit = connected.SendRoom;
        _log.Debug("Connected: {Local} to {Remote}", _local, _remote);
        Become(() => Established(AppSide.Open, endOfStream: false));
        Stash.UnstashAll();
        Self.Tell(LinkReady.Of(Readiness.Readable));
    }

    /// <param name="app">Whether the application may still write.</param>
    /// <param name="endOfStream">The peer has sent its last byte; the application is told after what is on its way to it.</param>
    private void Established(AppSide app, bool endOfStream)
    {
        Receive<ReadReady>(ready =>
        {
            Append(ready.Chain);
            var ended = endOfStream || ready.EndOfStream;
            if (ended != endOfStream)
                Become(() => Established(app, ended));
            if (Flush() && ready.EndOfStream)
                _link.EndOfStream();
        });
        Receive<WriteDone>(done =>
        {
            _credit += done.Bytes;
            if (app == AppSide.Open)
                ReadApplication(endOfStream);
        });
        Receive<LinkReady>(ready =>
        {
            if ((ready.Readiness & Readiness.Writable) != 0 && _head is not null && Flush() && endOfStream)
                _link.EndOfStream();
            if ((ready.Readiness & ~Readiness.Writable) != 0)
                LookAtApplication(app, endOfStream);
        });
        Receive<Closed>(closed =>
        {
            _socket = null;
            if (_head is null)
                End(closed.Reason);
            else
                Become(() => Draining(closed.Reason));
        });
        ReceiveConnectedCalls();
        ReceiveStopping();
    }

    /// <summary>The connection has ended, the application has still to read.</summary>
    private void Draining(StackError reason)
    {
        Receive<LinkReady>(ready =>
        {
            if ((ready.Readiness & Readiness.Writable) != 0 && Flush())
            {
                End(reason);
                return;
            }

            // Nobody takes what the application writes now; that it closes is to be seen.
            for (var reads = 0; _link.Read(_context.Pool, StreamLink.MaxRead, out var data) is var read and not LinkRead.Empty; reads++)
            {
                if (read is LinkRead.Closed or LinkRead.Reset)
                {
                    Context.Stop(Self);
                    return;
                }

                if (read == LinkRead.EndOfStream)
                    return;
                data!.Release();
                if (reads == ReadsPerTurn)
                {
                    Self.Tell(LinkReady.Of(Readiness.Readable), ActorRefs.NoSender);
                    return;
                }
            }
        });
        Receive<OptionAnswer>(AnswerOption);
        Receive<TcpInfoAnswer>(AnswerTcpInfo);
        Receive<LinkCall>(call =>
        {
            if (call.Request is GetPeerNameRequest peer)
                Sender.Tell(new LinkReply(peer.Failed(StackError.NotConnected)));
            else
                AnswerUnconnected((LinkSocketRequest)call.Request);
        });
        ReceiveStopping();
    }

    /// <summary>The application has closed; the stack finishes on its own and says when.</summary>
    private void Closing()
    {
        Receive<ReadReady>(ready => ready.Release());
        Receive<Closed>(closed =>
        {
            _socket = null;
            _log.Debug("Connection {Local} to {Remote} ended: {Reason}", _local, _remote, closed.Reason);
            Context.Stop(Self);
        });
        Receive<WriteDone>(_ => { });
        Receive<LinkReady>(_ => { });
        Receive<OptionAnswer>(AnswerOption);
        Receive<TcpInfoAnswer>(AnswerTcpInfo);
        Receive<LinkCall>(call => Sender.Tell(new LinkReply(call.Request.Failed(LinkErrno.BadHandle))));
        ReceiveStopping();
    }

    /// <summary>Everything has been given to the application: it reads end of file, or ECONNRESET.</summary>
    private void End(StackError reason)
    {
        _socket = null;
        _error = reason;
        _log.Debug("Connection {Local} to {Remote} ended: {Reason}", _local, _remote, reason);
        if (reason == StackError.None)
            _link.Dispose();
        else
            _link.Reset();
        if (reason is StackError.None or StackError.ConnectionReset || _link is not StreamLink)
        {
            Context.Stop(Self);
            return;
        }

        // ECONNRESET is all that a descriptor can say; the true reason can be asked for.
        Timers.StartSingleTimer(nameof(ErrorKept), PoisonPill.Instance, ErrorKept);
        Become(Failed);
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
        var result = _link.Write(ref _head, out var written);
        if (result == LinkWrite.Closed)
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
            _context.Stack.Tell(new ReadDone(id, written));
        _link.AwaitRoom(_head is not null);
        return _head is null;
    }

    private void LookAtApplication(AppSide app, bool endOfStream)
    {
        if (app == AppSide.Open && _credit > 0)
        {
            ReadApplication(endOfStream);
            return;
        }

        // No credit, or nothing more to read: a close is seen all the same. What is unread then waits for credit.
        switch (_link.State())
        {
            case LinkRead.Reset:
                AbandonBy(new Abort(_socket!.Value));
                break;
            case LinkRead.Closed when app == AppSide.Finished:
                AbandonBy(new Close(_socket!.Value));
                break;
        }
    }

    private void ReadApplication(bool endOfStream)
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
                case LinkRead.Data:
                    _credit -= data!.Length;
                    _context.Stack.Tell(new WriteRequest(id, data));
                    break;
                case LinkRead.EndOfStream:
                    _context.Stack.Tell(new Shutdown(id, ShutdownDirection.Send));
                    Become(() => Established(AppSide.Finished, endOfStream));
                    return;
                case LinkRead.Closed:
                    AbandonBy(new Close(id));
                    return;
                case LinkRead.Reset:
                    AbandonBy(new Abort(id));
                    return;
                default:
                    return;
            }
        }
    }

    /// <summary>The application has closed its descriptor.</summary>
    private void AbandonBy(object farewell)
    {
        _context.Stack.Tell(farewell);
        PacketBuffer.ReleaseChain(_head);
        _head = _tail = null;
        _link.Dispose();
        Become(Closing);
    }

    private void ReceiveConnectedCalls()
    {
        Receive<OptionAnswer>(AnswerOption);
        Receive<TcpInfoAnswer>(AnswerTcpInfo);
        Receive<LinkCall>(call =>
        {
            switch (call.Request)
            {
                case GetSockNameRequest name:
                    Sender.Tell(new LinkReply(name.Named(Named(_local))));
                    break;
                case GetPeerNameRequest peer:
                    Sender.Tell(new LinkReply(peer.Named(Named(_remote))));
                    break;
                case ConnectRequest connect:
                    Sender.Tell(new LinkReply(connect.Failed(StackError.AlreadyConnected)));
                    break;
                case SetOptionRequest set when LinkOptions.Map(set.Level, set.Name) is { } option:
                    if (!LinkOptions.TryDecode(option, set.Value.Span, out var value))
                    {
                        Sender.Tell(new LinkReply(set.Failed(StackError.InvalidArgument)));
                        break;
                    }

                    _optionCalls.Enqueue((set, Sender));
                    _context.Stack.Tell(new SetOption(_socket!.Value, option, value));
                    break;
                case GetOptionRequest get when LinkOptions.IsTcpInfo(get):
                    _optionCalls.Enqueue((get, Sender));
                    _context.Stack.Tell(new GetTcpInfo(_socket!.Value));
                    break;
                case GetOptionRequest get when LinkOptions.Map(get.Level, get.Name) is { } option:
                    _optionCalls.Enqueue((get, Sender));
                    _context.Stack.Tell(new GetOption(_socket!.Value, option));
                    break;
                case SetOptionRequest or GetOptionRequest:
                    AnswerUnconnected((LinkSocketRequest)call.Request);
                    break;
                case ShutdownRequest shutdown:
                    Shutdown(shutdown);
                    break;
                case CloseRequest close:
                    Sender.Tell(new LinkReply(close.Done()));
                    AbandonBy(new Close(_socket!.Value));
                    break;
                case LinkSocketRequest request:
                    Sender.Tell(new LinkReply(request.Failed(StackError.InvalidArgument)));
                    break;
            }
        });
    }

    private void Shutdown(ShutdownRequest request)
    {
        var id = _socket!.Value;
        if (request.How is ShutdownHow.Receive or ShutdownHow.Both)
            _context.Stack.Tell(new Shutdown(id, ShutdownDirection.Receive));
        if (request.How is ShutdownHow.Send or ShutdownHow.Both)
            _context.Stack.Tell(new Shutdown(id, ShutdownDirection.Send));
        Sender.Tell(new LinkReply(request.Done()));
    }

    private void AnswerTcpInfo(TcpInfoAnswer answer)
    {
        if (_optionCalls.TryDequeue(out var call) && call.Request is GetOptionRequest get)
            call.Session.Tell(new LinkReply(LinkOptions.Encode(get, answer.Info ?? default)));
    }

    /// <summary>The stack answers in the order of the questions.</summary>
    private void AnswerOption(OptionAnswer answer)
    {
        if (!_optionCalls.TryDequeue(out var call))
            return;
        call.Session.Tell(new LinkReply(call.Request switch
        {
            _ when answer.Error != StackError.None => call.Request.Failed(answer.Error),
            GetOptionRequest get => LinkOptions.Encode(get, LinkOptions.Map(get.Level, get.Name)!.Value, OrDefault(LinkOptions.Map(get.Level, get.Name)!.Value, answer.Value)),
            SetOptionRequest set => set.Done(),
            _ => call.Request.Failed(StackError.InvalidArgument),
        }));
    }
}
