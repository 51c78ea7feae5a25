namespace Tapwire.Stack.Udp;

/// <summary>How a socket learns what its path takes, and what becomes of longer datagrams: IP_MTU_DISCOVER, with Linux's numbers (ip(7)).</summary>
public enum MtuDiscovery : byte
{
    /// <summary>Datagrams longer than the known path MTU leave in fragments, and routers may fragment them all.</summary>
    Dont = 0,

    /// <summary>Datagrams longer than the known path MTU leave in fragments, all others with "don't fragment".</summary>
    Want = 1,

    /// <summary>All have "don't fragment"; longer ones than the known path MTU are refused.</summary>
    Do = 2,

    /// <summary>All have "don't fragment"; longer ones than the interface's MTU are refused, whatever routers have said.</summary>
    Probe = 3,

    /// <summary>Longer ones than the interface's MTU are refused, and routers may fragment the others. What routers say is not believed.</summary>
    Interface = 4,

    /// <summary>As <see cref="Interface"/>, but longer ones leave in fragments.</summary>
    Omit = 5,
}

/// <summary>What follows from it.</summary>
public static class MtuDiscoveries
{
    /// <summary>Datagrams that are too long leave in fragments (ip_sk_ignore_df).</summary>
    public static bool Fragments(this MtuDiscovery discovery) => discovery is MtuDiscovery.Dont or MtuDiscovery.Want or MtuDiscovery.Omit;

    /// <summary>The interface's MTU is what counts, and not what routers have said (ip_sk_use_pmtu).</summary>
    public static bool IgnoresPath(this MtuDiscovery discovery) => discovery >= MtuDiscovery.Probe;
}
