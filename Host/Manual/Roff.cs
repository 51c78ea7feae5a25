using System.Text;

namespace Tapwire.Host.Manual;

/// <summary>Writes manual pages in roff, with the macros of man(7).</summary>
internal sealed class Roff
{
    /// <summary>Greatest length of a line of prose, in bytes of roff.</summary>
    private const int Width = 80;

    private readonly StringBuilder _text = new();
    private bool _isAtBeginning;

    /// <param name="date">In the form YYYY-MM-DD.</param>
    public Roff(string name, int section, string date, string source)
    {
        // Without hyphenation and justification, because readers copy commands from the page.
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
        // A section heading already begins a paragraph.
        if (!_isAtBeginning)
            Line(".PP");
        Text(text);
    }

    /// <summary>Writes prose. Every sentence begins a new line, by convention in roff.</summary>
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

    /// <summary>Writes an item: tags in bold, and the description indented below. The tags are already roff.</summary>
    public void Item(IReadOnlyList<string> tags, string description)
    {
        for (var i = 0; i < tags.Count; i++)
        {
            Line(i == 0 ? ".TP" : ".TQ");
            Line(tags[i]);
        }

        Text(description);
    }

    /// <summary>Writes a line of roff as it is.</summary>
    public void Line(string roff)
    {
        _text.Append(roff).Append('\n');
        _isAtBeginning = false;
    }

    /// <summary>Writes an example, with its lines as they are.</summary>
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
    /// Escapes a text, so that roff shows it literally. Quotes and hyphens become those that a shell reads, so that they can be copied. In prose, a hyphen between
    /// letters stays a typographic one.
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

    /// <summary>True inside an option, a path or a setting's name, whose hyphens must be copyable.</summary>
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
