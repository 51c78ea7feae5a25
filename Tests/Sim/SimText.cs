using System.Globalization;

namespace Tapwire.Tests.Sim;

/// <summary>Writes out parameters, only those that are not what they are by default.</summary>
internal static class SimText
{
    public static string Of<T>(T value, T usual)
        where T : notnull
    {
        var parts = new List<string>();
        foreach (var property in typeof(T).GetProperties().Where(property => property.CanWrite))
        {
            var actual = property.GetValue(value);
            if (!Equals(actual, property.GetValue(usual)))
                parts.Add($"{property.Name} {Text(actual)}");
        }

        return parts.Count == 0 ? "as usual" : string.Join(", ", parts);
    }

    private static string Text(object? value) => value switch
    {
        TimeSpan time => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:0.####}ms"),
        double number => number.ToString("0.#####", CultureInfo.InvariantCulture),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };
}
