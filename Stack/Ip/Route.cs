namespace Tapwire.Stack.Ip;

/// <summary>One entry of the route table.</summary>
/// <param name="Destination">Packets to it take this route; the longest matching prefix wins.</param>
/// <param name="Gateway">The next hop; unspecified when destinations are on the link themselves.</param>
public readonly record struct Route(IpPrefix Destination, IpAddress Gateway);
