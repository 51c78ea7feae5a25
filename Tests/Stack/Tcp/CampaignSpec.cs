using System.Globalization;
using Tapwire.Tests.Sim;
using Xunit;
using Xunit.Abstractions;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>
/// Connections over paths that do everything to packets that paths do, with applications that do what they like, from seeds: bytes arrive as they were
/// sent, everything ends, nothing is left, and each of the simulator's invariants holds at every step.
/// </summary>
/// <remarks>
/// <para><c>TAPWIRE_SIM_RUNS=100000 dotnet test Tests --filter FullyQualifiedName~CampaignSpec</c> runs so many, on all cores (or on
/// <c>TAPWIRE_SIM_THREADS</c>), from <c>TAPWIRE_SIM_FIRST</c> on; the figures are in the output of the test, and in the file that
/// <c>TAPWIRE_SIM_REPORT</c> names.</para>
/// <para><c>TAPWIRE_SIM_SEED=n</c> runs one, and shows its trace.</para>
/// </remarks>
public class CampaignSpec(ITestOutputHelper output)
{
    private const int Shares = 3;
    private const int RunsPerShare = 700;

    private static readonly int? Seed = Setting("TAPWIRE_SIM_SEED");
    private static readonly int? Runs = Setting("TAPWIRE_SIM_RUNS");

    public static IEnumerable<object[]> Ranges
    {
        get
        {
            if (Seed is { } seed)
                return [[seed, 1]];
            if (Runs is { } runs)
                return [[Setting("TAPWIRE_SIM_FIRST") ?? 1, runs]];
            return Enumerable.Range(0, Shares).Select(share => new object[] { 1 + share * RunsPerShare, RunsPerShare });
        }
    }

    [Theory]
    [MemberData(nameof(Ranges))]
    public void Every_byte_arrives_in_order_everything_ends_and_nothing_is_left(int firstSeed, int count)
    {
        var campaign = new SimCampaign();
        campaign.Run(firstSeed, count, Runs is null ? 1 : Setting("TAPWIRE_SIM_THREADS") ?? Environment.ProcessorCount);
        var report = campaign.Report();
        output.WriteLine(report);
        if (Environment.GetEnvironmentVariable("TAPWIRE_SIM_REPORT") is { Length: > 0 } file)
            File.WriteAllText(file, report);
        Assert.False(campaign.HasFailed, report);
        if (Seed is not null)
            output.WriteLine(SimCampaign.TraceOf(firstSeed));
    }

    /// <summary>Runs that have shown a fault. 12692: reports while SND.UNA stood still ended the doubling of the time-out, and R2 was reached in seconds.</summary>
    [Theory]
    [InlineData(12692)]
    public void What_has_failed_once_does_not_fail_again(int seed)
    {
        var campaign = new SimCampaign();
        campaign.Run(seed, 1, 1);
        Assert.False(campaign.HasFailed, campaign.Report());
    }

    [Fact]
    public void A_seed_gives_the_same_run_each_time()
    {
        for (var seed = 1; seed <= 40; seed++)
            Assert.Equal(SimCampaign.HashOf(seed), SimCampaign.HashOf(seed));
        Assert.NotEqual(SimCampaign.HashOf(1), SimCampaign.HashOf(2));
    }

    private static int? Setting(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var value) ? value : null;
}
