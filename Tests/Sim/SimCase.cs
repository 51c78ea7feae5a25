using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Sim;

/// <summary>One run of the campaign: everything that is drawn from its seed before it begins. A new dimension is a property and a line in one of the
/// methods that draw.</summary>
internal sealed record SimCase
{
    public required int Seed { get; init; }

    /// <summary>The hosts have IPv6 addresses; otherwise IPv4 ones.</summary>
    public bool IsV6 { get; private init; }

    public required Impairments There { get; init; }

    public required Impairments Back { get; init; }

    public required SimHostCase Left { get; init; }

    public required SimHostCase Right { get; init; }

    public required SimConnectionCase[] Connections { get; init; }

    /// <summary>Nothing that happens to this connection is a reason not to come through.</summary>
    public bool MustComplete(SimConnectionCase connection) =>
        connection.IsOrderly && EndsByItself(connection.Options) && EndsByItself(Connections[0].Options);

    /// <summary>Options that end a connection before its time are not set. A listener's connections have those of the first.</summary>
    private static bool EndsByItself(in TcpSocketOptions options) => !options.ResetOnClose && options.UserTimeout == TimeSpan.Zero;

    public static SimCase Draw(int seed)
    {
        var random = new Random(seed);
        var pick = new SimPick(random);
        var bad = pick.One(0, 0.3, 1, 1);
        var there = DrawPath(pick, bad);
        var superFrames = there.KeepSuperFrames;
        var connections = pick.One(1, 1, 1, 1, pick.Number(2, 4), pick.Number(2, 8));
        return new SimCase
        {
            Seed = seed,
            There = there,
            Back = (pick.Chance(0.5) ? there : DrawPath(pick, bad)) with { KeepSuperFrames = superFrames, Mtu = there.Mtu },
            Left = DrawHost(pick),
            Right = DrawHost(pick),
            Connections = [.. Enumerable.Range(0, connections).Select(_ => DrawConnection(pick, connections))],
        };
    }

    /// <summary>The same run over IPv6, of which every link takes 1,280 bytes (RFC 8200, 5).</summary>
    public SimCase OverV6() => this with { IsV6 = true, There = OverV6(There), Back = OverV6(Back), Left = OverV6(Left), Right = OverV6(Right) };

    private static Impairments OverV6(Impairments path) => path with { Mtu = path.Mtu == 0 ? 0 : Math.Max(path.Mtu, Ipv6Header.MinimumMtu) };

    private static SimHostCase OverV6(SimHostCase host) => host with { Mtu = Math.Max(host.Mtu, Ipv6Header.MinimumMtu), SuperFrame = Math.Max(host.SuperFrame, Ipv6Header.MinimumMtu) };

    public override string ToString() =>
        $"there: {SimText.Of(There, new Impairments())}\nback:  {SimText.Of(Back, new Impairments())}\nleft:  {Left}\nright: {Right}\n"
        + string.Join('\n', Connections.Select((connection, index) => $"connection {index + 1}: {connection}"));

    /// <param name="bad">0: nothing happens to packets, 1: anything may.</param>
    private static Impairments DrawPath(SimPick pick, double bad)
    {
        var keepsSuperFrames = pick.Chance(0.3);
        return new Impairments
        {
            Latency = pick.Time(0.00001, pick.One(0.001, 0.03, 0.3)),
            Jitter = pick.Sometimes(0.3, () => pick.Time(0.0001, 0.02)),
            Loss = pick.Sometimes(bad * 0.6, () => pick.Fraction(pick.One(0.01, 0.15))),
            BurstBegin = pick.Sometimes(bad * 0.2, () => pick.Fraction(0.02)),
            BurstEnd = 0.05 + pick.Fraction(0.5),
            Reorder = pick.Sometimes(bad * 0.4, () => pick.Fraction(0.3)),
            Duplicate = pick.Sometimes(bad * 0.4, () => pick.Fraction(0.1)),
            Corrupt = pick.Sometimes(bad * 0.4, () => pick.Fraction(0.05)),
            KeepSuperFrames = keepsSuperFrames,
            Bandwidth = pick.Sometimes(0.5, () => Math.Pow(10, 5.5 + 3.5 * pick.Fraction(1))),
            QueueLimit = pick.Number(3, pick.One(20, 200, 2000)),
            MarkThreshold = pick.Sometimes(0.3, () => pick.Number(1, 100)),
            OutageAfter = pick.Time(0.001, 2),
            OutageTime = pick.Sometimes(bad * 0.1, () => pick.Time(0.1, 20)),
            Mtu = keepsSuperFrames ? 0 : pick.Sometimes(0.1, () => pick.Number(600, 1500)),
            IsBlackHole = pick.Chance(0.1),
        };
    }

    private static SimHostCase DrawHost(SimPick pick)
    {
        var mtu = pick.One(1500, 1500, 1500, 9000, pick.Number(576, 9000));
        return new SimHostCase
        {
            Mtu = mtu,
            SuperFrame = pick.Chance(0.5) ? pick.Number(2 * mtu, 65536) : mtu,
            EgressLimit = pick.Number(1, pick.One(4, 100)),
            Options = new TcpOptions
            {
                ReceiveBuffer = Buffer(pick),
                SendBuffer = Buffer(pick),
                MaxReceiveBuffer = pick.Sometimes(0.5, () => 8 << 20),
                MaxSendBuffer = pick.Sometimes(0.5, () => 8 << 20),
                Memory = pick.One(1L << 30, 1L << 30, pick.Number(64 << 10, 400 << 10)),
                SelectiveAck = pick.Chance(0.75),
                Timestamps = pick.Chance(0.75),
                WindowScaling = pick.Chance(0.75),
                Ecn = pick.One(EcnMode.Off, EcnMode.Passive, EcnMode.On),
                CongestionControl = pick.One(CongestionAlgorithm.Cubic, CongestionAlgorithm.Bbr, CongestionAlgorithm.NewReno),
                DelayedAck = pick.One(TimeSpan.FromMilliseconds(40), TimeSpan.FromMilliseconds(200), TimeSpan.Zero, pick.Time(0.001, 0.499)),
                MinRto = pick.One(TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(1), TimeSpan.FromMilliseconds(20)),
                TimeWait = pick.Time(60, 120),
                // Enough for the worst of these paths: a connection that is given up has met a fault.
                SynRetries = 15,
                SynAckRetries = 15,
                Retries = 20,
                OrphanRetries = 20,
            },
        };
    }

    private static int Buffer(SimPick pick) => pick.One(1 << 20, 8 << 20, pick.Number(2048, 8192), pick.Number(4096, 100_000), pick.Number(4096, 1 << 20));

    private static SimConnectionCase DrawConnection(SimPick pick, int connections)
    {
        var largest = pick.One(2_000, 50_000, 300_000 / connections, 1_000_000 / connections);
        return new SimConnectionCase
        {
            Begins = pick.Sometimes(connections > 1 ? 0.8 : 0, () => pick.Time(0, 2)),
            IsSimultaneous = pick.Chance(0.05),
            Options = new TcpSocketOptions
            {
                NoDelay = pick.Chance(0.5),
                KeepAlive = pick.Chance(0.2),
                KeepAliveIdle = pick.Time(0.1, 100),
                KeepAliveInterval = pick.Time(0.5, 10),
                KeepAliveCount = 50,
                MaxSegment = (ushort)pick.Sometimes(0.1, () => pick.Number(88, 1460)),
                ReceiveBuffer = pick.Sometimes(0.1, () => Buffer(pick)),
                SendBuffer = pick.Sometimes(0.1, () => Buffer(pick)),
                ResetOnClose = pick.Chance(0.02),
                UserTimeout = pick.Sometimes(0.03, () => pick.Time(0.5, 30)),
            },
            Client = DrawApplication(pick, pick.Chance(0.9) ? largest : 0, endsSecond: false),
            Server = DrawApplication(pick, pick.Chance(0.4) ? largest : 0, pick.Chance(0.3)),
        };
    }

    private static SimApplicationCase DrawApplication(SimPick pick, int largest, bool endsSecond) => new()
    {
        Bytes = pick.Number(0, largest),
        MaxWrite = pick.One(200, 1460, pick.Number(1, 40_000)),
        Eagerness = pick.One(1, pick.Fraction(0.9) + 0.1),
        EndsSecond = endsSecond,
        ClosesAtEnd = pick.Chance(0.5),
        Ending = pick.One(SimEnding.Orderly, SimEnding.Orderly, SimEnding.Orderly, SimEnding.HalfClose, SimEnding.StopReading, SimEnding.Close, SimEnding.Abort),
        EndAfter = pick.Time(0, pick.One(0.1, 2, 20)),
        PauseAfter = pick.Time(0, 2),
        PauseFor = pick.Sometimes(0.2, () => pick.Time(0.1, pick.One(2, 60))),
    };
}

internal sealed record SimHostCase
{
    public int Mtu { get; init; }

    public int SuperFrame { get; init; }

    public int EgressLimit { get; init; }

    public required TcpOptions Options { get; init; }

    public override string ToString() => $"MTU {Mtu}, super-frames {SuperFrame}, egress {EgressLimit}; {SimText.Of(Options, new TcpOptions())}";
}

internal sealed record SimConnectionCase
{
    public TimeSpan Begins { get; init; }

    /// <summary>Both ends connect to each other at once.</summary>
    public bool IsSimultaneous { get; init; }

    public TcpSocketOptions Options { get; init; }

    public required SimApplicationCase Client { get; init; }

    public required SimApplicationCase Server { get; init; }

    /// <summary>Both applications let everything come to its end.</summary>
    public bool IsOrderly => Client.IsOrderly && Server.IsOrderly;

    public override string ToString() =>
        $"{(IsSimultaneous ? "simultaneous, " : "")}begins {Begins.TotalMilliseconds:0.###}ms; {SimText.Of(Options, default)}\n"
        + $"  client: {SimText.Of(Client, new SimApplicationCase())}\n  server: {SimText.Of(Server, new SimApplicationCase())}";
}

internal sealed record SimApplicationCase
{
    public long Bytes { get; init; }

    public int MaxWrite { get; init; }

    public double Eagerness { get; init; }

    public bool EndsSecond { get; init; }

    public bool ClosesAtEnd { get; init; }

    public SimEnding Ending { get; init; }

    public TimeSpan EndAfter { get; init; }

    public TimeSpan PauseAfter { get; init; }

    public TimeSpan PauseFor { get; init; }

    public bool IsOrderly => Ending is SimEnding.Orderly or SimEnding.HalfClose;
}

/// <summary>Draws values for a <see cref="SimCase"/>.</summary>
internal sealed class SimPick(Random random)
{
    public T One<T>(params ReadOnlySpan<T> values) => values[random.Next(values.Length)];

    public bool Chance(double probability) => random.NextDouble() < probability;

    public int Number(int least, int most) => random.Next(least, Math.Max(least, most) + 1);

    public double Fraction(double most) => random.NextDouble() * most;

    /// <param name="least">In seconds.</param>
    public TimeSpan Time(double least, double most) => TimeSpan.FromTicks((long)((least + random.NextDouble() * (most - least)) * TimeSpan.TicksPerSecond));

    /// <summary>With this probability what is drawn; otherwise nothing, 0.</summary>
    public T Sometimes<T>(double probability, Func<T> draw)
        where T : struct => Chance(probability) ? draw() : default;
}
