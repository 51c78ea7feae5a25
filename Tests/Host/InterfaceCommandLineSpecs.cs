using Tapwire.Links.Protocol;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Links.Support;
using Xunit;

namespace Tapwire.Tests.Host;

/// <summary><c>tapwire interface</c>, <c>address</c> and <c>route</c>: what a command line asks of the driver, and what is said when that refuses.</summary>
[Collection(HostCollection.Name)]
public sealed class InterfaceCommandLineSpecs : IDisposable
{
    private readonly FakeDriver _driver = new();

    public static TheoryData<string, LinkRequest> CommandLines => new()
    {
        { "interface remove tw1", new RemoveInterfaceRequest(1, "tw1") },
        { "address add 10.98.0.3/24", new AddInterfaceAddressRequest(1, IpPrefix.Parse("10.98.0.3/24"), "") },
        { "address add 10.98.0.3/24 --interface tw1", new AddInterfaceAddressRequest(1, IpPrefix.Parse("10.98.0.3/24"), "tw1") },
        { "address add 10.98.0.3/24 dev tw1", new AddInterfaceAddressRequest(1, IpPrefix.Parse("10.98.0.3/24"), "tw1") },
        { "route add 10.20.0.0/16 via 10.98.0.9", new AddRouteRequest(1, Route("10.20.0.0/16", "10.98.0.9"), "") },
        { "route add default via 10.98.0.9 dev tw1", new AddRouteRequest(1, Route("0.0.0.0/0", "10.98.0.9"), "tw1") },
        { "route add --interface tw1 --via 10.98.0.9 10.20.0.0/16", new AddRouteRequest(1, Route("10.20.0.0/16", "10.98.0.9"), "tw1") },
        { "route add default via fd00::9", new AddRouteRequest(1, Route("::/0", "fd00::9"), "") },
        { "route add default via 10.98.0.9 metric 100", new AddRouteRequest(1, Route("0.0.0.0/0", "10.98.0.9") with { Metric = 100 }, "") },
        { "route add 10.20.0.0/16 --metric 2147483647 via 10.98.0.9 dev tw1", new AddRouteRequest(1, Route("10.20.0.0/16", "10.98.0.9") with { Metric = int.MaxValue }, "tw1") },
        { "route del default -6", new RemoveRouteRequest(1, IpPrefix.Parse("::/0"), "") },
        { "route del -4 default", new RemoveRouteRequest(1, IpPrefix.Parse("0.0.0.0/0"), "") },
        { "route del ::/0 metric 0", new RemoveRouteRequest(1, IpPrefix.Parse("::/0"), "") { Metric = 0 } },
        { "route del 10.20.0.0/16 metric 100 dev tw1", new RemoveRouteRequest(1, IpPrefix.Parse("10.20.0.0/16"), "tw1") { Metric = 100 } },
        { "neigh replace 10.98.0.7 lladdr 02:00:5e:10:00:07", new NeighborRequest(1, IpAddress.Parse("10.98.0.7"), MacAddress.Parse("02:00:5e:10:00:07"), "") },
        { "addr add 10.98.0.3/24 dev tw1", new AddInterfaceAddressRequest(1, IpPrefix.Parse("10.98.0.3/24"), "tw1") },
        { "route del 10.20.0.0/16", new RemoveRouteRequest(1, IpPrefix.Parse("10.20.0.0/16"), "") },
        { "neighbor add 10.98.0.7 lladdr 02:00:5e:10:00:07 dev tw1", new NeighborRequest(1, IpAddress.Parse("10.98.0.7"), MacAddress.Parse("02:00:5e:10:00:07"), "tw1") },
        { "neigh add fd00::7 --lladdr 02:00:5e:10:00:07", new NeighborRequest(1, IpAddress.Parse("fd00::7"), MacAddress.Parse("02:00:5e:10:00:07"), "") },
        { "neighbour delete 10.98.0.7", new NeighborRequest(1, IpAddress.Parse("10.98.0.7"), null, "") },
        { "neigh flush dev tw1", new NeighborRequest(1, null, null, "tw1") },
        { "route remove 10.20.0.0/16", new RemoveRouteRequest(1, IpPrefix.Parse("10.20.0.0/16"), "") },
        { "route remove default dev tw1", new RemoveRouteRequest(1, IpPrefix.Parse("0.0.0.0/0"), "tw1") },
    };

    public void Dispose() => _driver.Dispose();

    [Theory]
    [MemberData(nameof(CommandLines))]
    public async Task A_command_asks_the_driver_for_what_it_says_and_says_nothing_itself(string line, LinkRequest request)
    {
        Assert.Equal(new CommandLineRun(0, "", ""), await RunAsync(line));
        Assert.Equal(request, Assert.Single(_driver.Changes));
    }

    [Fact]
    public async Task An_interface_is_added_with_all_that_is_said_of_it()
    {
        Assert.Equal(new CommandLineRun(0, "", ""), await RunAsync("interface add --wire tap:tw1 --address 10.98.0.2/24,10.97.0.2/24 --peer-address 10.98.0.1/24 --gateway 10.98.0.1 "
            + "--via 10.20.0.0/16=10.97.0.9 --mac 02:00:5e:10:00:01 --mtu 1400 --name lab"));
        var added = Assert.IsType<AddInterfaceRequest>(Assert.Single(_driver.Changes)).Interface;
        Assert.Equal(("tap:tw1", "lab", 1400, MacAddress.Parse("02:00:5e:10:00:01")), (added.Wire, added.Name, added.Mtu, added.HardwareAddress));
        Assert.Equal([IpPrefix.Parse("10.98.0.2/24"), IpPrefix.Parse("10.97.0.2/24")], added.Addresses);
        Assert.Equal([IpPrefix.Parse("10.98.0.1/24")], added.PeerAddresses);
        Assert.Equal([Route("10.20.0.0/16", "10.97.0.9"), Route("0.0.0.0/0", "10.98.0.1")], added.Routes);
    }

    [Fact]
    public async Task An_interface_is_called_as_its_device_when_nothing_else_is_said()
    {
        await RunAsync("interface add --wire tun:tw1 --address 10.98.0.2/24");
        var added = Assert.IsType<AddInterfaceRequest>(Assert.Single(_driver.Changes)).Interface;
        Assert.Equal(("tun:tw1", "tw1", 0, null, 0, 0), (added.Wire, added.Name, added.Mtu, added.HardwareAddress, added.PeerAddresses.Count, added.Routes.Count));
    }

    [Theory]
    [InlineData("--dhcp", LinkDhcp.Both, LinkSlaac.Off)]
    [InlineData("--dhcp 4 --slaac", LinkDhcp.V4, LinkSlaac.Stable)]
    [InlineData("--dhcp 6 --slaac temporary", LinkDhcp.V6, LinkSlaac.Temporary)]
    [InlineData("--slaac", LinkDhcp.None, LinkSlaac.Stable)]
    public async Task An_interface_may_be_configured_by_its_network(string options, LinkDhcp dhcp, LinkSlaac slaac)
    {
        Assert.Equal(new CommandLineRun(0, "", ""), await RunAsync($"interface add --wire tap:tw1 {options}"));
        var added = Assert.IsType<AddInterfaceRequest>(Assert.Single(_driver.Changes)).Interface;
        Assert.Equal((dhcp, slaac, 0), (added.Dhcp, added.Slaac, added.Addresses.Count));
    }

    [Theory]
    [InlineData("interface remove gone", "There is no interface gone.")]
    [InlineData("interface remove old", "does not know this command: it is of an older release; start it again after an update.")]
    [InlineData("interface list", "The driver is of a release in which it has one interface only; 'tapwire status' shows it.")]
    [InlineData("address remove 192.0.2.1", "No interface has the address 192.0.2.1; 'tapwire interface list' shows those that there are.")]
    public async Task A_refusal_is_1_with_one_line_that_says_why(string line, string reason)
    {
        var run = await RunAsync(line);
        Assert.Equal((1, ""), (run.Code, run.Output));
        Assert.StartsWith("tapwire: ", Assert.Single(run.ErrorLines), StringComparison.Ordinal);
        Assert.EndsWith(reason, Assert.Single(run.ErrorLines), StringComparison.Ordinal);
    }

    private static LinkRoute Route(string destination, string gateway) => new(IpPrefix.Parse(destination), IpAddress.Parse(gateway));

    private Task<CommandLineRun> RunAsync(string line) => CommandLineRun.OfAsync([.. line.Split(' '), "--link", _driver.Path]);
}
