using Tapwire.Actors.Settings;
using Tapwire.Host.Commands;
using Tapwire.Posix;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Host;

/// <summary>What the options of <c>tapwire cable</c> make of the cable.</summary>
public sealed class CableFlagsSpecs
{
    [Fact]
    public void A_value_holds_for_both_directions()
    {
        var options = Read("--latency 20ms --jitter 5ms --bandwidth 100mbit --queue 50 --loss 1% --loss-burst 4 --reorder 0.25 --reorder-delay 3ms "
            + "--duplicate 0.02 --corrupt 0.1% --seed 9");
        var way = new CableImpairments
        {
            Latency = TimeSpan.FromMilliseconds(20),
            Jitter = TimeSpan.FromMilliseconds(5),
            BitsPerSecond = 100_000_000,
            QueueFrames = 50,
            QueueBytes = int.MaxValue,
            Loss = 0.01,
            LossBurst = 4,
            Reorder = 0.25,
            ReorderDelay = TimeSpan.FromMilliseconds(3),
            Duplicate = 0.02,
            Corrupt = 0.001,
        };
        Assert.Equal((way, way, 9UL), (options.AToB, options.BToA, options.Seed));
    }

    [Fact]
    public void A_value_with_a_direction_holds_for_that_one_and_what_comes_later_counts()
    {
        var options = Read("--loss 0.1 --loss b-a:0.2 --latency a-b:1ms --duplicate a-b:0.5 --duplicate 0.25");
        Assert.Equal((0.1, 0.2), (options.AToB.Loss, options.BToA.Loss));
        Assert.Equal((TimeSpan.FromMilliseconds(1), TimeSpan.Zero), (options.AToB.Latency, options.BToA.Latency));
        Assert.Equal((0.25, 0.25), (options.AToB.Duplicate, options.BToA.Duplicate));
    }

    [Fact]
    public void Without_options_it_is_a_perfect_line() => Assert.Equal(CableImpairments.None, Read("").AToB);

    [Theory]
    [InlineData("100", 100, int.MaxValue)]
    [InlineData("64KiB", int.MaxValue, 65536)]
    [InlineData("1500B", int.MaxValue, 1500)]
    [InlineData("20ms", int.MaxValue, 250_000)]
    public void The_queue_is_given_in_frames_bytes_or_time(string queue, int frames, int bytes)
    {
        var way = Read($"--bandwidth 100M --queue {queue}").AToB;
        Assert.Equal((frames, bytes), (way.QueueFrames, way.QueueBytes));
    }

    [Fact]
    public void A_queue_for_both_directions_goes_with_a_bandwidth_for_one()
    {
        var options = Read("--bandwidth a-b:10M --queue 20ms");
        Assert.Equal((25_000, 0), (options.AToB.QueueBytes, options.BToA.BitsPerSecond));
    }

    [Theory]
    [InlineData("--latency 1ms --jitter 2ms", "From a to b: --jitter 2ms is more than the latency of 1ms.")]
    [InlineData("--queue b-a:10", "From b to a: --queue limits what waits for the line, and without --bandwidth nothing waits.")]
    [InlineData("--loss b-a:0.9 --loss-burst 2", "From b to a: --loss 0.9 does not come in bursts as short as --loss-burst 2.")]
    [InlineData("--loss 1 --loss-burst 2", "From a to b: --loss 1 does not come in bursts as short as --loss-burst 2.")]
    [InlineData("--reorder 0.1 --reorder-delay 0", "From a to b: --reorder-delay is 0, which lets nothing overtake.")]
    public void Options_that_do_not_go_together_are_refused(string line, string complaint) =>
        Assert.Equal(complaint, Assert.Throws<SettingsException>(() => Read(line)).Message);

    private static CableOptions Read(string line)
    {
        var parsed = CableCommand.Create().Parse($"--a tap:x --b tap:y {line}".Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Empty(parsed.Errors);
        return CableFlags.Read(parsed);
    }
}
