using System.Globalization;
using System.Text.RegularExpressions;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Every kind of segment, and every call, in every state (RFC 9293, 3.10). In the scripts {r} is RCV.NXT, {s} SND.NXT, {u} SND.UNA.</summary>
public partial class Rfc9293StatesSpec
{
    private const string InFinWait1 = TcpScript.Accepted + """
        +0 shutdown
        +0 > F. 1:1(0) ack 1

        """;

    private const string InCloseWait = TcpScript.Accepted + """
        +0 < F. 1:1(0) ack 1 win 65535
        +0 > . 1:1(0) ack 2

        """;

    private const string InFinWait2 = InFinWait1 + """
        +0 < . 1:1(0) ack 2 win 65535

        """;

    private static readonly Dictionary<string, Place> Places = new()
    {
        ["SynSent"] = new("""
            +0 connect
            +0 > S 0:0(0)

            """, 0, 1, 0),
        ["SynReceived"] = new("""
            +0 connect
            +0 > S 0:0(0)
            +0 < S 0:0(0) win 65535
            +0 > S. 0:0(0) ack 1

            """, 1, 1, 0),
        ["Established"] = new(TcpScript.Accepted, 1, 1, 1),
        ["FinWait1"] = new(InFinWait1, 1, 2, 1),
        ["FinWait2"] = new(InFinWait2, 1, 2, 2),
        ["CloseWait"] = new(InCloseWait, 2, 1, 1),
        ["Closing"] = new(InFinWait1 + """
            +0 < F. 1:1(0) ack 1 win 65535
            +0 > . 2:2(0) ack 2

            """, 2, 2, 1),
        ["LastAck"] = new(InCloseWait + """
            +0 shutdown
            +0 > F. 1:1(0) ack 2

            """, 2, 2, 1),
        ["TimeWait"] = new(InFinWait2 + """
            +0 < F. 1:1(0) ack 2 win 65535
            +0 > . 2:2(0) ack 2

            """, 2, 2, 2),
    };

    public static TheoryData<string> Synchronized => ["Established", "FinWait1", "FinWait2", "CloseWait", "Closing", "LastAck"];

    public static TheoryData<string> FinReceived => ["CloseWait", "Closing", "LastAck"];

    public static TheoryData<string> FinNotReceived => ["Established", "FinWait1", "FinWait2"];

    public static TheoryData<string> All => [.. Places.Keys];

    private static TcpScript In(string state, string script)
    {
        var place = Places[state];
        var text = Token().Replace(script, match =>
        {
            var value = match.Groups[1].Value switch { "r" => place.Received, "s" => place.Next, _ => place.Unacknowledged };
            return (value + (match.Groups[2].Success ? int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture) : 0)).ToString(CultureInfo.InvariantCulture);
        });
        return new TcpScript().Run(place.Script + $"+0 state {state}\n" + text.Replace("{state}", state, StringComparison.Ordinal));
    }

    // The first and second check: sequence number and RST

    [Theory]
    [MemberData(nameof(Synchronized))]
    public void An_exact_reset_ends_the_connection_and_may_carry_data(string state)
    {
        In(state, """
            +0 < R {r}:{r}(0)
            +0 closed ConnectionReset
            +0 sockets 0
            """).AssertNoLeak();
        In(state, """
            +0 < R. {r}:{r+10}(10) ack {u}
            +0 closed ConnectionReset
            """).AssertNoLeak();
    }

    [Theory]
    [MemberData(nameof(Synchronized))]
    public void A_reset_elsewhere_in_the_window_is_challenged_and_one_outside_dropped(string state) => In(state, """
        +0 < R {r+70000}:{r+70000}(0)
        +0 < R {r-5000}:{r-5000}(0)
        +0 state {state}
        +0 < R {r+100}:{r+100}(0)
        +0 > . {s}:{s}(0) ack {r}
        +0 state {state}
        """).AssertNoLeak();

    [Theory]
    [MemberData(nameof(Synchronized))]
    public void What_lies_outside_the_window_is_answered_and_dropped(string state)
    {
        In(state, """
            +0 < P. {r+70000}:{r+70010}(10) ack {s} win 65535
            +0 > . {s}:{s}(0) ack {r}
            +0 state {state}
            """).AssertNoLeak();
        In(state, """
            +0 < P. {r-20}:{r-10}(10) ack {s} win 65535
            +0 > . {s}:{s}(0) ack {r}
            +0 state {state}
            """).AssertNoLeak();
    }

    // The fourth and fifth: SYN and ACK

    [Theory]
    [MemberData(nameof(Synchronized))]
    public void A_syn_is_challenged_wherever_it_lies(string state)
    {
        foreach (var syn in new[] { "S {r}:{r}(0) win 65535", "S 0:0(0) win 65535", "S {r+70000}:{r+70000}(0) win 65535", "S. {r+5}:{r+5}(0) ack {s} win 65535" })
        {
            In(state, $$"""
                +0 < {{syn}}
                +0 > . {s}:{s}(0) ack {r}
                +0 state {state}
                """).AssertNoLeak();
        }
    }

    [Theory]
    [MemberData(nameof(Synchronized))]
    public void An_acknowledgement_of_what_was_never_sent_or_too_long_ago_is_challenged(string state)
    {
        foreach (var ack in new[] { "{s+1}", "{s-70000}" })
        {
            In(state, $$"""
                +0 < P. {r}:{r+10}(10) ack {{ack}} win 65535
                +0 > . {s}:{s}(0) ack {r}
                +0 state {state}
                """).AssertNoLeak();
        }
    }

    [Theory]
    [MemberData(nameof(Synchronized))]
    public void Without_ack_nothing_is_looked_at(string state) => In(state, """
        +0 < P {r}:{r+10}(10) win 65535
        +0 < F {r}:{r}(0) win 65535
        +0 < 0 {r}:{r}(0) win 65535
        +0 state {state}
        """).AssertNoLeak();

    [Theory]
    [InlineData("FinWait1", "FinWait2")]
    [InlineData("Closing", "TimeWait")]
    [InlineData("LastAck", "Closed")]
    [InlineData("Established", "Established")]
    [InlineData("FinWait2", "FinWait2")]
    [InlineData("CloseWait", "CloseWait")]
    [InlineData("SynReceived", "Established")]
    public void An_acknowledgement_of_everything_moves_on_whoever_waits_for_it(string state, string next) => In(state, $$"""
        +0 < . {r}:{r}(0) ack {s} win 65535
        +0 state {{next}}
        """).AssertNoLeak();

    // The seventh and eighth: text and FIN

    [Theory]
    [MemberData(nameof(FinNotReceived))]
    public void Text_is_taken_until_the_peer_has_sent_its_fin(string state) => In(state, """
        +0 < P. {r}:{r+10}(10) ack {u} win 65535
        +0 > . {s}:{s}(0) ack {r+10}
        +0 read 10
        +0 state {state}
        """).AssertNoLeak();

    [Theory]
    [MemberData(nameof(FinReceived))]
    public void Behind_the_fin_text_and_further_fins_are_acknowledged_and_ignored(string state) => In(state, """
        +0 < P. {r}:{r+10}(10) ack {u} win 65535
        +0 > . {s}:{s}(0) ack {r}
        +0 < F. {r-1}:{r-1}(0) ack {u} win 65535
        +0 > . {s}:{s}(0) ack {r}
        +0 < F. {r+3}:{r+3}(0) ack {u} win 65535
        +0 > . {s}:{s}(0) ack {r}
        +0 eof
        +0 state {state}
        """).AssertNoLeak();

    [Theory]
    [InlineData("Established", "CloseWait")]
    [InlineData("FinWait1", "Closing")]
    [InlineData("FinWait2", "TimeWait")]
    public void A_fin_moves_on_whoever_has_not_had_it(string state, string next) => In(state, $$"""
        +0 < F. {r}:{r}(0) ack {u} win 65535
        +0 > . {s}:{s}(0) ack {r+1}
        +0 eof
        +0 state {{next}}
        """).AssertNoLeak();

    [Theory]
    [InlineData("F. {r}:{r}(0) ack {s} win 65535", "+0 > . {s}:{s}(0) ack {r+1}", "CloseWait")]
    [InlineData("P. {r}:{r+10}(10) ack {s} win 65535", "+0 > . {s}:{s}(0) ack {r+10}", "Established")]
    [InlineData(". {r}:{r}(0) ack {s+5} win 65535", "+0 > R {s+5}:{s+5}(0)", "SynReceived")]
    [InlineData(". {r}:{r}(0) ack {u} win 65535", "+0 > R {u}:{u}(0)", "SynReceived")]
    [InlineData("P. {r+70000}:{r+70010}(10) ack {s} win 65535", "+0 > . {s}:{s}(0) ack {r}", "SynReceived")]
    [InlineData("R {r+10}:{r+10}(0)", "+0 > . {s}:{s}(0) ack {r}", "SynReceived")]
    [InlineData("R {r+70000}:{r+70000}(0)", "", "SynReceived")]
    [InlineData("S {r+10}:{r+10}(0) win 65535", "+0 > . {s}:{s}(0) ack {r}", "SynReceived")]
    [InlineData("S 0:0(0) win 65535", "+0 > . {s}:{s}(0) ack {r}", "SynReceived")]
    [InlineData("R {r}:{r}(0)", "", "Closed")]
    public void After_a_simultaneous_open(string segment, string answer, string next) => In("SynReceived", $$"""
        +0 < {{segment}}
        {{answer}}
        +0 state {{next}}
        """).AssertNoLeak();

    [Theory]
    [InlineData("P. 1:11(10) ack 1 win 65535", "")]
    [InlineData("F. 1:1(0) ack 1 win 65535", "")]
    [InlineData("F 1:1(0) win 65535", "")]
    [InlineData(". 1:1(0) ack 0 win 65535", "+0 > R 0:0(0)")]
    [InlineData("P. 1:11(10) ack 2 win 65535", "+0 > R 2:2(0)")]
    [InlineData("R. 1:1(0) ack 2", "")]
    [InlineData("R 1:1(0)", "")]
    public void In_syn_sent_only_a_syn_or_a_reset_that_acknowledges_ours_counts(string segment, string answer) => In("SynSent", $$"""
        +0 < {{segment}}
        {{answer}}
        +0 no-event
        +0 state SynSent
        """).AssertNoLeak();

    [Theory]
    [InlineData("P. {r}:{r+10}(10) ack {s} win 65535", true)]
    [InlineData("F. {r-1}:{r-1}(0) ack {s} win 65535", true)]
    [InlineData(". {r+1000}:{r+1000}(0) ack {s} win 65535", true)]
    [InlineData("S. 0:0(0) ack {s} win 65535", true)]
    [InlineData("S -5:-5(0) win 65535", true)]
    [InlineData(". {r}:{r}(0) ack {s} win 65535", false)]
    [InlineData("R {r}:{r}(0)", false)]
    [InlineData("R {r+5}:{r+5}(0)", false)]
    public void In_time_wait_old_segments_are_answered_and_resets_ignored(string segment, bool answered) => In("TimeWait", $$"""
        +0 < {{segment}}
        {{(answered ? "+0 > . {s}:{s}(0) ack {r}" : "")}}
        +0 time-waits 1
        """).AssertNoLeak();

    // Calls

    [Theory]
    [InlineData("SynSent", "")]
    [InlineData("SynReceived", "")]
    [InlineData("Established", "+0 > P. {s}:{s+10}(10) ack {r}")]
    [InlineData("CloseWait", "+0 > P. {s}:{s+10}(10) ack {r}")]
    public void Send_is_taken_or_queued_until_our_fin(string state, string sent) => In(state, $$"""
        +0 write 10
        {{sent}}
        +0 state {state}
        """).AssertNoLeak();

    [Theory]
    [InlineData("FinWait1")]
    [InlineData("FinWait2")]
    [InlineData("Closing")]
    [InlineData("LastAck")]
    [InlineData("TimeWait")]
    public void Send_after_our_fin_is_an_error(string state) => In(state, """
        +0 write 10 BrokenPipe
        +0 state {state}
        """).AssertNoLeak();

    [Theory]
    [MemberData(nameof(All))]
    public void Send_and_further_calls_after_the_end_are_errors_or_nothing(string state) => In(state, """
        +0 abort
        +0 poll
        """ + (Resets(state) ? "\n+0 > R. {s}:{s}(0) ack {r}" : "") + """

        +0 write 10 BrokenPipe
        +0 shutdown
        +0 shutdown-read
        +0 close
        +0 abort
        +0 sockets 0
        """).AssertNoLeak();

    [Theory]
    [MemberData(nameof(All))]
    public void Receive_before_anything_came_gives_nothing(string state) => In(state, """
        +0 take 0
        +0 state {state}
        """).AssertNoLeak();

    [Theory]
    [MemberData(nameof(FinReceived))]
    public void Receive_after_the_peers_fin_says_so_once(string state) => In(state, """
        +0 eof
        +0 take 0
        +0 state {state}
        """).AssertNoLeak();

    [Theory]
    [InlineData("SynSent", "", "SynSent")]
    [InlineData("SynReceived", "", "SynReceived")]
    [InlineData("Established", "+0 > F. {s}:{s}(0) ack {r}", "FinWait1")]
    [InlineData("CloseWait", "+0 > F. {s}:{s}(0) ack {r}", "LastAck")]
    [InlineData("FinWait1", "", "FinWait1")]
    [InlineData("FinWait2", "", "FinWait2")]
    [InlineData("Closing", "", "Closing")]
    [InlineData("LastAck", "", "LastAck")]
    [InlineData("TimeWait", "", "TimeWait")]
    public void Shutdown_sends_one_fin(string state, string sent, string next) => In(state, $$"""
        +0 shutdown
        {{sent}}
        +0 shutdown
        +0 state {{next}}
        """).AssertNoLeak();

    [Theory]
    [InlineData("SynSent", "", "Closed")]
    [InlineData("SynReceived", "", "SynReceived")]
    [InlineData("Established", "+0 > F. {s}:{s}(0) ack {r}", "FinWait1")]
    [InlineData("CloseWait", "+0 > F. {s}:{s}(0) ack {r}", "LastAck")]
    [InlineData("FinWait1", "", "FinWait1")]
    [InlineData("FinWait2", "", "FinWait2")]
    [InlineData("Closing", "", "Closing")]
    [InlineData("LastAck", "", "LastAck")]
    [InlineData("TimeWait", "", "TimeWait")]
    public void Close_sends_one_fin_and_is_final(string state, string sent, string next) => In(state, $$"""
        +0 close
        {{sent}}
        +0 close
        +0 write 1 BrokenPipe
        +0 state {{next}}
        """).AssertNoLeak();

    [Fact]
    public void Close_in_syn_received_is_queued_and_sends_the_fin_once_established() => In("SynReceived", """
        +0 close
        +0 < . 1:1(0) ack 1 win 65535
        +0 > F. 1:1(0) ack 1
        +0 state FinWait1
        """).AssertNoLeak();

    [Theory]
    [MemberData(nameof(All))]
    public void Abort_resets_unless_both_fins_are_sent_or_nothing_was_agreed(string state) => In(state, """
        +0 abort
        """ + (Resets(state) ? "\n+0 > R. {s}:{s}(0) ack {r}" : "\n+0 poll") + "\n" + (state == "TimeWait" ? "+0 closed None" : "+0 closed ConnectionAborted"))
        .AssertNoLeak();

    private static bool Resets(string state) => state is "SynReceived" or "Established" or "FinWait1" or "FinWait2" or "CloseWait";

    [GeneratedRegex(@"\{([rsu])([+-]\d+)?\}")]
    private static partial Regex Token();

    private sealed record Place(string Script, int Received, int Next, int Unacknowledged);
}
