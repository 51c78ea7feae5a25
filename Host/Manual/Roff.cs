using System.Text;

namespace Tapwire.Host.Manual;

/// <summary>Writes manual pages in roff with the macros of man(7).</summary>
internal sealed class Roff
{
    /// <summary>Of a line of prose, in bytes of roff.</summary>
    private const int Width = 80;

    private readonly StringBuilder _text = new();
    private bool _isAtBeginning;

    /// <param name="date">YYYY-MM-DD.</param>
    public Roff(string name, int section, string date, string source)
    {
        // Programs are copied from here: no hyphenation, no justified gaps.
        Line(".nr HY 0");
        Line($".TH {Escape(name.ToUpperInvariant())} {section} {date} \"{Escape(source)}\" \"Tapwire Manual\"");
        Line(".nh");
        Line(".ad l");
    }

    public override string ToString() => _text.ToString();

    public void Section(string title)
    {
        Line($".SH {Quoted(title)}");
        _isAtBeginning = true;
    }

    public void Subsection(string title) => Line($".SS {Quoted(title)}");

    public void Paragraph(string text)
    {
        // A section begins one by itself.
        if (!_isAtBeginning)
            Line(".PP");
        Text(text);
    }

    /// <summary>Prose. Every sentence begins a line, as roff likes it.</summary>
    public void Text(string text)
    {
        foreach (var sentence in Sentences(text))
            Wrapped(Escape(sentence, isProse: true));
    }

    private void Wrapped(string roff)
    {
        var line = new StringBuilder();
        foreach (var word in roff.Split(' '))
        {
            if (line.Length + 1 + word.Length > Width && line.Length > 0)
            {
                Line(line.ToString());
                line.Clear();
            }

            if (line.Length > 0)
                line.Append(' ');
            else if (word.StartsWith('.'))
                line.Append("\\&");
            line.Append(word);
        }

        Line(line.ToString());
    }

    /// <summary>What stands in bold, and its description indented below. The parts are already roff.</summary>
    public void Item(IReadOnlyList<string> tags, string description)
    {
        for (var i = 0; i < tags.Count; i++)
        {
            Line(i == 0 ? ".TP" : ".TQ");
            Line(tags[i]);
        }

        Text(description);
    }

    /// <summary>A line that is already roff.</summary>
    public void Line(string roff)
    {
        _text.Append(roff).Append('\n');
        _isAtBeginning = false;
    }

    /// <summary>Lines as they are.</summary>
    public void Example(string lines)
    {
        Line(".PP");
        Line(".RS 4");
        Line(".nf");
        foreach (var line in lines.Split('\n'))
            Line(Escape(line));
        Line(".fi");
        Line(".RE");
    }

    public static string Bold(string text) => $"\\fB{Escape(text)}\\fR";

    public static string Italic(string text) => $"\\fI{Escape(text)}\\fR";

    /// <summary>
    /// Text that roff shows as it is. Quotes and hyphens outside of prose are those that a shell reads; in prose a hyphen is one where a letter stands before it.
    /// </summary>
    public static string Escape(string text, bool isProse = false)
    {
        var escaped = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            var isHyphen = text[i] == '-' && isProse && i > 0 && char.IsLetter(text[i - 1]) && i + 1 < text.Length && char.IsLetter(text[i + 1]) && !IsInOption(text, i);
            escaped.Append(text[i] switch
            {
                '\\' => "\\e",
                '-' => isHyphen ? "-" : "\\-",
                '\'' => "\\(aq",
                '"' => "\\(dq",
                '^' => "\\(ha",
                '~' => "\\(ti",
                '`' => "\\(ga",
                '.' when i == 0 => "\\&.",
                '…' => "...",
                '–' => "\\(en",
                '→' => "\\(->",
                _ => text[i].ToString(),
            });
        }

        return escaped.ToString();
    }

    /// <summary>The word is a name for the shell or of a setting, whose hyphens are to be copied.</summary>
    private static bool IsInOption(string text, int at)
    {
        var start = text.LastIndexOf(' ', at) + 1;
        var end = text.IndexOf(' ', at);
        var word = text[start..(end < 0 ? text.Length : end)].TrimStart('(', '"', '\'');
        return word.StartsWith("--", StringComparison.Ordinal) || word.TrimEnd('.', ',').Contains('.', StringComparison.Ordinal) || word.Contains('/', StringComparison.Ordinal);
    }

    private static IEnumerable<string> Sentences(string text)
    {
        var start = 0;
        for (var i = 0; i + 2 < text.Length; i++)
        {
            if (text[i] is '.' or '?' or '!' && text[i + 1] == ' ' && char.IsUpper(text[i + 2]))
            {
                yield return text[start..(i + 1)];
                start = i + 2;
            }
        }

        yield return text[start..];
    }

    private static string Quoted(string text) => text.Contains(' ', StringComparison.Ordinal) ? $"\"{Escape(text)}\"" : Escape(text);
}
