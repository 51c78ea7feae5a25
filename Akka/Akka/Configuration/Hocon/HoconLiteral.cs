namespace Akka.Configuration.Hocon;

/// <summary>A piece of text: a word, a number, a quoted string, or the blanks between two of them.</summary>
public class HoconLiteral : IHoconElement
{
    public string Value { get; set; } = "";

    // A quoted "null" is text; blanks count only between texts, not beside an array or object.
    internal bool IsQuoted { get; init; }

    internal bool IsBlank { get; init; }

    public bool IsString() => true;

    public string GetString() => Value;

    public bool IsArray() => false;

    public IList<HoconValue> GetArray() => throw new NotSupportedException("This element is a string and not an array.");

    public override string ToString() => Value;
}
