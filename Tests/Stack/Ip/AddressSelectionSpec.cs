using Tapwire.Stack;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Ip;

/// <summary>The examples of RFC 6724, 10, as far as this stack distinguishes what they do.</summary>
public sealed class AddressSelectionSpec
{
    [Theory]
    [InlineData("2001:db8:1::1", "2001:db8:3::1", "2001:db8:3::1 fe80::1", "2001:db8:3::1")]
    [InlineData("ff05::1", "", "2001:db8:3::1 fe80::1", "2001:db8:3::1")]
    [InlineData("2001:db8:1::1", "Deprecated", "2001:db8:1::1 2001:db8:2::1", "2001:db8:1::1")] // the same address, though deprecated
    [InlineData("fe80::1", "Deprecated", "fe80::2 2001:db8:1::1", "fe80::2")] // and the right scope
    [InlineData("2001:db8:1::d", "", "2001:db8:1::2 2001:db8:3::2", "2001:db8:1::2")] // the longest matching prefix
    [InlineData("2002:c633:6401::d5e3:7953:13eb:22e8", "", "2002:836b:2179::2 2001:db8:1::2", "2002:836b:2179::2")] // the matching label
    [InlineData("2001:db8:1::d5e3:0:0:1", "Temporary", "2001:db8:1::2 2001:db8:1::d5e3:7953:13eb:22e8", "2001:db8:1::d5e3:7953:13eb:22e8")]
    [InlineData("2001:db8:1::1", "Deprecated", "2001:db8:1::9 2001:db8:2::9", "2001:db8:2::9")]
    [InlineData("fd01::1", "", "2001:db8::1 fd02::1", "fd02::1")]
    public void A_source_is_chosen(string destination, string flags, string own, string expected)
    {
        var table = new AddressTable();
        foreach (var address in own.Split(' '))
            Assert.True(table.TryAdd(new IpPrefix(IpAddress.Parse(address), 64)));
        // Flags are those of the first address but Temporary, which is the second's.
        if (flags == "Deprecated")
            table.SetFlags(IpAddress.Parse(own.Split(' ')[0]), AddressFlags.Deprecated);
        if (flags == "Temporary")
            table.SetFlags(IpAddress.Parse(own.Split(' ')[1]), AddressFlags.Temporary);
        Assert.Equal(IpAddress.Parse(expected), table.SourceTowards(IpAddress.Parse(destination)));
    }

    [Theory]
    [InlineData("2001:db8:1::1", "2001:db8:1::2", "198.51.100.121", "169.254.13.78")] // the scope of the IPv4 source does not fit
    [InlineData("198.51.100.121", "198.51.100.117", "2001:db8:1::1", "fe80::1")] // nor here that of the IPv6 source
    [InlineData("2001:db8:1::1", "2001:db8:1::2", "10.1.2.3", "10.1.2.4")] // the higher precedence
    [InlineData("fe80::1", "fe80::2", "2001:db8:1::1", "2001:db8:1::2")] // the smaller scope
    [InlineData("2001:db8:1::1", "2001:db8:1::2", "2001:db8:3ffe::1", "2001:db8:1::2")] // the longest matching prefix
    [InlineData("2002:c633:6401::1", "2002:c633:6401::2", "2001:db8:1::1", "2002:c633:6401::2")] // the matching label
    [InlineData("10.1.2.3", "10.1.2.4", "2001:db8::1", "::")] // what can be reached at all
    public void Destinations_are_sorted(string first, string firstSource, string second, string secondSource)
    {
        var (a, sourceA, b, sourceB) = (IpAddress.Parse(first), IpAddress.Parse(firstSource), IpAddress.Parse(second), IpAddress.Parse(secondSource));
        Assert.True(AddressSelection.CompareDestinations(a, sourceA, b, sourceB) < 0);
        Assert.True(AddressSelection.CompareDestinations(b, sourceB, a, sourceA) > 0);
        Assert.Equal(0, AddressSelection.CompareDestinations(a, sourceA, a, sourceA));
    }
}
