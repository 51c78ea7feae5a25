using Tapwire.Stack.Interfaces;

namespace Tapwire.Stack.Ip;

/// <summary>One entry of the route table.</summary>
/// <param name="Destination">Packets to it take this route; the longest matching prefix wins.</param>
/// <param name="Gateway">The next hop; unspecified when destinations are on-link.</param>
/// <param name="Interface">Where packets leave: the index of a <see cref="NetworkInterface"/>.</param>
public readonly record struct Route(IpPrefix Destination, IpAddress Gateway, int Interface)
{
    /// <summary>The metric of routes that routers advertise and DHCP servers give, as with Linux's kernel and systemd-networkd: one that an operator adds goes before them.</summary>
    public const int LearntMetric = 1024;

    /// <summary>Of routes to the same destination the one with the lowest metric is taken. 0 to 2^31 - 1.</summary>
    public int Metric { get; init; }
}
