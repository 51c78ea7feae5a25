using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Passive opens when SYN-RECEIVED is full (RFC 4987, 3.6).</summary>
public class SynCookieSpec
{
    /// <summary>One connection in SYN-RECEIVED, and no room for another one.</summary>
    private const string Full = """
        +0 listen 1
        +0 peer 50001
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 embryos 1
        +0 peer 50000

        """;

    private static readonly TcpOptions Small = new() { Timestamps = false, MaxEmbryonic = 1, SynAckRetries = 0 };
    private static readonly TcpPair Pair = PairOf("192.0.2.1", "192.0.2.2");
    private static readonly Instant Now = Instant.FromMilliseconds(10_000_000);

    private static TcpPair PairOf(string local, string remote) =>
        new(new IpEndpoint(IpAddress.Parse(local), 80), new IpEndpoint(IpAddress.Parse(remote), 5000));

    private static TcpScript Run(string script, TcpOptions? options = null) => new TcpScript { Options = options ?? Small }.Run(Full + script);

    /// <summary>The segment size that a cookie keeps is another one over IPv6.</summary>
    [Fact]
    public void The_acknowledgement_of_a_cookie_opens_the_connection() => new TcpScript { IsOfV4Only = true, Options = Small }.Run(Full + """
        +0 < S 0:0(0) win 65535 <mss 1400,sackOK,wscale 7>
        +0 > S. 0:0(0) ack 1 win 65535 <mss 1460>
        +0 embryos 1
        +0 counter TcpExtSyncookiesSent 1
        +0 counter TcpExtTCPReqQFullDoCookies 1
        +20ms < . 1:1(0) ack 1 win 20000
        +0 accept
        +0 state Established
        +0 cwnd 13000
        +0 counter TcpExtSyncookiesRecv 1
        +0 counter TcpPassiveOpens 1
        +0 write 3000
        # At most the MSS of the SYN; the window is not scaled.
        +0 > . 1:1301(1300) ack 1
        +0 > . 1301:2601(1300) ack 1
        +0 > P. 2601:3001(400) ack 1
        # Nobody has measured a round trip: the timer begins with a second.
        +1s > . 1:1301(1300) ack 1
        """).AssertNoLeak();

    [Fact]
    public void Timestamps_carry_the_other_options_through() => Run(
        """
        +0 < S 0:0(0) win 65535 <mss 1460,sackOK,TS val 700 ecr 0,wscale 7>
        +0 > S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 0 ecr 700,wscale 5>
        +20ms < . 1:1(0) ack 1 win 10 <TS val 720 ecr 0>
        +0 accept
        +0 write 1400
        # The clock that the cookie turned back (here by 41 ms) goes on; the window is scaled by 7.
        +0 > . 1:1281(1280) ack 1 <TS val 61 ecr 720>
        +1ms < . 1:1(0) ack 1281 win 20 <TS val 721 ecr 61>
        +0 > P. 1281:1401(120) ack 1 <TS val 62 ecr 721>
        +0 < . 1:1(0) ack 1401 win 20 <TS val 721 ecr 62>
        # SACK works, and so does PAWS.
        +0 < . 11:21(10) ack 1401 win 20 <TS val 722 ecr 62>
        +0 > . 1401:1401(0) ack 1 <TS val 62 ecr 721,sack 11:21>
        +0 < . 1:11(10) ack 1401 win 20 <TS val 699 ecr 62>
        +0 > . 1401:1401(0) ack 1
        +0 counter TcpExtPAWSEstab 1
        """, Small with { Timestamps = true }).AssertNoLeak();

    [Fact]
    public void Without_scaling_and_sack_in_the_syn_timestamps_carry_neither() => Run(
        """
        +0 < S 0:0(0) win 65535 <mss 1460,TS val 700 ecr 0>
        +0 > S. 0:0(0) ack 1 <mss 1460,TS val 0 ecr 700>
        +20ms < . 1:1(0) ack 1 win 100 <TS val 720 ecr 0>
        +0 accept
        +0 < . 11:21(10) ack 1 win 100 <TS val 720 ecr 0>
        +0 > . 1:1(0) ack 1 win 65535 <TS val 69 ecr 720>
        """, Small with { Timestamps = true }).AssertNoLeak();

    [Fact]
    public void The_first_data_may_take_the_place_of_the_lost_acknowledgement() => Run("""
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +20ms < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 accept
        +0 readable
        +0 read 100
        """).AssertNoLeak();

    [Fact]
    public void A_repeated_syn_gets_another_answer() => Run("""
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +900ms < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +20ms < . 1:1(0) ack 1 win 65535
        +0 accept
        """).AssertNoLeak();

    [Fact]
    public void A_wrong_cookie_is_answered_with_a_reset() => Run("""
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1000000 win 65535
        +0 > R 1000000:1000000(0)
        +0 counter TcpExtSyncookiesFailed 1
        +0 sockets 0
        """).AssertNoLeak();

    /// <summary>The acknowledgement and the first data are lost: a reset would be the end of a connection that the peer believes to have.</summary>
    [Fact]
    public void Data_ahead_of_the_acknowledgement_of_a_cookie_is_dropped_for_the_peer_to_send_again() => Run("""
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +20ms < . 101:201(100) ack 1 win 65535
        +0 counter TcpInAheadOfCookie 1
        +0 sockets 0
        +300ms < . 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 accept
        +0 read 100
        """).AssertNoLeak();

    [Fact]
    public void Cookies_are_not_looked_for_where_none_were_given() => new TcpScript { Options = Small }.Run("""
        +0 listen
        +0 < . 1:1(0) ack 100 win 65535
        +0 > R 100:100(0)
        +0 counter TcpExtSyncookiesFailed 0
        """).AssertNoLeak();

    [Fact]
    public void A_cookie_is_good_until_the_end_of_the_next_period() => Run("""
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +111.9s < . 1:1(0) ack 1 win 65535
        +0 accept
        +0 counter TcpExtSyncookiesRecv 1
        """).AssertNoLeak();

    [Fact]
    public void A_cookie_goes_stale() => Run("""
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +112s < . 1:1(0) ack 1 win 65535
        +0 > R 1:1(0)
        +0 counter TcpExtSyncookiesFailed 1
        +17s < . 1:1(0) ack 1 win 65535
        +0 > R 1:1(0)
        # The overflow is long ago: nobody looks.
        +0 counter TcpExtSyncookiesFailed 1
        """).AssertNoLeak();

    [Fact]
    public void With_the_queue_of_the_listener_full_nothing_is_answered() => Run("""
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 peer 50002
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +0 counter TcpPassiveOpens 1
        +0 peer 50003
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 counter TcpExtListenDrops 1
        +0 counter TcpExtSyncookiesSent 2
        """).AssertNoLeak();

    [Fact]
    public void The_acknowledgement_of_a_cookie_waits_for_a_place_in_the_queue() => Run("""
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +0 peer 50002
        +0 accept
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +0 < . 1:1(0) ack 1 win 65535
        +0 counter TcpPassiveOpens 2
        """).AssertNoLeak();

    [Fact]
    public void Switched_off_a_syn_without_room_is_dropped() => Run(
        """
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 counter TcpExtTCPReqQFullDrop 1
        +0 counter TcpExtSyncookiesSent 0
        """, Small with { SynCookies = false }).AssertNoLeak();

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.2")]
    [InlineData("2001:db8::1", "2001:db8::2")]
    public void A_cookie_tells_at_most_the_mss_of_the_syn(string local, string remote)
    {
        var cookies = new SynCookies(new KeyedRandom(new byte[KeyedRandom.SecretLength]));
        var pair = PairOf(local, remote);
        for (var mss = 48; mss <= ushort.MaxValue; mss += 1 + mss / 64)
        {
            var cookie = cookies.Make(pair, 7, mss, Now);
            Assert.Equal(SynCookieMatch.Full, cookies.Read(cookie, pair, 7, Now, out var read));
            Assert.InRange(read, mss > 536 ? 536 : 48, mss);
        }
    }

    [Fact]
    public void A_cookie_is_good_for_its_endpoints_sequence_number_and_key_only()
    {
        var cookies = new SynCookies(new KeyedRandom(new byte[KeyedRandom.SecretLength]));
        var cookie = cookies.Make(Pair, 7, 1460, Now);
        Assert.Equal(SynCookieMatch.Full, cookies.Read(cookie, Pair, 7, Now, out var mss));
        Assert.Equal(1460, mss);
        Assert.Equal(SynCookieMatch.OtherSequence, cookies.Read(cookie, Pair, 8, Now, out _));
        Assert.Equal(SynCookieMatch.None, cookies.Read(cookie, PairOf("192.0.2.1", "192.0.2.3"), 7, Now, out _));
        Assert.Equal(SynCookieMatch.None, cookies.Read(cookie, Pair with { Local = Pair.Local with { Port = 81 } }, 7, Now, out _));
        var other = new SynCookies(new KeyedRandom([.. Enumerable.Repeat((byte)1, KeyedRandom.SecretLength)]));
        Assert.Equal(SynCookieMatch.None, other.Read(cookie, Pair, 7, Now, out _));
    }

    [Fact]
    public void Guessing_at_cookies_is_hopeless()
    {
        var cookies = new SynCookies(new KeyedRandom(new byte[KeyedRandom.SecretLength]));
        var random = new Random(1);
        for (var i = 0; i < 1_000_000; i++)
            Assert.NotEqual(SynCookieMatch.Full, cookies.Read((uint)random.NextInt64(1L << 32), Pair, 7, Now, out _));
    }

    /// <summary>The period counts modulo 32: half an hour later the number is the same, the hash is not.</summary>
    [Fact]
    public void A_cookie_does_not_come_to_life_again()
    {
        var cookies = new SynCookies(new KeyedRandom(new byte[KeyedRandom.SecretLength]));
        var cookie = cookies.Make(Pair, 7, 1460, Now);
        for (var period = 2; period < 200; period++)
            Assert.Equal(SynCookieMatch.None, cookies.Read(cookie, Pair, 7, Now + period * SynCookies.Period, out _));
    }

    [Fact]
    public void The_timestamp_of_a_cookie_never_runs_ahead_nor_backwards()
    {
        foreach (var scale in new byte[] { 0, 5, 14, 200 })
        {
            var offer = new SynOptions { WindowScaling = true, PeerWindowScale = scale, SelectiveAck = scale > 4 };
            var last = SynCookies.Timestamp(uint.MaxValue - 501, offer);
            for (var clock = uint.MaxValue - 500; clock != 500; clock++)
            {
                var timestamp = SynCookies.Timestamp(clock, offer);
                Assert.InRange(clock - timestamp, 0u, 127u);
                Assert.True(Seq.Ge(timestamp, last));
                last = timestamp;
                var read = default(SynOptions);
                Assert.True(SynCookies.TryReadOptions(timestamp, clock + 100_000, ref read));
                Assert.Equal((true, Math.Min(scale, (byte)14), scale > 4), (read.WindowScaling, read.PeerWindowScale, read.SelectiveAck));
                Assert.False(SynCookies.TryReadOptions(timestamp, clock + 200_000, ref read));
            }
        }
    }
}
