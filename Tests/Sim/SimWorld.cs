using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Sim;

/// <summary>Two hosts, a path between them and applications on top, stepped from deadline to deadline in virtual time.</summary>
internal sealed class SimWorld
{
    public static readonly IpAddress LeftAddress = IpAddress.Parse("10.0.0.1");
    public static readonly IpAddress RightAddress = IpAddress.Parse("10.0.0.2");

    private readonly Random _random;
    private readonly List<SimStream> _streams = [];
    private readonly Dictionary<TcpSocket, SimStream> _bySocket = [];

    public SimWorld(int seed, Impairments impairments, TcpOptions? left = null, TcpOptions? right = null)
    {
        _random = new Random(seed);
        Left = new SimHost(LeftAddress, Pool, (ulong)seed * 2 + 1, left);
        Right = new SimHost(RightAddress, Pool, (ulong)seed * 2 + 2, right);
        Path = new SimPath(Left, Right, impairments, seed);
        // Not at zero: sequence numbers and timestamps start anywhere.
        Now = Instant.FromMilliseconds(_random.Next(1_000_000));
    }

    public PoisoningBufferPool Pool { get; } = new();

    public SimHost Left { get; }

    public SimHost Right { get; }

    public SimPath Path { get; }

    public Instant Now { get; private set; }

    public Instant Started { get; private set; }

    public TcpListener? Listener { get; private set; }

    public Func<TcpSocket, SimStream>? OnAccept { get; set; }

    public Random Random => _random;

    public void Listen(in TcpSocketOptions options = default, int backlog = 16)
    {
        var error = Right.Tcp.Listen(new IpEndpoint(RightAddress, 80), backlog, options, out var listener);
        if (error != StackError.None)
            throw new InvalidOperationException($"Listen says {error}.");
        Listener = listener;
        Started = Now;
    }

    public TcpSocket Connect(in TcpSocketOptions options = default)
    {
        var error = Left.Tcp.Connect(new IpEndpoint(RightAddress, 80), default(IpEndpoint), options, Now, out var socket);
        if (error != StackError.None)
            throw new InvalidOperationException($"Connect says {error}.");
        return socket!;
    }

    public SimStream Add(SimStream stream)
    {
        _streams.Add(stream);
        _bySocket.Add(stream.Socket, stream);
        return stream;
    }

    /// <summary>Runs until <paramref name="done"/>, or nothing would ever happen again, or the time limit.</summary>
    public void RunUntil(Func<bool> done, TimeSpan limit)
    {
        var end = Now + limit;
        for (var steps = 0; !done(); steps++)
        {
            if (steps > 2_000_000)
                throw new InvalidOperationException($"Too many steps. {Report}");
            Step();
            if (done())
                return;
            var next = Next();
            if (next == Instant.Never)
                throw new InvalidOperationException($"Everything stands still. {Report}");
            if (next > end)
                throw new InvalidOperationException($"Not done after {limit}. {Report}");
            Now = Instant.Max(Now, next);
        }
    }

    /// <summary>Runs for a while with applications of the caller's.</summary>
    public void Run(TimeSpan time, Action<SimHost> events)
    {
        var end = Now + time;
        while (true)
        {
            Path.Deliver(Now);
            events(Left);
            events(Right);
            Poll(Left);
            Poll(Right);
            Path.Collect(Now);
            events(Left);
            events(Right);
            var next = Instant.Min(Path.NextArrival, Instant.Min(Left.PollAt, Right.PollAt));
            if (next > end)
                break;
            Now = Instant.Max(Now, next);
        }

        Now = end;
    }

    public string Report => $"At {Now - Started}: {string.Join(" || ", _streams.Select(stream => stream.Report))}";

    private Instant Next()
    {
        var next = Instant.Min(Path.NextArrival, Instant.Min(Left.PollAt, Right.PollAt));
        // Applications come back on their own when they have been lazy.
        return _streams.Any(stream => stream.WantsMore) ? Instant.Min(next, Now + TimeSpan.FromMilliseconds(1)) : next;
    }

    private void Step()
    {
        Path.Deliver(Now);
        Events(Left);
        Events(Right);
        foreach (var stream in _streams)
            stream.Act(Now);
        Poll(Left);
        Poll(Right);
        Path.Collect(Now);
        Events(Left);
        Events(Right);
        Check();
    }

    private void Poll(SimHost host)
    {
        host.Poll(Now);
        if (host.HasRoom && host.PollAt <= Now)
            throw new InvalidOperationException($"After Poll({Now}) the next deadline is {host.PollAt}. {Report}");
    }

    private void Events(SimHost host)
    {
        while (host.Events.TryDequeue(out var socket, out var events))
        {
            if (socket is TcpListener listener)
            {
                while (listener.Accept() is { } accepted)
                {
                    var stream = Add(OnAccept!(accepted));
                    stream.Connected = true;
                }
            }
            else if (_bySocket.TryGetValue((TcpSocket)socket, out var stream))
            {
                stream.Handle(events);
            }
        }
    }

    private void Check()
    {
        foreach (var stream in _streams)
        {
            var socket = stream.Socket;
            if (Seq.Gt(socket.SndUna, socket.SndNxt))
                throw new InvalidOperationException($"SND.UNA is beyond SND.NXT. {Report}");
            if (socket.Available > socket.BufferLimit)
                throw new InvalidOperationException($"{socket.Available} bytes in a buffer of {socket.BufferLimit}. {Report}");
            if (socket.MemoryHeld > 4L * socket.BufferLimit + (256 << 10))
                throw new InvalidOperationException($"{socket.MemoryHeld} bytes of memory for a buffer of {socket.BufferLimit}. {Report}");
        }
    }

    /// <summary>Everything ends: what is still held is given back, and nothing may be missing.</summary>
    public void AssertNoLeak()
    {
        Path.Discard();
        Left.Discard();
        Right.Discard();
        Pool.AssertAllReturned();
    }
}
