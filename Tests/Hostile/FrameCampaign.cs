using System.Diagnostics;
using System.Globalization;
using Tapwire.Stack.Buffers;
using Tapwire.Tests.Sim;

namespace Tapwire.Tests.Hostile;

/// <summary>Rounds with seeds derived from one, until so many hostile frames have been sent, and what they amount to.</summary>
internal sealed class FrameCampaign(ulong seed)
{
    /// <summary>Every so many rounds one is watched by a pool that finds late writes and double returns, at its cost.</summary>
    private const int WatchedEvery = 8;

    private readonly Dictionary<string, long> _counters = [];
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private BufferPool _pool = new();
    private PoisoningBufferPool _watchful = new();
    private long _turnedAside;
    private long _refusedNotes;
    private long _honestBytes;
    private long _honestDatagrams;

    public long Frames { get; private set; }

    public int Rounds { get; private set; }

    public List<string> Failures { get; } = [];

    public IReadOnlyDictionary<string, long> Counters => _counters;

    /// <param name="now">Told after each round.</param>
    public void Run(long frames, Action? now = null)
    {
        while (Frames < frames)
        {
            Run(FrameCase.Draw(SeededRandom.Derive(seed, Rounds)));
            now?.Invoke();
        }
    }

    public void Run(FrameCase @case)
    {
        try
        {
            Add(FrameRound.Run(@case, Rounds % WatchedEvery == 0 ? _watchful : _pool));
        }
        catch (HostileException e)
        {
            Failures.Add(e.Message);
            Frames += @case.Frames;

            // What a failed round has not returned must not be blamed on the next.
            _pool = new();
            _watchful = new();
        }

        Rounds++;
    }

    public string Progress()
    {
        var seconds = _watch.Elapsed.TotalSeconds;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"seed {seed}: {Frames:N0} hostile frames in {Rounds:N0} rounds, {seconds:F0} s, {Frames / seconds:N0}/s, {Failures.Count} rounds failed; "
            + $"honest: {_honestBytes:N0} bytes, {_honestDatagrams:N0} datagrams; {_turnedAside:N0} turned aside, {_refusedNotes:N0} notes refused; "
            + $"{Environment.WorkingSet >> 20} MiB");
    }

    public string Tally() => string.Join(", ", _counters.Where(counter => counter.Value != 0).Select(counter => $"{counter.Key} {counter.Value}"));

    private void Add(FrameRound round)
    {
        Frames += round.Injected;
        _turnedAside += round.TurnedAside;
        _refusedNotes += round.RefusedNotes;
        _honestBytes += round.HonestBytes;
        _honestDatagrams += round.HonestDatagrams;
        foreach (var counters in round.Counters)
        {
            foreach (var (name, value) in counters.All())
                _counters[name] = _counters.GetValueOrDefault(name) + value;
        }
    }
}
