using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp.Scripts;

/// <summary>TCP Fast Open where one side does not play along: cookies that cannot be, cookies that nobody gave, paths and peers that drop or refuse (RFC
/// 7413).</summary>
public class FastOpenEdgeSpec
{
    private static TcpScript Server => new() { Options = new TcpOptions { Timestamps = false }, SocketOptions = new TcpSocketOptions { FastOpenQueue = 4 } };

    private static TcpScript Client => new() { Options = new TcpOptions { Timestamps = false }, SocketOptions = new TcpSocketOptions { FastOpen = true } };

    /// <summary>RFC 7413, 4.1.1: a cookie has 4 to 16 bytes, an even number. Anything else is an option that is not understood, and the open an ordinary
    /// one.</summary>
    [Theory]
    [InlineData("FO 0102")]
    [InlineData("FO 010203")]
    [InlineData("FO 0102030405")]
    [InlineData("FO 01020304050607")]
    public void A_cookie_of_an_illegal_length_is_no_cookie(string option) => Server.Run($"""
        +0 listen
        +0 < S 0:100(100) win 65535 <mss 1460,{option}>
        +0 > S. 0:0(0) ack 1 <mss 1460>
        +0 < . 1:1(0) ack 1 win 65535
        +0 accept
        +0 take 0
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 read 100
        """).AssertNoLeak();

    /// <summary>RFC 7413, 4.1.2: whatever cookie is wrong is answered with the right one, and the data of the SYN is left for the client to send again.</summary>
    [Theory]
    [InlineData("FO 01020304")]
    [InlineData("FO 0102030405060708")]
    [InlineData("FO 0102030405060708090a0b0c0d0e0f10")]
    public void A_cookie_that_was_never_given_is_answered_with_a_true_one(string option) => Server.Run($"""
        +0 listen
        +0 < S 0:100(100) win 65535 <mss 1460,{option}>
        +0 > S. 0:0(0) ack 1 <mss 1460,FO *>
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 accept
        +0 read 100
        +0 counter TcpExtTCPFastOpenPassive 0
        +0 counter TcpExtTCPFastOpenPassiveFail 1
        """).AssertNoLeak();

    /// <summary>A SYN with data and no option at all is as any SYN with data (RFC 9293, 3.10.7.2).</summary>
    [Fact]
    public void Data_in_a_syn_without_a_cookie_waits_for_the_handshake() => Server.Run("""
        +0 listen
        +0 < S 0:100(100) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1 <mss 1460>
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 accept
        +0 read 100
        """).AssertNoLeak();

    /// <summary>A request with data: the data is not taken before an address is proved.</summary>
    [Fact]
    public void Data_in_a_syn_that_asks_for_a_cookie_waits_for_the_handshake() => Server.Run("""
        +0 listen
        +0 < S 0:100(100) win 65535 <mss 1460,FO>
        +0 > S. 0:0(0) ack 1 <mss 1460,FO *>
        +0 < P. 1:101(100) ack 1 win 65535
        +0 > . 1:1(0) ack 101
        +0 accept
        +0 read 100
        """).AssertNoLeak();

    /// <summary>What a client may not keep: it asks again the next time.</summary>
    [Theory]
    [InlineData("FO 010203")]
    [InlineData("FO")]
    public void A_client_does_not_keep_what_is_no_cookie(string option) => Client.Run($"""
        +0 connect
        +0 > S 0:0(0) <mss 1460,sackOK,wscale 5,FO>
        +10ms < S. 0:0(0) ack 1 win 65535 <mss 1460,{option}>
        +0 > . 1:1(0) ack 1
        +0 < R 1:1(0)
        +0 peer 50000
        +1s connect
        +0 > S 0:0(0) <mss 1460,sackOK,wscale 5,FO>
        """).AssertNoLeak();

    /// <summary>RFC 7413, 4.1.3: the cookie that came last is the one that counts.</summary>
    [Fact]
    public void A_newer_cookie_takes_the_place_of_the_older_one() => Client.Run("""
        +0 connect
        +0 > S 0:0(0) <mss 1460,sackOK,wscale 5,FO>
        +10ms < S. 0:0(0) ack 1 win 65535 <mss 1460,FO 0102030405060708>
        +0 > . 1:1(0) ack 1
        +0 < R 1:1(0)
        +0 peer 50000
        +1s connect
        +0 write 100
        +0 > S 0:100(100) <mss 1460,sackOK,wscale 5,FO 0102030405060708>
        +10ms < S. 0:0(0) ack 1 win 65535 <mss 1460,FO 1112131415161718>
        +0 > P. 1:101(100) ack 1
        +0 < R 1:1(0)
        +0 peer 50000
        +1s connect
        +0 write 100
        +0 > S 0:100(100) <mss 1460,sackOK,wscale 5,FO 1112131415161718>
        """).AssertNoLeak();

    /// <summary>A server that refuses takes the data with it: the application hears of it as of any end.</summary>
    [Fact]
    public void A_refusal_of_a_syn_with_data_ends_the_connection() => Client.Run("""
        +0 connect
        +0 > S 0:0(0) <mss 1460,sackOK,wscale 5,FO>
        +10ms < S. 0:0(0) ack 1 win 65535 <mss 1460,FO 0102030405060708>
        +0 > . 1:1(0) ack 1
        +0 < R 1:1(0)
        +0 peer 50000
        +1s connect
        +0 write 100
        +0 > S 0:100(100)
        +10ms < R. 0:0(0) ack 101
        +0 closed ConnectionRefused
        """).AssertNoLeak();

    /// <summary>What was written before the handshake is done, without a cookie, leaves with its end, and the window of the SYN-ACK counts for it.</summary>
    [Fact]
    public void Without_a_cookie_what_was_written_keeps_to_the_window_of_the_syn_ack() => Client.Run("""
        +0 connect
        +0 > S 0:0(0) <mss 1460,sackOK,wscale 5,FO>
        +0 write 5000
        +10ms < S. 0:0(0) ack 1 win 2920 <mss 1460>
        +0 > . 1:1461(1460) ack 1
        +0 > . 1461:2921(1460) ack 1
        """).AssertNoLeak();
}
