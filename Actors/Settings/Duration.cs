using System.Globalization;

namespace Tapwire.Actors.Settings;

/// <summary>Durations in their written form: 500us, 10ms, 1.5s, 5m, 1h, infinite.</summary>
public static class Duration
{
    private static readonly (string Suffix, double Ticks)[] Units =
    [
        ("us", TimeSpan.TicksPerMicrosecond), ("µs", TimeSpan.TicksPerMicrosecond), ("ms", TimeSpan.TicksPerMillisecond),
        ("s", TimeSpan.TicksPerSecond), ("m", TimeSpan.TicksPerMinute), ("h", TimeSpan.TicksPerHour), ("d", TimeSpan.TicksPerDay),
    ];

    public static bool TryParse(string? text, out TimeSpan duration)
    {
        duration = default;
        text = text?.Trim() ?? "";
        if (text == "infinite")
        {
            duration = Timeout.InfiniteTimeSpan;
            return true;
        }

        if (text == "0")
            return true;
        foreach (var (suffix, ticks) in Units)
        {
            if (!text.EndsWith(suffix, StringComparison.Ordinal))
                continue;
            if (!double.TryParse(text[..^suffix.Length].TrimEnd(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
                || !(number >= 0 && number * ticks <= long.MaxValue / 4))
                return false;
            duration = new TimeSpan((long)(number * ticks));
            return true;
        }

        return false;
    }

    public static string Format(TimeSpan duration) => duration switch
    {
        _ when duration == TimeSpan.Zero => "0",
        _ when duration == Timeout.InfiniteTimeSpan => "infinite",
        { Ticks: < TimeSpan.TicksPerMillisecond } => string.Create(CultureInfo.InvariantCulture, $"{duration.TotalMicroseconds:0.#}us"),
        { Ticks: < TimeSpan.TicksPerSecond } => string.Create(CultureInfo.InvariantCulture, $"{duration.TotalMilliseconds:0.##}ms"),
        { Ticks: < TimeSpan.TicksPerMinute } => string.Create(CultureInfo.InvariantCulture, $"{duration.TotalSeconds:0.##}s"),
        { Ticks: < TimeSpan.TicksPerHour } => string.Create(CultureInfo.InvariantCulture, $"{duration.TotalMinutes:0.##}m"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{duration.TotalHours:0.##}h"),
    };
}
