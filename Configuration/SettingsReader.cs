using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Akka.Configuration;
using Akka.Configuration.Hocon;
using Tapwire.Actors.Settings;
using Tapwire.Stack;

namespace Tapwire.Configuration;

/// <summary>Parses one item.</summary>
/// <param name="problem">With false: the offending part, and what it must be; empty if the description of accepted values is enough.</param>
internal delegate bool ItemParser<T>(string text, [MaybeNullWhen(false)] out T value, [NotNullWhen(false)] out string? problem);

/// <summary>
/// Reads typed values below one root key, and records which keys were read, because a key that no code reads is unknown. A bad value or an unknown key is refused
/// with its name and line.
/// </summary>
/// <param name="sources">The texts that the configuration was made from, the user's own first.</param>
internal sealed class SettingsReader(Config config, string root, IReadOnlyList<SettingsSource> sources)
{
    private readonly HashSet<string> _known = [];

    // Sections whose keys are names that users choose, with root and dot.
    private readonly List<string> _named = [];

    public string Text(string key) => Raw(key) ?? "";

    public bool Switch(string key) => Raw(key)?.ToLowerInvariant() switch
    {
        "on" or "true" or "yes" => true,
        "off" or "false" or "no" => false,
        var other => throw Bad(key, other, "on or off"),
    };

    /// <param name="auto">The value of "auto"; null if the word is not accepted.</param>
    public int Number(string key, int least, int most, int? auto = null) =>
        auto is { } chosen && IsAuto(key) ? chosen
        : int.TryParse(Raw(key), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most
            ? value
            : throw Bad(key, Raw(key), $"{(auto is null ? "" : "auto, or ")}a number from {least} to {most}");

    /// <inheritdoc cref="Number(string, int, int, int?)"/>
    public int Number(string key, ValueRange<int> range, int? auto = null) => Number(key, range.Least, range.Most, auto);

    /// <summary>Reads bytes, written as 65536, 64KiB, 64KB, 1MiB, ...</summary>
    /// <inheritdoc cref="Number(string, int, int, int?)" path="/param"/>
    public int Size(string key, int least, int most, int? auto = null) => (int)LongSize(key, least, most, auto);

    /// <inheritdoc cref="Size(string, int, int, int?)"/>
    public int Size(string key, ValueRange<int> range, int? auto = null) => Size(key, range.Least, range.Most, auto);

    /// <inheritdoc cref="Size(string, int, int, int?)"/>
    public long LongSize(string key, ValueRange<long> range, long? auto = null) => LongSize(key, range.Least, range.Most, auto);

    /// <inheritdoc cref="Size(string, int, int, int?)"/>
    /// <inheritdoc cref="Number(string, int, int, int?)" path="/param"/>
    public long LongSize(string key, long least, long most, long? auto = null) =>
        auto is { } chosen && IsAuto(key) ? chosen
        : ByteSize.TryParse(Raw(key), out var value) && value >= least && value <= most
            ? value
            : throw Bad(key, Raw(key), $"{(auto is null ? "" : "auto, or ")}a size from {ByteSize.Format(least)} to {ByteSize.Format(most)}, as in 64KiB");

    /// <summary>True when the value is "auto".</summary>
    private bool IsAuto(string key) => "auto".Equals(Raw(key), StringComparison.OrdinalIgnoreCase);

    public TimeSpan Time(string key, ValueRange<TimeSpan> range) => Time(key, range.Least, range.Most);

    public TimeSpan Time(string key, TimeSpan least, TimeSpan most, bool infinite = false) =>
        Duration.TryParse(Raw(key), out var value) && ((value >= least && value <= most) || (infinite && value == Timeout.InfiniteTimeSpan))
            ? value
            : throw Bad(key, Raw(key),
                $"a time from {Duration.Format(least)} to {Duration.Format(most)}{(infinite ? " or infinite" : "")}, as in 500ms");

    /// <summary>Reads one of several words, in upper or lower case.</summary>
    public T Choice<T>(string key, IReadOnlyDictionary<string, T> choices) =>
        Raw(key) is { } word && choices.TryGetValue(word.ToLowerInvariant(), out var value)
            ? value
            : throw Bad(key, Raw(key), $"one of {string.Join(", ", choices.Keys)}");

    /// <inheritdoc cref="Choice"/>
    public string Word(string key, params string[] words) =>
        Array.Find(words, word => word.Equals(Raw(key), StringComparison.OrdinalIgnoreCase)) ?? throw Bad(key, Raw(key), $"one of {string.Join(", ", words)}");

    public IReadOnlyList<T> List<T>(string key, Func<string, T?> parse, string accepted)
        where T : class =>
        [.. Items(key, accepted).Select(item => item.GetString() is { } text && parse(text) is { } parsed ? parsed : throw Bad(key, Shown(item), $"a list of {accepted}"))];

    /// <summary>Reads a list whose parser explains what is wrong with an item.</summary>
    /// <param name="orOne">Accepts a single value as a list of one item, and an empty value as an empty list.</param>
    public IReadOnlyList<T> List<T>(string key, ItemParser<T> parse, string accepted, bool orOne = false)
    {
        if (orOne && Value(key) is var single && single.IsString() && !IsList(single))
            return single.GetString() is { Length: > 0 } text ? [Parsed(text)] : [];
        return [.. Items(key, accepted).Select(item => Parsed(item.GetString() ?? throw Bad(key, Shown(item), $"a list of {accepted}")))];

        T Parsed(string text) => parse(text, out var value, out var problem) ? value! : throw Bad(key, text, Because(accepted, problem));
    }

    /// <summary>The names of the sections in a section, which users choose, in the order of their first lines.</summary>
    public IReadOnlyList<string> Sections(string key)
    {
        _known.Add(key);
        var section = $"{root}.{key}";
        var names = sources.SelectMany(static source => source.Keys).Where(found => found.Value.IsSection && found.Value.Parent == section).OrderBy(static found => found.Value.Line)
            .Select(found => found.Key[(section.Length + 1)..].Trim('"')).Distinct().ToList();
        foreach (var name in names.Where(static name => !IsName(name)))
            throw new SettingsException($"{Where(HoconKeys.Join(key, name))}: {Complaint.Quote(name)} cannot be the name of a section of {section}; it must be of letters, digits, '-', '_' and '.'.");
        return names;
    }

    /// <summary>The keys with values in a section, which users choose, in the order of their first lines.</summary>
    public IReadOnlyList<string> Keys(string key)
    {
        _known.Add(key);
        var section = $"{root}.{key}";
        _named.Add(section + ".");
        return [.. sources.SelectMany(static source => source.Keys).Where(found => !found.Value.IsSection && found.Value.Parent == section).OrderBy(static found => found.Value.Line)
            .Select(found => found.Key[(section.Length + 1)..].Trim('"')).Distinct()];
    }

    /// <summary>True when the key has a value.</summary>
    public bool Has(string key) => config.HasPath($"{root}.{key}");

    public SettingsException Missing(string key, string accepted) => new($"{Where(key[..key.LastIndexOf('.')])}: {root}.{key} is missing; it must be {accepted}.");

    /// <summary>The accepted values, followed by the problem if there is one.</summary>
    public static string Because(string accepted, string problem) => problem.Length == 0 ? accepted : $"{accepted}: {problem}";

    /// <summary>A problem with a key itself.</summary>
    /// <param name="problem">Without a full stop.</param>
    public SettingsException Wrong(string key, string problem) => new($"{Where(key)}: {problem}.");

    public SettingsException Bad(string key, string? value, string accepted) =>
        new($"{Where(key)}: {root}.{key} is {Complaint.Quote(value ?? "")}; it must be {accepted}.");

    /// <exception cref="SettingsException">The configuration has a key below the root that was not read.</exception>
    public void RefuseUnknownKeys()
    {
        foreach (var source in sources)
        {
            foreach (var (path, key) in source.Keys)
            {
                if (!key.IsSection && path.StartsWith(root + ".", StringComparison.Ordinal) && !_known.Contains(path[(root.Length + 1)..]))
                    throw new SettingsException($"{source.Name} line {key.Line}: {path} is not a setting{HintAt(path)}.");
            }
        }
    }

    /// <summary>A dot in a name without quotes begins another section, which is seldom meant.</summary>
    private string HintAt(string path) => _named.Find(section => path.StartsWith(section, StringComparison.Ordinal)) is { } section
        ? $"; a name with dots stands in quotes there: \"{path[section.Length..].Replace("\"", "", StringComparison.Ordinal)}\" = ..."
        : "";

    private IList<HoconValue> Items(string key, string accepted)
    {
        var value = Value(key);
        return IsList(value) ? value.GetArray() : throw Bad(key, Shown(value), $"a list of {accepted}");
    }

    private string? Raw(string key)
    {
        var value = Value(key);
        return value.IsString() ? value.GetString() : throw Bad(key, Shown(value), "one value");
    }

    private HoconValue Value(string key)
    {
        _known.Add(key);
        return config.GetValue($"{root}.{key}") ?? throw new SettingsException($"{sources[^1].Name}: {root}.{key} is missing.");
    }

    /// <summary>True for lists, also with blanks between them. Akka.NET's own test does not recognise an empty list.</summary>
    private static bool IsList(HoconValue value) =>
        value.Values.Exists(static part => part is not HoconLiteral) && value.Values.TrueForAll(static part => part switch
        {
            HoconArray => true,
            HoconLiteral blank => string.IsNullOrWhiteSpace(blank.Value),
            HoconSubstitution other => IsList(other.ResolvedValue),
            _ => false,
        });

    private static bool IsName(string text) => text.Length is > 0 and <= 64 && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');

    private static string Shown(HoconValue value) => value.ToString().ReplaceLineEndings(" ").Trim();

    private string Where(string key)
    {
        foreach (var source in sources)
        {
            if (source.Keys.TryGetValue($"{root}.{key}", out var found))
                return $"{source.Name} line {found.Line}";
        }

        return sources[0].Name;
    }
}
