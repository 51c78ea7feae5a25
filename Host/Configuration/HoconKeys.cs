namespace Tapwire.Host.Configuration;

/// <summary>A key as a text has it.</summary>
/// <param name="Parent">The path of the section that it stands in; empty at the root.</param>
/// <param name="Line">Where it is assigned last, counted from 1.</param>
internal readonly record struct HoconKey(string Parent, int Line, bool IsSection);

/// <summary>The keys of a text while it is being checked, and the substitutions in their values.</summary>
internal sealed class HoconKeys(HoconText text)
{
    private readonly Dictionary<string, HoconKey> _all = [];
    private readonly List<(string Owner, string Target, HoconText.Place Place)> _substitutions = [];
    private string _last = "";

    /// <summary>By path, sections before what stands in them.</summary>
    public IReadOnlyDictionary<string, HoconKey> All => _all;

    /// <summary>The path of a key in a section: with dots between, and quotes around a key that has dots itself.</summary>
    public static string Join(string section, string key)
    {
        var part = key.Contains('.', StringComparison.Ordinal) ? $"\"{key}\"" : key;
        return section.Length == 0 ? part : $"{section}.{part}";
    }

    /// <summary>Notes a key. One that is a section here and a value there would count in part only.</summary>
    public void Add(string? parent, string? path, bool isSection, HoconText.Place place)
    {
        if (path is null)
            return;
        if (_all.TryGetValue(path, out var before) && before.IsSection != isSection)
            throw text.Error(place, $"'{HoconText.Short(path)}' is {(isSection ? "a section here and a value" : "a value here and a section")} at line {before.Line}; it can be one of them only");
        _all[path] = new HoconKey(parent ?? "", place.Line, isSection);
        _last = path;
    }

    /// <summary>Notes a substitution in the value of the key that was added last.</summary>
    public void AddSubstitution(string target, HoconText.Place place) => _substitutions.Add((_last, target, place));

    /// <summary>A substitution names a key of the same text whose own value has none: Akka.NET's parser looks nowhere else, and finds no circle.</summary>
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
