using System.Text.Json;
using Spectre.Console;
using Spectre.Console.Rendering;
using Tapwire.Host.Status;
using Xunit;

namespace Tapwire.Tests.Host.Status;

/// <summary>How <c>tapwire status</c> shows sockets, in windows of any size.</summary>
public sealed class SocketTableSpecs
{
    private const string Connection = """
        {"state":"Established","local":"10.99.0.2:8080","remote":"10.99.0.1:51234","sendQueue":123456,"receiveQueue":0,"ageSeconds":75.5,"interface":"tw0","owner":{"kind":"application","name":"nginx","process":1234,"user":33},
        "tcp":{"congestionControl":"cubic","roundTripMicroseconds":1250,"roundTripVariationMicroseconds":300,"minRoundTripMicroseconds":900,"retransmissionTimeoutMicroseconds":201000,"segmentSize":1448,"congestionWindow":14480,
        "bytesInFlight":1448,"sendWindow":65535,"receiveWindow":1048576,"pacingBytesPerSecond":0,"bytesDelivered":SENT,"bytesReceived":100,"bytesLost":0,"segmentsSentAgain":2,"timeouts":0,"reorderingSeen":false,"limitedBy":"receiver window"}}
        """;

    private const string Listener = """{"state":"Listen","local":"[::]:7","remote":"","sendQueue":1024,"receiveQueue":0,"ageSeconds":3,"owner":{"kind":"service","name":"echo"}}""";

    private const string OfAnEarlierDriver = """{"state":"Udp","local":"10.99.0.2:53","remote":"","sendQueue":0,"receiveQueue":0}""";

    [Fact]
    public void All_is_said_where_there_is_room() => Assert.Equal(
        [
            "STATE   RECV-Q  SEND-Q  LOCAL           REMOTE           PROCESS       LIMITED BY            OUT     IN     RTT  AGE  DEV  UID",
            "ESTAB        0  123456  10.99.0.2:8080  10.99.0.1:51234  nginx (1234)  receiver window  4.00 MiB  100 B  1.25ms  75s  tw0   33",
            "LISTEN       0    1024  [::]:7          *                service echo                                             3s",
            "UDP          0       0  10.99.0.2:53    *",
        ],
        SocketTable.Lines(Rows(), int.MaxValue, withInfo: false));

    [Fact]
    public void In_80_columns_it_says_who_is_slow_and_why() => Assert.Equal(
        [
            "STATE   RECV-Q  SEND-Q  LOCAL           REMOTE           LIMITED BY",
            "ESTAB        0  123456  10.99.0.2:8080  10.99.0.1:51234  receiver window",
            "LISTEN       0    1024  [::]:7          *",
            "UDP          0       0  10.99.0.2:53    *",
        ],
        SocketTable.Lines(Rows(), 80, withInfo: false));

    [Theory]
    [InlineData(60)]
    [InlineData(80)]
    [InlineData(100)]
    [InlineData(120)]
    public void No_line_is_longer_than_the_window(int width) => Assert.All(SocketTable.Lines(Rows(), width, withInfo: false), line => Assert.InRange(line.Length, 0, width));

    [Fact]
    public void The_variables_of_tcp_are_told_in_the_words_of_ss() => Assert.Contains(
        "    cubic rto:201ms rtt:1.25ms/300us minrtt:900us mss:1448 cwnd:10 bytes_acked:4194304 bytes_received:100 unacked:1448 snd_wnd:65535 rcv_wnd:1048576 retrans:2",
        SocketTable.Lines(Rows(), 80, withInfo: true));

    [Fact]
    public void Nothing_is_printed_of_nothing() => Assert.Empty(SocketTable.Lines([], 80, withInfo: true));

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(1000, "0.98 KiB")]
    [InlineData(1048576, "1.00 MiB")]
    [InlineData(123456789012, "115 GiB")]
    public void Sizes_have_three_digits(double bytes, string text) => Assert.Equal(text, StatusUnits.Size(bytes));

    [Fact]
    public void The_screen_fills_the_window_with_the_rates_since_the_last_look()
    {
        var rates = new StatusRates();
        using var first = Status(10, 1_000_000);
        using var second = Status(12, 3_500_000);
        rates.Take(first.RootElement, Rows());
        var rows = rates.Take(second.RootElement, Rows(sent: 4194304 + 2_500_000));
        Assert.Equal(1_250_000, rows[0].SendRate);
        Assert.Equal([1_250_000.0], rates.Out);
        var lines = Drawn(new StatusScreen(Window(80, 24)), second.RootElement, rows, rates);
        Assert.Equal(24, lines.Count);
        Assert.Equal("up 0.00:00:12; 2 sessions; 3 sockets", lines[0]);
        Assert.Equal("tw0 DOWN, 10.99.0.2/24", lines[1]);
        Assert.Equal("in     0 bit/s", lines[2]);
        Assert.Equal("out  █ 10.0 Mbit/s", lines[3]);
        Assert.StartsWith("STATE ", lines[5], StringComparison.Ordinal);
        Assert.StartsWith("ESTAB ", lines[6], StringComparison.Ordinal);
        Assert.Equal("q ends", lines[^1]);
    }

    [Fact]
    public void More_sockets_than_lines_are_turned_over_by_keys()
    {
        var rates = new StatusRates();
        using var status = Status(10, 0);
        var rows = Enumerable.Range(1, 100).Select(port => SocketRow.Of(JsonDocument.Parse(Listener.Replace("]:7", $"]:{port}", StringComparison.Ordinal)).RootElement)).ToList();
        var screen = new StatusScreen(Window(80, 24));
        var lines = Drawn(screen, status.RootElement, rows, rates);
        Assert.Equal("1 to 17 of 100; arrows, page up, page down; q ends", lines[^1]);
        Assert.False(screen.Turn(new ConsoleKeyInfo(' ', ConsoleKey.PageDown, false, false, false)));
        lines = Drawn(screen, status.RootElement, rows, rates);
        Assert.Equal(24, lines.Count);
        Assert.Contains("[::]:18 ", lines[6], StringComparison.Ordinal);
        screen.Turn(new ConsoleKeyInfo(' ', ConsoleKey.End, false, false, false));
        Assert.Contains("84 to 100 of 100", Drawn(screen, status.RootElement, rows, rates)[^1], StringComparison.Ordinal);
        screen.Turn(new ConsoleKeyInfo(' ', ConsoleKey.UpArrow, false, false, false));
        Assert.Contains("83 to 99 of 100", Drawn(screen, status.RootElement, rows, rates)[^1], StringComparison.Ordinal);
        Assert.True(screen.Turn(new ConsoleKeyInfo('q', ConsoleKey.Q, false, false, false)));
    }

    [Fact]
    public void Rates_of_a_driver_that_was_started_again_are_not_made_up()
    {
        var rates = new StatusRates();
        using var first = Status(100, 1_000_000);
        using var second = Status(2, 10);
        rates.Take(first.RootElement, Rows());
        Assert.All(rates.Take(second.RootElement, Rows()), static row => Assert.Null(row.SendRate));
        Assert.Empty(rates.Out);
    }

    private static List<SocketRow> Rows(long sent = 4194304) =>
        [.. new[] { Connection.Replace("SENT", $"{sent}", StringComparison.Ordinal), Listener, OfAnEarlierDriver }.Select(static json => SocketRow.Of(JsonDocument.Parse(json).RootElement))];

    private static JsonDocument Status(double uptime, long sent) => JsonDocument.Parse(
        $$$"""{"uptimeSeconds":{{{uptime}}},"link":{"sessions":2},"interfaces":[{"name":"tw0","addresses":["10.99.0.2/24"],"wire":{"up":false,"bytesReceived":5,"bytesSent":{{{sent}}} } }]}""");

    private static IAnsiConsole Window(int width, int height)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Out = new AnsiConsoleOutput(TextWriter.Null) });
        (console.Profile.Width, console.Profile.Height) = (width, height);
        return console;
    }

    private static List<string> Drawn(StatusScreen screen, JsonElement status, IReadOnlyList<SocketRow> rows, StatusRates rates)
    {
        var console = Window(80, 24);
        var text = string.Concat(screen.Picture(status, rows, rates).Render(RenderOptions.Create(console), 80).Select(static segment => segment.IsLineBreak ? "\n" : segment.Text));
        return [.. text.TrimEnd('\n').Split('\n').Select(static line => line.TrimEnd())];
    }
}
