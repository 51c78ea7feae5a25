using Tapwire.Actors.Settings;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Guests;

/// <summary>Checks the address of a guest: one that no host has would make a network on which nothing works, without a word.</summary>
internal static class GuestAddress
{
    /// <returns>Null, or a Linux errno with the reason in a sentence.</returns>
    public static (int Error, string Reason)? Problem(IpAddress address, DriverSettings settings)
    {
        if (!address.IsV4)
            return ((int)StackError.AddressFamilyNotSupported, "The address of a guest is an IPv4 address.");
        if (OwnAddress.Problem(address) is { } problem)
            return ((int)StackError.InvalidArgument, $"A guest cannot have this address: {problem}.");
        // "This network" and class E (RFC 1122, 3.2.1.3; RFC 1112, 4).
        if (address.V4 >> 24 == 0 || address.V4 >> 28 == 0xF)
            return ((int)StackError.InvalidArgument, $"A guest cannot have this address: {address} is in a reserved network; take one of a host.");
        if (address == GuestActor.OwnEnd.Address)
            return ((int)StackError.AddressInUse, $"A guest cannot have the address {address}, which is the driver's own end of its device.");
        return settings.AllInterfaces.SelectMany(static by => by.AllRoutes).Any(route => route.Gateway == address)
            ? ((int)StackError.AddressInUse, $"A guest cannot have the address {address}, which is a gateway of the driver's.")
            : null;
    }
}
