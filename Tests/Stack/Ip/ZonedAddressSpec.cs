using Tapwire.Actors.Settings;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Stack.Ip;

/// <summary>Zones of link-local addresses (RFC 4007, 11), and the order of a name's addresses (RFC 6724, 6).</summary>
public sealed class ZonedAddressSpec
{
    [Theory]
    [InlineData("10.99.0.1", "10.99.0.1", null)]
    [InlineData("fd00::1", "fd00::1", null)]
    [InlineData("fe80::1", "fe80::1", null)]
    [InlineData("fe80::1%tw0", "fe80::1", "tw0")]
    [InlineData("fe80::1%2", "fe80::1", "2")]
    public void An_address_may_have_a_zone(string text, string address, string? zone)
    {
        Assert.True(ZonedAddress.TryParse(text, out var parsed));
        Assert.Equal((IpAddress.Parse(address), zone, text), (parsed.Address, parsed.Zone, parsed.ToString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("fe80::1%")]
    [InlineData("fd00::1%tw0")] // of the whole network
    [InlineData("10.99.0.1%tw0")]
    [InlineData("fe80::1%a%b")]
    [InlineData("fe80::1%longer-than-a-name")]
    [InlineData("fe80::1%a b")]
    public void Nothing_else_is_one(string text) => Assert.False(ZonedAddress.TryParse(text, out _));

    [Fact]
    public void A_forwarded_ports_target_may_have_a_zone()
    {
        Assert.True(ForwardSpec.TryParse("tcp:8080=[fe80::1%tw0]:80", out var spec, out _));
        Assert.Equal((IpAddress.Parse("fe80::1"), "tw0", (ushort)80, "tcp:127.0.0.1:8080=[fe80::1%tw0]:80"), (spec.Target.Address, spec.Target.Zone, spec.Target.Port, spec.ToString()));
        Assert.False(ForwardSpec.TryParse("tcp:8080=[fd00::1%tw0]:80", out _, out var problem));
        Assert.Contains("must be a link-local address with an interface's name, as in fe80::1%tw0", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("fe80::1", 3u)]
    [InlineData("fd00::1", 0u)] // Linux looks at no other's
    public void A_scope_crosses_the_link(string address, uint scope)
    {
        var bytes = new byte[Sockaddr.Size];
        (Sockaddr.From(new IpEndpoint(IpAddress.Parse(address), 80)) with { Scope = 3 }).WriteTo(bytes);
        Assert.True(Sockaddr.TryRead(bytes, out var read));
        Assert.Equal((scope, scope == 0 ? null : "3"), (read.Scope, read.Zone));
    }

    [Fact]
    public void Addresses_that_can_be_reached_come_first()
    {
        var stack = new NetworkStack(new StackOptions { Interfaces = [new InterfaceOptions { Name = "a", HardwareAddress = MacAddress.Parse("02:00:00:00:00:01") }] }, new BufferPool(), new byte[32]);
        stack.AddAddress(stack.Interfaces[0], IpPrefix.Parse("10.0.0.2/24"), Instant.Zero);
        var (v4, far, v6) = (IpAddress.Parse("10.0.0.9"), IpAddress.Parse("192.0.2.1"), IpAddress.Parse("fd00::9"));
        Assert.Equal([v4, v6, far], stack.InOrder([v6, far, v4]));
        stack.AddAddress(stack.Interfaces[0], IpPrefix.Parse("fd00::2/64"), Instant.Zero);
        Assert.Equal([v4, v6, far], stack.InOrder([v6, far, v4])); // 10.0.0.9 has the higher precedence (35 to 3)
        stack.AddAddress(stack.Interfaces[0], IpPrefix.Parse("2001:db8::2/64"), Instant.Zero);
        var global = IpAddress.Parse("2001:db8::9");
        Assert.Equal([global, v4, v6, far], stack.InOrder([v4, far, v6, global]));
    }
}
