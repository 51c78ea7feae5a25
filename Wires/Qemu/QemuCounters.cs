namespace Tapwire.Wires.Qemu;

/// <summary>Why a frame was dropped, or a machine sent away. Each is counted.</summary>
public enum QemuDrop
{
    /// <summary>A frame that is shorter than an Ethernet header.</summary>
    TooShort,

    /// <summary>A frame that is longer than the MTU allows.</summary>
    TooLong,

    /// <summary>A length that QEMU never sends: the stream is no frames, and the machine was sent away.</summary>
    BadLength,

    /// <summary>A frame for which no machine was there.</summary>
    NoMachine,

    /// <summary>A machine of another user, who was sent away.</summary>
    Refused,
}

/// <summary>The counters of a wire to a virtual machine.</summary>
internal sealed class QemuCounters
{
    private static readonly QemuDrop[] Drops = Enum.GetValues<QemuDrop>();

    private readonly long[] _drops = new long[Drops.Length];

    /// <summary>Machines that have been connected.</summary>
    public long Machines { get; set; }

    public long this[QemuDrop reason] => _drops[(int)reason];

    public long AllDrops => _drops.Sum();

    public void Count(QemuDrop reason) => _drops[(int)reason]++;

    /// <summary>Those above 0, by name.</summary>
    public Dictionary<string, long> Describe()
    {
        var all = new Dictionary<string, long> { [nameof(Machines)] = Machines };
        foreach (var drop in Drops)
            all[drop.ToString()] = this[drop];
        return all.Where(static each => each.Value > 0).ToDictionary();
    }
}
