using Tapwire.Host;
using Tapwire.Host.Netns;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Host;

/// <summary>What a namespace of <c>tapwire run --netns</c> is given.</summary>
public sealed class NamespaceNetworkSpecs
{
    private const string Status = """
        {"interfaces":[
          {"wire":{"mtu":9000},"addresses":["10.99.0.2/24"],"routes":[{"destination":"10.99.0.0/24","gateway":""},{"destination":"10.20.0.0/16","gateway":"10.99.0.1"}]},
          {"wire":{"mtu":1400},"addresses":["10.98.0.2/24"],"routes":[{"destination":"10.98.0.0/24","gateway":""}]}]}
        """;

    [Fact]
    public void It_has_the_drivers_first_address_and_the_least_MTU()
    {
        var network = NamespaceNetwork.Of(Status, [], []);
        Assert.Equal((IpPrefix.Parse("10.99.0.2/24"), 1400), (network.Address, network.Mtu));
        Assert.Empty(network.NameServers);
    }

    [Fact]
    public void Of_the_machines_name_servers_it_has_those_that_the_driver_has_a_route_to()
    {
        var machine = NamespaceNetwork.ServersIn("# comment\nnameserver 127.0.0.53\nnameserver\t10.20.0.5 \nnameserver 192.168.1.1\nnameserver ::1\nnameserver 10.20.0.5\nsearch x\nnameserver\n");
        Assert.Equal([IpAddress.Parse("10.20.0.5")], NamespaceNetwork.Of(Status, [], machine).NameServers);
        Assert.Equal([IpAddress.Parse("192.0.2.1")], NamespaceNetwork.Of(Status, [IpAddress.Parse("192.0.2.1")], machine).NameServers);
    }

    [Fact]
    public void A_driver_without_an_address_is_no_way_out() =>
        Assert.Throws<CommandFailedException>(() => NamespaceNetwork.Of("""{"interfaces":[{"wire":{"mtu":1500},"addresses":[],"routes":[]}]}""", [], []));
}
