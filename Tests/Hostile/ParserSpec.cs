using FsCheck;
using FsCheck.Fluent;
using Microsoft.FSharp.Core;
using Xunit;

namespace Tapwire.Tests.Hostile;

/// <summary>
/// Each parser on inputs of chance, from a fixed seed; FsCheck makes an input that fails as simple as it can. Each input ends at a guard page: reading over its
/// end ends the test run. The same for hours, guided by coverage: CONTRIBUTING.md.
/// </summary>
public sealed class ParserSpec
{
    private const int Inputs = 10_000;

    public static TheoryData<string> Names => [.. ParserTargets.All.Select(target => target.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Whatever_comes_is_read_or_refused_and_what_was_read_is_the_same_after_it_was_written(string name)
    {
        var target = ParserTargets.All.Single(target => target.Name == name);
        using var guarded = new GuardedBytes();
        var inputs = Gen.Choose(0, int.MaxValue).Select(seed => target.Input(new SeededRandom((ulong)seed)));
        var replay = new Replay(new Rnd(2026, 1), FSharpOption<int>.None);
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(Inputs).WithReplay(FSharpOption<Replay>.Some(replay)),
            Prop.ForAll(Arb.From(inputs, ParserTarget.Simpler), input => target.Check(guarded.Copy(input))));
    }

    [Fact]
    public void Seeds_are_inputs_that_pass()
    {
        using var guarded = new GuardedBytes();
        foreach (var target in ParserTargets.All)
        {
            foreach (var seed in target.Seeds)
                target.Check(guarded.Copy(seed));
        }
    }

    /// <summary>The guided search finds what chance alone does not: four bytes that are compared one after another.</summary>
    [Fact]
    public void A_fault_behind_several_comparisons_is_found_by_coverage_and_made_simple()
    {
        var coverage = new FakeCoverage();
        var target = new ParserTarget("fault", input => coverage.Run(input), [[0, 0, 0, 0, 0, 0, 0, 0]], []);
        var fuzzer = new ParserFuzzer(target, coverage.Map, seed: 1);
        while (fuzzer.Failure is null && fuzzer.Runs < 2_000_000)
            fuzzer.Run(1000);
        Assert.Equal("46555A5A", Convert.ToHexString(fuzzer.Failure!.Input));
        Assert.True(fuzzer.Corpus > target.Seeds.Length, "Nothing has been kept: chance has found it.");
    }

    /// <summary>Four comparisons, each counted as an instrumented assembly would.</summary>
    private sealed class FakeCoverage
    {
        public byte[] Map { get; } = new byte[ParserFuzzer.MapSize];

        public void Run(ReadOnlySpan<byte> input)
        {
            var word = "FUZZ"u8;
            for (var i = 0; i < word.Length; i++)
            {
                if (i >= input.Length || input[i] != word[i])
                    return;
                Map[100 + i]++;
            }

            throw new HostileException("found");
        }
    }
}
