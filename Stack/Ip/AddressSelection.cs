using System.Numerics;
using Tapwire.Stack.Interfaces;

namespace Tapwire.Stack.Ip;

/// <summary>Default address selection (RFC 6724): which own address a packet leaves from, and in which order destinations are tried.</summary>
public static class AddressSelection
{
    private const int LinkLocalScope = 2;
    private const int SiteLocalScope = 5;
    private const int GlobalScope = 14;

    /// <summary>The default policy table (RFC 6724, 2.1), longest prefix first.</summary>
    private static readonly Policy[] Policies =
    [
        Policy.Of("::1/128", 50, 0),
        // Mapped addresses are IPv4 addresses here: they have their own entry below.
        Policy.Of("2001::/32", 5, 5),
        Policy.Of("2002::/16", 30, 2),
        Policy.Of("3ffe::/16", 1, 12),
        Policy.Of("fec0::/10", 1, 11),
        Policy.Of("fc00::/7", 3, 13),
        Policy.Of("::/0", 40, 1),
    ];

    private static readonly Policy V4 = new(default, 35, 4);

    /// <summary>The scope of an address (RFC 6724, 3.1): 1..14, greater is wider.</summary>
    public static int ScopeOf(IpAddress address)
    {
        if (address.IsV4)
            return address.IsLoopback || address.V4 >> 16 == 0xA9FE ? LinkLocalScope : GlobalScope;
        var high = address.Halves.High;
        if (address.IsMulticast)
            return (int)(high >> 48 & 0xF);
        if (address.IsLinkLocal || address.IsLoopback)
            return LinkLocalScope;
        return high >> 54 == 0x3FB ? SiteLocalScope : GlobalScope;
    }

    /// <summary>Compares two destinations (RFC 6724, 6).</summary>
    /// <param name="sourceA">The own address towards <paramref name="a"/>; unspecified: it cannot be reached.</param>
    /// <param name="sourceB">The same for <paramref name="b"/>.</param>
    /// <returns>Negative: <paramref name="a"/> is to be tried first. 0: the order is the resolver's.</returns>
    public static int CompareDestinations(IpAddress a, IpAddress sourceA, IpAddress b, IpAddress sourceB)
    {
        // Rule 1: avoid unusable destinations.
        var result = sourceA.IsUnspecified.CompareTo(sourceB.IsUnspecified);
        if (result != 0 || sourceA.IsUnspecified)
            return result;
        // Rule 2: prefer matching scope.
        result = (ScopeOf(b) == ScopeOf(sourceB)).CompareTo(ScopeOf(a) == ScopeOf(sourceA));
        if (result != 0)
            return result;
        var (policyA, policyB) = (PolicyOf(a), PolicyOf(b));
        // Rule 5: prefer matching label. (Rules 3, 4 and 7 do not distinguish what this stack has.)
        result = (policyB.Label == PolicyOf(sourceB).Label).CompareTo(policyA.Label == PolicyOf(sourceA).Label);
        if (result != 0)
            return result;
        // Rule 6: prefer higher precedence.
        result = policyB.Precedence.CompareTo(policyA.Precedence);
        if (result != 0)
            return result;
        // Rule 8: prefer smaller scope.
        result = ScopeOf(a).CompareTo(ScopeOf(b));
        if (result != 0 || a.IsV4 || b.IsV4)
            return result;
        // Rule 9: use the longest matching prefix.
        return CommonPrefix(b, sourceB).CompareTo(CommonPrefix(a, sourceA));
    }

    /// <summary>The own IPv6 address that packets to a destination leave from (RFC 6724, 5), of those of one interface; unspecified if there is none.</summary>
    internal static IpAddress SourceTowards(IpAddress destination, AddressTable own)
    {
        var best = default(IpPrefix);
        var found = false;
        foreach (var candidate in own.Prefixes)
        {
            if (!candidate.Address.IsV6 || (found && !IsBetter(candidate, best, destination, own)))
                continue;
            best = candidate;
            found = true;
        }

        return found ? best.Address : default;
    }

    private static bool IsBetter(IpPrefix candidate, IpPrefix best, IpAddress destination, AddressTable own)
    {
        var (a, b) = (candidate.Address, best.Address);
        // Rule 1: prefer the same address.
        if (a == destination || b == destination)
            return a == destination;
        // Rule 2: prefer appropriate scope.
        var (scopeA, scopeB, scope) = (ScopeOf(a), ScopeOf(b), ScopeOf(destination));
        if (scopeA != scopeB)
            return scopeA < scopeB ? scopeA >= scope : scopeB < scope;
        // Rule 3: avoid deprecated addresses, and those that may turn out to be another host's (RFC 4429, 3.1).
        var (flagsA, flagsB) = (own.FlagsOf(a), own.FlagsOf(b));
        foreach (var flag in (ReadOnlySpan<AddressFlags>)[AddressFlags.Deprecated, AddressFlags.Optimistic])
        {
            if (((flagsA ^ flagsB) & flag) != 0)
                return (flagsA & flag) == 0;
        }

        // Rule 6: prefer matching label.
        var label = PolicyOf(destination).Label;
        var (fitsA, fitsB) = (PolicyOf(a).Label == label, PolicyOf(b).Label == label);
        if (fitsA != fitsB)
            return fitsA;
        // Rule 7: prefer temporary addresses.
        if (((flagsA ^ flagsB) & AddressFlags.Temporary) != 0)
            return (flagsA & AddressFlags.Temporary) != 0;
        // Rule 8: use the longest matching prefix.
        return Math.Min(CommonPrefix(a, destination), candidate.Length) > Math.Min(CommonPrefix(b, destination), best.Length);
    }

    private static int CommonPrefix(IpAddress a, IpAddress b)
    {
        var (highA, lowA) = a.Halves;
        var (highB, lowB) = b.Halves;
        // Beyond the first half are interface identifiers, which have nothing in common by intent (RFC 6724, 2.2).
        return highA != highB ? BitOperations.LeadingZeroCount(highA ^ highB) : 64 + BitOperations.LeadingZeroCount(lowA ^ lowB);
    }

    private static Policy PolicyOf(IpAddress address)
    {
        if (address.IsV4)
            return V4;
        foreach (var policy in Policies)
        {
            if (policy.Prefix.Contains(address))
                return policy;
        }

        return V4;
    }

    private readonly record struct Policy(IpPrefix Prefix, int Precedence, int Label)
    {
        public static Policy Of(string prefix, int precedence, int label) => new(IpPrefix.Parse(prefix), precedence, label);
    }
}
