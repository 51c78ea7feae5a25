using System.Net.Sockets;
using Tapwire.Actors.Settings;
using Tapwire.Host;
using Xunit;

namespace Tapwire.Tests.Host;

/// <summary>Whatever goes wrong is one line.</summary>
[Collection(HostCollection.Name)]
public sealed class ComplaintSpecs
{
    public static TheoryData<Exception, int, string> Failures { get; } = new()
    {
        { new SettingsException("A is wrong; do B."), ExitCode.Usage, "tapwire: A is wrong; do B." },
        { new CommandFailedException("A has failed."), ExitCode.Failed, "tapwire: A has failed." },
        { new CommandFailedException("A is not there.", ExitCode.NotFound), ExitCode.NotFound, "tapwire: A is not there." },
        { new IOException("Two\nlines"), ExitCode.Failed, "tapwire: Two lines" },
        { new SocketException((int)SocketError.ConnectionRefused), ExitCode.Failed, "tapwire: Connection refused" },
        {
            new InvalidOperationException("outer", new ArgumentException("inner.")), ExitCode.Failed,
            "tapwire: inner. This was not foreseen: please report it with the command line, and with the log of --log-level debug."
        },
    };

    [Theory]
    [MemberData(nameof(Failures))]
    public void A_failure_is_one_line_and_an_exit_code(Exception failure, int code, string line)
    {
        var error = Console.Error;
        using var written = new StringWriter();
        Console.SetError(written);
        try
        {
            Assert.Equal(code, TapwireCommandLine.Told(failure));
        }
        finally
        {
            Console.SetError(error);
        }

        Assert.Equal(line + Environment.NewLine, written.ToString());
    }

    [Fact]
    public void A_stream_that_cannot_be_written_is_nobodys_fault_here()
    {
        var error = Console.Error;
        Console.SetError(new FullWriter());
        try
        {
            Complaint.Write("unheard");
        }
        finally
        {
            Console.SetError(error);
        }
    }

    [Theory]
    [InlineData("plain größe 日本", "plain größe 日本")]
    [InlineData("a\u001B[31mb\tc", "a\\u001B[31mb\\u0009c")]
    [InlineData("one\r\ntwo", "one two")]
    [InlineData("left\u202Eright", "left\\u202Eright")]
    public void What_would_move_the_cursor_is_shown_by_its_number(string text, string line) => Assert.Equal(line, Complaint.Line(text));

    [Fact]
    public void A_long_line_loses_its_middle()
    {
        var line = Complaint.Line("begin" + new string('x', 10_000) + "end");
        Assert.Equal(605, line.Length);
        Assert.StartsWith("begin", line, StringComparison.Ordinal);
        Assert.EndsWith("end", line, StringComparison.Ordinal);
    }

    private sealed class FullWriter : StringWriter
    {
        public override void WriteLine(string? value) => throw new IOException("No space left on device");
    }
}
