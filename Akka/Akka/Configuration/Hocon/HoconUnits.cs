using System.Globalization;

namespace Akka.Configuration.Hocon;

/// <summary>Durations and sizes: a number, optional blanks, a unit.</summary>
internal static class HoconUnits
{
    private static readonly Dictionary<string, double> TicksPer = Table<double>(
        ("", TimeSpan.TicksPerMillisecond),
        ("ns nano nanos nanosecond nanoseconds", 0.01),
        ("us micro micros microsecond microseconds", TimeSpan.TicksPerMicrosecond),
        ("ms milli millis millisecond milliseconds", TimeSpan.TicksPerMillisecond),
        ("s second seconds", TimeSpan.TicksPerSecond),
        ("m minute minutes", TimeSpan.TicksPerMinute),
        ("h hour hours", TimeSpan.TicksPerHour),
        ("d day days", TimeSpan.TicksPerDay));

    private static readonly Dictionary<string, long> BytesPer = Table<long>(
        (" b B byte bytes", 1),
        ("kB kilobyte kilobytes", 1000),
        ("K k Ki KiB kibibyte kibibytes", 1L << 10),
        ("MB megabyte megabytes", 1000_000),
        ("M m Mi MiB mebibyte mebibytes", 1L << 20),
        ("GB gigabyte gigabytes", 1000_000_000),
        ("G g Gi GiB gibibyte gibibytes", 1L << 30),
        ("TB terabyte terabytes", 1000_000_000_000),
        ("T t Ti TiB tebibyte tebibytes", 1L << 40),
        ("PB petabyte petabytes", 1000_000_000_000_000),
        ("P p Pi PiB pebibyte pebibytes", 1L << 50),
        ("EB exabyte exabytes", 1000_000_000_000_000_000),
        ("E e Ei EiB exbibyte exbibytes", 1L << 60));

    public static bool TryParseDuration(string text, out TimeSpan duration)
    {
        duration = default;
        if (text is null || !TrySplit(text, out var number, out var unit)
            || !double.TryParse(number, NumberStyles.AllowDecimalPoint, NumberFormatInfo.InvariantInfo, out var amount)
            || !TicksPer.TryGetValue(unit, out var ticksPer))
            return false;
        var ticks = Math.Round(amount * ticksPer);
        if (ticks >= long.MaxValue)
            return false;
        duration = TimeSpan.FromTicks((long)ticks);
        return true;
    }

    public static bool TryParseByteSize(string text, out long size)
    {
        size = 0;
        if (!TrySplit(text, out var number, out var unit)
            || !long.TryParse(number, NumberStyles.AllowLeadingSign, NumberFormatInfo.InvariantInfo, out var amount)
            || !BytesPer.TryGetValue(unit, out var bytesPer))
            return false;
        var product = (Int128)amount * bytesPer;
        size = (long)product;
        return size == product;
    }

    private static bool TrySplit(string text, out string number, out string unit)
    {
        var end = text.AsSpan().LastIndexOfAnyInRange('0', '9') + 1;
        number = text[..end].Trim();
        unit = text[end..].Trim();
        return end > 0;
    }

    private static Dictionary<string, T> Table<T>(params (string Units, T Factor)[] rows) =>
        rows.SelectMany(row => row.Units.Split(' '), (row, unit) => (unit, row.Factor)).ToDictionary(StringComparer.Ordinal);
}
