using System.Globalization;
using System.Text;

namespace Tapwire.Host;

/// <summary>The one line that says what went wrong, fit for a terminal whatever was typed.</summary>
internal static class Complaint
{
    /// <summary>Characters of a value that a message shows.</summary>
    private const int MaxValue = 60;

    /// <summary>Characters of a line; what is longer loses its middle, since what is wrong comes first and what to do last.</summary>
    private const int MaxLine = 600;

    /// <summary>A value in double quotes: what is long is cut.</summary>
    public static string Quote(string text) => $"\"{Short(text)}\"";

    /// <summary>The beginning of a text, and dots where it goes on.</summary>
    public static string Short(string text) => text.Length <= MaxValue ? text : text[..(MaxValue - 3)] + "...";

    /// <summary>One line of text: what moves a terminal's cursor, or is no character, is shown by its number.</summary>
    public static string Line(string message)
    {
        var line = new StringBuilder();
        foreach (var rune in message.ReplaceLineEndings(" ").EnumerateRunes())
        {
            if (IsShown(rune))
                line.Append(rune);
            else
                line.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:X4}");
        }

        const int Half = MaxLine / 2;
        return line.Length <= MaxLine ? line.ToString() : $"{line.ToString(0, Half)} ... {line.ToString(line.Length - Half, Half)}";
    }

    /// <summary>Writes the line to standard error. Where that is closed or full nobody is there to be told, and the exit code has to do.</summary>
    public static void Write(string message)
    {
        try
        {
            Console.Error.WriteLine($"tapwire: {Line(message)}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
        }
    }

    private static bool IsShown(Rune rune) => rune != Rune.ReplacementChar && Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned or UnicodeCategory.Surrogate);
}
