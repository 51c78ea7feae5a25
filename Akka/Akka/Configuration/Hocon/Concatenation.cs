namespace Akka.Configuration.Hocon;

/// <summary>The rule for what may stand beside each other in one value: only texts, only arrays or only objects.</summary>
internal static class Concatenation
{
    /// <summary>Refuses a mixture, and drops the blanks between arrays or objects.</summary>
    public static void Check(HoconValue value, TextPosition position)
    {
        if (value.Values.Count < 2)
            return;
        string first = null;
        foreach (var element in value.Values)
        {
            if (element is HoconLiteral { IsBlank: true })
                continue;
            var kind = Kind(element);
            first ??= kind;
            if (first != kind)
                throw position.Error($"cannot join {first} and {kind} in one value");
        }
        if (first != "text")
            value.Values.RemoveAll(v => v is HoconLiteral);
    }

    private static string Kind(IHoconElement element) =>
        element.IsArray() ? "an array"
        : element is HoconObject || (element as IMightBeAHoconObject)?.IsObject() == true ? "an object"
        : "text";
}
