using Tapwire.Stack;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>The simulator itself: its path does what it is told to, and its watcher sees what may not be.</summary>
public class SimulatorSpec
{
    private static readonly Instant Began = Instant.FromMilliseconds(1000);

    private readonly SimFlow _flow = new(1);

    [Theory]
    [InlineData(0.1)]
    [InlineData(0.5)]
    public void Packets_are_lost_as_often_as_asked_for(double loss)
    {
        var lost = Pass(new Impairments { Loss = loss }, 20_000).Count(fate => fate == SimFate.Lost);
        Assert.InRange(lost / 20_000.0, loss * 0.95, loss * 1.05);
    }

    [Fact]
    public void Losses_in_bursts_come_together()
    {
        var fates = Pass(new Impairments { BurstBegin = 0.005, BurstEnd = 0.1 }, 20_000);
        var lost = fates.Count(fate => fate == SimFate.Lost);
        var bursts = fates.Zip(fates.Skip(1)).Count(pair => pair.First != SimFate.Lost && pair.Second == SimFate.Lost);
        Assert.True(bursts > 50);
        Assert.InRange(lost / (double)bursts, 8, 12);
    }

    [Fact]
    public void A_burst_ends_in_time_though_nothing_is_sent()
    {
        var link = Link(new Impairments { BurstBegin = 1, BurstEnd = 0, BurstTime = TimeSpan.FromMilliseconds(100) });
        Assert.Equal(SimFate.Lost, link.Pass(1500, 1, false, Began, out _));
        link.Impairments = link.Impairments with { BurstBegin = 0.0001 };
        Assert.Equal(SimFate.Lost, link.Pass(1500, 1, false, Began + TimeSpan.FromMilliseconds(99), out _));
        Assert.Equal(SimFate.Passed, link.Pass(1500, 1, false, Began + TimeSpan.FromMilliseconds(101), out _));
    }

    [Fact]
    public void A_queue_takes_so_many_packets_delays_them_by_the_bandwidth_and_marks_what_allows_it()
    {
        // 1500 bytes take 1 ms; the first is on its way, so to speak, while it counts.
        var link = Link(new Impairments { Latency = TimeSpan.Zero, Bandwidth = 12e6, QueueLimit = 4, MarkThreshold = 2 });
        var fates = new List<SimFate>();
        for (var i = 0; i < 6; i++)
        {
            fates.Add(link.Pass(1500, 1, i != 2, Began, out var at));
            if (i < 4)
                Assert.Equal(Began + TimeSpan.FromMilliseconds(1 + i), at);
        }

        Assert.Equal([SimFate.Passed, SimFate.Passed, SimFate.Passed, SimFate.Marked, SimFate.QueueFull, SimFate.QueueFull], fates);
        Assert.Equal(SimFate.Marked, link.Pass(1500, 1, true, Began + TimeSpan.FromMilliseconds(2), out _));
        Assert.Equal(4, link.LongestQueue);
    }

    [Fact]
    public void Jitter_keeps_the_order_and_reordering_does_not()
    {
        Assert.True(IsInOrder(new Impairments { Jitter = TimeSpan.FromMilliseconds(20) }));
        Assert.False(IsInOrder(new Impairments { Reorder = 0.1 }));
    }

    [Fact]
    public void Nothing_passes_during_an_outage_and_nothing_larger_than_the_mtu()
    {
        var link = Link(new Impairments { OutageAfter = TimeSpan.FromSeconds(1), OutageTime = TimeSpan.FromSeconds(2), Mtu = 1000 });
        Assert.Equal(SimFate.Passed, link.Pass(1000, 1, false, Began, out _));
        Assert.Equal(SimFate.TooBig, link.Pass(1001, 1, false, Began, out _));
        Assert.Equal(SimFate.Outage, link.Pass(100, 1, false, Began + TimeSpan.FromSeconds(1), out _));
        Assert.Equal(SimFate.Outage, link.Pass(100, 1, false, Began + TimeSpan.FromSeconds(2.9), out _));
        Assert.Equal(SimFate.Passed, link.Pass(100, 1, false, Began + TimeSpan.FromSeconds(3), out _));
    }

    [Fact]
    public void A_segment_that_leaves_a_gap_is_seen()
    {
        Handshake();
        Assert.Null(Leaves(true, "P. 1:101(100) ack 1 win 1000"));
        Assert.Contains("gap", Leaves(true, "P. 102:103(1) ack 1 win 1000"));
    }

    [Fact]
    public void A_segment_beyond_the_window_is_seen()
    {
        Handshake();
        Assert.Null(Leaves(true, ". 1:1001(1000) ack 1 win 1000"));
        Assert.Contains("beyond the window", Leaves(true, "P. 1001:1002(1) ack 1 win 1000"));
    }

    [Fact]
    public void What_has_not_arrived_may_neither_be_acknowledged_nor_reported()
    {
        Handshake();
        Leaves(true, ". 1:101(100) ack 1 win 1000", arrives: false);
        Leaves(true, ". 101:201(100) ack 1 win 1000");
        Assert.Null(Leaves(false, ". 1:1(0) ack 1 win 1000 <sack 101:201>"));
        Assert.Contains("has not arrived", Leaves(false, ". 1:1(0) ack 1 win 1000 <sack 100:201>"));
        Assert.Contains("only 1 has arrived", Leaves(false, ". 1:1(0) ack 201 win 1000"));
    }

    [Fact]
    public void An_acknowledgement_and_the_edge_of_the_window_never_go_back()
    {
        Handshake();
        Leaves(true, ". 1:101(100) ack 1 win 1000");
        Assert.Null(Leaves(false, ". 1:1(0) ack 101 win 900"));
        Assert.Contains("takes back window", Leaves(false, ". 1:1(0) ack 101 win 899"));
        Assert.Contains("acknowledges 1 after 101", Leaves(false, ". 1:1(0) ack 1 win 1000"));
    }

    [Fact]
    public void What_is_sent_again_is_needless_only_if_the_first_copy_survives()
    {
        Handshake();
        Leaves(true, ". 1:101(100) ack 1 win 1000", arrives: false);
        Leaves(true, ". 101:201(100) ack 1 win 1000");
        Leaves(true, ". 101:201(100) ack 1 win 1000");
        Leaves(true, ". 1:101(100) ack 1 win 1000");
        Assert.Equal((4, 2, 1), (_flow.Left.DataSegments - 1, _flow.Left.SentAgain, _flow.Left.SentNeedlessly));
    }

    [Fact]
    public void Jains_index_is_one_if_all_have_the_same_and_a_share_if_one_has_everything()
    {
        Assert.Equal(1, SimTransfer.Fairness([3, 3, 3]), 6);
        Assert.Equal(0.25, SimTransfer.Fairness([8, 0, 0, 0]), 6);
    }

    [Fact]
    public void A_failure_says_how_to_see_it_again_and_shows_the_segments()
    {
        var @case = SimCase.Draw(1);
        var honest = @case with { Connections = [@case.Connections[0] with { Options = default, Client = new SimApplicationCase { Bytes = 100_000, MaxWrite = 1000, Eagerness = 1 } }] };
        // A connection that is cut off for good, of which it is said that it must come through.
        var cut = honest with { There = new Impairments { OutageTime = TimeSpan.FromDays(1), OutageAfter = TimeSpan.FromMilliseconds(12) } };
        var failure = Assert.Throws<SimulationException>(() => SimRun.Of(cut, new PoisoningBufferPool()));
        Assert.Contains("TAPWIRE_SIM_SEED=1 dotnet test", failure.Message);
        Assert.Contains("#1 > S 0:0(0) win", failure.Message);
        Assert.Contains("*** Outage, Again", failure.Message);
        Assert.Contains("OutageAfter 12ms", failure.Message);
    }

    private static SimLink Link(Impairments impairments) => new(impairments, new Random(1), Began);

    private static List<SimFate> Pass(Impairments impairments, int count)
    {
        var link = Link(impairments);
        return [.. Enumerable.Range(0, count).Select(i => link.Pass(1500, 1, false, Began + TimeSpan.FromMilliseconds(0.1 * i), out _))];
    }

    private static bool IsInOrder(Impairments impairments)
    {
        var link = Link(impairments);
        var last = Instant.Zero;
        for (var i = 0; i < 1000; i++)
        {
            link.Pass(1500, 1, false, Began + TimeSpan.FromMilliseconds(i), out var at);
            if (at < last)
                return false;
            last = at;
        }

        return true;
    }

    private void Handshake()
    {
        Assert.Null(Leaves(true, "S 0:0(0) win 1000"));
        Assert.Null(Leaves(false, "S. 0:0(0) ack 1 win 1000"));
        Assert.Null(Leaves(true, ". 1:1(0) ack 1 win 1000"));
    }

    private string? Leaves(bool fromLeft, string segment, bool arrives = true)
    {
        var parsed = ScriptSegment.Parse(segment);
        var header = parsed.ToHeader(fromLeft ? 5000u : 9000u, fromLeft ? 9000u : 5000u, 0);
        var wrong = _flow.Leaves(fromLeft, header, parsed.Length, out _, out _);
        if (arrives)
        {
            _flow.Survives(fromLeft, header, parsed.Length);
            _flow.Arrives(_flow.MarkOf(fromLeft, header, parsed.Length));
        }

        return wrong;
    }
}
