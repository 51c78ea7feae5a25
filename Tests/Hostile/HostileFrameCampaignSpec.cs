using Tapwire.Tests.Sim;
using Xunit;
using Xunit.Abstractions;

namespace Tapwire.Tests.Hostile;

/// <summary>A share of the frame campaign; how it is run for hours stands in CONTRIBUTING.md.</summary>
public sealed class HostileFrameCampaignSpec(ITestOutputHelper output)
{
    /// <summary>Drop reasons that the changed frames must have met; otherwise they are too tame.</summary>
    private static readonly string[] Reached =
    [
        "EthernetTooShort", "EthernetOtherHost", "EthernetBadSource", "EthernetUnknownType", "ArpTooShort", "ArpBadFormat", "ArpBadOperation",
        "ArpBadSender", "ArpNotForUs", "ArpUnsolicited", "ArpAddressConflicts", "IpInTruncated", "IpInBadVersion",
        "IpInBadHeaderLength", "IpInBadLength", "IpInBadChecksum", "IpInMartianSource", "IpInMartianDestination",
        "IpInAddrErrors", "IpReasmReqds", "IpInUnknownProtos", "IcmpInTruncated", "IcmpInCsumErrors", "IcmpInBadQuotes",
        "IcmpInUnknownTypes", "UdpInTruncated", "UdpInBadLength", "UdpInCsumErrors", "UdpNoPorts", "TcpInTruncated", "TcpInBadOffset", "TcpInCsumErrors",
        "NdpBadFormat", "NdpBadHopLimit", "NdpNotForUs", "TcpInBadOptions", "TcpInBadFlags", "TcpInOutOfWindow", "TcpInBadAck", "TcpExtTCPSYNChallenge", "TcpExtTCPChallengeACK", "TcpExtPAWSEstab",
    ];

    [Fact]
    public void Honest_traffic_loses_nothing_to_frames_made_of_it()
    {
        // One round of every link and path over IPv4, and shorter ones over IPv6.
        var campaign = new FrameCampaign(2026);
        var wanted = 4 * FrameCase.PathCount;
        foreach (var @case in Enumerable.Range(0, 1000).Select(index => FrameCase.Draw(SeededRandom.Derive(2026, index))).DistinctBy(@case => (@case.Link, @case.Path, @case.IsV6)))
        {
            campaign.Run(@case.IsV6 ? @case with { Frames = @case.Frames / 2 } : @case);
            wanted--;
        }

        Assert.Equal(0, wanted);
        output.WriteLine(campaign.Progress());
        output.WriteLine(campaign.Tally());
        Assert.True(campaign.Failures.Count == 0, string.Join('\n', campaign.Failures));
        Assert.DoesNotContain(Reached, name => campaign.Counters[name] == 0);
    }

    /// <summary>A hundredth of all buffers cannot be had, for either side: streams lose time, no byte, and all ends as it should.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Without_memory_frames_are_lost_and_nothing_else(ulong seed)
    {
        var pool = new RefusingBufferPool(seed);
        var round = FrameRound.Run(FrameCase.Draw(SeededRandom.Derive(2027, (long)seed)) with { Path = FramePath.Plain, Frames = 20_000 }, pool);
        output.WriteLine($"{pool.Refused} buffers refused, {round.HonestBytes} honest bytes");
        Assert.True(pool.Refused > 100, $"Only {pool.Refused} buffers were refused.");
    }

    [Fact]
    public void A_round_is_the_same_each_time()
    {
        var @case = FrameCase.Draw(7) with { Frames = 10_000 };
        Assert.Equal(Tally(@case), Tally(@case));
        Assert.NotEqual(Tally(@case), Tally(@case with { Seed = 8 }));
    }

    /// <summary>The specs above could fail: frames that are let into honest connections are noticed.</summary>
    [Fact]
    public void Bytes_that_were_put_into_a_stream_are_noticed()
    {
        var @case = FrameCase.Draw(1) with { Path = FramePath.Plain, Spares = false };
        var failure = Assert.Throws<HostileException>(() => FrameRound.Run(@case, new PoisoningBufferPool()));
        Assert.Contains("hostile frames --round 0x0000000000000001", failure.Message);
    }

    private static string Tally(FrameCase @case)
    {
        var campaign = new FrameCampaign(1);
        campaign.Run(@case);
        Assert.Empty(campaign.Failures);
        return campaign.Tally();
    }
}
