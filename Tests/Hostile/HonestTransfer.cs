using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Hostile;

/// <summary>An honest client: time and again it sends bytes to the victim's echo service and reads them back, on one connection after another.</summary>
internal sealed class HonestTransfer(HostileWorld world)
{
    private const int Size = 64 << 10;
    private const int TransfersPerConnection = 20;

    /// <summary>Between two transfers, before <see cref="HostileWorld.Slowness"/>.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(300);

    private TcpSocket? _socket;
    private Instant _begun;
    private int _left;
    private int _sent;
    private int _read;
    private bool _stopped;

    /// <summary>This end of the connection that it has; null: none.</summary>
    public IpEndpoint? Local => _socket?.Local;

    public Instant WakeAt { get; private set; } = Instant.Zero;

    public long Transfers { get; private set; }

    public long Connections { get; private set; }

    /// <summary>The longest that a transfer, its connection's handshake included, has taken.</summary>
    public TimeSpan Longest { get; private set; }

    public TimeSpan Total { get; private set; }

    /// <summary>How long the transfer that goes on has taken so far.</summary>
    public TimeSpan Pending => WakeAt == Instant.Never && !_stopped ? world.Now - _begun : TimeSpan.Zero;

    public void Stop()
    {
        _stopped = true;
        _socket?.Close(world.Now);
        _socket = null;
        WakeAt = Instant.Never;
    }

    /// <returns>True: it has done something.</returns>
    public bool Act(Instant now)
    {
        var events = false;
        while (world.HonestStack.TryDequeueEvent(out var raised, out var what))
        {
            events = true;
            if (raised == _socket && (what & SocketEvents.Closed) != 0)
                throw new HostileException($"The honest connection has ended: {_socket!.Error}.");
        }

        if (_stopped)
            return false;
        if (WakeAt <= now)
        {
            Begin(now);
            return true;
        }

        return events && _socket is not null && Go(now);
    }

    private static byte Pattern(int at) => (byte)(at * 7 + (at >> 8));

    private void Begin(Instant now)
    {
        WakeAt = Instant.Never;
        _begun = now;
        _sent = 0;
        _read = 0;
        if (_socket is null)
        {
            var error = world.HonestStack.Tcp.Connect(new IpEndpoint(world.VictimIp, HostileWorld.EchoPort), default(IpEndpoint), default, now, out _socket);
            if (error != StackError.None)
                throw new HostileException($"The honest client cannot connect: {error}.");
            _left = TransfersPerConnection;
            Connections++;
        }

        Go(now);
    }

    private bool Go(Instant now)
    {
        var socket = _socket!;
        socket.TakeAcknowledged();
        if (socket.State != TcpState.Established)
            return false;
        var any = false;
        while (_sent < Size && socket.SendRoom > 0)
        {
            var count = Math.Min(Math.Min(8192, Size - _sent), socket.SendRoom);
            var buffer = world.Pool.Rent(count);
            var span = buffer.Append(count);
            for (var i = 0; i < count; i++)
                span[i] = Pattern(_sent + i);
            if (socket.Write(buffer, now) != StackError.None)
                break;
            _sent += count;
            any = true;
        }

        any |= Read(socket, now);
        if (_read < Size)
            return any;
        var took = now - _begun;
        Total += took;
        if (took > Longest)
            Longest = took;
        Transfers++;
        _read = 0;
        WakeAt = now + Pause * world.Slowness;
        if (--_left == 0)
        {
            socket.Close(now);
            _socket = null;
        }

        return true;
    }

    private bool Read(TcpSocket socket, Instant now)
    {
        var chain = socket.Read(out var bytes, out _);
        for (var buffer = chain; buffer is not null; buffer = buffer.Next)
        {
            foreach (var value in buffer.Span)
            {
                if (value != Pattern(_read++))
                    throw new HostileException("The honest client's bytes have changed.");
            }
        }

        PacketBuffer.ReleaseChain(chain);
        if (bytes > 0)
            socket.Consumed(bytes, now);
        return bytes > 0;
    }
}
