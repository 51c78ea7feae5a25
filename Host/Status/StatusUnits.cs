using System.Globalization;

namespace Tapwire.Host.Status;

/// <summary>Numbers for people: three digits and a unit.</summary>
internal static class StatusUnits
{
    private static readonly string[] Bytes = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    private static readonly string[] Bits = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];

    /// <summary>As in "1.25 MiB".</summary>
    public static string Size(double bytes) => Scaled(bytes, 1024, Bytes);

    /// <param name="bytes">Bytes a second.</param>
    public static string BitRate(double bytes) => Scaled(bytes * 8, 1000, Bits);

    /// <summary>As in "1.25ms".</summary>
    public static string Time(long microseconds) => microseconds switch
    {
        < 1000 => string.Create(CultureInfo.InvariantCulture, $"{microseconds}us"),
        < 1_000_000 => $"{Three(microseconds / 1000.0)}ms",
        _ => $"{Three(microseconds / 1_000_000.0)}s",
    };

    /// <summary>As in "3s", "12m", "5h", "9d".</summary>
    public static string Age(double seconds) => seconds switch
    {
        < 120 => string.Create(CultureInfo.InvariantCulture, $"{(long)seconds}s"),
        < 7200 => string.Create(CultureInfo.InvariantCulture, $"{(long)seconds / 60}m"),
        < 172_800 => string.Create(CultureInfo.InvariantCulture, $"{(long)seconds / 3600}h"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{(long)seconds / 86_400}d"),
    };

    private static string Scaled(double value, double step, string[] units)
    {
        var unit = 0;
        for (; value >= 999.5 && unit < units.Length - 1; unit++)
            value /= step;
        return unit == 0 ? string.Create(CultureInfo.InvariantCulture, $"{value:0} {units[0]}") : $"{Three(value)} {units[unit]}";
    }

    private static string Three(double value) => value.ToString(value < 9.995 ? "0.00" : value < 99.95 ? "0.0" : "0", CultureInfo.InvariantCulture);
}
