using System.Globalization;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;
using Tapwire.Wires;

namespace Tapwire.Host.Commands;

/// <summary>The limit of a cable's queue: frames, bytes, or the time that the line takes for its bytes. Exactly one is given.</summary>
internal readonly record struct CableQueue(int Frames, int Bytes, TimeSpan Time)
{
    public const string Accepted = "frames from 1, as in 100, bytes, as in 64KiB, or a time, as in 20ms, up to 2147483647 bytes in all";

    /// <summary>The limits that a cable has by default.</summary>
    public static readonly CableQueue Default;

    public static bool TryParse(string text, out CableQueue value)
    {
        value = default;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var frames))
            value = new CableQueue(frames, 0, default);
        else if (text.EndsWith('s') && Duration.TryParse(text, out var time) && time <= TimeSpan.FromHours(1))
            value = new CableQueue(0, 0, time);
        else if (text.EndsWith('B') && ByteSize.TryParse(text, out var bytes) && bytes <= int.MaxValue)
            value = new CableQueue(0, (int)bytes, default);
        return value != Default;
    }

    public CableImpairments Apply(CableImpairments way) => this switch
    {
        { Frames: > 0 } => way with { QueueFrames = Frames, QueueBytes = int.MaxValue },
        { Bytes: > 0 } => way with { QueueFrames = int.MaxValue, QueueBytes = Bytes },
        { Time.Ticks: > 0 } => way with { QueueFrames = int.MaxValue, QueueBytes = (int)Math.Clamp(Time.TotalSeconds * way.BitsPerSecond / 8, 1, int.MaxValue) },
        _ => way,
    };
}
