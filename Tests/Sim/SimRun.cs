using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Sim;

/// <summary>What came of one run.</summary>
internal readonly record struct SimOutcome(SimWorld World, int Connections, int Completed, long Bytes);

/// <summary>Runs one <see cref="SimCase"/> to its very end and looks whether anything is left.</summary>
internal sealed class SimRun
{
    /// <summary>Time that even the worst of the paths leaves enough of.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromHours(6);

    private readonly SimCase _case;
    private readonly SimWorld _world;
    private readonly Dictionary<ushort, (SimStream Client, SimConnectionCase Case)> _clients = [];
    private int _refused;
    private readonly List<(SimStream Client, SimConnectionCase Case)> _connections = [];

    private SimRun(SimCase @case, PoisoningBufferPool pool)
    {
        _case = @case;
        _world = new SimWorld(@case.Seed, @case.There, @case.Back, @case.Left.Options, @case.Right.Options, pool, @case.IsV6);
        Set(_world.Left, @case.Left);
        Set(_world.Right, @case.Right);
    }

    /// <exception cref="SimulationException">Something does not hold; the message says all.</exception>
    public static SimOutcome Of(SimCase @case, PoisoningBufferPool pool)
    {
        try
        {
            return new SimRun(@case, pool).Run();
        }
        catch (SimulationException e)
        {
            throw new SimulationException(
                $"Seed {@case.Seed}{(@case.IsV6 ? " over IPv6" : "")}: {e.Message}\n{@case}\n"
                + $"Again: TAPWIRE_SIM_SEED={@case.Seed} dotnet test Tests --filter FullyQualifiedName~CampaignSpec", e.InnerException);
        }
    }

    private static void Set(SimHost host, SimHostCase @case)
    {
        host.Mtu = @case.Mtu;
        host.SuperFrame = @case.SuperFrame;
        host.EgressLimit = @case.EgressLimit;
    }

    private SimOutcome Run()
    {
        // The listener's connections inherit its options, so that of the first serve all.
        _world.Listen(_case.Connections[0].Options);
        _world.OnAccept = Accept;
        for (var i = 0; i < _case.Connections.Length; i++)
        {
            var (index, connection) = (i, _case.Connections[i]);
            _world.Plan(_world.Now + connection.Begins, () => Begin(index, connection));
        }

        while (!_world.TryRunUntil(AllEnded, Limit, out var why))
            LetGoOfHalfOpen(why);
        Judge();
        Drain();
        return new SimOutcome(
            _world, _connections.Count, _connections.Count(connection => connection.Client.Finished && connection.Client.Peer is { Finished: true }),
            _world.Streams.Sum(stream => stream.BytesRead));
    }

    private void Begin(int index, SimConnectionCase connection)
    {
        // A host whose memory is used up refuses, as it should.
        if (_world.Left.Tcp.IsOutOfMemory || (connection.IsSimultaneous && _world.Right.Tcp.IsOutOfMemory))
        {
            _refused++;
            return;
        }

        if (connection.IsSimultaneous)
        {
            var left = new IpEndpoint(_world.Left.Address, (ushort)(2000 + index));
            var right = new IpEndpoint(_world.Right.Address, (ushort)(3000 + index));
            var client = Stream(_world.Left, _world.Connect(_world.Left, left, right, connection.Options), connection.Client, 1, 2);
            var server = Stream(_world.Right, _world.Connect(_world.Right, right, left, connection.Options), connection.Server, 2, 1);
            (client.Peer, server.Peer) = (server, client);
            _world.Add(server);
            _connections.Add((_world.Add(client), connection));
            return;
        }

        var stream = _world.Add(Stream(_world.Left, _world.Connect(connection.Options), connection.Client, 1, 2));
        _connections.Add((stream, connection));
        _clients.Add(stream.Socket.Local.Port, (stream, connection));
    }

    private SimStream Accept(TcpSocket socket)
    {
        var (client, connection) = _clients[socket.Remote.Port];
        var server = Stream(_world.Right, socket, connection.Server, 2, 1);
        (client.Peer, server.Peer) = (server, client);
        return server;
    }

    private SimStream Stream(SimHost host, TcpSocket socket, SimApplicationCase application, byte ownSalt, byte peerSalt)
    {
        var now = _world.Now;
        return new SimStream(host, socket, _world.Random, application.Bytes, -1, ownSalt, peerSalt)
        {
            MaxWrite = application.MaxWrite,
            Eagerness = application.Eagerness,
            EndsSecond = application.EndsSecond,
            ClosesAtEnd = application.ClosesAtEnd,
            Ending = application.Ending,
            EndAt = application.Ending == SimEnding.Orderly ? Instant.Never : now + application.EndAfter,
            PauseAt = now + application.PauseAfter,
            PauseEnd = now + application.PauseAfter + application.PauseFor,
            Log = _world.Note,
        };
    }

    private bool AllEnded()
    {
        if (_connections.Count + _refused < _case.Connections.Length)
            return false;
        foreach (var stream in _world.Streams)
        {
            if (stream.ClosedEvents == 0 || !stream.IsAtRest)
                return false;
        }

        return true;
    }

    /// <summary>Whoever waits for a peer that is gone without a word, and has nothing to ask it, waits for ever. Nobody else does.</summary>
    private void LetGoOfHalfOpen(string why)
    {
        var any = false;
        foreach (var stream in _world.Streams)
        {
            if (stream.ClosedEvents > 0 || stream.Peer is { ClosedEvents: 0 } || stream.Gone)
                continue;
            any = true;
            stream.Abort(_world.Now);
        }

        if (!any)
            throw _world.Failure(why);
    }

    /// <summary>The acknowledgement of the last FIN may get lost so often that TIME-WAIT ends first: one of the two is then reset, having everything.</summary>
    private static bool Completed(SimStream client, SimStream server) =>
        client.HasEverything && server.HasEverything && (client.Socket.Error == StackError.None || server.Socket.Error == StackError.None);

    private void Judge()
    {
        foreach (var (client, connection) in _connections)
        {
            if (_case.MustComplete(connection) && !(client.Peer is { } server && Completed(client, server)))
                throw _world.Failure("A connection whose applications did nothing wrong has failed.");
        }
    }

    private void Drain()
    {
        _world.Listener!.Close(_world.Now);
        if (_world.TryRunUntil(static () => false, Limit, out var why) || why != "Everything stands still.")
            throw _world.Failure($"Long after the end something happens still. {why}");
        foreach (var host in new[] { _world.Left, _world.Right })
        {
            var left = (host.Tcp.Count, host.Tcp.EmbryonicCount, host.Tcp.TimeWaitCount, host.Timers.Count);
            if (left != (0, 0, 0, 0))
                throw _world.Failure($"{host.Address} has left: {left} of sockets, embryos, TIME-WAITs, timers.");
        }

        try
        {
            _world.AssertNoLeak();
        }
        catch (InvalidOperationException e)
        {
            throw _world.Failure(e.Message, e);
        }
    }
}
