using Akka.Actor;
using Tapwire.Links;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;

namespace Tapwire.Actors.Connection;

/// <summary>What a look at the application has found, beside the bytes that went to the stack.</summary>
internal enum SendOutcome
{
    /// <summary>Nothing to do before the next report or the next credit.</summary>
    Waiting,

    /// <summary>The batch is full, and there may be more to read.</summary>
    HasMore,

    /// <summary>The driver stops, and all that the application has written is with the stack.</summary>
    Drained,

    /// <summary>The application has closed its descriptor.</summary>
    Closed,

    /// <summary>The application has closed its descriptor with bytes unread, or died.</summary>
    Reset,
}

/// <summary>
/// The application's bytes on their way to the stack. The application is read only while the stack has room, its credit: without it the socket pair fills, and the
/// application's own write() blocks.
/// </summary>
internal struct SendDirection
{
    /// <summary>
    /// Reads of the application per message, up to 256 KiB. The actor reads on in the same turn while there is credit: a thousand writers are a quarter slower if they take
    /// turns after every message, because what they write leaves the caches in between.
    /// </summary>
    private const int ReadsPerTurn = 4;

    private int _credit;
    private Phase _phase;

    private enum Phase : byte
    {
        /// <summary>The application may write more.</summary>
        Open,

        /// <summary>The application has shut down its sending side.</summary>
        Finished,

        /// <summary>The driver stops: what the application has written still goes to the stack, and then the connection is closed.</summary>
        Stopping,
    }

    /// <summary>The application may write more.</summary>
    public readonly bool IsOpen => _phase == Phase.Open;

    /// <summary>The stack has room for more bytes.</summary>
    public void Grant(int bytes) => _credit += bytes;

    /// <summary>The descriptor has become readable, or the application has closed it.</summary>
    public SendOutcome Look(StreamEnd link, SocketContext context, SocketId socket)
    {
        if (_phase != Phase.Finished && _credit > 0)
            return Read(link, context, socket);

        // Nothing can be read: there is no credit, or no more will come. A close is noticed all the same; bytes before it wait for credit.
        return link.State() switch
        {
            ReadResult.Reset => SendOutcome.Reset,
            ReadResult.Closed when _phase == Phase.Finished => SendOutcome.Closed,
            _ => SendOutcome.Waiting,
        };
    }

    /// <summary>Reads the application as far as the credit goes, a batch at most.</summary>
    public SendOutcome Read(StreamEnd link, SocketContext context, SocketId socket)
    {
        if (_phase == Phase.Finished)
            return SendOutcome.Waiting;
        for (var reads = 0; _credit > 0; reads++)
        {
            if (reads == ReadsPerTurn)
                return SendOutcome.HasMore;
            switch (link.Read(context.Pool, Math.Min(_credit, StreamEnd.MaxRead), out var data))
            {
                case ReadResult.Data:
                    _credit -= data!.Length;
                    context.Stack.Tell(WriteRequest.Of(socket, data));
                    break;
                case ReadResult.Reset:
                    return SendOutcome.Reset;
                case ReadResult.Empty or ReadResult.EndOfStream or ReadResult.Closed when _phase == Phase.Stopping:
                    return SendOutcome.Drained;
                case ReadResult.EndOfStream:
                    context.Stack.Tell(new Shutdown(socket, ShutdownDirection.Send));
                    _phase = Phase.Finished;
                    return SendOutcome.Waiting;
                case ReadResult.Closed:
                    return SendOutcome.Closed;
                default:
                    return SendOutcome.Waiting;
            }
        }

        return _phase == Phase.Stopping && link is StreamLink { HasUnread: false } ? SendOutcome.Drained : SendOutcome.Waiting;
    }

    /// <summary>The driver stops: the application can write no more, and what it has written is read to the end.</summary>
    public SendOutcome Stop(StreamLink link, SocketContext context, SocketId socket)
    {
        link.EndOfInput();
        _phase = Phase.Stopping;
        return Read(link, context, socket);
    }

    /// <summary>Reads and discards a batch: nobody takes what the application writes, but only reading shows that it has closed.</summary>
    public static SendOutcome Discard(StreamEnd link, BufferPool pool)
    {
        for (var reads = 0; link.Read(pool, StreamEnd.MaxRead, out var data) is var read and not ReadResult.Empty; reads++)
        {
            if (read is ReadResult.Closed or ReadResult.Reset)
                return SendOutcome.Closed;
            if (read == ReadResult.EndOfStream)
                return SendOutcome.Waiting;
            data!.Release();
            if (reads == ReadsPerTurn)
                return SendOutcome.HasMore;
        }

        return SendOutcome.Waiting;
    }
}
