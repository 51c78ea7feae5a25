using System.Globalization;

namespace Akka.Configuration.Hocon;

/// <summary>
/// What stands behind a key or in an array: one element, or several that are concatenated (texts to a text, arrays to an array,
/// objects merged to an object).
/// </summary>
public class HoconValue : IMightBeAHoconObject
{
    public HoconValue()
        : this([], adoptedFromFallback: false)
    {
    }

    /// <param name="adoptedFromFallback">Whether the elements came from a fallback.</param>
    public HoconValue(List<IHoconElement> values, bool adoptedFromFallback = true)
    {
        Values = values;
        AdoptedFromFallback = adoptedFromFallback;
    }

    /// <summary>Whether there is no element, or only an object without keys.</summary>
    public bool IsEmpty => Values.Count == 0 || Values[0] is HoconObject { Items.Count: 0 };

    public List<IHoconElement> Values { get; private set; }

    internal bool AdoptedFromFallback { get; }

    /// <summary>The line of the text on which the value begins; zero if it was not parsed.</summary>
    internal int Line { get; set; }

    /// <summary>While parsing: what this value was before, as long as it is not known whether that shows through.</summary>
    internal HoconValue Overridden { get; set; }

    /// <summary>A configuration in which this value stands behind the key.</summary>
    public Config AtKey(string key)
    {
        var holder = new HoconObject();
        holder.Items[key] = this;
        var root = new HoconValue();
        root.AppendValue(holder);
        return new Config(new HoconRoot(root));
    }

    /// <summary>A configuration that has this value as its root.</summary>
    public Config ToConfig() => new(new HoconRoot(this));

    public HoconObject GetObject()
    {
        HoconObject merged = null;
        foreach (var element in Values)
        {
            var next = element as HoconObject ?? (element as IMightBeAHoconObject)?.GetObject();
            if (next is not null)
                merged = merged is null ? next : merged.MergeImmutable(next);
            else if (element is not HoconLiteral { IsBlank: true })
                return null;
        }
        return merged;
    }

    public bool IsObject() => GetObject() is not null;

    public void AppendValue(IHoconElement value) => Values.Add(value);

    public void Clear() => Values.Clear();

    /// <summary>Replaces all elements by one.</summary>
    public void NewValue(IHoconElement value)
    {
        Values.Clear();
        Values.Add(value);
    }

    public bool IsString() => Values.Count > 0 && Values.TrueForAll(v => v.IsString());

    /// <summary>The value behind a key of this object; null if there is none, or this is no object.</summary>
    public HoconValue GetChildObject(string key) => GetObject()?.GetKey(key);

    /// <exception cref="NotSupportedException">It is none of <c>on</c>, <c>off</c>, <c>true</c> and <c>false</c>.</exception>
    public bool GetBoolean() => GetString() switch
    {
        "on" or "true" => true,
        "off" or "false" => false,
        _ => throw new NotSupportedException($"Unknown boolean format: {Found()}; expected on, off, true or false"),
    };

    /// <summary>The concatenated text; null for <c>null</c>, an object or an array.</summary>
    public string GetString()
    {
        if (Values is [var only])
            return only is HoconLiteral { IsQuoted: false, Value: "null" } || !only.IsString() ? null : only.GetString();
        return IsString() ? string.Concat(Values.Select(v => v.GetString())) : null;
    }

    public decimal GetDecimal() => decimal.TryParse(GetString(), NumberStyles.Number, NumberFormatInfo.InvariantInfo, out var number)
        ? number : throw Expected("a number");

    public float GetFloat() => float.TryParse(GetString(), NumberStyles.Float | NumberStyles.AllowThousands, NumberFormatInfo.InvariantInfo, out var number)
        ? number : throw Expected("a number");

    public double GetDouble() => double.TryParse(GetString(), NumberStyles.Float | NumberStyles.AllowThousands, NumberFormatInfo.InvariantInfo, out var number)
        ? number : throw Expected("a number");

    public long GetLong() => GetInteger(long.MinValue, long.MaxValue);

    public int GetInt() => (int)GetInteger(int.MinValue, int.MaxValue);

    public byte GetByte() => (byte)GetInteger(byte.MinValue, byte.MaxValue);

    public IList<byte> GetByteList() => ListOf(v => v.GetByte());

    public IList<int> GetIntList() => ListOf(v => v.GetInt());

    public IList<long> GetLongList() => ListOf(v => v.GetLong());

    public IList<bool> GetBooleanList() => ListOf(v => v.GetBoolean());

    public IList<float> GetFloatList() => ListOf(v => v.GetFloat());

    public IList<double> GetDoubleList() => ListOf(v => v.GetDouble());

    public IList<decimal> GetDecimalList() => ListOf(v => v.GetDecimal());

    public IList<string> GetStringList() => ListOf(v => v.GetString());

    /// <summary>The elements of the array; none if this is no array.</summary>
    public IList<HoconValue> GetArray() => [.. Values.Where(v => v.IsArray()).SelectMany(v => v.GetArray())];

    public bool IsArray() => Values.Exists(v => v.IsArray());

    /// <inheritdoc cref="Config.GetTimeSpan"/>
    public TimeSpan GetTimeSpan(bool allowInfinite = true)
    {
        var text = GetString();
        if (allowInfinite && string.Equals(text, "infinite", StringComparison.OrdinalIgnoreCase))
            return Timeout.InfiniteTimeSpan;
        return HoconUnits.TryParseDuration(text, out var duration)
            ? duration
            : throw Expected("a duration that is not negative, such as 500ms, 10 seconds or 2m" + (allowInfinite ? ", or infinite" : ""));
    }

    /// <inheritdoc cref="Config.GetByteSize(string)"/>
    public long? GetByteSize()
    {
        var text = GetString();
        if (string.IsNullOrEmpty(text))
            return null;
        return HoconUnits.TryParseByteSize(text, out var size) ? size : throw Expected("a size in bytes, such as 512, 64 KiB or 10MB");
    }

    public override string ToString() => ToString(0);

    /// <param name="indent">The level of nesting; each is two blanks. At level zero an object is written without its braces.</param>
    public virtual string ToString(int indent)
    {
        if (GetObject() is { } o)
            return indent == 0 ? o.ToString(0)
                : o.Items.Count == 0 ? "{}"
                : $"{{\n{o.ToString(indent)}{new string(' ', (indent - 1) * 2)}}}";
        return IsArray() ? $"[{string.Join(", ", GetArray().Select(e => e.ToString(indent + 1)))}]" : HoconText.Value(GetString());
    }

    /// <summary>Moves the elements into a new value, and leaves this one empty.</summary>
    internal HoconValue Detach()
    {
        var detached = new HoconValue(Values, AdoptedFromFallback) { Line = Line, Overridden = Overridden };
        Values = [];
        Overridden = null;
        return detached;
    }

    /// <summary>What stands here, for an error message.</summary>
    internal string Found()
    {
        var where = Line > 0 ? $" (line {Line})" : "";
        return (IsObject() ? "an object" : IsArray() ? "an array" : GetString() is { } text ? $"'{text}'" : "null") + where;
    }

    private long GetInteger(long min, long max)
    {
        var text = GetString();
        if (long.TryParse(text, NumberStyles.Integer, NumberFormatInfo.InvariantInfo, out var number) && number >= min && number <= max)
            return number;
        throw Expected($"a whole number from {min.ToString(CultureInfo.InvariantCulture)} to {max.ToString(CultureInfo.InvariantCulture)}");
    }

    private List<T> ListOf<T>(Func<HoconValue, T> convert) => [.. GetArray().Select(convert)];

    private FormatException Expected(string what) => new($"expected {what}, found {Found()}");
}
