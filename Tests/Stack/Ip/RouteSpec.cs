using Tapwire.Stack;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Ip;

public sealed class RouteSpec : IDisposable
{
    private readonly StackHarness _h = new();

    public void Dispose() => _h.Dispose();

    [Fact]
    public void The_longest_prefix_wins_and_gateways_are_asked_for_in_place_of_the_destination()
    {
        Assert.Equal(StackError.None, Add("0.0.0.0/0", "10.0.0.254"));
        Assert.Equal(StackError.None, Add("172.16.0.0/12", "10.0.0.253"));
        Assert.Equal(StackError.None, Add("172.16.5.0/24", "10.0.0.252"));
        Assert.Equal(StackError.None, Add("172.16.5.9/32", "10.0.0.251"));
        Assert.Equal("10.0.0.254", NextHop("203.0.113.1"));
        Assert.Equal("10.0.0.253", NextHop("172.31.255.255"));
        Assert.Equal("10.0.0.252", NextHop("172.16.5.8"));
        Assert.Equal("10.0.0.251", NextHop("172.16.5.9"));
        Assert.Equal("10.0.0.77", NextHop("10.0.0.77"));
        Assert.Equal(
            ["172.16.5.9/32", "10.0.0.0/24", "172.16.5.0/24", "172.16.0.0/12", "0.0.0.0/0"],
            _h.Stack.Routes.Select(r => r.Destination.ToString()));
    }

    [Fact]
    public void A_route_is_replaced_and_removed()
    {
        Add("0.0.0.0/0", "10.0.0.254");
        Assert.Equal("10.0.0.254", NextHop("203.0.113.1"));
        Add("0.0.0.0/0", "10.0.0.253");
        Assert.Equal("10.0.0.253", NextHop("203.0.113.1"));
        Assert.True(_h.Stack.RemoveRoute(IpPrefix.Parse("0.0.0.0/0")));
        Assert.False(_h.Stack.RemoveRoute(IpPrefix.Parse("0.0.0.0/0")));
        Assert.Null(NextHop("203.0.113.1"));
    }

    [Fact]
    public void Of_routes_to_the_same_network_the_lowest_metric_counts_and_each_is_replaced_and_removed_by_its_own()
    {
        Add("0.0.0.0/0", "10.0.0.254", 200);
        Add("0.0.0.0/0", "10.0.0.253", 100);
        Add("0.0.0.0/0", "10.0.0.252", int.MaxValue);
        Assert.Equal("10.0.0.253", NextHop("203.0.113.1"));
        Add("0.0.0.0/0", "10.0.0.251", 100);
        Assert.Equal("10.0.0.251", NextHop("203.0.113.1"));

        // A longer prefix counts whatever its metric.
        Add("203.0.113.0/24", "10.0.0.250", 5000);
        Assert.Equal("10.0.0.250", NextHop("203.0.113.1"));
        Assert.Equal(["0.0.0.0/0 100", "0.0.0.0/0 200", $"0.0.0.0/0 {int.MaxValue}"], _h.Stack.Routes.Where(static r => r.Destination.Length == 0).Select(static r => $"{r.Destination} {r.Metric}"));

        Assert.False(_h.Stack.RemoveRoute(IpPrefix.Parse("0.0.0.0/0"), metric: 0));
        Assert.True(_h.Stack.RemoveRoute(IpPrefix.Parse("0.0.0.0/0"), metric: 100));
        Assert.Equal("10.0.0.254", NextHop("198.51.100.1"));
        Assert.True(_h.Stack.RemoveRoute(IpPrefix.Parse("0.0.0.0/0")));
        Assert.Null(NextHop("198.51.100.1"));
    }

    [Fact]
    public void What_is_on_the_link_goes_before_a_gateway_of_the_same_metric_and_behind_one_of_a_lower()
    {
        Assert.Equal(StackError.None, _h.Stack.AddRoute(IpPrefix.Parse("192.168.1.0/24"), IpAddress.AnyV4, metric: 10));
        Add("192.168.1.0/24", "10.0.0.254", 10);
        Assert.Equal("192.168.1.7", NextHop("192.168.1.7"));
        Add("192.168.1.0/24", "10.0.0.253", 9);
        Assert.Equal("10.0.0.253", NextHop("192.168.1.7"));
    }

    [Fact]
    public void The_route_of_an_interface_prefix_goes_with_its_last_address()
    {
        Assert.False(_h.Stack.RemoveRoute(IpPrefix.Parse("10.0.0.0/24")));
        Assert.Equal(StackError.None, _h.Stack.AddAddress(IpPrefix.Parse("10.0.0.5/24"), _h.Now));
        Assert.True(_h.Stack.RemoveAddress(StackHarness.OwnIp, _h.Now));
        Assert.Single(_h.Stack.Routes);
        Assert.Equal("10.0.0.77", NextHop("10.0.0.77"));
        Assert.True(_h.Stack.RemoveAddress(IpAddress.Parse("10.0.0.5"), _h.Now));
        Assert.Empty(_h.Stack.Routes);
        Assert.False(_h.Stack.RemoveAddress(IpAddress.Parse("10.0.0.5"), _h.Now));
    }

    [Fact]
    public void A_gateway_must_be_on_the_link_and_not_ourselves()
    {
        Assert.Equal(StackError.NetworkUnreachable, Add("0.0.0.0/0", "192.168.1.1"));
        Assert.Equal(StackError.InvalidArgument, Add("0.0.0.0/0", "10.0.0.1"));
        Assert.Equal(StackError.InvalidArgument, Add("0.0.0.0/0", "10.0.0.255"));
        Assert.Equal(StackError.InvalidArgument, Add("::/0", "10.0.0.2"));
        Assert.Equal(StackError.InvalidArgument, Add("0.0.0.0/0", "fe80::1"));
        // A gateway outside the prefix is reachable once a route on the link says so.
        Assert.Equal(StackError.None, Add("192.168.1.1/32", "0.0.0.0"));
        Assert.Equal(StackError.None, Add("0.0.0.0/0", "192.168.1.1"));
        Assert.Equal("192.168.1.1", NextHop("203.0.113.1"));
    }

    [Theory]
    [InlineData("0.0.0.0/8", StackError.InvalidArgument)]
    [InlineData("224.0.0.1/4", StackError.InvalidArgument)]
    [InlineData("255.255.255.255/32", StackError.InvalidArgument)]
    [InlineData("10.1.0.255/24", StackError.InvalidArgument)]
    [InlineData("10.0.0.1/16", StackError.AddressInUse)]
    [InlineData("ff02::1/64", StackError.InvalidArgument)]
    public void Addresses_that_no_host_can_have_are_refused(string address, StackError expected) =>
        Assert.Equal(expected, _h.Stack.AddAddress(IpPrefix.Parse(address), _h.Now));

    [Fact]
    public void The_source_is_the_address_on_the_next_hops_prefix()
    {
        _h.Stack.AddAddress(IpPrefix.Parse("192.168.7.3/24"), _h.Now);
        _h.Stack.AddAddress(IpPrefix.Parse("192.168.7.130/25"), _h.Now);
        Add("203.0.113.0/24", "192.168.7.1");
        Assert.Equal("192.168.7.3", Source("192.168.7.9"));
        Assert.Equal("192.168.7.130", Source("192.168.7.200"));
        Assert.Equal("192.168.7.3", Source("203.0.113.9"));
        Assert.Equal("10.0.0.1", Source("10.0.0.9"));
    }

    [Fact]
    public void Many_addresses_are_told_apart_like_few()
    {
        for (var i = 1; i <= 40; i++)
            Assert.Equal(StackError.None, _h.Stack.AddAddress(new IpPrefix(IpAddress.FromV4(0x0A010000 + (uint)i * 256 + 1), 24), _h.Now));
        _h.Frames();
        _h.TeachPeer();
        foreach (var host in new[] { "10.1.1.1", "10.1.40.1", "10.0.0.1" })
            Assert.Single(_h.Answers(Build.Icmp(Icmpv4Header.EchoRequest(1, 1), [], destination: IpAddress.Parse(host))));
        foreach (var other in new[] { "10.1.1.2", "10.1.41.1", "10.1.1.255" })
            Assert.Empty(_h.Answers(Build.Icmp(Icmpv4Header.EchoRequest(1, 1), [], destination: IpAddress.Parse(other))));
    }

    [Fact]
    public void Prefixes_of_31_and_32_bits_have_no_broadcast_address()
    {
        _h.Stack.AddAddress(IpPrefix.Parse("10.9.0.1/31"), _h.Now);
        Assert.Equal(StackError.None, _h.Stack.AddAddress(IpPrefix.Parse("10.8.0.1/32"), _h.Now));
        Assert.Equal("10.9.0.0", NextHop("10.9.0.0"));
        Assert.Null(NextHop("10.8.0.0"));
    }

    private StackError Add(string destination, string gateway, int metric = 0) =>
        _h.Stack.AddRoute(IpPrefix.Parse(destination), IpAddress.Parse(gateway), metric: metric);

    /// <summary>Whom the stack asks for when it sends there; null when there is no way.</summary>
    private string? NextHop(string destination)
    {
        _h.Frames();
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(default, new(), out var socket));
        var error = socket!.Send(_h.Payload(1), new IpEndpoint(IpAddress.Parse(destination), 9), _h.Now);
        socket.Close();
        if (error != StackError.None)
            return null;
        var request = _h.Single();
        Assert.True(ArpView.TryParse(request.AsSpan(14), out var arp));
        return arp.TargetProtocol.ToString();
    }

    private string Source(string destination)
    {
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(default, new(), out var socket));
        Assert.Equal(StackError.None, socket!.Connect(new IpEndpoint(IpAddress.Parse(destination), 9)));
        var source = socket.Local.Address.ToString();
        socket.Close();
        return source;
    }
}
