using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Buffers;

namespace Tapwire.Wires;

/// <summary>The properties of a <see cref="Cable"/>, and its impairments.</summary>
public sealed record CableOptions
{
    /// <summary>Names of the two ends.</summary>
    public string NameA { get; init; } = "cable-a";

    /// <inheritdoc cref="NameA"/>
    public string NameB { get; init; } = "cable-b";

    public Medium Medium { get; init; } = Medium.Ethernet;

    /// <summary>68..65535.</summary>
    public int Mtu { get; init; } = 1500;

    /// <summary>Checksum notes and super-frames that pass unchanged, as on a pair of veth devices. Without Checksum the cable completes partial checksums, and
    /// the receiver has to verify all; super-frames that are not listed are refused.</summary>
    public WireOffloads Offloads { get; init; }

    /// <summary>Impairments from end A to end B.</summary>
    public CableImpairments AToB { get; init; } = CableImpairments.None;

    /// <inheritdoc cref="AToB"/>
    public CableImpairments BToA { get; init; } = CableImpairments.None;

    /// <summary>The seed of all random choices: the same seed and the same frames at the same times give the same result.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Buffer memory, per direction, of frames that have arrived and are not read yet. Beyond it the wire is full for the writer. At least 64
    /// KiB.</summary>
    public int ReceiveBytes { get; init; } = 2 << 20;

    /// <summary>Buffer memory, per direction, of frames under way. Beyond it the wire is full for the writer. It must exceed bandwidth times latency, or it
    /// limits the throughput. At least 64 KiB.</summary>
    public long InFlightBytes { get; init; } = 64 << 20;

    internal void Validate()
    {
        Check(Mtu is >= 68 and <= 65535, nameof(Mtu), Mtu, "68 to 65535");
        Check(ReceiveBytes >= BufferPool.MaxCapacity, nameof(ReceiveBytes), ReceiveBytes, $"{BufferPool.MaxCapacity} or more");
        Check(InFlightBytes >= BufferPool.MaxCapacity, nameof(InFlightBytes), InFlightBytes, $"{BufferPool.MaxCapacity} or more");
        AToB.Validate(nameof(AToB));
        BToA.Validate(nameof(BToA));
    }

    internal static void Check(bool valid, string option, object value, string accepted)
    {
        if (!valid)
            throw new ArgumentException($"The cable's {option} cannot be {value}: {accepted} is accepted.");
    }
}

/// <summary>Impairments of frames in one direction, in this order: loss, duplication, corruption, the queue before the line, the line, the latency.</summary>
public sealed record CableImpairments
{
    /// <summary>A perfect line: a frame is at the other end when the write returns.</summary>
    public static readonly CableImpairments None = new();

    /// <summary>Latency of each frame after the line has taken its last bit; 0 to 1 h. In real time it is precise to some 50 µs.</summary>
    public TimeSpan Latency { get; init; }

    /// <summary>Uniform variation of the latency, up and down; 0 to <see cref="Latency"/>. It does not reorder frames.</summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>Bandwidth of the line, which takes one frame after the other; 0 is no limit.</summary>
    public long BitsPerSecond { get; init; }

    /// <summary>Frames waiting for the line; one more is dropped. At least 1.</summary>
    public int QueueFrames { get; init; } = 1000;

    /// <summary>Bytes of frames waiting for the line; a frame that does not fit is dropped, unless it is alone. At least 1.</summary>
    public int QueueBytes { get; init; } = 4 << 20;

    /// <summary>Share of frames that are lost, 0..1. The other shares have the same range.</summary>
    public double Loss { get; init; }

    /// <summary>Mean number of frames lost one after the other. 0: each frame is lost independently. Otherwise at least 1, and at least Loss / (1 - Loss),
    /// below which so much loss is impossible; Loss must then be less than 1.</summary>
    public double LossBurst { get; init; }

    /// <summary>Share of frames that arrive twice.</summary>
    public double Duplicate { get; init; }

    /// <summary>Share of frames that arrive with one bit changed.</summary>
    public double Corrupt { get; init; }

    /// <summary>Share of frames with <see cref="ReorderDelay"/> added to their latency, so that frames sent in that time overtake them.</summary>
    public double Reorder { get; init; }

    /// <summary>More than 0, to 1 h.</summary>
    public TimeSpan ReorderDelay { get; init; } = TimeSpan.FromMilliseconds(1);

    /// <summary>Frames may need time, and so a clock.</summary>
    internal bool TakesTime => Latency > TimeSpan.Zero || BitsPerSecond > 0 || Reorder > 0;

    internal void Validate(string direction)
    {
        var hour = TimeSpan.FromHours(1);
        Check(Latency >= TimeSpan.Zero && Latency <= hour, nameof(Latency), Latency, "0 to 1 h");
        Check(Jitter >= TimeSpan.Zero && Jitter <= Latency, nameof(Jitter), Jitter, $"0 to the latency ({Latency})");
        Check(BitsPerSecond >= 0, nameof(BitsPerSecond), BitsPerSecond, "0 (no limit) or more");
        Check(QueueFrames > 0, nameof(QueueFrames), QueueFrames, "1 or more");
        Check(QueueBytes > 0, nameof(QueueBytes), QueueBytes, "1 or more");
        CheckShare(Loss, nameof(Loss));
        var shortest = LossBurst == 0 ? 0 : Math.Max(1, Loss / (1 - Loss));
        Check(LossBurst >= shortest && double.IsFinite(LossBurst), nameof(LossBurst), LossBurst, $"0, or {shortest:0.##} or more at that loss,");
        CheckShare(Duplicate, nameof(Duplicate));
        CheckShare(Corrupt, nameof(Corrupt));
        CheckShare(Reorder, nameof(Reorder));
        Check(ReorderDelay > TimeSpan.Zero && ReorderDelay <= hour, nameof(ReorderDelay), ReorderDelay, "more than 0, to 1 h,");

        void CheckShare(double share, string option) => Check(share is >= 0 and <= 1, option, share, "0 to 1");
        void Check(bool valid, string option, object value, string accepted) => CableOptions.Check(valid, $"{direction}.{option}", value, accepted);
    }
}
