namespace Tapwire.Stack;

/// <summary>What happened to a socket since its owner last looked. Several may have come together.</summary>
[Flags]
public enum SocketEvents : byte
{
    None = 0,

    /// <summary>Bytes, a datagram or end-of-stream can be read.</summary>
    Readable = 1,

    /// <summary>Room in the send queue has become free.</summary>
    Writable = 2,

    /// <summary>An active open has finished its handshake. With Fast Open the event comes twice: when data may be written, and when the handshake is
    /// done.</summary>
    Connected = 4,

    /// <summary>A listener has a connection to accept.</summary>
    Acceptable = 8,

    /// <summary>
    /// The socket has reached its end: refused, reset, timed out, or closed in order on both sides. The event comes once, and no other follows but Readable for
    /// bytes that are still to be read.
    /// </summary>
    Closed = 16,

    /// <summary>The peer's urgent data ends later than was known (<see cref="Tcp.TcpSocket.UrgentMark"/>).</summary>
    Urgent = 32,

    /// <summary>An error that does not end the connection: <see cref="Tcp.TcpInfo.SoftError"/> (RFC 9293, 3.9.1.8). An owner may ignore it.</summary>
    ErrorReported = 64,
}

/// <summary>What every socket of a stack has: an owner that receives its events, and a place in the stack's list of sockets with events.</summary>
public abstract class StackSocket
{
    internal SocketEvents PendingEvents;
    internal StackSocket? NextWithEvents;

    /// <summary>The receiver of the events; the engine does not look at it.</summary>
    public object? Owner { get; set; }
}

/// <summary>The sockets with events, each once, in the order of their first event.</summary>
internal sealed class SocketEventQueue
{
    private StackSocket? _head;
    private StackSocket? _tail;

    public bool IsEmpty => _head is null;

    public void Raise(StackSocket socket, SocketEvents events)
    {
        if (socket.PendingEvents == SocketEvents.None)
        {
            if (_tail is null)
                _head = socket;
            else
                _tail.NextWithEvents = socket;
            _tail = socket;
        }

        socket.PendingEvents |= events;
    }

    public bool TryDequeue([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out StackSocket? socket, out SocketEvents events)
    {
        socket = _head;
        if (socket is null)
        {
            events = SocketEvents.None;
            return false;
        }

        _head = socket.NextWithEvents;
        if (_head is null)
            _tail = null;
        socket.NextWithEvents = null;
        events = socket.PendingEvents;
        socket.PendingEvents = SocketEvents.None;
        return true;
    }
}
