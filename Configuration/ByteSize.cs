using System.Globalization;

namespace Tapwire.Configuration;

/// <summary>
/// Sizes in the notation of users: 512, 64KiB, 1.5MiB, 10MB. KiB, MiB and GiB are powers of 1024; kB, KB, MB and GB are powers of 1000; K, M and G are powers of 1024,
/// as in HOCON.
/// </summary>
internal static class ByteSize
{
    private static readonly (string Suffix, double Factor)[] Units =
    [
        ("KiB", 1024), ("MiB", 1024 * 1024), ("GiB", 1024 * 1024 * 1024), ("TiB", 1024.0 * 1024 * 1024 * 1024),
        ("kB", 1e3), ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12),
        ("K", 1024), ("k", 1024), ("M", 1024 * 1024), ("m", 1024 * 1024), ("G", 1024 * 1024 * 1024), ("g", 1024 * 1024 * 1024), ("B", 1), ("b", 1),
    ];

    public static bool TryParse(string? text, out long bytes)
    {
        bytes = 0;
        text = text?.Trim() ?? "";
        var factor = 1.0;
        foreach (var unit in Units)
        {
            if (!text.EndsWith(unit.Suffix, StringComparison.Ordinal))
                continue;
            factor = unit.Factor;
            text = text[..^unit.Suffix.Length].TrimEnd();
            break;
        }

        if (!double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) || !(number >= 0 && number * factor <= long.MaxValue / 2))
            return false;
        bytes = (long)(number * factor);
        return true;
    }

    /// <summary>Formats a size in the largest fitting unit: 512 B, 64 KiB, 1.5 MiB, ...</summary>
    public static string Format(double bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB"];
        var unit = 0;
        for (; bytes >= 1024 && unit < units.Length - 1; unit++)
            bytes /= 1024;
        return string.Create(CultureInfo.InvariantCulture, $"{bytes:0.##} {units[unit]}");
    }
}
