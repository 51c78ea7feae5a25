using System.Text;

namespace Akka.Configuration.Hocon;

/// <summary>Keys with their values, in the order in which the text has them.</summary>
public class HoconObject : IHoconElement
{
    public HoconObject()
        : this([])
    {
    }

    private HoconObject(Dictionary<string, HoconValue> items) => Items = items;

    public Dictionary<string, HoconValue> Items { get; }

    /// <summary>The same as plain dictionaries: an object becomes one, anything else stays a <see cref="HoconValue"/>.</summary>
    public IDictionary<string, object> Unwrapped =>
        Items.ToDictionary(kv => kv.Key, kv => kv.Value.GetObject() is { } o ? (object)o.Unwrapped : kv.Value);

    public bool IsString() => false;

    public string GetString() => throw new NotSupportedException("This element is an object and not a string.");

    public bool IsArray() => false;

    public IList<HoconValue> GetArray() => throw new NotSupportedException("This element is an object and not an array.");

    public HoconValue GetKey(string key) => Items.GetValueOrDefault(key);

    /// <summary>The value of the key; an empty one is added if there is none yet.</summary>
    public HoconValue GetOrCreateKey(string key)
    {
        if (!Items.TryGetValue(key, out var value))
            Items.Add(key, value = new HoconValue());
        return value;
    }

    public override string ToString() => ToString(0);

    /// <param name="indent">The level of nesting; each is two blanks.</param>
    public string ToString(int indent)
    {
        var text = new StringBuilder();
        foreach (var (key, value) in Items)
            text.Append(' ', indent * 2).Append(HoconText.Key(key)).Append(" : ").Append(value.ToString(indent + 1)).Append('\n');
        return text.ToString();
    }

    /// <summary>Puts the other object's keys into this one. Where both have a key, objects merge and anything else is replaced.</summary>
    public void Merge(HoconObject other)
    {
        foreach (var (key, value) in MergeImmutable(other).Items)
            Items[key] = value;
    }

    /// <summary>A new object with this one's keys overridden by the other's; neither is changed.</summary>
    internal HoconObject MergeImmutable(HoconObject other)
    {
        var items = new Dictionary<string, HoconValue>(Items);
        foreach (var (key, value) in other.Items)
        {
            if (items.TryGetValue(key, out var mine) && mine.GetObject() is { } a && value.GetObject() is { } b)
            {
                var merged = new HoconValue { Line = value.Line };
                merged.AppendValue(a.MergeImmutable(b));
                items[key] = merged;
            }
            else
                items[key] = value;
        }
        return new HoconObject(items);
    }
}
