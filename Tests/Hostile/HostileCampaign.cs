using System.Diagnostics;
using System.Globalization;
using System.Text;
using Tapwire.Tests.Sim;

namespace Tapwire.Tests.Hostile;

/// <summary>Attackers against one stack that serves an honest client too, each run from its seed, and what the runs amount to.</summary>
internal sealed class HostileCampaign
{
    /// <summary>Without attackers a transfer takes five to ten milliseconds; a loss that is found by a timer would take the least retransmission time-out.</summary>
    public static readonly TimeSpan LongestTransfer = TimeSpan.FromMilliseconds(250);

    /// <summary>Probes, repeated SYN-ACKs and FINs, which nobody has asked for.</summary>
    private const long UnaskedFrames = 500;

    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private readonly Dictionary<string, long> _counters = [];
    private long _connections;
    private long _steps;
    private TimeSpan _total;
    private TimeSpan _virtual;

    public static IReadOnlyList<string> Names { get; } = [.. Makers.Select(maker => maker.Name)];

    public long FramesIn { get; private set; }

    public long FramesOut { get; private set; }

    public long ControlOut { get; private set; }

    public long Transfers { get; private set; }

    public TimeSpan Longest { get; private set; }

    public long MostSteps { get; private set; }

    public long MostMemory { get; private set; }

    public long MostBuffers { get; private set; }

    private static (string Name, Func<HostileWorld, Random, TcpAttacker> Make)[] Makers =>
    [
        (nameof(AlternateSacks), (world, random) => new AlternateSacks(world, random)),
        (nameof(SackLies), (world, random) => new SackLies(world, random)),
        (nameof(Reneging), (world, random) => new Reneging(world, random)),
        (nameof(DuplicateReports), (world, random) => new DuplicateReports(world, random)),
        (nameof(WindowGames), (world, random) => new WindowGames(world, random)),
        (nameof(AckGames), (world, random) => new AckGames(world, random)),
        (nameof(EcnGames), (world, random) => new EcnGames(world, random)),
        (nameof(OutOfOrderFlood), (world, random) => new OutOfOrderFlood(world, random)),
        (nameof(OneByteEverything), (world, random) => new OneByteEverything(world, random)),
        (nameof(TimestampGames), (world, random) => new TimestampGames(world, random)),
        (nameof(UrgentGames), (world, random) => new UrgentGames(world, random)),
        (nameof(InWindowProbes), (world, random) => new InWindowProbes(world, random)),
        (nameof(FinGames), (world, random) => new FinGames(world, random)),
        (nameof(AnythingGoes), (world, random) => new AnythingGoes(world, random)),
    ];

    /// <summary>Runs one seed for a span of virtual time. Throws if something does not hold.</summary>
    /// <param name="name">One kind of attacker, four of it; null: one of each kind.</param>
    /// <param name="isV6">All of them speak IPv6.</param>
    /// <param name="slowness">See <see cref="HostileWorld.Slowness"/>.</param>
    public void Run(int seed, TimeSpan time, string? name = null, bool isV6 = false, int slowness = 1)
    {
        var world = new HostileWorld(seed, new PoisoningBufferPool(), isV6, slowness);
        var random = new Random(seed);
        List<TcpAttacker> attackers = [];
        foreach (var (kind, make) in Makers)
        {
            for (var i = name is null ? 1 : name == kind ? 4 : 0; i > 0; i--)
                attackers.Add(make(world, new Random(random.Next())));
        }

        attackers.ForEach(world.Add);
        try
        {
            world.Run(time);
            if (world.Honest.Longest > LongestTransfer || world.Honest.Pending > LongestTransfer)
                throw new HostileException($"An honest transfer took {world.Honest.Longest}, and one takes {world.Honest.Pending} already.");
            if (world.ControlOut > world.FramesIn + world.FramesIn / 10 + UnaskedFrames)
                throw new HostileException($"{world.ControlOut} frames without data in answer to {world.FramesIn}.");
            world.End();
        }
        catch (Exception e)
        {
            throw new HostileException($"Seed {seed}{(name is null ? "" : " with " + name)}{(isV6 ? " over IPv6" : "")}, at {world.Now}: {e}");
        }

        Add(world, attackers, time);
    }

    public string Report()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{_virtual.TotalHours:F1} h of virtual time in {_watch.Elapsed.TotalSeconds:F0} s");
        text.AppendLine(CultureInfo.InvariantCulture, $"attackers: {_connections} connections, {FramesIn} frames sent, {FramesOut} frames received ({ControlOut} without data)");
        text.AppendLine(CultureInfo.InvariantCulture, $"honest client: {Transfers} transfers, on average {(Transfers == 0 ? 0 : _total.TotalMilliseconds / Transfers):F1} ms, at most {Longest.TotalMilliseconds:F1} ms");
        text.AppendLine(CultureInfo.InvariantCulture, $"engine: at most {MostSteps} steps at once, {(double)_steps / Math.Max(1, FramesIn):F1} per frame; at most {MostMemory} bytes held, {MostBuffers} buffers");
        return text.AppendLine(string.Join(", ", _counters.Where(counter => counter.Value != 0).Select(counter => $"{counter.Key} {counter.Value}"))).ToString();
    }

    private void Add(HostileWorld world, List<TcpAttacker> attackers, TimeSpan time)
    {
        _virtual += time;
        _connections += attackers.Sum(attacker => attacker.Connections);
        FramesIn += world.FramesIn;
        FramesOut += world.FramesOut;
        ControlOut += world.ControlOut;
        _steps += world.Steps;
        Transfers += world.Honest.Transfers;
        _total += world.Honest.Total;
        Longest = world.Honest.Longest > Longest ? world.Honest.Longest : Longest;
        MostSteps = Math.Max(MostSteps, world.MostSteps);
        MostMemory = Math.Max(MostMemory, world.MostMemory);
        MostBuffers = Math.Max(MostBuffers, world.MostBuffers);
        foreach (var (name, value) in world.Victim.Tcp.Counters.All())
            _counters[name] = _counters.GetValueOrDefault(name) + value;
    }
}
