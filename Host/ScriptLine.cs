using System.Text;

namespace Tapwire.Host;

/// <summary>The first line of a script, as execve(2) reads it.</summary>
/// <param name="Interpreter">The path after "#!".</param>
/// <param name="Argument">The rest of the line, which the interpreter gets as one argument; empty if there is none.</param>
internal sealed record ScriptLine(string Interpreter, string Argument)
{
    // The kernel reads this much of a script's first line.
    private const int MaxLength = 255;

    private static readonly char[] Blanks = [' ', '\t'];

    /// <summary>Null if the file is no script, or cannot be read.</summary>
    public static ScriptLine? Of(string file)
    {
        try
        {
            using var stream = File.OpenRead(file);
            var bytes = new byte[MaxLength];
            var text = Encoding.UTF8.GetString(bytes, 0, stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false));
            if (!text.StartsWith("#!", StringComparison.Ordinal))
                return null;
            var parts = text[2..].Split('\n')[0].Trim(Blanks).Split(Blanks, 2);
            return parts[0].Length == 0 ? null : new(parts[0], parts.Length > 1 ? parts[1].Trim(Blanks) : "");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The program that the interpreter env(1) runs: the first word that is no option and sets no variable. Null if the interpreter is another, or is given no program.</summary>
    public string? ProgramOfEnv => Path.GetFileName(Interpreter) == "env"
        ? Argument.Split(Blanks, StringSplitOptions.RemoveEmptyEntries)
            .FirstOrDefault(static word => !word.StartsWith('-') && !word.Contains('=', StringComparison.Ordinal))
        : null;
}
