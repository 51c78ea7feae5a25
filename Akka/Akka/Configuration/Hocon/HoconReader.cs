using System.Globalization;
using System.Text;

namespace Akka.Configuration.Hocon;

/// <summary>Walks through a text, knows the place, and reads the pieces that have no structure: blanks, comments, words and strings.</summary>
internal sealed class HoconReader(string text)
{
    private const char ByteOrderMark = '\uFEFF';

    private int _index;
    private int _line = 1;
    private int _lineStart;

    public bool AtEnd => _index >= text.Length;

    /// <summary>The next character, or NUL at the end.</summary>
    public char Next => AtEnd ? '\0' : text[_index];

    public TextPosition Position => new(_line, _index - _lineStart + 1);

    /// <summary>What comes next, for an error message.</summary>
    public string Found => AtEnd ? "the end of the text" : Next == '\n' ? "the end of the line" : $"'{Next}'";

    public bool AtComment => Next == '#' || At("//");

    public bool AtBlank => !AtEnd && Next != '\n' && char.IsWhiteSpace(Next);

    public bool At(string what) => string.CompareOrdinal(text, _index, what, 0, what.Length) == 0;

    /// <summary>The first character that is not blank after the given word, which is known to come next.</summary>
    public char PeekAfter(string word)
    {
        var i = _index + word.Length;
        while (i < text.Length && text[i] is ' ' or '\t')
            i++;
        return i < text.Length ? text[i] : '\0';
    }

    public char Take()
    {
        var c = text[_index++];
        if (c == '\n')
        {
            _line++;
            _lineStart = _index;
        }
        return c;
    }

    public bool TryTake(string what)
    {
        if (!At(what))
            return false;
        for (var i = 0; i < what.Length; i++)
            Take();
        return true;
    }

    public string TakeBlanks() => TakeWhile(() => AtBlank);

    public string TakeWhile(Func<bool> condition)
    {
        var start = _index;
        while (!AtEnd && condition())
            Take();
        return text[start.._index];
    }

    /// <summary>Skips blanks, comments and line ends.</summary>
    /// <returns>Whether there was a line end.</returns>
    public bool SkipToContent()
    {
        var line = _line;
        while (!AtEnd)
        {
            if (AtComment)
                TakeWhile(() => Next != '\n');
            else if (char.IsWhiteSpace(Next) || Next == ByteOrderMark)
                Take();
            else
                break;
        }
        return _line != line;
    }

    /// <summary>A string in one or in three double quotes; the latter takes everything as it stands.</summary>
    public string TakeQuoted()
    {
        var start = Position;
        if (TryTake("\"\"\""))
            return TakeTripleQuoted(start);

        Take();
        var value = new StringBuilder();
        while (Next != '"')
        {
            if (AtEnd || Next == '\n')
                throw start.Error($"expected '\"' to close the string that begins here, found {Found}");
            value.Append(Next == '\\' ? TakeEscape() : Take());
        }
        Take();
        return value.ToString();
    }

    private string TakeTripleQuoted(TextPosition start)
    {
        var value = TakeWhile(() => !At("\"\"\""));
        if (!TryTake("\"\"\""))
            throw start.Error("expected '\"\"\"' to close the string that begins here, found the end of the text");
        // Quotes right before the closing three belong to the string.
        return value + TakeWhile(() => Next == '"');
    }

    private char TakeEscape()
    {
        var start = Position;
        Take();
        var code = AtEnd ? '\0' : Take();
        return code switch
        {
            '"' or '\\' or '/' => code,
            'b' => '\b',
            'f' => '\f',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => TakeUnicode(start),
            _ => throw start.Error("unknown escape; expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX"),
        };
    }

    private char TakeUnicode(TextPosition start)
    {
        if (_index + 4 <= text.Length
            && ushort.TryParse(text.AsSpan(_index, 4), NumberStyles.AllowHexSpecifier, NumberFormatInfo.InvariantInfo, out var code))
        {
            _index += 4;
            return (char)code;
        }
        throw start.Error("expected four hexadecimal digits after \\u");
    }
}
