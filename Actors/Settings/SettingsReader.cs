using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Akka.Configuration;
using Akka.Configuration.Hocon;

namespace Tapwire.Actors.Settings;

/// <summary>Parses one item.</summary>
/// <param name="problem">With false: the offending part, and what it must be.</param>
public delegate bool ItemParser<T>(string text, [NotNullWhen(true)] out T? value, [NotNullWhen(false)] out string? problem);

/// <summary>
/// Reads typed values below one root key and keeps count of the keys: what nobody has read is unknown. A bad value, or an unknown key, is refused with
/// its name and line.
/// </summary>
/// <param name="sources">The texts the configuration was made from, the user's own first.</param>
public sealed class SettingsReader(Config config, string root, IReadOnlyList<SettingsSource> sources)
{
    private readonly HashSet<string> _known = [];

    public string Text(string key) => Raw(key) ?? "";

    public bool Switch(string key) => Raw(key)?.ToLowerInvariant() switch
    {
        "on" or "true" or "yes" => true,
        "off" or "false" or "no" => false,
        var other => throw Bad(key, other, "on or off"),
    };

    public int Number(string key, int least, int most) =>
        int.TryParse(Raw(key), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most
            ? value
            : throw Bad(key, Raw(key), $"a number from {least} to {most}");

    /// <summary>Bytes, written as 65536, 64KiB, 64KB, 1MiB, ...</summary>
    public int Size(string key, int least, int most) => (int)LongSize(key, least, most);

    /// <inheritdoc cref="Size"/>
    public long LongSize(string key, long least, long most) =>
        ByteSize.TryParse(Raw(key), out var value) && value >= least && value <= most
            ? value
            : throw Bad(key, Raw(key), $"a size from {ByteSize.Format(least)} to {ByteSize.Format(most)}, as in 64KiB");

    public TimeSpan Time(string key, TimeSpan least, TimeSpan most, bool infinite = false) =>
        Duration.TryParse(Raw(key), out var value) && ((value >= least && value <= most) || (infinite && value == Timeout.InfiniteTimeSpan))
            ? value
            : throw Bad(key, Raw(key),
                $"a time from {Duration.Format(least)} to {Duration.Format(most)}{(infinite ? " or infinite" : "")}, as in 500ms");

    /// <summary>One of several words.</summary>
    public T Choice<T>(string key, IReadOnlyDictionary<string, T> choices) =>
        Raw(key) is { } word && choices.TryGetValue(word.ToLowerInvariant(), out var value)
            ? value
            : throw Bad(key, Raw(key), $"one of {string.Join(", ", choices.Keys)}");

    public IReadOnlyList<T> List<T>(string key, Func<string, T?> parse, string accepted)
        where T : class
    {
        _known.Add(key);
        var value = config.GetValue($"{root}.{key}");
        if (value is null)
            return [];
        // Not IsArray, which takes an empty list for none.
        if (!value.Values.Exists(static part => part.IsArray()))
            throw Bad(key, value.ToString(), $"a list of {accepted}");
        return [.. value.GetArray().Select(item => parse(item.GetString()) ?? throw Bad(key, item.GetString(), $"a list of {accepted}"))];
    }

    /// <summary>A list whose parser says what is wrong with an item.</summary>
    public IReadOnlyList<T> List<T>(string key, ItemParser<T> parse, string accepted)
        where T : class =>
        List(key, item => parse(item, out var value, out var problem) ? value : throw Bad(key, item, $"{accepted}: {problem}"), accepted);

    public SettingsException Bad(string key, string? value, string accepted) =>
        new($"{Where(key)}: {root}.{key} is \"{value}\"; it must be {accepted}.");

    /// <exception cref="SettingsException">A key below the root that nothing has read.</exception>
    public void RefuseUnknownKeys()
    {
        var section = config.GetValue(root);
        if (section is not null && section.IsObject())
            RefuseUnknownKeys(section.GetObject(), "");
    }

    private void RefuseUnknownKeys(HoconObject section, string prefix)
    {
        foreach (var (name, value) in section.Items)
        {
            var key = prefix + name;
            if (_known.Contains(key))
                continue;
            if (value.IsObject() && _known.Any(known => known.StartsWith(key + ".", StringComparison.Ordinal)))
            {
                RefuseUnknownKeys(value.GetObject(), key + ".");
                continue;
            }

            var closest = _known.MinBy(known => Distance(known, key));
            var hint = closest is not null && Distance(closest, key) <= Math.Min(4, key.Length / 2) ? $" Did you mean {root}.{closest}?" : "";
            throw new SettingsException($"{Where(key)}: {root}.{key} is not a setting.{hint}");
        }
    }

    private string? Raw(string key)
    {
        _known.Add(key);
        return config.GetString($"{root}.{key}");
    }

    private string Where(string key)
    {
        foreach (var source in sources)
        {
            if (source.LineOf($"{root}.{key}") is { } line)
                return $"{source.Name} line {line}";
        }

        return sources.Count > 0 ? sources[0].Name : "settings";
    }

    /// <summary>Levenshtein distance.</summary>
    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(row[j] + 1, row[j - 1] + 1), diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return row[^1];
    }
}
