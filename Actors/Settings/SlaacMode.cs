namespace Tapwire.Actors.Settings;

/// <summary>Whether an interface takes IPv6 addresses and routes from router advertisements (RFC 4862).</summary>
public enum SlaacMode
{
    /// <summary>Router advertisements are ignored.</summary>
    Off,

    /// <summary>One address in each prefix, which is the same at every start in the same network (RFC 7217).</summary>
    Stable,

    /// <summary>A random one beside it, which changes every day (RFC 8981).</summary>
    Temporary,
}
