using System.Buffers;
using System.Globalization;
using System.Text;

namespace Akka.Configuration.Hocon;

/// <summary>Which characters may stand without quotes, and how text is written so that it parses again.</summary>
internal static class HoconText
{
    private static readonly SearchValues<char> NeverUnquoted = SearchValues.Create("$\"{}[]:=,#`^?!@*&\\");

    public static bool IsUnquoted(char c) => !NeverUnquoted.Contains(c) && !char.IsWhiteSpace(c);

    public static bool IsUnquotedKey(char c) => c != '.' && IsUnquoted(c);

    public static string Key(string key, bool quoteDots = true) =>
        NeedsQuotes(key) || key.Contains('+') || (quoteDots && key.Contains('.')) ? Quote(key) : key;

    /// <param name="text">Null is written as <c>null</c>, and the text "null" in quotes.</param>
    public static string Value(string text) => text is null ? "null" : text == "null" || NeedsQuotes(text) ? Quote(text) : text;

    private static bool NeedsQuotes(string text) =>
        text.Length == 0 || text.Contains("//", StringComparison.Ordinal) || !text.All(IsUnquoted) || text.StartsWith("include", StringComparison.Ordinal);

    private static string Quote(string text)
    {
        var quoted = new StringBuilder(text.Length + 8).Append('"');
        foreach (var c in text)
            quoted.Append(c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '\b' => "\\b",
                '\f' => "\\f",
                < ' ' => "\\u" + ((int)c).ToString("x4", CultureInfo.InvariantCulture),
                _ => c.ToString(),
            });
        return quoted.Append('"').ToString();
    }
}
