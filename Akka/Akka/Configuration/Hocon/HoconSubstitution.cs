namespace Akka.Configuration.Hocon;

/// <summary>A reference to another value of the same text: <c>${path}</c>, or <c>${?path}</c> if that value may be missing.</summary>
public class HoconSubstitution : IHoconElement, IMightBeAHoconObject
{
    protected HoconSubstitution()
        : this("")
    {
    }

    public HoconSubstitution(string path) => Path = path;

    /// <summary>The path from the root of the text.</summary>
    public string Path { get; set; }

    /// <summary>The value found at the path; null where it is optional and there is none.</summary>
    public HoconValue ResolvedValue { get; set; }

    internal bool IsOptional { get; init; }

    internal TextPosition Position { get; init; }

    /// <summary>The innermost assignment that the substitution is a part of; null outside of the parser.</summary>
    internal Assignment Assignment { get; init; }

    public bool IsString() => ResolvedValue is { } value && value.IsString();

    public string GetString() => ResolvedValue?.GetString();

    public bool IsArray() => ResolvedValue is { } value && value.IsArray();

    public IList<HoconValue> GetArray() => ResolvedValue?.GetArray() ?? [];

    public bool IsObject() => ResolvedValue is { } value && value.IsObject();

    public HoconObject GetObject() => ResolvedValue?.GetObject();
}
