using System.Text;
using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>
/// Standard output or error on a terminal. After a hang-up every write to the terminal fails, although the program still has to stop in order. This stream drops
/// such output and lets the program go on.
/// </summary>
/// <remarks>Files and pipes are not wrapped: a failure to write there has to be reported.</remarks>
internal sealed class TerminalStream(TextWriter terminal) : TextWriter
{
    private bool _isGone;

    public override Encoding Encoding => terminal.Encoding;

    /// <summary>Wraps those of the program's streams that are terminals.</summary>
    public static void Install()
    {
        if (!Console.IsOutputRedirected)
            Console.SetOut(new TerminalStream(Console.Out));
        if (!Console.IsErrorRedirected)
            Console.SetError(new TerminalStream(Console.Error));
    }

    public override void Write(char value) => Try(value, static (to, value) => to.Write(value));

    public override void Write(string? value) => Try(value, static (to, value) => to.Write(value));

    public override void Write(char[] buffer, int index, int count) => Try((buffer, index, count), static (to, part) => to.Write(part.buffer, part.index, part.count));

    /// <summary>Writes a line by one call, like the stream itself, so that lines of several threads do not mix.</summary>
    public override void WriteLine(string? value) => Try(value, static (to, value) => to.WriteLine(value));

    public override void Flush() => Try(0, static (to, _) => to.Flush());

    private void Try<T>(T value, Action<TextWriter, T> write)
    {
        if (_isGone)
            return;
        try
        {
            write(terminal, value);
        }
        catch (IOException e) when (e.HResult == Errors.EIO)
        {
            _isGone = true;
        }
    }
}
