namespace Tapwire.Stack.Dhcp;

/// <summary>Times of the client.</summary>
internal static class Pause
{
    /// <summary>Before the first message at most, so that not all hosts of a network ask at once. RFC 2131, 4.4.1 has one to ten seconds; like other clients (systemd-networkd, dhclient) this one
    /// does not keep its user waiting for so long.</summary>
    public static readonly TimeSpan First = TimeSpan.FromMilliseconds(200);

    /// <summary>RFC 2131, 4.1.</summary>
    public static readonly TimeSpan Shortest = TimeSpan.FromSeconds(4);
    public static readonly TimeSpan Spread = TimeSpan.FromSeconds(1);
    public const int Doublings = 4;

    /// <summary>RFC 2131, 3.1 (5): at least ten seconds.</summary>
    public static readonly TimeSpan AfterDecline = TimeSpan.FromSeconds(10);

    public static readonly TimeSpan AfterRefusal = TimeSpan.FromSeconds(1);

    /// <summary>RFC 5227, 1.1: PROBE_NUM; its pauses of seconds are meant for addresses that nobody has assigned, and are shorter here, as in systemd-networkd.</summary>
    public const int Probes = 3;
    public static readonly TimeSpan Probe = TimeSpan.FromMilliseconds(100);
    public static readonly TimeSpan AfterProbes = TimeSpan.FromMilliseconds(200);

    private static readonly TimeSpan LongestLeast = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ShortestLeast = TimeSpan.FromSeconds(1);

    /// <summary>Between two requests for more time: half of what is left until the next state, and at least a minute (RFC 2131, 4.4.5), or a tenth of a lease of less than ten.</summary>
    /// <param name="left">Until T2, or until the end.</param>
    public static TimeSpan BetweenExtensions(TimeSpan left, TimeSpan lifetime)
    {
        var least = TimeSpan.FromTicks(Math.Clamp(lifetime.Ticks / 10, ShortestLeast.Ticks, LongestLeast.Ticks));
        return left / 2 > least ? left / 2 : least;
    }
}

/// <summary>When a lease is to get more time, and when it ends.</summary>
internal readonly record struct LeaseTimes(Instant Renews, Instant Rebinds, Instant Expires)
{
    public static readonly LeaseTimes None = new(Instant.Never, Instant.Never, Instant.Never);

    /// <summary>What T1 comes earlier by at most, in parts of itself, and of the time to T2: hosts that have got their leases together do not renew them together (RFC 2131, 4.4.5).</summary>
    private const int Fuzz = 16;

    /// <param name="asked">When the request was sent, or answered: the times count from there. Renewal is earlier than rebinding, and that earlier than the end; <see cref="DhcpLease.Endless"/> is never.</param>
    public static LeaseTimes Of(TimeSpan renewal, TimeSpan rebinding, TimeSpan lifetime, Instant asked, KeyedRandom random)
    {
        if (renewal == DhcpLease.Endless)
            return None with { Expires = Until(asked, lifetime) };
        var most = (ulong)Math.Min(renewal.Ticks, (rebinding - renewal).Ticks) / Fuzz;
        var earlier = new TimeSpan((long)Math.BigMul(random.NextUInt64(), most, out _));
        return new LeaseTimes(asked + (renewal - earlier), Until(asked, rebinding), Until(asked, lifetime));
    }

    public static Instant Until(Instant from, TimeSpan time) => time == DhcpLease.Endless ? Instant.Never : from + time;
}
