using Akka.Configuration.Hocon;

namespace Akka.Configuration;

/// <summary>
/// An immutable tree of settings, read by path: keys joined with dots, a key that contains a dot in double quotes.
/// A getter answers its default (or null) when nothing stands at the path, and throws when what stands there is of another kind:
/// <see cref="NotSupportedException"/> for a boolean, <see cref="FormatException"/> for the rest, the path and line in the message.
/// </summary>
public class Config
{
    /// <summary>A configuration without any key, to use instead of null.</summary>
    public static readonly Config Empty = ConfigurationFactory.Empty;

    // What this configuration itself says; Root also holds what the fallbacks say.
    private readonly HoconValue _own;

    public Config()
    {
        Root = null;
        Substitutions = [];
    }

    public Config(HoconRoot root)
    {
        Root = _own = root.Value ?? throw new ArgumentNullException(nameof(root), "The root value cannot be null.");
        Substitutions = root.Substitutions;
    }

    /// <param name="source">What is looked at first.</param>
    /// <param name="fallback">What is looked at where the source says nothing.</param>
    public Config(Config source, Config fallback)
    {
        ArgumentNullException.ThrowIfNull(source);
        _own = source._own;
        Fallback = fallback;
        Substitutions = source.Substitutions;
        Root = fallback.IsNullOrEmpty() ? source.Root
            : source.IsEmpty ? fallback.Root
            : Merge(source.Root, fallback.Root);
    }

    private Config(HoconValue own, HoconValue root, Config fallback, IEnumerable<HoconSubstitution> substitutions)
    {
        _own = own;
        Root = root;
        Fallback = fallback;
        Substitutions = substitutions;
    }

    /// <summary>What is looked at where this configuration says nothing; null for none.</summary>
    public Config Fallback { get; }

    /// <summary>Whether there is no key at all, in this configuration and its fallbacks.</summary>
    public virtual bool IsEmpty => Root is null || Root.IsEmpty;

    /// <summary>The tree itself, with what the fallbacks add. Null only after <see cref="Config()"/>.</summary>
    public HoconValue Root { get; }

    /// <summary>The <c>${...}</c> that this configuration's text contained.</summary>
    public IEnumerable<HoconSubstitution> Substitutions { get; set; }

    /// <param name="fallback">Put behind the last of the present fallbacks.</param>
    protected Config Copy(Config fallback = null) =>
        new(_own, Root, Fallback is null ? fallback : Fallback.Copy(fallback), Substitutions);

    public virtual bool GetBoolean(string path, bool @default = false)
    {
        var value = GetNode(path);
        if (value is null)
            return @default;
        try
        {
            return value.GetBoolean();
        }
        catch (NotSupportedException e)
        {
            throw new NotSupportedException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>A size in bytes: a whole number and a unit such as <c>k</c>, <c>KiB</c> (1024) or <c>kB</c> (1000). Null where nothing stands.</summary>
    public virtual long? GetByteSize(string path) => GetByteSize(path, null);

    /// <inheritdoc cref="GetByteSize(string)"/>
    /// <param name="def">The answer where nothing stands.</param>
    public virtual long? GetByteSize(string path, long? def = null) => Read(path, def, static v => v.GetByteSize());

    public virtual int GetInt(string path, int @default = 0) => Read(path, @default, static v => v.GetInt());

    public virtual long GetLong(string path, long @default = 0) => Read(path, @default, static v => v.GetLong());

    /// <summary>The text at the path; null where <c>null</c>, an object or an array stands.</summary>
    public virtual string GetString(string path, string @default = null)
    {
        var value = GetNode(path);
        return value is null ? @default : value.GetString();
    }

    public virtual float GetFloat(string path, float @default = 0) => Read(path, @default, static v => v.GetFloat());

    public virtual decimal GetDecimal(string path, decimal @default = 0) => Read(path, @default, static v => v.GetDecimal());

    public virtual double GetDouble(string path, double @default = 0) => Read(path, @default, static v => v.GetDouble());

    public virtual IList<bool> GetBooleanList(string path) => ReadList(path, static v => v.GetBooleanList());

    public virtual IList<decimal> GetDecimalList(string path) => ReadList(path, static v => v.GetDecimalList());

    public virtual IList<float> GetFloatList(string path) => ReadList(path, static v => v.GetFloatList());

    public virtual IList<double> GetDoubleList(string path) => ReadList(path, static v => v.GetDoubleList());

    public virtual IList<int> GetIntList(string path) => ReadList(path, static v => v.GetIntList());

    public virtual IList<long> GetLongList(string path) => ReadList(path, static v => v.GetLongList());

    public virtual IList<byte> GetByteList(string path) => ReadList(path, static v => v.GetByteList());

    /// <summary>The texts of an array; an empty list where nothing, or no array, stands.</summary>
    public virtual IList<string> GetStringList(string path) => GetNode(path)?.GetStringList() ?? [];

    /// <inheritdoc cref="GetStringList(string)"/>
    /// <param name="defaultPaths">The answer where nothing stands.</param>
    public virtual IList<string> GetStringList(string path, string[] defaultPaths) => GetNode(path)?.GetStringList() ?? defaultPaths;

    /// <summary>The section at a path, with what the fallbacks say of it; null where nothing stands.</summary>
    public virtual Config GetConfig(string path)
    {
        if (GetNode(path) is not { } merged)
            return null;
        var behind = Fallback?.IsEmpty == false ? Fallback.GetConfig(path) : null;
        return new Config(Find(_own, path), merged, behind, []);
    }

    /// <summary>The element at a path, whatever its kind; null where nothing stands.</summary>
    public HoconValue GetValue(string path) => GetNode(path);

    /// <summary>
    /// A duration: a number and a unit from <c>ns</c> to <c>d</c>, short or in full (<c>10 seconds</c>); milliseconds without a unit.
    /// </summary>
    /// <param name="default">The answer where nothing stands; zero if that is null.</param>
    /// <param name="allowInfinite">Whether <c>infinite</c> is read as <see cref="Timeout.InfiniteTimeSpan"/>.</param>
    public virtual TimeSpan GetTimeSpan(string path, TimeSpan? @default = null, bool allowInfinite = true) =>
        Read(path, @default.GetValueOrDefault(), allowInfinite ? static v => v.GetTimeSpan() : static v => v.GetTimeSpan(allowInfinite: false));

    /// <summary>What this configuration itself says, without its fallbacks, as HOCON that parses again.</summary>
    public override string ToString() => ToString(includeFallback: false);

    /// <inheritdoc cref="ToString()"/>
    /// <param name="includeFallback">Whether to print what the fallbacks add, too.</param>
    public string ToString(bool includeFallback) => (includeFallback ? Root : _own)?.ToString() ?? "";

    /// <summary>A configuration that says what this one says, and where it says nothing what the fallback says. Objects merge key by key.</summary>
    /// <exception cref="ArgumentException">The fallback is this configuration itself.</exception>
    public virtual Config WithFallback(Config fallback)
    {
        if (ReferenceEquals(fallback, this))
            throw new ArgumentException("Config can not have itself as fallback", nameof(fallback));
        if (fallback.IsNullOrEmpty())
            return this;
        if (IsEmpty)
            return fallback;
        var copy = Copy(fallback);
        return new Config(_own, Merge(Root, fallback.Root), copy.Fallback, Substitutions);
    }

    public virtual bool HasPath(string path) => GetNode(path) is not null;

    public static Config operator +(Config config, string fallback) => config.WithFallback(ConfigurationFactory.ParseString(fallback));

    public static Config operator +(string configHocon, Config fallbackConfig) =>
        ConfigurationFactory.ParseString(configHocon).WithFallback(fallbackConfig);

    public static implicit operator Config(string str) => ConfigurationFactory.ParseString(str);

    /// <summary>The keys of the first level with their values, those of the fallbacks included. Keys are plain, without quotes.</summary>
    public virtual IEnumerable<KeyValuePair<string, HoconValue>> AsEnumerable() =>
        Root?.GetObject()?.Items.AsEnumerable() ?? [];

    private static HoconValue Merge(HoconValue first, HoconValue behind)
    {
        if (first.GetObject() is not { } own || behind.GetObject() is not { } other)
            return first;
        var merged = new HoconValue { Line = first.Line };
        merged.AppendValue(other.MergeImmutable(own));
        return merged;
    }

    private HoconValue GetNode(string path) =>
        Find(Root ?? throw new InvalidOperationException("Current node should not be null"), path);

    private static HoconValue Find(HoconValue node, string path)
    {
        foreach (var key in HoconPath.Split(path))
        {
            if (node is null)
                return null;
            node = node.GetChildObject(key);
        }
        return node;
    }

    private T Read<T>(string path, T @default, Func<HoconValue, T> convert)
    {
        var value = GetNode(path);
        return value is null ? @default : Convert(path, value, convert);
    }

    private IList<T> ReadList<T>(string path, Func<HoconValue, IList<T>> convert) =>
        Convert(path, GetNode(path) ?? throw new ConfigurationException($"{path}: expected an array, found nothing"), convert);

    private static T Convert<T>(string path, HoconValue value, Func<HoconValue, T> convert)
    {
        try
        {
            return convert(value);
        }
        catch (FormatException e)
        {
            throw new FormatException($"{path}: {e.Message}", e);
        }
    }
}
