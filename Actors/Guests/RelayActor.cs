using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors.Guests;

/// <summary>
/// A connection of the guest's stack, and one of the driver's, as one. The buffers that one stack receives are written to the other, within its room, and count as read by then: the
/// slower side closes the window of the faster. The end of a stream and a reset pass in either direction.
/// <para>States: those of the subclass, until both connections are there → Joined → Finishing, when the guest is to end.</para>
/// </summary>
/// <param name="outer">The driver's stack actor.</param>
/// <param name="inner">The guest's stack actor.</param>
internal abstract class RelayActor(IActorRef outer, IActorRef inner, BufferPool pool) : OwningActor
{
    /// <summary>Segments pass as they come: each side has waited for its application already.</summary>
    protected static readonly TcpSocketOptions OuterOptions = new() { NoDelay = true };

    /// <summary>The guest is asked from time to time whether it still has the connection: of one that its program has left, its kernel forgets the half-closed state without a word.</summary>
    protected static readonly TcpSocketOptions InnerOptions = OuterOptions with { KeepAlive = true, KeepAliveIdle = TimeSpan.FromMinutes(2) };

    protected Side Outer { get; } = new(outer, pool);

    protected Side Inner { get; } = new(inner, pool);

    /// <summary>Whatever is still open is reset.</summary>
    protected override void PostStop()
    {
        Outer.End();
        Inner.End();
    }

    protected void Joined()
    {
        Receive<Stopping>(_ =>
        {
            Become(Finishing);
            Inner.Finish(Outer);
            Outer.EndWithStream();
        });
        ReceiveStreams();
        ReceiveEnd();
    }

    /// <summary>The guest reads the end of its stream, and what it has written is still passed on, to its end. Then both connections are closed.</summary>
    private void Finishing()
    {
        // The destination says what nobody will read.
        Receive<ReadReady>(ready => ready.Release(), _ => Sender.Equals(Outer.Stack));
        Receive<Stopping>(_ => Context.Stop(Self));
        ReceiveStreams();
        ReceiveEnd();
    }

    protected void ReceiveStreams()
    {
        Receive<ReadReady>(ready =>
        {
            var (from, to) = Sender.Equals(Outer.Stack) ? (Outer, Inner) : (Inner, Outer);
            to.Enqueue(ready);
            to.TakeFrom(from);
        });
        Receive<WriteDone>(done =>
        {
            var (to, from) = Sender.Equals(Outer.Stack) ? (Outer, Inner) : (Inner, Outer);
            to.Credit += done.Bytes;
            to.TakeFrom(from);
        });
    }

    protected void ReceiveEnd() => Receive<Closed>(closed =>
    {
        var (ended, other) = Sender.Equals(Outer.Stack) ? (Outer, Inner) : (Inner, Outer);
        ended.Id = null;
        // In order means that both ends of that connection have ended their streams, and so has the other connection when all bytes have passed.
        if (closed.Reason != StackError.None || other.Id is null)
            Context.Stop(Self);
    });

    /// <summary>One of the two connections, and the bytes that wait to be written to it.</summary>
    protected sealed class Side(IActorRef stack, BufferPool pool)
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
