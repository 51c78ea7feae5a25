using System.Text;
using Tapwire.Host;
using Xunit;

namespace Tapwire.Tests.Host;

public sealed class TerminalStreamSpecs
{
    private const int EIO = 5;
    private const int ENOSPC = 28;

    [Fact]
    public void It_writes_what_it_is_given()
    {
        using var terminal = new FailingWriter(0);
        using var stream = new TerminalStream(terminal);
        stream.Write('a');
        stream.Write("b");
        stream.Write("xcx".AsSpan(1, 1));
        stream.WriteLine("d");
        stream.Flush();
        Assert.Equal("abcd\n", terminal.Text);
    }

    [Fact]
    public async Task After_the_terminal_has_hung_up_it_loses_everything_and_complains_of_nothing()
    {
        using var terminal = new FailingWriter(EIO);
        await using var stream = new TerminalStream(terminal);
        stream.WriteLine("a");
        await stream.WriteLineAsync("b");
        stream.Flush();
        Assert.Equal(1, terminal.Attempts);
    }

    [Fact]
    public void Another_failure_is_the_writers()
    {
        using var terminal = new FailingWriter(ENOSPC);
        using var stream = new TerminalStream(terminal);
        Assert.Throws<IOException>(() => stream.WriteLine("a"));
        Assert.Throws<IOException>(() => stream.Write("b"));
    }

    private sealed class FailingWriter(int errno) : TextWriter
    {
        private readonly StringBuilder _text = new();

        public override Encoding Encoding => Encoding.UTF8;

        public int Attempts { get; private set; }

        public string Text => _text.ToString();

        public override void Write(char value)
        {
            Attempts++;
            if (errno != 0)
                throw new IOException("no", errno);
            _text.Append(value);
        }
    }
}
