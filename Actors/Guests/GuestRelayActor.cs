using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors.Guests;

/// <summary>
/// A connection of a guest's, and the driver's connection to the same destination. The driver connects first, so that the guest sees what the destination says. Then the buffers
/// that one stack receives are written to the other, within its room, and count as read by then: the slower side closes the window of the faster. The end of a stream and a reset
/// pass in either direction.
/// <para>States: Connecting → Accepting → Joined → Finishing, when the guest is to end.</para>
/// </summary>
internal sealed class GuestRelayActor : OwningActor
{
    /// <summary>Segments pass as they come: each side has waited for its application already.</summary>
    private static readonly TcpSocketOptions OuterOptions = new() { NoDelay = true };

    /// <summary>The guest is asked from time to time whether it still has the connection: of one that its program has left, its kernel forgets the half-closed state without a word.</summary>
    private static readonly TcpSocketOptions InnerOptions = OuterOptions with { KeepAlive = true, KeepAliveIdle = TimeSpan.FromMinutes(2) };

    private readonly ForwardHandshake _handshake;
    private readonly Side _outer;
    private readonly Side _inner;
    private bool _isAnswered;

    public GuestRelayActor(IActorRef outer, IActorRef inner, ForwardHandshake handshake, BufferPool pool)
    {
        _outer = new Side(outer, pool);
        _inner = new Side(inner, pool);
        _handshake = handshake;
        Connecting();
    }

    /// <param name="outer">The driver's stack actor.</param>
    /// <param name="inner">The guest's stack actor.</param>
    public static Props Props(IActorRef outer, IActorRef inner, ForwardHandshake handshake, BufferPool pool) =>
        Akka.Actor.Props.Create(() => new GuestRelayActor(outer, inner, handshake, pool));

    protected override void PreStart() => _outer.Stack.Tell(new Connect(_handshake.Destination, null, OuterOptions));

    /// <summary>Whatever is still open is reset.</summary>
    protected override void PostStop()
    {
        if (!_isAnswered)
            Refuse(StackError.TimedOut);
        _outer.End();
        _inner.End();
    }

    private void Connecting()
    {
        Receive<Messages.Connecting>(connecting => _outer.Id = connecting.Id);
        Receive<Connected>(connected =>
        {
            _outer.Open(connected);
            _isAnswered = true;
            _inner.Stack.Tell(new AcceptForwarded(_handshake.Source, _handshake.Destination, InnerOptions));
            Become(Accepting);
        });
        Receive<ConnectFailed>(failed =>
        {
            _outer.Id = null;
            Refuse(failed.Error);
            Context.Stop(Self);
        });
        Receive<Stopping>(_ =>
        {
            Refuse(StackError.NetworkUnreachable);
            Context.Stop(Self);
        });
    }

    private void Accepting()
    {
        Receive<Connected>(connected =>
        {
            _inner.Open(connected);
            Become(Joined);
            _inner.TakeFrom(_outer);
        });
        // The guest has no connection yet that could end in order.
        Receive<Stopping>(_ => Context.Stop(Self));
        ReceiveStreams();
        ReceiveEnd();
    }

    private void Joined()
    {
        Receive<Stopping>(_ =>
        {
            Become(Finishing);
            _inner.Finish(_outer);
            _outer.EndWithStream();
        });
        ReceiveStreams();
        ReceiveEnd();
    }

    /// <summary>The guest reads the end of its stream, and what it has written is still passed on, to its end. Then both connections are closed.</summary>
    private void Finishing()
    {
        // The destination says what nobody will read.
        Receive<ReadReady>(ready => ready.Release(), _ => Sender.Equals(_outer.Stack));
        Receive<Stopping>(_ => Context.Stop(Self));
        ReceiveStreams();
        ReceiveEnd();
    }

    private void ReceiveStreams()
    {
        Receive<ReadReady>(ready =>
        {
            var (from, to) = Sender.Equals(_outer.Stack) ? (_outer, _inner) : (_inner, _outer);
            to.Enqueue(ready);
            to.TakeFrom(from);
        });
        Receive<WriteDone>(done =>
        {
            var (to, from) = Sender.Equals(_outer.Stack) ? (_outer, _inner) : (_inner, _outer);
            to.Credit += done.Bytes;
            to.TakeFrom(from);
        });
    }

    private void ReceiveEnd() => Receive<Closed>(closed =>
    {
        var (ended, other) = Sender.Equals(_outer.Stack) ? (_outer, _inner) : (_inner, _outer);
        ended.Id = null;
        // In order means that both ends of that connection have ended their streams, and so has the other connection when all bytes have passed.
        if (closed.Reason != StackError.None || other.Id is null)
            Context.Stop(Self);
    });

    private void Refuse(StackError reason)
    {
        _isAnswered = true;
        _inner.Stack.Tell(new RefuseForwarded(_handshake.Source, _handshake.Destination, reason));
    }

    /// <summary>One of the two connections, and the bytes that wait to be written to it.</summary>
    private sealed class Side(IActorRef stack, BufferPool pool)
    {
        private BufferQueue _waiting;
        private bool _endsAfter;
        private bool _hasEnded;

        // Nobody waits for what else it receives when the stream to it has ended.
        private bool _closes;

        /// <summary>The room of the connection when it began: as much is free again when the peer has acknowledged everything.</summary>
        private int _firstRoom;

        public IActorRef Stack => stack;

        /// <summary>Null before it is known, and when the connection has ended.</summary>
        public SocketId? Id { get; set; }

        /// <summary>Bytes that the stack has room for.</summary>
        public int Credit { get; set; }

        public void Open(Connected connected)
        {
            Id = connected.Id;
            _firstRoom = Credit = connected.SendRoom;
        }

        public void Enqueue(ReadReady ready)
        {
            _endsAfter |= ready.EndOfStream;
            _waiting.EnqueueChain(ready.Chain);
        }

        /// <summary>Writes what waits, as far as there is room, and opens the window of the connection that it came from.</summary>
        public void TakeFrom(Side from)
        {
            if (Id is not { } id)
                return;
            var taken = 0;
            while (Next() is { } data)
            {
                taken += data.Length;
                Credit -= data.Length;
                stack.Tell(WriteRequest.Of(id, data));
            }

            if (taken > 0 && from.Id is { } source)
                from.Stack.Tell(ReadDone.Of(source, taken));
            if (!_waiting.IsEmpty || !_endsAfter)
                return;
            _endsAfter = false;
            _hasEnded = true;
            stack.Tell(_closes ? new Close(id) : new Shutdown(id, ShutdownDirection.Send));
        }

        /// <summary>Ends the stream to it, behind what waits.</summary>
        public void Finish(Side from)
        {
            _endsAfter = true;
            TakeFrom(from);
        }

        /// <summary>Closes it as soon as the stream to it has ended.</summary>
        public void EndWithStream()
        {
            _closes = true;
            if (_hasEnded && Id is { } id)
                stack.Tell(new Close(id));
        }

        /// <summary>The next buffer that there is room for; null if there is none. A buffer longer than all the room that there will be goes in pieces.</summary>
        private PacketBuffer? Next()
        {
            if (_waiting.Head is not { } data)
                return null;
            if (data.Length <= Credit)
            {
                _waiting.TryDequeue(out _);
                return data;
            }

            if (Credit < _firstRoom || Credit == 0)
                return null;
            var piece = pool.RentCopy(data.Span[..Credit]);
            _waiting.TrimHead(Credit);
            return piece;
        }

        public void End()
        {
            _waiting.Clear();
            if (Id is { } id)
                stack.Tell(new Abort(id));
        }
    }
}
