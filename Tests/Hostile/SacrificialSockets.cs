using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Hostile;

/// <summary>
/// Connections of one host of which nothing is asked: hostile frames may put bytes into them, reset them, or let them hang. They are read, written, closed
/// and opened again, so that every state of a connection is met. Whoever connects from outside is among them.
/// </summary>
internal sealed class SacrificialSockets(NetworkStack stack, BufferPool pool, SeededRandom random)
{
    public const ushort Port = 81;

    private const int Wanted = 3;
    private const int MaxSockets = 16;

    private readonly List<TcpSocket> _sockets = [];
    private int _opened;

    public void Act(IpAddress peer, Instant now)
    {
        for (var i = _sockets.Count - 1; i >= 0; i--)
        {
            if (Use(_sockets[i], now))
                continue;
            _sockets[i] = _sockets[^1];
            _sockets.RemoveAt(_sockets.Count - 1);
        }

        if (_sockets.Count < Wanted && random.OneIn(4))
        {
            if (stack.Tcp.Connect(new IpEndpoint(peer, Port), default(IpEndpoint), default, now, out var socket) == StackError.None)
                _sockets.Add(socket!);
        }
    }

    public void Adopt(TcpSocket socket, Instant now)
    {
        if (_sockets.Count < MaxSockets)
            _sockets.Add(socket);
        else
            socket.Abort(now);
    }

    public void AbortAll(Instant now)
    {
        foreach (var socket in _sockets)
            Abort(socket, now);
        _sockets.Clear();
    }

    /// <returns>False: it is done with.</returns>
    private bool Use(TcpSocket socket, Instant now)
    {
        PacketBuffer.ReleaseChain(socket.Read(out var bytes, out _));
        socket.Consumed(bytes, now);
        if (socket.State == TcpState.Closed)
            return false;
        if (socket.State is TcpState.Established or TcpState.CloseWait && socket.SendRoom > 4000)
        {
            var data = pool.RentFilled(random.Next(1, random.OneIn(4) ? 4000 : 400));
            data.Span.Fill((byte)_opened++);
            socket.Write(data, now, urgent: random.OneIn(8));
        }

        switch (random.Next(1000))
        {
            case < 3:
                Abort(socket, now);
                return false;
            case < 6:
                socket.Close(now);
                return false;
            case < 10:
                socket.ShutdownSend(now);
                return true;
            default:
                return true;
        }
    }

    private static void Abort(TcpSocket socket, Instant now)
    {
        PacketBuffer.ReleaseChain(socket.Read(out _, out _));
        socket.Abort(now);
    }
}
