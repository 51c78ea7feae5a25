using Xunit;
using Xunit.Abstractions;

namespace Tapwire.Tests.Hostile;

/// <summary>
/// Peers that break the rules of TCP on connections of their own, beside an honest client of the same stack: that is served as ever, memory stays within its bound,
/// work per frame too, nothing throws, and when all are gone nothing is left.
/// </summary>
/// <remarks>For hours: <c>dotnet run -c Release --project Tests -- hostile tcp --hours 24</c>.</remarks>
public class StatefulAttackSpec(ITestOutputHelper output)
{
    public static IEnumerable<object[]> Kinds => HostileCampaign.Names.SelectMany(name => new[] { false, true }, static (name, isV6) => new object[] { name, isV6 });

    [Theory]
    [MemberData(nameof(Kinds))]
    public void One_kind_of_attacker_disturbs_nobody(string name, bool isV6)
    {
        var campaign = new HostileCampaign();
        campaign.Run(1, TimeSpan.FromSeconds(isV6 ? 20 : 40), name, isV6);
        Judge(campaign);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4, true)]
    public void All_kinds_at_once_disturb_nobody(int seed, bool isV6 = false)
    {
        var campaign = new HostileCampaign();
        campaign.Run(seed, TimeSpan.FromSeconds(60), isV6: isV6);
        Judge(campaign);
    }

    private void Judge(HostileCampaign campaign)
    {
        var report = campaign.Report();
        output.WriteLine(report);
        Assert.True(campaign.FramesIn > 1000, report);
        Assert.True(campaign.Transfers > 50, report);
    }
}
