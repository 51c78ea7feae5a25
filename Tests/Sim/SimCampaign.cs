using System.Diagnostics;
using System.Globalization;
using System.Text;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Sim;

/// <summary>Many runs, each from its seed and over both families, and what they amount to. Thread-safe.</summary>
internal sealed class SimCampaign
{
    /// <summary>More failures than that are not told apart.</summary>
    private const int MaxFailures = 50;

    [ThreadStatic]
    private static PoisoningBufferPool? t_pool;

    private readonly Lock _lock = new();
    private readonly SortedDictionary<int, string> _failures = [];
    private readonly Dictionary<string, long> _counters = [];
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private long _runs;
    private long _failed;
    private long _connections;
    private long _completed;
    private long _bytes;
    private long _segments;
    private long _again;
    private long _needless;
    private long _steps;
    private TimeSpan _virtual;

    public bool HasFailed => _failed > 0;

    /// <param name="threads">1 keeps to the caller's.</param>
    public void Run(int firstSeed, int count, int threads)
    {
        if (threads == 1)
        {
            for (var seed = firstSeed; seed < firstSeed + count; seed++)
                Run(seed);
        }
        else
        {
            Parallel.For(firstSeed, firstSeed + count, new ParallelOptions { MaxDegreeOfParallelism = threads }, Run);
        }
    }

    /// <summary>Runs one seed, over IPv4.</summary>
    /// <returns>The hash of its trace.</returns>
    public static ulong HashOf(int seed) => SimRun.Of(SimCase.Draw(seed), new PoisoningBufferPool()).World.Path.Trace.Hash;

    /// <summary>Runs one seed that does not fail, over IPv4.</summary>
    /// <returns>Its parameters and its trace.</returns>
    public static string TraceOf(int seed)
    {
        var @case = SimCase.Draw(seed);
        var world = SimRun.Of(@case, new PoisoningBufferPool()).World;
        return $"{@case}\n{world.Path.Trace.Format(world.Started)}";
    }

    /// <summary>Figures, and the failures: the first of them in full.</summary>
    public string Report()
    {
        var text = new StringBuilder();
        var seconds = _watch.Elapsed.TotalSeconds;
        text.AppendLine(
            CultureInfo.InvariantCulture, $"{_runs} runs, {_connections} connections ({_completed} to their orderly end), {_failed} runs failed");
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"{seconds:F1} s, {_runs / seconds:F0} runs/s; {_virtual.TotalHours:F1} h of virtual time, {_segments} segments, {_steps} steps, {_bytes} bytes read");
        text.AppendLine(CultureInfo.InvariantCulture, $"{_again} segments sent again, {_needless} of them needlessly");
        text.AppendLine(string.Join(", ", _counters.Where(counter => counter.Value != 0).Select(counter => $"{counter.Key} {counter.Value}")));
        if (_failures.Count == 0)
            return text.ToString();
        text.AppendLine("Failed seeds:");
        foreach (var (seed, failure) in _failures)
            text.AppendLine(CultureInfo.InvariantCulture, $"{seed}: {failure[..failure.IndexOf('\n', StringComparison.Ordinal)]}");
        return text.AppendLine("The first of them:").AppendLine(_failures.First().Value).ToString();
    }

    private void Run(int seed)
    {
        var pool = t_pool ??= new PoisoningBufferPool();
        try
        {
            var @case = SimCase.Draw(seed);
            Add(SimRun.Of(@case, pool));
            Add(SimRun.Of(@case.OverV6(), pool));
        }
        catch (Exception e)
        {
            // What a failed run has not returned must not be blamed on the next.
            t_pool = null;
            lock (_lock)
            {
                _runs++;
                _failed++;
                if (_failures.Count < MaxFailures)
                    _failures.Add(seed, e is SimulationException ? e.Message : $"{e.Message}\n{e}");
            }
        }
    }

    private void Add(in SimOutcome outcome)
    {
        var world = outcome.World;
        lock (_lock)
        {
            _runs++;
            _connections += outcome.Connections;
            _completed += outcome.Completed;
            _bytes += outcome.Bytes;
            _segments += world.Path.Trace.Count;
            _steps += world.Steps;
            _virtual += world.Now - world.Started;
            foreach (var flow in world.Path.Flows)
            {
                _again += flow.Left.SentAgain + flow.Right.SentAgain;
                _needless += flow.Left.SentNeedlessly + flow.Right.SentNeedlessly;
            }

            Add(world.Left.Counters);
            Add(world.Right.Counters);
        }
    }

    private void Add(TcpCounters counters)
    {
        foreach (var (name, value) in counters.All())
            _counters[name] = _counters.GetValueOrDefault(name) + value;
    }
}
