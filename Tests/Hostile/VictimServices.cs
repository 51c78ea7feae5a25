using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Hostile;

/// <summary>What the victim offers: echo, discard and a source of bytes (RFC 862, RFC 863, and one that never ends). Attackers' connections are closed after two
/// minutes, as a server's idle time would have it.</summary>
internal sealed class VictimServices
{
    private const int Write = 16 << 10;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly HostileWorld _world;
    private readonly List<TcpListener> _listeners = [];
    private readonly Dictionary<TcpSocket, Instant> _since = [];
    private readonly Queue<(TcpSocket Socket, Instant At)> _closing = new();

    public VictimServices(HostileWorld world)
    {
        _world = world;
        foreach (var port in new[] { HostileWorld.EchoPort, HostileWorld.DiscardPort, HostileWorld.SourcePort })
        {
            var error = world.Victim.Tcp.Listen(new IpEndpoint(world.VictimIp, port), 64, default, out var listener);
            _listeners.Add(error == StackError.None ? listener! : throw new InvalidOperationException($"{error}"));
        }
    }

    public Instant WakeAt => _closing.TryPeek(out var next) ? next.At : Instant.Never;

    public void Stop()
    {
        foreach (var listener in _listeners)
            listener.Close(_world.Now);
        foreach (var socket in _since.Keys.ToArray())
            socket.Close(_world.Now);
        _since.Clear();
        _closing.Clear();
    }

    /// <returns>True: something was written.</returns>
    public bool Act(Instant now)
    {
        var any = false;
        while (_closing.TryPeek(out var next) && next.At <= now)
        {
            _closing.Dequeue();
            if (_since.Remove(next.Socket))
                next.Socket.Close(now);
        }

        while (_world.Victim.TryDequeueEvent(out var raised, out var events))
        {
            if (raised is TcpListener listener)
            {
                while (listener.Accept() is { } accepted)
                {
                    _since.Add(accepted, now);
                    if (accepted.Remote.Address == _world.AttackerIp)
                        _closing.Enqueue((accepted, now + Patience));
                    any |= Serve(accepted, now);
                }
            }
            else if (raised is TcpSocket socket && _since.ContainsKey(socket))
            {
                any |= Serve(socket, now);
                if ((events & SocketEvents.Closed) != 0 && _since.Remove(socket))
                    socket.Close(now);
            }
        }

        return any;
    }

    private bool Serve(TcpSocket socket, Instant now)
    {
        socket.TakeAcknowledged();
        socket.TakeSoftError();
        if (socket.Local.Port == HostileWorld.EchoPort && socket.SendRoom < socket.Available)
            return false;
        var any = false;
        var chain = socket.Read(out var bytes, out var end);
        for (var buffer = chain; buffer is not null && socket.Local.Port == HostileWorld.EchoPort; buffer = buffer.Next)
        {
            var copy = _world.Pool.Rent(buffer.Length);
            buffer.Span.CopyTo(copy.Append(buffer.Length));
            any |= socket.Write(copy, now) == StackError.None;
        }

        PacketBuffer.ReleaseChain(chain);
        if (bytes > 0)
            socket.Consumed(bytes, now);
        if (end && _since.Remove(socket))
        {
            socket.Close(now);
            return true;
        }

        while (socket.Local.Port == HostileWorld.SourcePort && socket.State == TcpState.Established && socket.SendRoom >= Write)
        {
            var data = _world.Pool.Rent(Write);
            data.Append(Write).Clear();
            if (socket.Write(data, now) != StackError.None)
                break;
            any = true;
        }

        return any;
    }
}
