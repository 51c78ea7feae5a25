using System.CommandLine;
using System.Globalization;
using Tapwire.Actors.Settings;
using Tapwire.Wires;

namespace Tapwire.Host.Commands;

/// <summary>The impairments of a cable on the command line.</summary>
internal static class CableFlags
{
    private const string Share = "a share from 0 to 1, as in 0.01 or 1%";

    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private static readonly Flag<Directed<TimeSpan>> Latency = Time("--latency", "How long a frame is under way, one way; 0 when not given.", TimeSpan.Zero);

    private static readonly Flag<Directed<TimeSpan>> Jitter = Time("--jitter", "The latency varies evenly by so much up and down; frames keep their order. 0 when not given.", TimeSpan.Zero);

    private static readonly Flag<Directed<long>> Bandwidth = Flags.Directed("--bandwidth", "Bits per second, as in 100M or 100mbit; unlimited when not given.", "RATE",
        Flags.TryParseRate, Flags.AcceptedRate + " or 100mbit", 0L);

    private static readonly Flag<Directed<CableQueue>> Queue = Flags.Directed<CableQueue>("--queue",
        "How much may wait for the line before more is dropped: frames (100), bytes (64KiB) or time (20ms). 1000 frames, up to 4MiB, when not given.", "LIMIT",
        CableQueue.TryParse, CableQueue.Accepted, CableQueue.Default);

    private static readonly Flag<Directed<double>> Loss = Flags.Directed<double>("--loss", "Share of the frames that is lost, as in 0.01 or 1%; 0 when not given.", "SHARE", TryParseShare, Share, 0);

    private static readonly Flag<Directed<double>> LossBurst = Flags.Directed<double>("--loss-burst",
        "Frames that are lost in a row, on average (Gilbert's model); each alone when not given.", "N",
        (string text, out double value) => double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out value) && value is >= 1 and <= 1e6,
        "a number from 1 to 1000000, as in 5 or 2.5", 0);

    private static readonly Flag<Directed<double>> Reorder = Flags.Directed<double>("--reorder", "Share of the frames that is late; 0 when not given.", "SHARE", TryParseShare, Share, 0);

    private static readonly Flag<Directed<TimeSpan>> ReorderDelay = Time("--reorder-delay", "How much later those are; what follows in that time overtakes them. 1ms when not given.",
        TimeSpan.FromMilliseconds(1));

    private static readonly Flag<Directed<double>> Duplicate = Flags.Directed<double>("--duplicate", "Share of the frames that arrives twice; 0 when not given.", "SHARE", TryParseShare, Share, 0);

    private static readonly Flag<Directed<double>> Corrupt = Flags.Directed<double>("--corrupt", "Share of the frames with a flipped bit; 0 when not given.", "SHARE", TryParseShare, Share, 0);

    private static readonly Flag<ulong> Seed = Flags.Value("--seed", "The same seed and frames have the same dice; 1 when not given.", "N",
        (string text, out ulong value) => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value), "a number from 0 to 18446744073709551615", 1UL);

    public static IEnumerable<Option> Options { get; } =
        [Latency, Jitter, Bandwidth, Queue, Loss, LossBurst, Reorder, ReorderDelay, Duplicate, Corrupt, Seed];

    /// <exception cref="SettingsException">Two options contradict each other.</exception>
    public static CableOptions Read(ParseResult parsed) => new()
    {
        Seed = parsed.Read(Seed),
        AToB = Read(parsed, aToB: true),
        BToA = Read(parsed, aToB: false),
    };

    private static CableImpairments Read(ParseResult parsed, bool aToB)
    {
        var way = new CableImpairments
        {
            Latency = Value(Latency),
            Jitter = Value(Jitter),
            BitsPerSecond = Value(Bandwidth),
            Loss = Value(Loss),
            LossBurst = Value(LossBurst),
            Reorder = Value(Reorder),
            ReorderDelay = Value(ReorderDelay),
            Duplicate = Value(Duplicate),
            Corrupt = Value(Corrupt),
        };
        if (way.Jitter > way.Latency)
            throw Wrong($"--jitter {Duration.Format(way.Jitter)} is more than the latency of {Duration.Format(way.Latency)}");
        if (way.ReorderDelay == TimeSpan.Zero)
            throw Wrong("--reorder-delay is 0, which lets nothing overtake");
        if (way.LossBurst > 0 && !(way.Loss / (1 - way.Loss) <= way.LossBurst))
            throw Wrong(string.Create(CultureInfo.InvariantCulture, $"--loss {way.Loss} does not come in bursts as short as --loss-burst {way.LossBurst}"));
        var queue = Value(Queue);
        if (queue != CableQueue.Default && parsed.Read(Bandwidth) is { AToB: 0, BToA: 0 })
            throw Wrong("--queue limits what waits for the line, and without --bandwidth nothing waits");
        return queue.Apply(way);

        T Value<T>(Flag<Directed<T>> flag) => aToB ? parsed.Read(flag).AToB : parsed.Read(flag).BToA;

        SettingsException Wrong(string what) => new($"From {(aToB ? "a to b" : "b to a")}: {what}.");
    }

    private static Flag<Directed<TimeSpan>> Time(string name, string description, TimeSpan whenAbsent) => Flags.Directed(name, description, "TIME",
        (string text, out TimeSpan value) => Duration.TryParse(text, out value) && value >= TimeSpan.Zero && value <= Hour,
        "a time from 0 to 1h, as in 20ms", whenAbsent);

    private static bool TryParseShare(string text, out double value)
    {
        var percent = text.EndsWith('%');
        if (!double.TryParse(percent ? text[..^1] : text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out value))
            return false;
        value = percent ? value / 100 : value;
        return value is >= 0 and <= 1;
    }
}
