using Tapwire.Actors.Settings;

namespace Tapwire.Configuration;

/// <summary>
/// Checks HOCON before Akka.NET's parser reads it. That parser misreads text with missing brackets, assignments or separators, drops parts of it, and can loop
/// for ever. The subset that passes this check is one that it reads as written.
/// </summary>
internal sealed class HoconSyntax
{
    /// <summary>Greatest nesting depth of sections and lists. Each key of a dotted path counts.</summary>
    private const int MaxDepth = 64;

    private readonly HoconText _text;
    private readonly HoconKeys _keys;

    private HoconSyntax(HoconText text) => (_text, _keys) = (text, new HoconKeys(text));

    /// <param name="name">The name of the text in messages.</param>
    /// <returns>Every key of the text by its path, each section before its contents; without keys inside lists.</returns>
    /// <exception cref="SettingsException">The text is not HOCON, or uses HOCON that Akka.NET's parser does not understand.</exception>
    public static IReadOnlyDictionary<string, HoconKey> Check(string name, string text)
    {
        var syntax = new HoconSyntax(new HoconText(name, text));
        syntax._text.CheckCharacters();
        syntax.CheckRoot();
        syntax._keys.CheckSubstitutions();
        return syntax._keys.All;
    }

    private void CheckRoot()
    {
        _text.SkipToContent();
        if (_text.Next == '[')
            throw _text.Error("expected a key, found '['; settings are no list");
        if (_text.Next != '{')
        {
            Fields("", 0, null);
            return;
        }

        Section("", 0);
        _text.SkipToContent();
        if (!_text.AtEnd)
            throw _text.Error($"expected the end of the text after the '}}' that closes all, found {_text.Found}");
    }

    /// <param name="section">The path of the section; null inside a list.</param>
    private void Section(string? section, int depth)
    {
        var opening = _text.Here;
        _text.Take();
        Fields(section, Deeper(depth, opening), opening);
    }

    /// <summary>Reads keys with their values up to the closing brace, or to the end of the text if there is no opening brace.</summary>
    private void Fields(string? section, int depth, HoconText.Place? opening)
    {
        while (true)
        {
            _text.SkipToContent();
            if (_text.AtEnd)
            {
                if (opening is { } place)
                    throw _text.Error($"expected '}}' to close the section that begins at line {place.Line}, column {place.Column}");
                return;
            }

            if (_text.Next != '}')
            {
                Field(section, depth);
                continue;
            }

            if (opening is null)
                throw _text.Error("there is no '{' that this '}' could close; take it away");
            _text.Take();
            return;
        }
    }

    private void Field(string? section, int depth)
    {
        var place = _text.Here;
        var (path, parent) = (section, section);
        string key;
        while (true)
        {
            key = Key();
            depth = Deeper(depth, place);
            (parent, path) = (path, path is null ? null : HoconKeys.Join(path, key));
            _text.TakeBlanks();
            if (!_text.TryTake('.'))
                break;
            _keys.Add(parent, path, isSection: true, place);
            _text.TakeBlanks();
        }

        _text.SkipToContent();
        if (_text.Next == '{')
        {
            _keys.Add(parent, path, isSection: true, place);
            Section(path, depth);
            _text.TakeBlanks();
            if (_text.Next == ',')
                throw _text.Error($"no ',' may follow a section without '='; take it away, or write '=' after '{HoconText.Short(key)}'");
            return;
        }

        if (key == "include" && _text.Next == '"')
            throw _text.Error(place, "settings cannot include other files; write them into this one");
        if (_text.At("+="))
            throw _text.Error("'+=' is not understood; write the whole list with '='");
        if (_text.Next is not ('=' or ':'))
            throw _text.Error($"expected '=', ':' or '{{' after the key '{HoconText.Short(key)}', found {_text.Found}");
        _text.Take();
        _text.TakeBlanks();
        var afterOperator = _text.Here;
        if (_text.AtLineEnd && _text.Ahead() is not ('{' or '['))
            throw _text.Error(afterOperator, $"expected a value for '{HoconText.Short(key)}', found {_text.Found}");
        _text.SkipToContent();
        _keys.Add(parent, path, _text.Next == '{', place);
        Value(path, depth, $"a value for '{HoconText.Short(key)}'");
        EndOfValue('}');
    }

    private string Key()
    {
        var place = _text.Here;
        if (_text.Next != '"')
        {
            var key = _text.TakeWhile(() => HoconText.IsUnquoted(_text.Next) && _text.Next != '.' && !_text.AtComment && !_text.At("+="));
            return key.Length > 0 ? key : throw _text.Error(place, $"expected a key, found {_text.Found}");
        }

        if (_text.At("\"\"\""))
            throw _text.Error(place, "a key cannot stand in triple quotes");
        var quoted = _text.Quoted();
        return quoted.Length > 0 && !quoted.Contains('\\', StringComparison.Ordinal) ? quoted : throw _text.Error(place, "a key cannot be empty, or have '\\' in it");
    }

    private void Value(string? path, int depth, string what)
    {
        if (_text.Next != '{')
        {
            Joined(depth, what);
            return;
        }

        while (_text.Next == '{')
        {
            Section(path, depth);
            _text.TakeBlanks();
        }
    }

    /// <summary>Reads a concatenation: words, quoted texts and substitutions form one text; lists and substitutions form one list.</summary>
    private void Joined(int depth, string what)
    {
        var start = _text.Here;
        var (hasText, hasList) = (false, false);
        string? quoted = null;
        while (!_text.AtLineEnd && _text.Next is not (',' or '}' or ']'))
        {
            var isFirst = start == _text.Here;
            quoted = null;
            switch (_text.Next)
            {
                case '"':
                    quoted = _text.Quoted();
                    hasText = true;
                    if (isFirst && quoted is [' ' or '\t', ..])
                        throw _text.Error(start, "a blank at the beginning of a text would be lost; take it away");
                    break;
                case '[':
                    List(depth);
                    hasList = true;
                    break;
                case '$':
                    Substitution();
                    break;
                default:
                    Word();
                    hasText = true;
                    break;
            }

            if (hasText && hasList)
                throw _text.Error(start, "a list and text cannot be joined; put ',' or a new line between them");
            _text.TakeBlanks();
        }

        if (start == _text.Here)
            throw _text.Error(start, $"expected {what}, found {_text.Found}");
        if (quoted is [.., ' ' or '\t'])
            throw _text.Error(start, "a blank at the end of a text would be lost; take it away");
    }

    private void Word()
    {
        if (_text.TakeWhile(() => HoconText.IsUnquoted(_text.Next) && !_text.AtComment).Length > 0 && _text.Next is not ('=' or ':'))
            return;
        throw _text.Error(_text.Next switch
        {
            '=' or ':' => $"text with {HoconText.Show(_text.Next)} must stand in double quotes, and another key on a line of its own",
            '{' => "a section cannot be joined to anything else; put ',' or a new line before it",
            _ => $"text with {_text.Found} must stand in double quotes",
        });
    }

    private void List(int depth)
    {
        var opening = _text.Here;
        depth = Deeper(depth, opening);
        _text.Take();
        while (true)
        {
            _text.SkipToContent();
            if (_text.AtEnd)
                throw _text.Error($"expected ']' to close the list that begins at line {opening.Line}, column {opening.Column}");
            if (_text.TryTake(']'))
                return;
            Value(null, depth, "a value or ']'");
            EndOfValue(']');
        }
    }

    private void EndOfValue(char closing)
    {
        _text.TakeBlanks();
        if (!_text.AtLineEnd && !_text.TryTake(',') && _text.Next != closing)
            throw _text.Error($"expected ',', a new line or '{closing}' after the value, found {_text.Found}");
    }

    private void Substitution()
    {
        var place = _text.Here;
        _text.Take();
        if (!_text.TryTake('{'))
            throw _text.Error(place, "text with '$' must stand in double quotes");
        if (_text.Next == '?')
            throw _text.Error(place, "'${?' is not understood; name a key that is there, as in ${tapwire.wire}");
        var target = _text.TakeWhile(() => HoconText.IsUnquoted(_text.Next) && !_text.AtComment);
        if (target.Length == 0 || !_text.TryTake('}'))
            throw _text.Error($"expected a key and '}}' to end the substitution that begins at column {place.Column}, found {_text.Found}");
        _keys.AddSubstitution(target, place);
    }

    private int Deeper(int depth, HoconText.Place place) => depth < MaxDepth ? depth + 1 : throw _text.Error(place, $"more than {MaxDepth} levels stand in each other here");
}
