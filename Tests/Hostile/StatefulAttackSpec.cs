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
    public static IEnumerable<object[]> Kinds => HostileCampaign.Names.Select(name => new object[] { name });

    [Theory]
    [MemberData(nameof(Kinds))]
    public void One_kind_of_attacker_disturbs_nobody(string name)
    {
        var campaign = new HostileCampaign();
        campaign.Run(1, TimeSpan.FromSeconds(40), name);
        Judge(campaign);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void All_kinds_at_once_disturb_nobody(int seed)
    {
        var campaign = new HostileCampaign();
        campaign.Run(seed, TimeSpan.FromSeconds(60));
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
