using System.Globalization;
using Tapwire.Actors.Settings;

namespace Tapwire.Configuration;

/// <summary>A cursor over HOCON. It tracks the line, and reads the lexical elements: blanks, comments, words and quoted texts.</summary>
/// <param name="name">The name of the text in messages.</param>
internal sealed class HoconText(string name, string text)
{
    private const string NeverUnquoted = "$\"{}[]:=,#`^?!@*&\\";

    private int _index;
    private int _line = 1;
    private int _lineStart;

    public readonly record struct Place(int Line, int Column);

    public Place Here => new(_line, _index - _lineStart + 1);

    public bool AtEnd => _index >= text.Length;

    public char Next => AtEnd ? '\0' : text[_index];

    public bool AtComment => Next == '#' || At("//");

    public bool AtLineEnd => AtEnd || Next is '\n' or '\r' || AtComment;

    public string Found => AtEnd ? "the end of the text" : AtLineEnd ? "the end of the line" : Show(Next);

    /// <summary>Refuses control characters and invalid UTF-8. Called before anything is read.</summary>
    public void CheckCharacters()
    {
        for (; !AtEnd; Take())
        {
            if (Next == '\uFFFD' || (char.IsControl(Next) && Next is not ('\t' or '\n') && !At("\r\n")))
                throw Error($"{Show(Next)} is no part of a text; settings are a file of UTF-8 text");
        }

        (_index, _line, _lineStart) = (0, 1, 0);
    }

    public bool At(string what) => string.CompareOrdinal(text, _index, what, 0, what.Length) == 0;

    public static bool IsUnquoted(char c) => c != '\0' && !char.IsWhiteSpace(c) && !NeverUnquoted.Contains(c, StringComparison.Ordinal);

    public void Take(int count = 1)
    {
        for (; count > 0; count--)
        {
            if (text[_index++] == '\n')
                (_line, _lineStart) = (_line + 1, _index);
        }
    }

    public bool TryTake(char c)
    {
        if (Next != c)
            return false;
        Take();
        return true;
    }

    public string TakeWhile(Func<bool> condition)
    {
        var start = _index;
        while (!AtEnd && condition())
            Take();
        return text[start.._index];
    }

    public void TakeBlanks() => TakeWhile(() => Next is ' ' or '\t');

    public void SkipToContent()
    {
        while (TakeWhile(() => Next is ' ' or '\t' or '\r' or '\n').Length > 0 || (AtComment && TakeWhile(() => Next != '\n').Length > 0))
        {
        }
    }

    /// <summary>The next character after blanks, comments and new lines; the position stays.</summary>
    public char Ahead()
    {
        var before = (_index, _line, _lineStart);
        SkipToContent();
        var next = Next;
        (_index, _line, _lineStart) = before;
        return next;
    }

    /// <summary>Reads a text in single or triple double quotes.</summary>
    /// <returns>The content between the quotes, with escapes unresolved, for a check of blanks at its ends; empty for triple quotes, where such blanks are allowed.</returns>
    public string Quoted()
    {
        var place = Here;
        var quotes = At("\"\"\"") ? "\"\"\"" : "\"";
        Take(quotes.Length);
        var start = _index;
        while (!At(quotes))
        {
            if (AtEnd || (quotes.Length == 1 && Next is '\n' or '\r'))
                throw Error(place, $"expected {quotes} to close the text that begins here, found {(AtEnd ? "the end of the text" : "the end of the line")}");
            if (quotes.Length == 1 && Next == '\\')
                Escape();
            else
                Take();
        }

        var content = text[start.._index];
        Take(quotes.Length);
        if (quotes.Length == 1)
            return content;
        return Next == '"' ? throw Error("a text in triple quotes cannot end with a quote; take it away") : "";
    }

    private void Escape()
    {
        var place = Here;
        Take();
        var code = Next;
        if (!AtEnd && "\"\\/bfnrtu".Contains(code, StringComparison.Ordinal))
            Take();
        else
            throw Error(place, "expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX; a '\\' itself is written \\\\");
        if (code != 'u')
            return;
        var digits = text.AsSpan(_index, Math.Min(4, text.Length - _index));
        if (digits.Length < 4 || !ushort.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var character) || character == 0)
            throw Error(place, "expected four hexadecimal digits after \\u, other than 0000");
        Take(4);
    }

    public static string Show(char c) =>
        char.IsLetterOrDigit(c) || char.IsPunctuation(c) || char.IsSymbol(c) ? $"'{c}'" : string.Create(CultureInfo.InvariantCulture, $"the character U+{(int)c:X4}");

    public static string Short(string text) => Complaint.Short(text);

    public SettingsException Error(string what) => Error(Here, what);

    public SettingsException Error(Place place, string what) => new($"{name} line {place.Line}, column {place.Column}: {what}.");
}
