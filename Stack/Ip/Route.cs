using Tapwire.Stack.Interfaces;

namespace Tapwire.Stack.Ip;

/// <summary>One entry of the route table.</summary>
/// <param name="Destination">Packets to it take this route; the longest matching prefix wins.</param>
/// <param name="Gateway">The next hop; unspecified when destinations are on-link.</param>
/// <param name="Interface">Where packets leave: the index of a <see cref="NetworkInterface"/>.</param>
public readonly record struct Route(IpPrefix Destination, IpAddress Gateway, int Interface);
