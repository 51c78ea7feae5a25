namespace Tapwire.Tests.Sim;

/// <summary>What one direction of a path does to packets. Probabilities from 0 to 1; times are virtual.</summary>
internal sealed record Impairments
{
    public TimeSpan Latency { get; init; } = TimeSpan.FromMilliseconds(5);

    /// <summary>Up to so much is added to the latency, evenly distributed. Packets stay in order, as in a queue of varying length.</summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>Each packet by itself.</summary>
    public double Loss { get; init; }

    /// <summary>Gilbert-Elliott: how likely a packet begins a bad time.</summary>
    public double BurstBegin { get; init; }

    /// <summary>How likely a packet ends it again. A bad time ends also by itself after <see cref="BurstTime"/>.</summary>
    public double BurstEnd { get; init; } = 0.2;

    /// <summary>Loss in a bad time.</summary>
    public double BurstLoss { get; init; } = 1;

    public TimeSpan BurstTime { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How likely a packet is held back while others pass it.</summary>
    public double Reorder { get; init; }

    /// <summary>A packet that is held back is held for up to so long; zero: three times the latency.</summary>
    public TimeSpan ReorderTime { get; init; }

    public double Duplicate { get; init; }

    /// <summary>One bit is wrong.</summary>
    public double Corrupt { get; init; }

    /// <summary>Segments of one super-frame arrive as one, as from a device that receives with offload.</summary>
    public bool KeepSuperFrames { get; init; }

    /// <summary>Bits per second, counted over IP packets; 0 for no limit.</summary>
    public double Bandwidth { get; init; }

    /// <summary>Packets that wait for the bandwidth; what comes then is dropped. A super-frame counts as its segments.</summary>
    public int QueueLimit { get; init; } = 1000;

    /// <summary>From so many waiting packets on, packets that allow it are marked (RFC 3168); 0: never.</summary>
    public int MarkThreshold { get; init; }

    /// <summary>Nothing passes from then on, counted from the start of the simulation, for <see cref="OutageTime"/>.</summary>
    public TimeSpan OutageAfter { get; init; }

    public TimeSpan OutageTime { get; init; }

    /// <summary>Largest IP packet in bytes; 0 for no limit.</summary>
    public int Mtu { get; init; }

    /// <summary>What is too big vanishes without an ICMP error: a black hole.</summary>
    public bool IsBlackHole { get; init; }
}
