using System.Text;
using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>
/// Standard output or error where it is a terminal. Once that has hung up, every write to it fails, while the program still has to stop in order: what it says
/// then is lost, and nothing else.
/// </summary>
/// <remarks>A file or a pipe is left as it is: whoever cannot write his result there is to be told.</remarks>
internal sealed class TerminalStream(TextWriter terminal) : TextWriter
{
    private bool _isGone;

    public override Encoding Encoding => terminal.Encoding;

    /// <summary>Puts one before each of the program's streams that is a terminal.</summary>
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

    /// <summary>In one write, as the stream itself does it: lines of several threads stay whole.</summary>
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
