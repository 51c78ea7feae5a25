using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Neighbors;

/// <summary>What <see cref="RouterDiscovery"/> changes in its stack: addresses and routes of one interface.</summary>
internal interface IAutoconfigured
{
    /// <summary>Adds an address without a route to its prefix.</summary>
    /// <returns>False: the stack has it already, or cannot have it.</returns>
    bool TryAddAddress(IpPrefix address, AddressFlags flags, Instant now);

    void SetDeprecated(IpAddress address, bool isDeprecated);

    void RemoveAddress(IpAddress address, Instant now);

    /// <summary>Adds a route (<see cref="Route.LearntMetric"/>), or replaces the one to there through another gateway.</summary>
    /// <param name="gateway">Unspecified: the destinations are on-link.</param>
    void SetRoute(IpPrefix destination, IpAddress gateway);

    /// <summary>Removes a route if it still leads through that gateway.</summary>
    /// <param name="gateway">As for <see cref="SetRoute"/>.</param>
    void RemoveRoute(IpPrefix destination, IpAddress gateway);

    /// <summary>There is a route to there through a gateway, as good as those that routers advertise, that somebody else has given.</summary>
    bool HasRoute(IpPrefix destination);

    /// <summary>Sends a router solicitation.</summary>
    void SolicitRouters();
}
