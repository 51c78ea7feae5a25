namespace Tapwire.Stack.Dhcp;

/// <summary>What a client has done since it was made.</summary>
public sealed class DhcpCounters
{
    private readonly long[] _drops = new long[Enum.GetValues<DhcpDrop>().Length];

    /// <summary>Messages sent.</summary>
    public long Sent { get; internal set; }

    /// <summary>Messages of servers that were used.</summary>
    public long Received { get; internal set; }

    /// <summary>Messages, or parts of one, that were not used for this reason.</summary>
    public long this[DhcpDrop reason] => _drops[(int)reason];

    /// <summary>The reasons that there have been, with their numbers.</summary>
    public IEnumerable<KeyValuePair<DhcpDrop, long>> Drops => Enum.GetValues<DhcpDrop>().Where(reason => _drops[(int)reason] != 0).Select(reason => KeyValuePair.Create(reason, _drops[(int)reason]));

    internal void Count(DhcpDrop reason, int times = 1) => _drops[(int)reason] += times;
}
