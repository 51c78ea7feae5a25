using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors;

/// <summary>Configures a stack's interface from its settings.</summary>
internal static class InterfaceSetup
{
    /// <returns>Null, or what the stack refuses, in a sentence.</returns>
    public static string? Configure(
        this NetworkStack stack, NetworkInterface owner, IReadOnlyList<IpPrefix> addresses, IReadOnlyList<GatewayRoute> routes, Instant now)
    {
        foreach (var address in addresses)
        {
            if (stack.AddAddress(owner, address, now) is not StackError.None and var error)
                return $"The stack refuses the address {address}: {error.Describe()}.";
        }

        foreach (var route in routes)
        {
            if (stack.AddRoute(route.Destination, route.Gateway, owner, route.Metric) is not StackError.None and var refused)
                return $"The stack refuses the gateway {route.Gateway}: {refused.Describe()}; it must be on the network of one of the addresses.";
        }

        return null;
    }
}
