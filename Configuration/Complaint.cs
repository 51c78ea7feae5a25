using System.Globalization;
using System.Text;

namespace Tapwire.Configuration;

/// <summary>The one-line error message, safe to print on a terminal whatever the user has typed.</summary>
internal static class Complaint
{
    /// <summary>Most characters of a value that a message shows.</summary>
    private const int MaxValue = 60;

    /// <summary>Most characters of a message. A longer one is cut in the middle, because it begins with the problem and ends with the remedy.</summary>
    private const int MaxLine = 600;

    /// <summary>A value in double quotes; a long one is cut.</summary>
    public static string Quote(string text) => $"\"{Short(text)}\"";

    /// <summary>The text, or its beginning and dots.</summary>
    public static string Short(string text) => text.Length <= MaxValue ? text : text[..(MaxValue - 3)] + "...";

    /// <summary>The message as one line. Control characters and invalid ones are shown by their numbers.</summary>
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

    /// <summary>Writes the line to standard error. If that is closed or full, nobody can be told, and only the exit code remains.</summary>
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
