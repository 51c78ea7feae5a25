using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace Tapwire.Tests.Hostile;

/// <summary>Parsers take turns for a time. What they branch to counts where the assemblies have been instrumented by SharpFuzz.</summary>
internal sealed unsafe class ParserCampaign : IDisposable
{
    private const int Turn = 2000;

    /// <summary>No parser may take that long for an input of a few kilobytes.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private static readonly byte[] Map = GC.AllocateArray<byte>(ParserFuzzer.MapSize, pinned: true);

    private readonly ParserFuzzer[] _fuzzers;
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private ParserFuzzer _running;

    public ParserCampaign(IReadOnlyList<ParserTarget> targets, ulong seed)
    {
        _fuzzers = [.. targets.Select((target, index) => new ParserFuzzer(target, Map, SeededRandom.Derive(seed, index)))];
        _running = _fuzzers[0];
    }

    /// <summary>Says where instrumented code counts; such code must not run before. It knows no threads: what others count goes astray, and does no harm.</summary>
    public static void Attach() => SharpFuzz.Common.Trace.SharedMem = (byte*)Unsafe.AsPointer(ref Map[0]);

    /// <returns>The exit code.</returns>
    public int Run(TimeSpan time)
    {
        using var watchdog = new Timer(_ => Watch(), null, Patience, Patience);
        var next = Interval;
        while (_watch.Elapsed < time && _fuzzers.All(fuzzer => fuzzer.Failure is null))
        {
            foreach (var fuzzer in _fuzzers)
            {
                Volatile.Write(ref _running, fuzzer);
                fuzzer.Run(Turn);
            }

            if (_watch.Elapsed < next)
                continue;
            next += Interval;
            Print();
        }

        Print();
        return _fuzzers.Count(Complain) == 0 ? 0 : 1;
    }

    /// <summary>Tries one input on the one parser.</summary>
    public int Again(byte[] input)
    {
        var reason = _fuzzers[0].Try(input);
        Console.WriteLine(reason ?? "Nothing is wrong with it.");
        return reason is null ? 0 : 1;
    }

    public void Dispose()
    {
        foreach (var fuzzer in _fuzzers)
            fuzzer.Dispose();
    }

    private void Print()
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{DateTime.UtcNow:s} {_fuzzers.Sum(fuzzer => fuzzer.Runs):N0} inputs in {_watch.Elapsed.TotalSeconds:F0} s"));
        foreach (var fuzzer in _fuzzers)
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"  {fuzzer.Name,-16} {fuzzer.Runs,14:N0} inputs, {fuzzer.Branches,6} branches, {fuzzer.Corpus,6} inputs kept"));
        }
    }

    private static bool Complain(ParserFuzzer fuzzer)
    {
        if (fuzzer.Failure is not { } failure)
            return false;
        Console.WriteLine($"{fuzzer.Name}: {failure.Reason}");
        Console.WriteLine($"again: dotnet run -c Release --project Tests -- hostile parsers --target {fuzzer.Name} --input {Convert.ToHexString(failure.Input)}");
        return true;
    }

    private void Watch()
    {
        var fuzzer = Volatile.Read(ref _running);
        var (input, runs) = (fuzzer.Current, fuzzer.Runs);
        Thread.Sleep(Patience / 2);
        if (!ReferenceEquals(fuzzer, Volatile.Read(ref _running)) || fuzzer.Runs != runs || fuzzer.Failure is not null)
            return;
        Console.WriteLine($"{fuzzer.Name} does not come to an end with {Convert.ToHexString(input)}");
        Environment.Exit(1);
    }
}
