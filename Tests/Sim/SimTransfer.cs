using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Sim;

/// <summary>Applications that send from left to right as fast as they are let, and others that take it at once: for measuring.</summary>
internal sealed class SimTransfer
{
    private const int WriteSize = 65536;

    private readonly SimWorld _world;
    private readonly List<TcpSocket> _senders = [];
    private readonly List<TcpSocket> _receivers = [];
    private readonly Dictionary<ushort, int> _byPort = [];
    private readonly List<long> _received = [];
    private readonly Action<SimHost> _events;
    private bool _paused;

    /// <param name="accepted">Of the connections that the right accepts.</param>
    public SimTransfer(SimWorld world, in TcpSocketOptions accepted = default)
    {
        _world = world;
        _events = Events;
        world.Listen(accepted);
    }

    public IReadOnlyList<TcpSocket> Senders => _senders;

    /// <summary>Bytes that the receiving applications have got, flow by flow.</summary>
    public IReadOnlyList<long> Received => _received;

    /// <summary>Segments with data that the left has sent, those sent again, and those of them that were needless.</summary>
    public (long Sent, long Again, long Needless) Segments
    {
        get
        {
            var flows = _world.Path.Flows;
            return (flows.Sum(flow => flow.Left.DataSegments), flows.Sum(flow => flow.Left.SentAgain), flows.Sum(flow => flow.Left.SentNeedlessly));
        }
    }

    public void Start()
    {
        var socket = _world.Connect();
        _byPort.Add(socket.Local.Port, _senders.Count);
        _senders.Add(socket);
        _received.Add(0);
    }

    /// <summary>From now on nobody writes.</summary>
    public void Pause() => _paused = true;

    public void Resume()
    {
        _paused = false;
        foreach (var socket in _senders)
            Fill(_world.Left, socket);
    }

    public void Run(TimeSpan time) => _world.Run(time, _events);

    /// <summary>Lets the flows run and measures.</summary>
    /// <param name="bytes">Ends it early, once so many have been received by all flows together.</param>
    /// <returns>Bits per second of each flow.</returns>
    public double[] Measure(TimeSpan time, long bytes = long.MaxValue)
    {
        var (began, before, sum) = (_world.Now, _received.ToArray(), _received.Sum());
        while (_world.Now - began < time && _received.Sum() - sum < bytes)
            Run(time / 200);
        var seconds = (_world.Now - began).TotalSeconds;
        return [.. _received.Select((received, flow) => (received - before[flow]) * 8 / seconds)];
    }

    /// <summary>Ends all flows; fails if anything is left.</summary>
    public void End()
    {
        // Both ends: a reset may be lost, and a receiver waits for ever.
        foreach (var socket in _senders)
            socket.Abort(_world.Now);
        foreach (var socket in _receivers)
            socket.Abort(_world.Now);
        _world.Listener!.Close(_world.Now);
        Run(TimeSpan.FromMinutes(30));
        _world.AssertNoLeak();
    }

    /// <summary>Jain's index: 1 if all have the same, 1/n if one has everything.</summary>
    public static double Fairness(IReadOnlyCollection<double> rates)
    {
        var squares = rates.Sum(rate => rate * rate);
        return squares == 0 ? 0 : rates.Sum() * rates.Sum() / (rates.Count * squares);
    }

    private void Events(SimHost host)
    {
        while (host.Events.TryDequeue(out var socket, out var events))
        {
            if (socket is TcpListener listener)
            {
                while (listener.Accept() is { } accepted)
                    _receivers.Add(accepted);
            }
            else if (socket is TcpSocket connection)
            {
                Handle(host, connection, events);
            }
        }
    }

    private void Handle(SimHost host, TcpSocket socket, SocketEvents events)
    {
        if ((events & (SocketEvents.Connected | SocketEvents.Writable)) != 0 && host == _world.Left)
            Fill(host, socket);
        if (!events.HasFlag(SocketEvents.Readable))
            return;
        PacketBuffer.ReleaseChain(socket.Read(out var bytes, out _));
        socket.Consumed(bytes, _world.Now);
        if (_byPort.TryGetValue(socket.Remote.Port, out var flow))
            _received[flow] += bytes;
    }

    private void Fill(SimHost host, TcpSocket socket)
    {
        socket.TakeAcknowledged();
        while (socket.SendRoom > 0 && !_paused)
        {
            var count = Math.Min(socket.SendRoom, WriteSize);
            var buffer = host.Pool.Rent(count);
            buffer.Append(count);
            if (socket.Write(buffer, _world.Now) != StackError.None)
                return;
        }
    }
}
