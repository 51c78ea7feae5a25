using Tapwire.Actors.Settings;
using Tapwire.Stack;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Actors.Guests;

/// <summary>Checks the addresses of a guest: one that no host has would make a network on which nothing works, without a word.</summary>
internal static class GuestAddress
{
    /// <summary>The IPv4 dummy address (RFC 7600, 4.8).</summary>
    private static readonly IpAddress OwnEndV4 = IpAddress.Parse("192.0.0.8");

    /// <summary>Of the block of IPv6 whose packets everybody discards (RFC 6666), so that no host has it.</summary>
    private static readonly IpAddress OwnEndV6 = IpAddress.Parse("100::8");

    /// <summary>The driver's end of a guest's device, of the family of an address. Whoever has no address that a guest would answer is seen as this.</summary>
    public static IpAddress OwnEnd(IpAddress family) => family.IsV4 ? OwnEndV4 : OwnEndV6;

    /// <param name="mtu">That of the guest's device.</param>
    /// <returns>Null, or a Linux errno with the reason in a sentence.</returns>
    public static (int Error, string Reason)? Problem(GuestAddresses addresses, int mtu, DriverSettings settings)
    {
        foreach (var address in addresses.All)
        {
            if (Problem(address, mtu, settings) is { } problem)
                return problem;
        }

        return addresses.All.Count == 0 ? ((int)StackError.InvalidArgument, "A guest needs an address.") : null;
    }

    private static (int Error, string Reason)? Problem(IpAddress address, int mtu, DriverSettings settings)
    {
        if (OwnAddress.Problem(address) is { } problem)
            return ((int)StackError.InvalidArgument, $"A guest cannot have this address: {problem}.");
        if (address.IsLinkLocal)
            return ((int)StackError.InvalidArgument, $"A guest cannot have this address: {address} is a link-local address, which leads nowhere beyond its link; take another.");
        // "This network" and class E (RFC 1122, 3.2.1.3; RFC 1112, 4).
        if (address.IsV4 && (address.V4 >> 24 == 0 || address.V4 >> 28 == 0xF))
            return ((int)StackError.InvalidArgument, $"A guest cannot have this address: {address} is in a reserved network; take one of a host.");
        if (address.IsV6 && mtu < Ipv6Header.MinimumMtu)
            return ((int)StackError.InvalidArgument, $"The MTU of the device of a guest with IPv6 is at least {Ipv6Header.MinimumMtu}, not {mtu}.");
        if (address == OwnEnd(address))
            return ((int)StackError.AddressInUse, $"A guest cannot have the address {address}, which is the driver's own end of its device.");
        return settings.AllInterfaces.SelectMany(static by => by.AllRoutes).Any(route => route.Gateway == address)
            ? ((int)StackError.AddressInUse, $"A guest cannot have the address {address}, which is a gateway of the driver's.")
            : null;
    }
}
