using System.Globalization;

namespace Tapwire.Host.Commands;

/// <summary>Rates in bits per second as people write them: 5000, 512k, 100M, 1.5G, or with tc's units: 512kbit, 100mbit, 1gbit. All are powers of 1000.</summary>
internal static class BitRate
{
    public static bool TryParse(string? text, out long bitsPerSecond)
    {
        bitsPerSecond = 0;
        var number = (text ?? "").Trim();
        var bits = number.EndsWith("bit", StringComparison.OrdinalIgnoreCase);
        if (bits)
            number = number[..^"bit".Length];
        var factor = number.Length == 0 ? 1 : number[^1] switch { 'k' or 'K' => 1e3, 'M' => 1e6, 'm' when bits => 1e6, 'G' => 1e9, 'g' when bits => 1e9, _ => 1 };
        if (!double.TryParse(factor == 1 ? number : number[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)
            || !(value * factor <= long.MaxValue / 2))
            return false;
        bitsPerSecond = (long)(value * factor);
        return true;
    }
}
