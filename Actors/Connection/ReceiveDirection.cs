using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;

namespace Tapwire.Actors.Connection;

/// <summary>
/// The peer's bytes on their way to the application. What the application has not read yet waits here. The stack hears only of what the application has taken, so
/// that the TCP window stays closed by the rest.
/// </summary>
internal struct ReceiveDirection
{
    // The descriptor may have taken part of the first buffer.
    private PacketBuffer? _head;
    private PacketBuffer? _tail;

    public readonly bool IsEmpty => _head is null;

    /// <summary>The peer has sent its last byte. The application is told after the bytes that wait here.</summary>
    public bool HasEnded { get; private set; }

    public void Enqueue(ReadReady ready)
    {
        HasEnded |= ready.EndOfStream;
        if (ready.Chain is not { } chain)
            return;
        if (_tail is null)
            _head = chain;
        else
            _tail.Next = chain;
        while (chain.Next is { } next)
            chain = next;
        _tail = chain;
    }

    /// <summary>Writes the application what it takes, and gives the stack the credit for it.</summary>
    /// <param name="socket">The stack's socket; null once the connection has ended.</param>
    /// <returns>True: nothing is left.</returns>
    public bool Deliver(StreamEnd link, SocketContext context, SocketId? socket)
    {
        if (_head is null)
            return true;
        link.ShrinkBuffer(context.Memory.IsHalfUsed);
        if (link.Write(ref _head, out var written) == WriteResult.Closed)
        {
            // The application reads no more, though it may go on writing.
            PacketBuffer.ReleaseChain(_head);
            _head = null;
            if (socket is { } open)
                context.Stack.Tell(new Shutdown(open, ShutdownDirection.Receive));
        }

        if (_head is null)
            _tail = null;
        if (written > 0 && socket is { } id)
            context.Stack.Tell(ReadDone.Of(id, written));
        link.AwaitRoom(_head is not null);
        return _head is null;
    }

    /// <summary>Releases what the application will not read.</summary>
    public void Release()
    {
        PacketBuffer.ReleaseChain(_head);
        _head = _tail = null;
    }
}
