namespace Akka.Configuration.Hocon;

/// <summary>
/// Parses HOCON. Every error is a <see cref="ConfigurationException"/> that begins with <c>line L, column C</c> and says what was expected.
/// At the end of the text the closing braces of objects may be left out.
/// </summary>
public class Parser
{
    /// <summary>How deep objects and arrays may be nested, keys of a dotted path and substitutions included.</summary>
    internal const int MaxDepth = 256;

    private readonly HoconReader _reader;
    private readonly Func<string, HoconRoot> _include;
    private readonly List<HoconSubstitution> _substitutions = [];
    private readonly List<HoconValue> _unresolved = [];
    private readonly List<string> _path = [];
    private Assignment _assignment;
    private int _depth;

    private Parser(string text, Func<string, HoconRoot> include)
    {
        _reader = new HoconReader(text);
        _include = include;
    }

    /// <param name="includeCallback">Called with the name in <c>include "name"</c>; null refuses includes.</param>
    public static HoconRoot Parse(string text, Func<string, HoconRoot> includeCallback)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new Parser(text, includeCallback).ParseText();
    }

    private HoconRoot ParseText()
    {
        var content = new HoconObject();
        var root = new HoconValue { Line = 1 };
        root.AppendValue(content);
        _reader.SkipToContent();
        if (_reader.Next == '[')
            throw Error("expected a key or '{': the root of a configuration is an object, not an array");
        var braces = _reader.TryTake("{");
        ParseFields(content, braces);
        _reader.SkipToContent();
        if (!_reader.AtEnd)
            throw Error($"expected the end of the text after the closing '}}', found {_reader.Found}");

        SubstitutionResolver.Resolve(root, _unresolved);
        return new HoconRoot(root, _substitutions.FindAll(s => s.ResolvedValue is not null));
    }

    // Reads fields up to the closing brace, which it takes, or up to the end of the text.
    private void ParseFields(HoconObject owner, bool braces)
    {
        var separated = true;
        while (true)
        {
            separated |= _reader.SkipToContent();
            if (_reader.AtEnd)
                return;
            if (_reader.Next == '}')
            {
                if (!braces)
                    throw Error("unexpected '}': there is no '{' that it could close");
                _reader.Take();
                return;
            }
            if (!separated)
                throw Error($"expected a new line, ',' or '}}' before the next key, found {_reader.Found}");

            separated = AtInclude() ? ParseInclude(owner) : ParseField(owner);
            _reader.SkipToContent();
            separated |= _reader.TryTake(",");
        }
    }

    // Answers whether another field may follow on the same line, as it may after "key { ... }".
    private bool ParseField(HoconObject owner)
    {
        var start = _reader.Position;
        var keys = ParseKeys();
        _reader.SkipToContent();
        var (slot, outer, depth) = (Descend(owner, keys, start), _assignment, _depth);
        Enter(keys.Count, start);
        _path.AddRange(keys);

        var endsWithBrace = false;
        if (_reader.TryTake("+="))
            ParseAppend(slot);
        else if (_reader.TryTake("=") || _reader.TryTake(":"))
            ParseAssigned(slot);
        else if (_reader.Next == '{')
        {
            slot.Line = start.Line;
            ParseObject(OpenObject(slot));
            endsWithBrace = true;
        }
        else
            throw Error($"expected '=', ':', '+=' or '{{' after key '{HoconPath.Join(keys)}', found {_reader.Found}");

        _path.RemoveRange(_path.Count - keys.Count, keys.Count);
        (_assignment, _depth) = (outer, depth);
        return endsWithBrace || AtValueEnd();
    }

    private bool AtValueEnd() => _reader.AtEnd || _reader.Next == '\n' || _reader.AtComment;

    private List<string> ParseKeys()
    {
        var keys = new List<string>();
        do
        {
            _reader.TakeBlanks();
            var position = _reader.Position;
            string key;
            if (_reader.Next == '"')
                key = _reader.TakeQuoted();
            else
            {
                key = _reader.TakeWhile(() => (HoconText.IsUnquotedKey(_reader.Next) || _reader.AtBlank) && !_reader.AtComment && !_reader.At("+="))
                    .TrimEnd();
                if (key.Length == 0)
                    throw position.Error($"expected a key, found {_reader.Found}");
            }
            keys.Add(key);
            _reader.TakeBlanks();
        }
        while (_reader.TryTake("."));
        return keys;
    }

    // The value behind the last key; the keys before it become objects if they are none yet.
    private HoconValue Descend(HoconObject owner, List<string> keys, TextPosition position)
    {
        for (var i = 0; i < keys.Count - 1; i++)
        {
            var value = owner.GetOrCreateKey(keys[i]);
            if (value.Line == 0)
                value.Line = position.Line;
            owner = OpenObject(value);
        }
        return owner.GetOrCreateKey(keys[^1]);
    }

    // The object of a value, to put keys into.
    private HoconObject OpenObject(HoconValue value)
    {
        if (value.Values is [HoconObject existing])
            return existing;
        var added = new HoconObject();
        if (IsUnresolved(value))
        {
            value.Overridden = value.Detach();
            _unresolved.Add(value.Overridden);
            _unresolved.Add(value);
        }
        value.NewValue(added);
        return added;
    }

    private void ParseAssigned(HoconValue slot)
    {
        _reader.SkipToContent();
        slot.Line = _reader.Position.Line;
        if (_reader.Next == '{')
        {
            _assignment = new Assignment(slot, null);
            OpenObject(slot);
            ParseConcatenation(slot);
            return;
        }
        var previous = slot.Values.Count > 0 ? slot.Detach() : null;
        _assignment = new Assignment(slot, previous);
        ParseConcatenation(slot);
        KeepOverridden(slot, previous);
    }

    // a += b is a = ${?a} [b]
    private void ParseAppend(HoconValue slot)
    {
        _reader.SkipToContent();
        slot.Line = _reader.Position.Line;
        var previous = slot.Values.Count > 0 ? slot.Detach() : null;
        _assignment = new Assignment(slot, previous);
        if (previous is not null)
            AddSubstitution(slot, new HoconSubstitution(HoconPath.Join(_path))
            {
                IsOptional = true,
                Position = _reader.Position,
                Assignment = _assignment,
            });
        var element = new HoconValue { Line = slot.Line };
        ParseConcatenation(element);
        slot.AppendValue(new HoconArray { element });
        KeepOverridden(slot, previous);
    }

    private void KeepOverridden(HoconValue slot, HoconValue previous)
    {
        slot.Overridden = IsUnresolved(slot) ? previous : null;
        if (slot.Overridden is not null)
            _unresolved.Add(slot.Overridden);
    }

    private static bool IsUnresolved(HoconValue value) => value.Overridden is not null || value.Values.Exists(v => v is HoconSubstitution);

    // Reads elements up to the end of the line or a character that ends a value, and appends them.
    private void ParseConcatenation(HoconValue owner)
    {
        var start = _reader.Position;
        var before = owner.Values.Count;
        while (!AtValueEnd() && _reader.Next is not (',' or '}' or ']'))
        {
            var position = _reader.Position;
            if (_reader.AtBlank)
                owner.AppendValue(new HoconLiteral { Value = _reader.TakeBlanks(), IsBlank = true });
            else
                ParseElement(owner, position);
        }
        if (owner.Values.Count > before && owner.Values[^1] is HoconLiteral { IsBlank: true })
            owner.Values.RemoveAt(owner.Values.Count - 1);
        if (owner.Values.Count == 0)
            throw start.Error($"expected a value{(_path.Count > 0 ? $" for '{HoconPath.Join(_path)}'" : "")}, found {_reader.Found}");
        if (!IsUnresolved(owner))
            Concatenation.Check(owner, start);
    }

    private void ParseElement(HoconValue owner, TextPosition position)
    {
        switch (_reader.Next)
        {
            case '"':
                owner.AppendValue(new HoconLiteral { Value = _reader.TakeQuoted(), IsQuoted = true });
                break;
            case '{':
                ParseObject(LastObject(owner));
                break;
            case '[':
                owner.AppendValue(ParseArray());
                break;
            case '$':
                AddSubstitution(owner, ParseSubstitution());
                break;
            default:
                owner.AppendValue(new HoconLiteral { Value = ParseWord(position) });
                break;
        }
    }

    // Objects that stand beside each other are merged.
    private static HoconObject LastObject(HoconValue owner)
    {
        if (owner.Values.FindLast(v => v is not HoconLiteral { IsBlank: true }) is HoconObject last)
            return last;
        var added = new HoconObject();
        owner.AppendValue(added);
        return added;
    }

    private string ParseWord(TextPosition position)
    {
        var word = _reader.TakeWhile(() => HoconText.IsUnquoted(_reader.Next) && !_reader.AtComment);
        if (_reader.Next is '=' or ':')
            throw Error($"unexpected '{_reader.Next}' in a value: put text that contains it into double quotes, and a new key on a new line");
        return word.Length > 0
            ? word
            : throw position.Error($"expected a value, found {_reader.Found}: text that contains it must stand in double quotes");
    }

    private void ParseObject(HoconObject owner)
    {
        Enter(1, _reader.Position);
        _reader.Take();
        ParseFields(owner, braces: true);
        _depth--;
    }

    private HoconArray ParseArray()
    {
        var start = _reader.Position;
        Enter(1, start);
        _reader.Take();
        var array = new HoconArray();
        _reader.SkipToContent();
        while (!_reader.TryTake("]"))
        {
            var element = new HoconValue { Line = _reader.Position.Line };
            if (!_reader.AtEnd)
                ParseConcatenation(element);
            array.Add(element);
            var separated = _reader.SkipToContent();
            separated |= _reader.TryTake(",");
            _reader.SkipToContent();
            if (_reader.AtEnd)
                throw start.Error("expected ']' to close the array that begins here, found the end of the text");
            if (!separated && _reader.Next != ']')
                throw Error($"expected ',', a new line or ']' after an element of the array, found {_reader.Found}");
        }
        _depth--;
        return array;
    }

    private HoconSubstitution ParseSubstitution()
    {
        var position = _reader.Position;
        if (!_reader.TryTake("${"))
            throw position.Error("expected '{' after '$': text that contains '$' must stand in double quotes");
        var optional = _reader.TryTake("?");
        var keys = ParseKeys();
        if (!_reader.TryTake("}"))
            throw Error($"expected '}}' to close the substitution, found {_reader.Found}");
        return new HoconSubstitution(HoconPath.Join(keys)) { IsOptional = optional, Position = position, Assignment = _assignment };
    }

    private void AddSubstitution(HoconValue owner, HoconSubstitution substitution)
    {
        owner.AppendValue(substitution);
        _substitutions.Add(substitution);
        if (_unresolved.Count == 0 || !ReferenceEquals(_unresolved[^1], owner))
            _unresolved.Add(owner);
    }

    private bool AtInclude()
    {
        if (!_reader.At("include"))
            return false;
        var ahead = _reader.PeekAfter("include");
        return ahead == '"';
    }

    private bool ParseInclude(HoconObject owner)
    {
        var position = _reader.Position;
        _reader.TryTake("include");
        _reader.TakeBlanks();
        var name = _reader.TakeQuoted();
        var included = (_include ?? throw position.Error($"cannot include \"{name}\": nothing was given that finds it"))(name);
        foreach (var substitution in included.Substitutions)
        {
            if (_path.Count > 0)
                substitution.Path = $"{HoconPath.Join(_path)}.{substitution.Path}";
            _substitutions.Add(substitution);
        }
        if (included.Value.GetObject() is { } content)
            owner.Merge(content);
        return AtValueEnd();
    }

    private void Enter(int levels, TextPosition position)
    {
        _depth += levels;
        if (_depth > MaxDepth)
            throw position.Error($"nested deeper than {MaxDepth} levels");
    }

    private ConfigurationException Error(string what) => _reader.Position.Error(what);
}
