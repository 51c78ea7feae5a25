using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Explicit congestion notification (RFC 3168).</summary>
public class EcnSpec
{
    private const string Accepted = """
        +0 listen
        +0 < SEW 0:0(0) win 65535 <mss 1460>
        +0 > SE. 0:0(0) ack 1 [not-ect]
        +20ms < . 1:1(0) ack 1 win 65535
        +0 accept

        """;

    private static TcpScript With(EcnMode mode) => new()
    {
        Options = new TcpOptions { Timestamps = false, CongestionControl = CongestionAlgorithm.NewReno, Ecn = mode },
    };

    private static string MarkableBurst(int from, int count, bool push = true) => TcpScript.Burst(from, count, push: push, suffix: " [ect0]");

    [Theory]
    [InlineData(EcnMode.On, "SEW", "SE.", "[ect0]")]
    [InlineData(EcnMode.On, "SEW", "S.", "[not-ect]")]
    [InlineData(EcnMode.On, "SEW", "SEW.", "[not-ect]")]
    [InlineData(EcnMode.Passive, "S", "SE.", "[not-ect]")]
    [InlineData(EcnMode.Off, "S", "SE.", "[not-ect]")]
    public void An_active_open_offers_and_agrees_as_the_setting_says(EcnMode mode, string syn, string answer, string data) => With(mode).Run($"""
        +0 connect
        +0 > {syn} 0:0(0) [not-ect]
        +0 < {answer} 0:0(0) ack 1 win 65535 <mss 1460>
        +0 > . 1:1(0) ack 1 [not-ect]
        +0 write 100
        +0 > P. 1:101(100) ack 1 {data}
        """).AssertNoLeak();

    [Theory]
    [InlineData(EcnMode.On, "SEW", "SE.", "[ect0]")]
    [InlineData(EcnMode.Passive, "SEW", "SE.", "[ect0]")]
    [InlineData(EcnMode.Off, "SEW", "S.", "[not-ect]")]
    [InlineData(EcnMode.On, "S", "S.", "[not-ect]")]
    [InlineData(EcnMode.On, "SE", "S.", "[not-ect]")]
    [InlineData(EcnMode.On, "SW", "S.", "[not-ect]")]
    public void A_passive_open_agrees_to_what_is_offered_in_full(EcnMode mode, string syn, string answer, string data) => With(mode).Run($"""
        +0 listen
        +0 < {syn} 0:0(0) win 65535 <mss 1460>
        +0 > {answer} 0:0(0) ack 1 [not-ect]
        +0 < . 1:1(0) ack 1 win 65535
        +0 accept
        +0 write 100
        +0 > P. 1:101(100) ack 1 {data}
        """).AssertNoLeak();

    /// <summary>6.1.1.1: some paths drop what offers it.</summary>
    [Fact]
    public void A_syn_that_is_sent_again_goes_without_and_nothing_is_agreed() => With(EcnMode.On).Run("""
        +0 connect
        +0 > SEW 0:0(0)
        +1s > S 0:0(0)
        +0 < SE. 0:0(0) ack 1 win 65535 <mss 1460>
        +0 > . 1:1(0) ack 1
        +0 write 100
        +0 > P. 1:101(100) ack 1 [not-ect]
        """).AssertNoLeak();

    /// <summary>6.1.1: who has sent a SYN without the offer does not heed marks, so its peer must not ask for them.</summary>
    [Fact]
    public void A_peer_that_has_taken_its_offer_back_is_sent_nothing_that_can_be_marked() => With(EcnMode.On).Run("""
        +0 listen
        +0 < SEW 0:0(0) win 65535 <mss 1460>
        +0 > SE. 0:0(0) ack 1
        +600ms < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +0 accept
        +0 write 100
        +0 > P. 1:101(100) ack 1 [not-ect]
        """).AssertNoLeak();

    [Fact]
    public void A_mark_is_echoed_at_once_and_until_the_peer_says_that_it_knows() => With(EcnMode.Passive).Run(Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535 [ect0]
        +0 > . 1:1(0) ack 101
        +0 < P. 101:201(100) ack 1 win 65535 [ce]
        +0 > E. 1:1(0) ack 201 [not-ect]
        +0 < P. 201:301(100) ack 1 win 65535 [ect0]
        +0 > E. 1:1(0) ack 301
        +0 < PW. 301:401(100) ack 1 win 65535 [ect0]
        +0 > . 1:1(0) ack 401
        +0 < PW. 401:501(100) ack 1 win 65535 [ce]
        +0 > E. 1:1(0) ack 501
        +0 counter TcpInMarked 2
        +0 write 100
        +0 > PE. 1:101(100) ack 501 [ect0]
        """).AssertNoLeak();

    [Fact]
    public void A_mark_on_a_bare_acknowledgement_or_without_agreement_means_nothing() => With(EcnMode.Passive).Run(TcpScript.Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535 [ce]
        +0 > . 1:1(0) ack 101
        +0 counter TcpInMarked 0
        +0 read 100
        +0 peer 50001
        +0 < SEW 0:0(0) win 65535 <mss 1460>
        +0 > SE. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 65535 [ce]
        +0 accept
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 counter TcpInMarked 0
        """).AssertNoLeak();

    /// <summary>A mark counts although the segment came ahead of a gap, and is not forgotten with the next one.</summary>
    [Fact]
    public void A_mark_ahead_of_a_gap_is_echoed_too() => With(EcnMode.Passive).Run(Accepted + """
        +0 < P. 101:201(100) ack 1 win 65535 [ce]
        +0 > E. 1:1(0) ack 1
        +0 < P. 1:101(100) ack 1 win 65535 [ect0]
        +0 > E. 1:1(0) ack 201
        """).AssertNoLeak();

    /// <summary>6.1.2: the answer to a mark is that to a loss, without the repetition, and not before a window of data has passed again.</summary>
    [Fact]
    public void An_echo_halves_the_window_once_in_a_round_trip() => With(EcnMode.Passive).Run(Accepted + """
        +0 write 29200

        """ + MarkableBurst(1, 10, push: false) + """
        +20ms < E. 1:1(0) ack 1461 win 65535
        +0 ssthresh 7300
        +0 < E. 1:1(0) ack 2921 win 65535
        +0 > W. 14601:16061(1460) ack 1 [ect0]
        +0 < E. 1:1(0) ack 4381 win 65535
        +0 < E. 1:1(0) ack 5841 win 65535
        +0 > . 16061:17521(1460) ack 1 [ect0]
        +0 < E. 1:1(0) ack 14601 win 65535
        +0 ssthresh 7300
        +0 counter TcpEcnWindowReductions 1
        +0 forget
        +20ms < E. 1:1(0) ack 17521 win 65535
        +0 forget
        +0 counter TcpEcnWindowReductions 2
        +0 counter TcpRetransSegs 0
        """).AssertNoLeak();

    [Fact]
    public void What_is_sent_again_cannot_be_marked_and_tells_nothing_but_new_data_does() => With(EcnMode.Passive).Run(Accepted + """
        +0 write 29200

        """ + MarkableBurst(1, 10, push: false) + """
        +10ms < . 1:1(0) ack 1 win 65535
        +0 > . 14601:16061(1460) ack 1 [ect0]
        +0 < . 1:1(0) ack 1 win 65535
        +0 > . 16061:17521(1460) ack 1 [ect0]
        +0 < . 1:1(0) ack 1 win 65535
        +0 > . 1:1461(1460) ack 1 [not-ect]
        +20ms < . 1:1(0) ack 17521 win 65535
        +0 > W. 17521:18981(1460) ack 1 [ect0]
        +0 > . 18981:20441(1460) ack 1 [ect0]
        +0 forget
        """).AssertNoLeak();

    [Fact]
    public void Probes_of_a_closed_window_and_of_a_quiet_peer_cannot_be_marked() => With(EcnMode.Passive).Run(Accepted + """
        +0 < . 1:1(0) ack 1 win 0
        +0 write 100
        +220ms > . 0:0(0) ack 1 [not-ect]
        """).AssertNoLeak();

    /// <summary>As in Linux; the receiver does not heed a mark on it.</summary>
    [Fact]
    public void A_bare_fin_cannot_be_marked_and_tells_nothing() => With(EcnMode.Passive).Run(Accepted + """
        +0 < P. 1:101(100) ack 1 win 65535 [ce]
        +0 > E. 1:1(0) ack 101
        +0 shutdown
        +0 > FE. 1:1(0) ack 101 [not-ect]
        +0 < FW. 101:101(0) ack 2 win 65535 [ce]
        +0 > . 2:2(0) ack 102 [not-ect]
        +0 read 100
        """).AssertNoLeak();

    /// <summary>A device that cuts segments is told by the flag itself that CWR belongs on the first alone.</summary>
    [Fact]
    public void The_answer_travels_on_a_super_frame()
    {
        var script = new TcpScript
        {
            Options = new TcpOptions { Timestamps = false, CongestionControl = CongestionAlgorithm.NewReno },
            SuperFrame = 65535,
        };
        script.Run(Accepted + """
            +0 write 29200
            +0 > . 1:14601(14600) ack 1 [ect0]
            +20ms < E. 1:1(0) ack 14601 win 65535
            +0 > W. 14601:21901(7300) ack 1 [ect0]
            +20ms < . 1:1(0) ack 21901 win 65535
            +0 > P. 21901:29201(7300) ack 1 [ect0]
            """);
        script.AssertNoLeak();
    }

    /// <summary>A queue that marks instead of dropping: nothing is lost, and the path is full.</summary>
    [Theory]
    [InlineData(CongestionAlgorithm.NewReno)]
    [InlineData(CongestionAlgorithm.Cubic)]
    public void Marks_keep_a_queue_from_overflowing(CongestionAlgorithm algorithm)
    {
        var path = new Impairments { Latency = TimeSpan.FromMilliseconds(10), Bandwidth = 20e6, QueueLimit = 120, MarkThreshold = 20 };
        var options = new TcpOptions { CongestionControl = algorithm, Ecn = EcnMode.On };
        var world = new SimWorld(7, path, options, options);
        var transfer = new SimTransfer(world);
        transfer.Start();
        transfer.Run(TimeSpan.FromSeconds(2));
        var rate = transfer.Measure(TimeSpan.FromSeconds(10))[0];
        Assert.Equal(0, transfer.Segments.Again);
        Assert.True(world.Left.Counters.TcpEcnWindowReductions > 3);
        Assert.True(rate > 0.85 * path.Bandwidth, $"{rate} bit/s");
        transfer.End();
    }
}
