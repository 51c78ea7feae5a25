namespace Tapwire.Actors.Settings;

/// <summary>Of which families an interface's addresses come from a DHCP server.</summary>
[Flags]
public enum DhcpFamilies : byte
{
    /// <summary>There is no client.</summary>
    None,

    /// <summary>DHCP (RFC 2131).</summary>
    V4 = 1,

    /// <summary>DHCPv6 (RFC 8415); with <see cref="SlaacMode"/> as the routers say.</summary>
    V6 = 2,

    Both = V4 | V6,
}
