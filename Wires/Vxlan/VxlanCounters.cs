namespace Tapwire.Wires.Vxlan;

/// <summary>Why a datagram, or a frame, was dropped. Each is counted.</summary>
public enum VxlanDrop
{
    /// <summary>A datagram too short for the header and a frame's.</summary>
    TooShort,

    /// <summary>The I flag is not set.</summary>
    BadFlags,

    /// <summary>Another network's.</summary>
    UnknownVni,

    /// <summary>From an address that is no peer's.</summary>
    UnknownPeer,

    /// <summary>The frame comes from a group address, or from this end's own: it has gone round.</summary>
    BadSource,

    /// <summary>The frame comes from an address that the settings give to another peer.</summary>
    MovedStatic,

    /// <summary>A frame longer than the MTU, or than the reader has room for.</summary>
    TooLong,

    /// <summary>The outer header says congestion of a packet that may not be marked (RFC 6040, 4.2).</summary>
    CongestionMark,

    /// <summary>A frame that the socket had no room for.</summary>
    SocketFull,
}

/// <summary>The counters of a VXLAN wire.</summary>
internal sealed class VxlanCounters
{
    private static readonly VxlanDrop[] Drops = Enum.GetValues<VxlanDrop>();

    private readonly long[] _drops = new long[Drops.Length];

    public long FramesReceived { get; set; }

    /// <summary>Frames sent to the one peer that has their destination.</summary>
    public long FramesSent { get; set; }

    /// <summary>Frames sent to all peers: to groups, and to addresses that are not known.</summary>
    public long FramesFlooded { get; set; }

    /// <summary>Addresses learned, and addresses that have moved to another peer.</summary>
    public long Learned { get; set; }

    public long Moved { get; set; }

    /// <summary>Addresses that were not learned because the table was full.</summary>
    public long NotLearned { get; set; }

    public long this[VxlanDrop reason] => _drops[(int)reason];

    public long AllDrops => _drops.Sum();

    public void Count(VxlanDrop reason) => _drops[(int)reason]++;

    /// <summary>Those above 0, by name.</summary>
    public Dictionary<string, long> Describe(int entries, long refused)
    {
        var all = new Dictionary<string, long>
        {
            [nameof(FramesReceived)] = FramesReceived,
            [nameof(FramesSent)] = FramesSent,
            [nameof(FramesFlooded)] = FramesFlooded,
            ["Entries"] = entries,
            [nameof(Learned)] = Learned,
            [nameof(Moved)] = Moved,
            [nameof(NotLearned)] = NotLearned,
            ["Refused"] = refused,
        };
        foreach (var drop in Drops)
            all[drop.ToString()] = this[drop];
        return all.Where(static each => each.Value > 0).ToDictionary();
    }
}
