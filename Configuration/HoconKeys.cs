namespace Tapwire.Configuration;

/// <summary>A key of a HOCON text.</summary>
/// <param name="Parent">The path of the enclosing section; empty at the root.</param>
/// <param name="Line">The line of the last assignment, counted from 1.</param>
internal readonly record struct HoconKey(string Parent, int Line, bool IsSection);

/// <summary>The keys of a text that is being checked, and the substitutions in their values.</summary>
internal sealed class HoconKeys(HoconText text)
{
    private readonly Dictionary<string, HoconKey> _all = [];
    private readonly List<(string Owner, string Target, HoconText.Place Place)> _substitutions = [];
    private string _last = "";

    /// <summary>All keys by path, each section before its contents.</summary>
    public IReadOnlyDictionary<string, HoconKey> All => _all;

    /// <summary>The path of a key in a section, joined by a dot. A key that contains dots is put in quotes.</summary>
    public static string Join(string section, string key)
    {
        var part = key.Contains('.', StringComparison.Ordinal) ? $"\"{key}\"" : key;
        return section.Length == 0 ? part : $"{section}.{part}";
    }

    /// <summary>Adds a key. A key may not be a section in one place and a value in another, because only part of it would take effect.</summary>
    public void Add(string? parent, string? path, bool isSection, HoconText.Place place)
    {
        if (path is null)
            return;
        if (_all.TryGetValue(path, out var before) && before.IsSection != isSection)
            throw text.Error(place, $"'{HoconText.Short(path)}' is {(isSection ? "a section here and a value" : "a value here and a section")} at line {before.Line}; it can be one of them only");
        _all[path] = new HoconKey(parent ?? "", place.Line, isSection);
        _last = path;
    }

    /// <summary>Adds a substitution in the value of the key that was added last.</summary>
    public void AddSubstitution(string target, HoconText.Place place) => _substitutions.Add((_last, target, place));

    /// <summary>
    /// Requires that every substitution names a key of the same text whose own value has no substitution: Akka.NET's parser resolves no others, and does not detect cycles.
    /// </summary>
    public void CheckSubstitutions()
    {
        var composed = new HashSet<string>();
        foreach (var (owner, _, _) in _substitutions)
        {
            for (var path = owner; composed.Add(path) && path.Length > 0;)
                path = _all[path].Parent;
        }

        foreach (var (_, target, place) in _substitutions)
        {
            if (!_all.ContainsKey(target))
                throw text.Error(place, $"${{{HoconText.Short(target)}}} names a key that is not in this text; write the value itself");
            if (composed.Contains(target))
                throw text.Error(place, $"${{{HoconText.Short(target)}}} names a key that has a substitution in its own value; write the value itself");
        }
    }
}
