using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Support;

namespace Tapwire.Tests.Hostile;

/// <summary>
/// Two hosts that transfer data, exchange datagrams and ping each other, while hostile frames made of their own come in beside theirs. No honest frame is lost,
/// so that nothing honest may be: every byte of a stream arrives, every datagram, and every ping is answered. Nothing throws, tables keep to their
/// limits, and at the end every buffer is back in its pool.
/// </summary>
internal sealed class FrameRound
{
    /// <summary>Honest connections.</summary>
    public const int Connections = 3;

    private const int MaxRented = 30_000;

    /// <summary>No honest frame is lost: nobody honest waits long.</summary>
    private static readonly TimeSpan HonestPatience = TimeSpan.FromMinutes(10);

    /// <summary>A connection whose time-out has grown to the largest, of two minutes, is given up after eight retransmissions more; its peer may be in TIME-WAIT then.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(30);

    private readonly FrameCase _case;
    private readonly BufferPool _pool;

    /// <summary>The pool, if it is one that refuses: then honest frames are lost, too.</summary>
    private readonly RefusingBufferPool? _refusing;
    private readonly SeededRandom _random;
    private readonly FrameMutator _mutator;
    private readonly HostileHost _client;
    private readonly HostileHost _server;

    // By who gets them.
    private readonly Dictionary<HostileHost, (FrameMemory Live, FrameMemory Known)> _memories = [];
    private Instant _now = Instant.FromMilliseconds(1000);
    private int _injected;
    private bool _wasSuspended;

    private FrameRound(FrameCase @case, BufferPool pool)
    {
        _case = @case;
        _pool = pool;
        _refusing = pool as RefusingBufferPool;
        _random = new SeededRandom(SeededRandom.Derive(@case.Seed, 1));
        _mutator = new FrameMutator(@case, _random);
        _client = new HostileHost(@case, 1, pool, _random, _now);
        _server = new HostileHost(@case, 2, pool, _random, _now) { IsServer = true };
        foreach (var host in new[] { _client, _server })
            _memories[host] = (new FrameMemory(), KnownFrames(host));
    }

    public long TurnedAside => _mutator.TurnedAside;

    public long RefusedNotes => _mutator.RefusedNotes;

    public long HonestBytes { get; private set; }

    public long HonestDatagrams => _client.Exchange.Delivered + _server.Exchange.Delivered;

    public int Injected => _injected;

    public IEnumerable<StackCounters> Counters => [_client.Stack.Counters, _server.Stack.Counters];

    /// <exception cref="HostileException">Something did not hold; it says what, and how to see it again.</exception>
    public static FrameRound Run(FrameCase @case, BufferPool pool)
    {
        FrameRound? round = null;
        var rented = pool.Rented;
        try
        {
            round = new FrameRound(@case, pool);
            round.Run();

            // What a call held that was cut short is the collector's, not the pool's: at most one buffer for each that could not be had.
            var lost = pool.Rented - rented;
            var mayBeLost = round._refusing?.Refused ?? 0;
            HostileException.Require(lost >= 0 && lost <= mayBeLost, $"{lost} buffers were not returned; {mayBeLost} could not be had.");
            return round;
        }
        catch (Exception e)
        {
            throw new HostileException(
                $"{e.Message}\n{@case}\nafter {round?._injected} hostile frames; the last one: {round?._mutator.Last}\n"
                + $"again: dotnet run -c Release --project Tests -- hostile frames --round 0x{@case.Seed:X16}\n{e}", e);
        }
    }

    private void Run()
    {
        Connect();
        if (_refusing is not null)
            _refusing.OneIn = 100;
        while (_injected < _case.Frames)
        {
            Survive(() => Use(_client, _server));
            Survive(() => Use(_server, _client));
            Beat(hostile: true);
            _now += Step();
        }

        if (_refusing is not null)
            _refusing.OneIn = 0;
        Finish();
        Judge();
        _client.Close(_now);
        _server.Close(_now);
    }

    private void Connect()
    {
        for (var i = 0; i < Connections; i++)
        {
            var port = (ushort)(HostileHost.FirstClientPort + i);
            var error = _client.Stack.Tcp.Connect(
                new IpEndpoint(_server.Address, HostileHost.HonestPort), new IpEndpoint(default, port), default, _now, out var socket);
            HostileException.Require(error == StackError.None, $"Connecting failed: {error}.");
            _client.Streams[i] = new HonestStream(socket!, (byte)(1 + i), (byte)(101 + i));
        }

        RunUntil(HonestPatience, () => _server.Streams.All(stream => stream is not null));
        for (var i = 0; i < Connections; i++)
            (_client.Streams[i]!.Peer, _server.Streams[i]!.Peer) = (_server.Streams[i], _client.Streams[i]);
    }

    /// <summary>What the applications of a host do at this moment.</summary>
    private void Use(HostileHost host, HostileHost peer)
    {
        host.Accept(_now);
        foreach (var stream in host.Streams)
        {
            if (!_random.OneIn(4))
                stream!.Read(_now);
            if (_random.OneIn(2))
                stream!.Write(_pool, _random.Next(_case.MaxWrite + 1), _now);
        }

        if (_random.OneIn(8))
            host.Exchange.Send(peer.Exchange, peer.Address, _random.Next(_case.IsV6 ? 1200 : 1400), _now); // what fits any path of IPv6 is never cut, and does not compete with hostile fragments
        if (_random.OneIn(16))
            host.Exchange.Ping(peer.Address, _now);
        host.Exchange.Receive();
        host.Sacrificial.Act(peer.Address, _now);
    }

    private void Beat(bool hostile)
    {
        Step(_client, _server, hostile);
        Step(_server, _client, hostile);
        _client.DropNews();
        _server.DropNews();
        _client.CheckBounds();
        _server.CheckBounds();
        HostileException.Require(_pool.Rented < MaxRented, $"{_pool.Rented} buffers are held.");
    }

    /// <summary>Lets a host work, and takes its frames to the other one; hostile ones come before, between and behind them.</summary>
    /// <returns>Whether there were any.</returns>
    private bool Step(HostileHost from, HostileHost to, bool hostile)
    {
        Survive(() => from.Stack.Poll(_now));
        var (live, known) = _memories[to];
        var left = hostile ? _random.Next(32, 128) : 0;
        var any = false;
        while (from.TryTake(out var frame))
        {
            any = true;
            live.Remember(frame!);
            for (var some = left > 0 ? _random.Next(Math.Min(left, 24) + 1) : 0; some > 0; some--, left--)
                InjectOne(from, to, live, known);
            if (_refusing is null)
                to.Deliver(frame!, _now);
            else
                Survive(() => to.Deliver(frame!, _now));
        }

        for (; left > 0; left--)
            InjectOne(from, to, live, known);
        to.Pump(_now);
        return any;
    }

    private void InjectOne(HostileHost from, HostileHost to, FrameMemory live, FrameMemory known)
    {
        if (_refusing is null)
            Inject(from, to, live, known);
        else
            Survive(() => Inject(from, to, live, known));
    }

    /// <summary>As the stack's actor does: what had no buffer is lost, and all else goes on.</summary>
    private void Survive(Action action)
    {
        try
        {
            action();
        }
        catch (OutOfMemoryException) when (_refusing is { OneIn: > 0 })
        {
        }
    }

    private void Inject(HostileHost from, HostileHost to, FrameMemory live, FrameMemory known)
    {
        _injected++;
        var frame = _mutator.Make(live, known, to, _pool, direct: !_case.IsSoftware);
        if (frame is null)
            return;
        if (_case.IsSoftware && frame.Offload.Segmentation != Segmentation.None)
        {
            from.Emit(frame);
            frame.Release();
        }
        else
        {
            to.Deliver(frame, _now);
        }
    }

    /// <summary>Mostly a little, sometimes so long that timers run out, and once in a while days, as after a machine was suspended.</summary>
    private TimeSpan Step()
    {
        if (_random.OneIn(500))
        {
            _wasSuspended = true;
            return TimeSpan.FromMinutes(_random.Next(3 * 24 * 60));
        }

        return TimeSpan.FromMicroseconds(_random.Next(100) switch
        {
            0 => _random.Next(3_000_000),
            < 15 => _random.Next(50_000),
            _ => _random.Next(500),
        });
    }

    /// <summary>The hostile frames are over: the honest have what they were sent, and all else comes to its end.</summary>
    private void Finish()
    {
        var streams = _client.Streams.Concat(_server.Streams).ToArray();
        foreach (var host in new[] { _client, _server })
        {
            host.Sacrificial.AbortAll(_now);
            host.CloseListeners(_now);
            host.Sacrificial.AbortAll(_now);
        }

        foreach (var stream in streams)
            stream!.Socket.ShutdownSend(_now);
        RunUntil(HonestPatience, () =>
        {
            foreach (var stream in streams)
                stream!.Read(_now);
            _client.Exchange.Receive();
            _server.Exchange.Receive();
            return streams.All(stream => stream!.IsComplete);
        });
        HonestBytes = streams.Sum(stream => stream!.Received);
        foreach (var stream in streams)
            stream!.Socket.Close(_now);
        RunUntil(Patience, () => IsEmpty(_client) && IsEmpty(_server));
    }

    private void Judge()
    {
        var missing = _client.Exchange.Awaited + _server.Exchange.Awaited;
        var unanswered = _client.Exchange.Unanswered + _server.Exchange.Unanswered;
        // A forged answer to ARP takes frames to nowhere on every network that believes ARP; streams then send again, datagrams are lost. One that is not asked for is
        // not believed, but after days a neighbour has been forgotten, and whoever answers first is.
        if (_refusing is null && (_case.Link == Medium.Ip || (!_wasSuspended && Counters.All(c => c.ArpMoves == 0))))
            HostileException.Require((missing, unanswered) == (0, 0), $"{missing} honest datagrams and {unanswered} pings went missing.");
        HostileException.Require(HonestBytes > 0 && HonestDatagrams > 0, "Nothing honest came about.");
        _client.Exchange.Forgive();
        _server.Exchange.Forgive();
        _client.Exchange.Ping(_server.Address, _now);
        _server.Exchange.Ping(_client.Address, _now);
        RunUntil(HonestPatience, () =>
        {
            _client.Exchange.Receive();
            _server.Exchange.Receive();
            return _client.Exchange.Unanswered + _server.Exchange.Unanswered == 0;
        });
    }

    private static bool IsEmpty(HostileHost host) =>
        (host.Stack.Tcp.Count, host.Stack.Tcp.EmbryonicCount, host.Stack.Tcp.TimeWaitCount) == (0, 0, 0);

    private void RunUntil(TimeSpan within, Func<bool> condition)
    {
        var end = _now + within;
        while (true)
        {
            var rounds = 0;
            do
            {
                HostileException.Require(++rounds < 10_000, "The hosts do not come to rest.");
                Beat(hostile: false);
                _client.Accept(_now);
                _server.Accept(_now);
                if (condition())
                    return;
            }
            while (_client.Stack.HasFrames || _server.Stack.HasFrames || _client.Stack.PollAt <= _now || _server.Stack.PollAt <= _now);
            var next = Instant.Min(_client.Stack.PollAt, _server.Stack.PollAt);
            if (next > end)
                throw new HostileException($"Nothing came of it within {within}; the next deadline is {next}. {Left(_client)}. {Left(_server)}.");
            _now = next;
        }
    }

    private string Left(HostileHost host)
    {
        var tcp = host.Stack.Tcp;
        return $"{host.Address} has {tcp.Count} sockets, {tcp.EmbryonicCount} embryos, {tcp.TimeWaitCount} in TIME-WAIT, and got last: {_memories[host].Live.Latest}";
    }

    /// <summary>One frame of every kind, as from the other host.</summary>
    private FrameMemory KnownFrames(HostileHost to)
    {
        var memory = new FrameMemory();
        var others = HostileTemplates.Make(to.Exchange.EchoIdentifier);
        foreach (var frame in _case.IsV6 ? [.. HostileTemplates.MakeV6(to.Exchange.EchoIdentifier), .. others] : others)
        {
            if (to == _server)
                Swap(frame);
            Tampering.Repair(frame);
            if (_case.Link == Medium.Ethernet)
                memory.Remember(frame);
            else if (BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(12)) is EtherType.Ipv4 or EtherType.Ipv6)
                memory.Remember(frame.AsSpan(EthernetHeader.Length));
        }

        return memory;
    }

    /// <summary>Makes hosts 1 and 2 change places.</summary>
    private static void Swap(Span<byte> frame)
    {
        for (var i = 0; i + 4 <= frame.Length; i++)
        {
            var address = frame.Slice(i, 4);
            if (address[0] is 10 or 0 && address[1] == 0 && address[2] == 0 && address[3] is 1 or 2)
            {
                address[3] ^= 3;
                i += 3;
            }
        }

        // fd00::1 and fd00::2.
        for (var i = 0; i + 16 <= frame.Length; i++)
        {
            var address = frame.Slice(i, 16);
            if (address[0] == 0xFD && address[1..15].IndexOfAnyExcept((byte)0) < 0 && address[15] is 1 or 2)
            {
                address[15] ^= 3;
                i += 15;
            }
        }
    }
}
