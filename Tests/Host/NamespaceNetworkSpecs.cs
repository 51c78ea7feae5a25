using Tapwire.Host;
using Tapwire.Host.Netns;
using Tapwire.Stack.Forwarding;
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
        var network = NamespaceNetwork.Choose(Status, [], []);
        Assert.Equal([IpPrefix.Parse("10.99.0.2/24")], network.Addresses);
        Assert.Equal((1400, new GuestAddresses(IpAddress.Parse("10.99.0.2"))), (network.Mtu, network.Guest));
        Assert.Empty(network.NameServers);
    }

    [Fact]
    public void Of_the_machines_name_servers_it_has_those_that_the_driver_has_a_route_to()
    {
        var machine = NamespaceNetwork.ServersIn("# comment\nnameserver 127.0.0.53\nnameserver\t10.20.0.5 \nnameserver 192.168.1.1\nnameserver ::1\nnameserver 10.20.0.5\nsearch x\nnameserver\n");
        Assert.Equal([IpAddress.Parse("10.20.0.5")], NamespaceNetwork.Choose(Status, [], machine).NameServers);
        Assert.Equal([IpAddress.Parse("192.0.2.1")], NamespaceNetwork.Choose(Status, [IpAddress.Parse("192.0.2.1")], machine).NameServers);
    }

    [Fact]
    public void It_has_the_first_address_of_each_family_that_leads_beyond_its_link()
    {
        var network = NamespaceNetwork.Choose(Both(1500), [], []);
        Assert.Equal([IpPrefix.Parse("10.99.0.2/24"), IpPrefix.Parse("fd00:99::2/64")], network.Addresses);
        Assert.Equal(new GuestAddresses(IpAddress.Parse("10.99.0.2"), IpAddress.Parse("fd00:99::2")), network.Guest);
        Assert.Equal([IpPrefix.Parse("10.99.0.2/24")], NamespaceNetwork.Choose(Both(1279), [], []).Addresses);
        var only = NamespaceNetwork.Choose(Six(1280), [], []);
        Assert.Equal((IpPrefix.Parse("fd00:99::2/64"), new GuestAddresses(IpAddress.Parse("fd00:99::2"))), (Assert.Single(only.Addresses), only.Guest));
        Assert.Contains("1279", Assert.Throws<CommandFailedException>(() => NamespaceNetwork.Choose(Six(1279), [], [])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Name_servers_are_of_the_families_that_it_has()
    {
        IReadOnlyList<IpAddress> machine = [IpAddress.Parse("fe80::1"), IpAddress.Parse("2001:db8::53"), IpAddress.Parse("10.99.0.53"), IpAddress.Parse("fd00:99::53")];
        Assert.Equal([machine[2], machine[3]], NamespaceNetwork.Choose(Both(1500), [], machine).NameServers);
        Assert.Equal([machine[3]], NamespaceNetwork.Choose(Six(1500), [], machine).NameServers);
        Assert.Equal([machine[1]], NamespaceNetwork.Choose(Six(1500), [machine[1]], machine).NameServers);
        Assert.Contains("10.99.0.53 of --dns", Assert.Throws<CommandFailedException>(() => NamespaceNetwork.Choose(Six(1500), [machine[2]], [])).Message, StringComparison.Ordinal);
        Assert.Contains("fd00:99::53 of --dns", Assert.Throws<CommandFailedException>(() => NamespaceNetwork.Choose(Status, [machine[3]], [])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_driver_without_an_address_is_no_way_out() =>
        Assert.Throws<CommandFailedException>(() => NamespaceNetwork.Choose("""{"interfaces":[{"wire":{"mtu":1500},"addresses":[],"routes":[]}]}""", [], []));

    /// <summary>The status of a driver of both families.</summary>
    private static string Both(int mtu) => Six(mtu).Replace("\"fd00:99::2/64\"", "\"10.99.0.2/24\",\"fd00:99::2/64\"", StringComparison.Ordinal)
        .Replace("\"routes\":[", "\"routes\":[{\"destination\":\"10.99.0.0/24\"},", StringComparison.Ordinal);

    /// <summary>The status of a driver with IPv6 only.</summary>
    private static string Six(int mtu) =>
        $$"""{"interfaces":[{"wire":{"mtu":{{mtu}}},"addresses":["fe80::2/64","fd00:99::2/64","fd00:99::3/64"],"routes":[{"destination":"fe80::/64"},{"destination":"fd00:99::/64"}]}]}""";
}
