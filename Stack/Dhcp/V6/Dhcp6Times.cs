namespace Tapwire.Stack.Dhcp.V6;

/// <summary>How a message is sent again while nobody answers (RFC 8415, 15).</summary>
/// <param name="First">IRT.</param>
/// <param name="Longest">MRT; zero: no limit.</param>
/// <param name="MostSends">MRC; 0: no limit.</param>
/// <param name="MostTime">MRD; zero: no limit.</param>
internal readonly record struct Retransmission(TimeSpan First, TimeSpan Longest, int MostSends = 0, TimeSpan MostTime = default)
{
    /// <summary>RAND is a tenth more or less.</summary>
    private const double Spread = 0.1;

    /// <summary>The next pause.</summary>
    /// <param name="before">The last one; zero: it is the first.</param>
    /// <param name="random">From 0 to 1.</param>
    /// <param name="onlyMore">The first pause is not shorter than IRT (RFC 8415, 18.2.1).</param>
    public TimeSpan Next(TimeSpan before, double random, bool onlyMore = false)
    {
        var rand = before == TimeSpan.Zero && onlyMore ? Spread * random : Spread * (2 * random - 1);
        var next = before == TimeSpan.Zero ? First * (1 + rand) : before * (2 + rand);
        return Longest > TimeSpan.Zero && next > Longest ? Longest * (1 + rand) : next;
    }
}

/// <summary>The times of RFC 8415, 7.6.</summary>
internal static class Dhcp6Times
{
    /// <summary>SOL_MAX_DELAY, CNF_MAX_DELAY and INF_MAX_DELAY: before the first message at most, because all hosts of a link hear the same router at the same time.</summary>
    public static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(1);

    public static readonly Retransmission Request = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30), MostSends: 10);
    public static readonly Retransmission Confirm = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(4), MostTime: TimeSpan.FromSeconds(10));

    /// <summary>Ends with T2.</summary>
    public static readonly Retransmission Renew = new(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(600));

    /// <summary>Ends with the last address.</summary>
    public static readonly Retransmission Rebind = new(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(600));

    public static readonly Retransmission Decline = new(TimeSpan.FromSeconds(1), TimeSpan.Zero, MostSends: 4);

    /// <summary>SOL_MAX_RT and INF_MAX_RT, which servers may change within these bounds (RFC 8415, 21.24).</summary>
    public static readonly TimeSpan MaxRt = TimeSpan.FromHours(1);
    public const uint LeastMaxRt = 60;
    public const uint MostMaxRt = 86400;

    /// <summary>IRT_DEFAULT and IRT_MINIMUM (RFC 8415, 21.23).</summary>
    public static readonly TimeSpan Refresh = TimeSpan.FromDays(1);
    public static readonly TimeSpan LeastRefresh = TimeSpan.FromMinutes(10);

    /// <summary>T1 that is shorter counts as none: a server could keep a client busy with it (RFC 8415, 14.1).</summary>
    public static readonly TimeSpan LeastRenewal = TimeSpan.FromSeconds(4);

    public static Retransmission Solicit(TimeSpan longest) => new(TimeSpan.FromSeconds(1), longest);

    public static Retransmission Information(TimeSpan longest) => new(TimeSpan.FromSeconds(1), longest);
}
