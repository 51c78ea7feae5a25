using Akka.Event;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Tcp;

namespace Tapwire.Messages;

/// <summary>
/// StackActor → ConnectionActor: bytes in order, as a chain of buffers linked by <c>Next</c>. The last message of a stream marks its end, with or without
/// bytes. The bytes count against the TCP window until <see cref="ReadDone"/>.
/// </summary>
public sealed record ReadReady(PacketBuffer? Chain, int Bytes, bool EndOfStream) : IOwnsBuffers, IDeadLetterSuppression
{
    /// <summary>Returns such a message: the one that has carried the first buffer before, if its content is the same.</summary>
    public static ReadReady Of(PacketBuffer? chain, int bytes, bool endOfStream)
    {
        if (chain is null)
            return new ReadReady(null, bytes, endOfStream);
        var carried = BufferMessages.Of(chain);
        return carried.ReadReady is { } before && before.Bytes == bytes && before.EndOfStream == endOfStream
            ? before
            : carried.ReadReady = new ReadReady(chain, bytes, endOfStream);
    }

    public void Release() => PacketBuffer.ReleaseChain(Chain);
}

/// <summary>ConnectionActor → StackActor: the application has taken that many bytes; open the window by them. No answer.</summary>
public sealed record ReadDone(SocketId Id, int Bytes) : IDeadLetterSuppression
{
    /// <inheritdoc cref="WriteDone.Of"/>
    public static ReadDone Of(SocketId id, int bytes)
    {
        ref var recent = ref Recent<ReadDone>.At(bytes + id.Index);
        return recent is not null && recent.Bytes == bytes && recent.Id == id ? recent : recent = new ReadDone(id, bytes);
    }
}

/// <summary>
/// ConnectionActor → StackActor: bytes from the application, within the room given by <see cref="Connected"/> and <see cref="WriteDone"/>. Answered by
/// <see cref="WriteDone"/> as the peer acknowledges, in lots while there is room for any buffer. Bytes for a socket that is gone are released; its
/// <see cref="Closed"/> is the answer.
/// </summary>
public sealed record WriteRequest(SocketId Id, PacketBuffer Data) : IOwnsBuffers, IDeadLetterSuppression
{
    /// <summary>Returns such a message: the one that has carried the buffer before, if the socket is the same.</summary>
    public static WriteRequest Of(SocketId id, PacketBuffer data)
    {
        var carried = BufferMessages.Of(data);
        return carried.WriteRequest is { } before && before.Id == id ? before : carried.WriteRequest = new WriteRequest(id, data);
    }

    public void Release() => Data.Release();
}

/// <summary>StackActor → ConnectionActor: there is room for that many more bytes.</summary>
public sealed record WriteDone(int Bytes) : IDeadLetterSuppression
{
    /// <summary>Returns such a message: one that this thread has made recently, if there is one.</summary>
    public static WriteDone Of(int bytes)
    {
        ref var recent = ref Recent<WriteDone>.At(bytes);
        return recent?.Bytes == bytes ? recent : recent = new WriteDone(bytes);
    }
}

/// <summary>The half of a connection to shut down.</summary>
public enum ShutdownDirection
{
    /// <summary>Send no more bytes: FIN after the queued data.</summary>
    Send,

    /// <summary>Receive no more bytes: later data is acknowledged and discarded.</summary>
    Receive,
}

/// <summary>ConnectionActor → StackActor: shut down one half. No answer.</summary>
public sealed record Shutdown(SocketId Id, ShutdownDirection Direction);

/// <summary>ConnectionActor → StackActor: the application has closed. FIN follows pending data; data that still arrives is answered with RST. Answered by
/// <see cref="Closed"/>.</summary>
public sealed record Close(SocketId Id);

/// <summary>ConnectionActor → StackActor: send RST now, and free the queues. Answered by <see cref="Closed"/>.</summary>
public sealed record Abort(SocketId Id);

/// <summary>
/// StackActor → ConnectionActor, exactly once and last: the connection has ended, in order (<see cref="StackError.None"/>) or for the first reason that ended
/// it. All received bytes have been sent to the actor before.
/// </summary>
/// <param name="Options">Those of a TCP socket at its end, which can still be asked for; <c>default</c>: as they were set before.</param>
public sealed record Closed(StackError Reason, TcpSocketOptions Options = default) : IDeadLetterSuppression;
