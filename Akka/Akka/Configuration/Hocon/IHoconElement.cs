namespace Akka.Configuration.Hocon;

/// <summary>A part of a <see cref="HoconValue"/>: a literal, an object, an array or a substitution.</summary>
public interface IHoconElement
{
    bool IsString();

    /// <summary>The element's text. An object or array has none and throws.</summary>
    string GetString();

    bool IsArray();

    /// <summary>The array's elements. What is no array throws.</summary>
    IList<HoconValue> GetArray();
}

/// <summary>What is, or stands for, an object.</summary>
public interface IMightBeAHoconObject
{
    bool IsObject();

    /// <summary>The object, or null if this is none.</summary>
    HoconObject GetObject();
}
