using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Sim;

/// <summary>An invariant is broken; the message says how to see it again, and how it came to it.</summary>
internal sealed class SimulationException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Two hosts, a path between them and applications on top, stepped from deadline to deadline in virtual time.</summary>
internal sealed class SimWorld
{
    public static readonly IpAddress LeftAddress = IpAddress.Parse("10.0.0.1");
    public static readonly IpAddress RightAddress = IpAddress.Parse("10.0.0.2");

    private static readonly IpAddress s_leftV6 = IpAddress.Parse("fd00::1");
    private static readonly IpAddress s_rightV6 = IpAddress.Parse("fd00::2");

    public const ushort Port = 80;

    private const int MaxSteps = 20_000_000;

    private readonly Random _random;

    /// <summary>Of its own, so that a check more or less changes nothing else.</summary>
    private readonly Random _checks;
    private readonly List<SimStream> _streams = [];
    private readonly Dictionary<TcpSocket, SimStream> _bySocket = [];
    private readonly PriorityQueue<Action, (Instant At, int Order)> _plans = new();
    private readonly Action<SimHost> _events;
    private int _planned;

    public SimWorld(int seed, Impairments impairments, TcpOptions? left = null, TcpOptions? right = null)
        : this(seed, impairments, impairments, left, right, new PoisoningBufferPool())
    {
    }

    public SimWorld(int seed, Impairments there, Impairments back, TcpOptions? left, TcpOptions? right, PoisoningBufferPool pool, bool isV6 = false)
    {
        _random = new Random(seed);
        _checks = new Random(~seed);
        _events = Events;
        Pool = pool;
        Left = new SimHost(isV6 ? s_leftV6 : LeftAddress, Pool, (ulong)seed * 2 + 1, left);
        Right = new SimHost(isV6 ? s_rightV6 : RightAddress, Pool, (ulong)seed * 2 + 2, right);
        // Not at zero: sequence numbers and timestamps start anywhere.
        Now = Instant.FromMilliseconds(_random.Next(1_000_000));
        Started = Now;
        Path = new SimPath(Left, Right, there, back, seed, Now);
    }

    public PoisoningBufferPool Pool { get; }

    public SimHost Left { get; }

    public SimHost Right { get; }

    public SimPath Path { get; }

    public Instant Now { get; private set; }

    public Instant Started { get; private set; }

    public TcpListener? Listener { get; private set; }

    public Func<TcpSocket, SimStream>? OnAccept { get; set; }

    public Random Random => _random;

    public IReadOnlyList<SimStream> Streams => _streams;

    public long Steps { get; private set; }

    public void Listen(in TcpSocketOptions options = default, int backlog = 16)
    {
        var error = Right.Tcp.Listen(new IpEndpoint(Right.Address, Port), backlog, options, out var listener);
        if (error != StackError.None)
            throw new InvalidOperationException($"Listen says {error}.");
        Listener = listener;
    }

    public TcpSocket Connect(in TcpSocketOptions options = default) => Connect(Left, default, new IpEndpoint(Right.Address, Port), options);

    public TcpSocket Connect(SimHost host, IpEndpoint local, IpEndpoint remote, in TcpSocketOptions options)
    {
        var error = host.Tcp.Connect(remote, local, options, Now, out var socket);
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

    /// <summary>Something is to happen at that time.</summary>
    public void Plan(Instant at, Action action) => _plans.Enqueue(action, (at, _planned++));

    /// <summary>A line in the trace for what an application does.</summary>
    public void Note(SimStream stream, string what)
    {
        var left = stream.Socket.Local.Address == Left.Address;
        var (here, there) = (stream.Socket.Local.Port, stream.Socket.Remote.Port);
        Path.Trace.Note(Now, left, (left ? Path.Flow(here, there) : Path.Flow(there, here)).Number, what);
    }

    /// <summary>Runs until <paramref name="done"/>; that nothing would ever happen again, or the time limit, is a failure.</summary>
    public void RunUntil(Func<bool> done, TimeSpan limit)
    {
        if (!TryRunUntil(done, limit, out var why))
            throw Failure(why);
    }

    /// <summary>Runs until <paramref name="done"/>.</summary>
    /// <returns>False: nothing would ever happen again, or the time limit.</returns>
    public bool TryRunUntil(Func<bool> done, TimeSpan limit, out string why)
    {
        why = "";
        try
        {
            return Loop(done, limit, out why);
        }
        catch (Exception e) when (e is not SimulationException)
        {
            throw Failure(e.Message, e);
        }
    }

    /// <summary>Runs for a while with applications of the caller's.</summary>
    public void Run(TimeSpan time, Action<SimHost> events)
    {
        var end = Now + time;
        try
        {
            while (true)
            {
                Step(events);
                var next = Instant.Min(Path.NextArrival, Instant.Min(Left.PollAt, Right.PollAt));
                if (next > end)
                    break;
                AdvanceTo(Instant.Max(Now, next));
            }
        }
        catch (Exception e) when (e is not SimulationException)
        {
            throw Failure(e.Message, e);
        }

        Now = end;
    }

    public SimulationException Failure(string why, Exception? inner = null) =>
        new($"{why}\nAt {Now - Started}:\n{string.Join('\n', _streams.Select(stream => stream.Report))}\n{Path.Trace.Format(Started)}", inner);

    /// <summary>Everything ends: what is still held is given back, and nothing may be missing.</summary>
    public void AssertNoLeak()
    {
        Path.Discard();
        Left.Discard();
        Right.Discard();
        Pool.AssertAllReturned();
    }

    private bool Loop(Func<bool> done, TimeSpan limit, out string why)
    {
        var end = Now + limit;
        why = "";
        while (!done())
        {
            if (Steps++ > MaxSteps)
                throw new InvalidOperationException("Too many steps.");
            while (_plans.TryPeek(out var plan, out var when) && when.At <= Now)
            {
                _plans.Dequeue();
                plan();
            }

            Step(_events);
            if (done())
                return true;
            var next = Next();
            if (next == Instant.Never || next > end)
            {
                why = next == Instant.Never ? "Everything stands still." : $"Not done after {limit}.";
                return false;
            }

            AdvanceTo(Instant.Max(Now, next));
        }

        return true;
    }

    private Instant Next()
    {
        var next = Instant.Min(Path.NextArrival, Instant.Min(Left.PollAt, Right.PollAt));
        foreach (var stream in _streams)
            next = Instant.Min(next, stream.WakeAt);
        return _plans.TryPeek(out _, out var plan) ? Instant.Min(next, plan.At) : next;
    }

    private void Step(Action<SimHost> events)
    {
        Path.Deliver(Now);
        events(Left);
        events(Right);
        foreach (var stream in _streams)
        {
            if (stream.IsDue(Now))
                stream.Act(Now);
        }

        Poll(Left);
        Poll(Right);
        Path.Collect(Now);
        events(Left);
        events(Right);
        foreach (var stream in _streams)
            SimInvariants.Check(stream.Socket);
    }

    /// <summary>Goes on in time, and now and then looks in between: nobody may have anything to do there.</summary>
    private void AdvanceTo(Instant next)
    {
        if ((next - Now).Ticks > 1 && _checks.Next(8) == 0)
        {
            var between = Now + TimeSpan.FromTicks(_checks.NextInt64(1, (next - Now).Ticks));
            PollInVain(Left, between);
            PollInVain(Right, between);
        }

        Now = next;
    }

    private void Poll(SimHost host)
    {
        host.Poll(Now);
        if (!host.HasRoom())
            return;
        if (host.PollAt <= Now)
            throw new InvalidOperationException($"After Poll({Now}) the next deadline is {host.PollAt}.");
        if (_checks.Next(8) == 0)
            PollInVain(host, Now);
    }

    /// <summary>No deadline has come, nothing has arrived, no call was made: nothing may happen.</summary>
    private static void PollInVain(SimHost host, Instant now)
    {
        if (host.PollAt <= now || host.TimerDelay > TimeSpan.Zero)
            return;
        var (waiting, hadEvents) = (host.Waiting, !host.Events.IsEmpty);
        host.Poll(now);
        if (host.Waiting != waiting)
            throw new InvalidOperationException($"{host.Address} sends at {now}, before its time.");
        if (!hadEvents && !host.Events.IsEmpty)
            throw new InvalidOperationException($"{host.Address} raises an event at {now}, without a cause.");
        if (host.PollAt <= now)
            throw new InvalidOperationException($"After Poll({now}) in vain the next deadline is {host.PollAt}.");
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
}
