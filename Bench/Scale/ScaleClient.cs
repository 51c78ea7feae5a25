using System.Diagnostics;
using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Bench.Scale;

/// <summary>Orders for the <see cref="ScaleClient"/>; each is answered by <see cref="Done"/>.</summary>
internal sealed record OpenConnections(int Count, LatencyLog PerConnection);

/// <inheritdoc cref="OpenConnections"/>
internal sealed record MakeRoundTrips(int[] Connections, int Count, LatencyLog Latency);

/// <inheritdoc cref="OpenConnections"/>
internal sealed record CloseConnections(LatencyLog PerConnection);

internal sealed class Done
{
    public static readonly Done Instance = new();
}

/// <summary>The client's side: one actor per connection, as an application's connection has, and this one, which says whose turn it is.</summary>
internal sealed class ScaleClient(IActorRef stack, IpAddress server, int firstPort, int ports, BufferPool pool) : UntypedActor
{
    /// <summary>Handshakes under way at once.</summary>
    private const int Batch = 256;

    private readonly List<IActorRef> _connections = [];
    private IActorRef _asker = ActorRefs.Nobody;
    private object? _order;
    private long _begun;
    private int _left;
    private int _batch;
    private int _outstanding;

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case OpenConnections open:
                Begin(open, open.Count);
                Open();
                break;
            case MakeRoundTrips trips:
                Begin(trips, trips.Count);
                Next(trips);
                break;
            case CloseConnections close:
                Begin(close, _connections.Count);
                Close();
                break;
            case ConnectionNews when _order is OpenConnections or CloseConnections:
                if (--_outstanding == 0)
                    BatchDone();
                break;
            case ConnectionNews when _order is MakeRoundTrips trips:
                trips.Latency.Add(Stopwatch.GetElapsedTime(_begun));
                if (--_left == 0)
                    Answer();
                else
                    Next(trips);
                break;
        }
    }

    private void Begin(object order, int count)
    {
        _asker = Sender;
        _order = order;
        _left = count;
    }

    private void Answer()
    {
        _order = null;
        _asker.Tell(Done.Instance);
    }

    private void BatchDone()
    {
        var each = Stopwatch.GetElapsedTime(_begun) / _batch;
        switch (_order)
        {
            case OpenConnections open:
                open.PerConnection.Add(each, _batch);
                Open();
                break;
            case CloseConnections close:
                close.PerConnection.Add(each, _batch);
                Close();
                break;
        }
    }

    private void Open()
    {
        if (!NextBatch())
            return;
        for (var i = 0; i < _batch; i++)
        {
            var remote = new IpEndpoint(server, (ushort)(firstPort + _connections.Count % ports));
            var connection = Context.ActorOf(ScaleConnection.Props);
            _connections.Add(connection);
            connection.Tell(new ScaleConnection.Begin(stack, pool, remote));
        }
    }

    private void Close()
    {
        if (!NextBatch())
        {
            _connections.Clear();
            return;
        }

        for (var i = 0; i < _batch; i++)
            _connections[_left + i].Tell(ScaleConnection.Finish);
    }

    private bool NextBatch()
    {
        // One first: until the peer's hardware address is known, few packets wait for it.
        _batch = Math.Min(_connections.Count == 0 ? 1 : Batch, _left);
        _outstanding = _batch;
        _left -= _batch;
        _begun = Stopwatch.GetTimestamp();
        if (_batch == 0)
            Answer();
        return _batch > 0;
    }

    private void Next(MakeRoundTrips trips)
    {
        _begun = Stopwatch.GetTimestamp();
        _connections[trips.Connections[_left % trips.Connections.Length]].Tell(ScaleConnection.SendByte);
    }

    /// <summary>ScaleConnection → ScaleClient: connected, echoed, or ended, whichever was asked for.</summary>
    internal sealed class ConnectionNews
    {
        public static readonly ConnectionNews Instance = new();
    }
}

/// <summary>One connection of the <see cref="ScaleClient"/>.</summary>
internal sealed class ScaleConnection : UntypedActor
{
    public static readonly object SendByte = new();
    public static readonly object Finish = new();
    public static readonly Props Props = Akka.Actor.Props.Create(() => new ScaleConnection()).WithDispatcher("tapwire.dispatcher");

    private IActorRef _stack = ActorRefs.Nobody;
    private BufferPool? _pool;
    private SocketId _id;

    internal sealed record Begin(IActorRef Stack, BufferPool Pool, IpEndpoint Remote);

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case Begin begin:
                _stack = begin.Stack;
                _pool = begin.Pool;
                _stack.Tell(new Connect(begin.Remote, Binding: null, new TcpSocketOptions { NoDelay = true }));
                break;
            case Connected connected:
                _id = connected.Id;
                Context.Parent.Tell(ScaleClient.ConnectionNews.Instance);
                break;
            case ReadReady { Bytes: > 0 } ready:
                ready.Release();
                _stack.Tell(new ReadDone(_id, ready.Bytes));
                Context.Parent.Tell(ScaleClient.ConnectionNews.Instance);
                break;
            case Closed { Reason: Stack.StackError.None }:
                Context.Parent.Tell(ScaleClient.ConnectionNews.Instance);
                Context.Stop(Self);
                break;
            case ConnectFailed or Closed:
                throw new InvalidOperationException($"A connection has ended: {message}.");
            default:
                Told(message);
                break;
        }
    }

    private void Told(object message)
    {
        if (message == SendByte)
        {
            var data = _pool!.Rent(1, BufferPool.HeaderRoom);
            data.Append(1)[0] = 1;
            _stack.Tell(new WriteRequest(_id, data));
        }
        else if (message == Finish)
        {
            _stack.Tell(new Close(_id));
        }
    }
}
