using Akka.Configuration;
using Akka.Configuration.Hocon;
using Tapwire.Actors.Settings;

namespace Tapwire.Configuration;

/// <summary>The known keys, for finding misspelt and misplaced ones.</summary>
internal sealed class KnownKeys
{
    private const string RuntimeRoot = "akka";

    /// <summary>Sections whose keys are names that users choose.</summary>
    private static readonly HashSet<string> FreeSections =
    [
        "akka.actor.deployment", "akka.actor.mailbox", "akka.actor.router.type-mapping", "akka.actor.serializers", "akka.actor.serialization-bindings",
        "akka.actor.serialization-identifiers", "akka.actor.serialization-settings", "akka.coordinated-shutdown.phases", "akka.io.dns", "tapwire.interfaces",
        "tapwire.dns.split", "tapwire.dns.hosts",
    ];

    /// <summary>Keys that mark a section as one that users name themselves: a dispatcher or mailbox.</summary>
    private static readonly string[] MarksOfNamedSections = ["type", "executor", "mailbox-type"];

    private readonly Dictionary<string, bool> _isSection = [];

    /// <param name="defaults">The text with all keys of Tapwire; the keys of the actor system are in Akka.NET's package, too.</param>
    public KnownKeys(SettingsSource defaults)
    {
        Add(ConfigurationFactory.Default().Root.GetObject(), "");
        foreach (var (path, key) in defaults.Keys)
            _isSection.TryAdd(path, key.IsSection);
    }

    /// <exception cref="SettingsException">The text has an unknown key, a value instead of a section, or a section instead of a value.</exception>
    public void Check(SettingsSource source)
    {
        var free = new HashSet<string>();
        foreach (var (path, key) in source.Keys)
        {
            if (!free.Contains(key.Parent))
            {
                if (!_isSection.TryGetValue(path, out var isSection))
                    RefuseUnlessFree(source, path, key);
                else if (isSection != key.IsSection)
                    throw new SettingsException($"{source.Name} line {key.Line}: {path} {WhatItIs(path, isSection)}.");
                else if (!FreeSections.Contains(path) && !IsNamedForDispatcher(path))
                    continue;
            }

            free.Add(path);
        }
    }

    private string WhatItIs(string path, bool isSection) => isSection
        ? $"is a section and has no value of its own; write its keys, as in {_isSection.Keys.FirstOrDefault(known => known.StartsWith(path + ".", StringComparison.Ordinal)) ?? path + " { }"}"
        : "is no section; write its value with '='";

    /// <summary>Refuses an unknown key in a known section, unless the key may be a name that the user has chosen.</summary>
    private void RefuseUnlessFree(SettingsSource source, string path, HoconKey key)
    {
        var isOfRuntime = path.StartsWith(RuntimeRoot + ".", StringComparison.Ordinal);
        if (isOfRuntime && key.IsSection && (IsNamedForDispatcher(path) || MarksOfNamedSections.Any(mark => source.Keys.ContainsKey($"{path}.{mark}"))))
            return;
        var closest = Closest(path, key);
        // Unknown keys at the root serve substitutions and names of the user's own; an unknown section directly below akka may belong to an extension.
        if (closest is not null || (key.Parent.Length > 0 && !(key.Parent == RuntimeRoot && key.IsSection)))
            throw new SettingsException($"{source.Name} line {key.Line}: {path} is not a setting.{(closest is null ? "" : $" Did you mean {closest}?")}");
    }

    /// <summary>The known key that was probably meant. The first element of the path, which all keys below it share, does not count.</summary>
    private string? Closest(string path, HoconKey key)
    {
        if (key.Parent.Length == 0)
            return _isSection.Keys.FirstOrDefault(known => !known.Contains('.', StringComparison.Ordinal) && Distance(known, path) <= Math.Min(2, path.Length / 2));
        var root = path[..(path.IndexOf('.', StringComparison.Ordinal) + 1)];
        var closest = _isSection.Keys.Where(known => known.StartsWith(root, StringComparison.Ordinal)).MinBy(known => Distance(known, path));
        return closest is not null && Distance(closest, path) <= Math.Min(4, (path.Length - root.Length) / 2) ? closest : null;
    }

    private static bool IsNamedForDispatcher(string path) => path[(path.LastIndexOf('.') + 1)..].Contains("dispatcher", StringComparison.Ordinal)
        && path.StartsWith(RuntimeRoot + ".", StringComparison.Ordinal);

    private void Add(HoconObject section, string path)
    {
        foreach (var (name, value) in section.Items)
        {
            var key = HoconKeys.Join(path, name);
            _isSection[key] = value.IsObject();
            if (value.IsObject())
                Add(value.GetObject(), key);
        }
    }

    /// <summary>The Damerau-Levenshtein distance: letters that are wrong, missing, superfluous, or exchanged with the next.</summary>
    public static int Distance(string a, string b)
    {
        var (before, row) = (new int[b.Length + 1], Enumerable.Range(0, b.Length + 1).ToArray());
        for (var i = 1; i <= a.Length; i++)
        {
            var next = new int[b.Length + 1];
            next[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                next[j] = Math.Min(Math.Min(row[j], next[j - 1]) + 1, row[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    next[j] = Math.Min(next[j], before[j - 2] + 1);
            }

            (before, row) = (row, next);
        }

        return row[^1];
    }
}
