using System.Runtime.Versioning;
using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>Interfaces, addresses and routes of a driver that runs, changed over its link; and what is left of that when the settings are read again.</summary>
[SupportedOSPlatform("linux")]
public sealed class InterfaceCommandSpecs() : DriverSetup("")
{
    private const uint Stranger = 65534;

    private static readonly IpAddress Router = IpAddress.Parse("10.98.0.1");
    private static readonly IpPrefix Far = IpPrefix.Parse("10.20.0.0/16");
    private static readonly IpPrefix Everywhere = IpPrefix.Parse("0.0.0.0/0");

    private readonly List<MemoryWire> _wires = [];

    // Happens in the driver's own turn, before it has asked its stacks for anything.
    private Action? _whenOpening;

    public static TheoryData<string, LinkRequest, int, string> Refusals => new()
    {
        { "same name", Adding(B with { Name = "tw0" }), LinkErrno.AlreadyThere, "There is an interface tw0 already, on tap:tw0." },
        { "same device", Adding(B with { Wire = "tap:tw0", Name = "other" }), LinkErrno.AlreadyThere, "The device tw0 is that of the interface tw0 already." },
        { "no device", Adding(B with { Wire = "tap:lost" }), LinkErrno.NoDevice, "lost: no such device." },
        { "no wire", Adding(B with { Wire = "eth0" }), 22, $"The wire of an interface must be {WireSpec.Accepted}." },
        { "file", Adding(B with { Wire = "wg:/etc/shadow" }), 22, "The wire wg:/etc/shadow is named by a file, which a driver reads for its own settings only: "
            + "name it in tapwire.interfaces, or with --wire when the driver starts." },
        { "name", Adding(B with { Name = "\u001B[31m" }), 22, "The name of an interface has 1 to 15 bytes, and none of them is blank, '/', ':' or '%'." },
        { "blank name", Adding(B with { Name = "b " }), 22, "The name of an interface has 1 to 15 bytes, and none of them is blank, '/', ':' or '%'." },
        { "mtu", Adding(B with { Mtu = 67 }), 22, "The MTU of an interface is from 68 to 65521, or 0." },
        { "mac", Adding(B with { HardwareAddress = MacAddress.Parse("01:00:00:00:00:00") }), 22, "The Ethernet address 01:00:00:00:00:00 is that of a group; its first byte must be even." },
        { "no address", Adding(B with { Addresses = [] }), 22, "The interface b has no address; give it one." },
        { "group's address", Adding(B with { Addresses = [IpPrefix.Parse("224.0.0.1/24")] }), 22, "The address 224.0.0.1/24 cannot be: 224.0.0.1 is a multicast address, which is a group's; take one of a host." },
        { "own address", Adding(B with { Addresses = [IpPrefix.Parse("10.99.0.2/16")] }), 98, "The address 10.99.0.2 is there already, on the interface tw0." },
        { "address twice", Adding(B with { Addresses = [.. B.Addresses, IpPrefix.Parse("10.98.0.2/16")] }), 22, "The address 10.98.0.2 is there twice, as 10.98.0.2/24 and 10.98.0.2/16; give it once." },
        { "peer's address", Adding(B with { PeerAddresses = B.Addresses }), 22, "The peer address 10.98.0.2/24 is the stack's own; the kernel's end of the wire needs another one of that network." },
        { "far gateway", Adding(B with { Routes = [new(Everywhere, Support.Peer.Address)] }), 22, "The gateway 10.99.0.1 is on no network of the stack's addresses, 10.98.0.2/24; name a router on one of them." },
        { "route to a host", Adding(B with { Routes = [new(IpPrefix.Parse("10.20.0.1/16"), Router)] }), 22, "10.20.0.1 is a host's address; the network is 10.20.0.0/16." },
        { "two routes", Adding(B with { Routes = [new(Far, Router), new(Far, IpAddress.Parse("10.98.0.9"))] }), 22, "There are two routes to 10.20.0.0/16 with the metric 0; give one." },
        { "first", new RemoveInterfaceRequest(7, "tw0"), LinkErrno.Busy, "The interface tw0 is the driver's first, which stays as long as the driver; take its addresses away "
            + "('tapwire address remove'), or start the driver with another --wire." },
        { "unknown", new RemoveInterfaceRequest(7, "b"), LinkErrno.NoInterface, "There is no interface b; there is tw0." },
        { "address to nowhere", new AddInterfaceAddressRequest(7, IpPrefix.Parse("10.98.0.2/24"), "b"), LinkErrno.NoInterface, "There is no interface b; there is tw0." },
        { "address again", new AddInterfaceAddressRequest(7, IpPrefix.Parse("10.99.0.2/24"), "tw0"), 98, "The address 10.99.0.2 is there already, on the interface tw0." },
        { "address of a group", new AddInterfaceAddressRequest(7, IpPrefix.Parse("224.0.0.1/24"), ""), 22, "The address 224.0.0.1/24 cannot be added: Invalid argument." },
        { "a group", new AddInterfaceAddressRequest(7, IpPrefix.Parse("ff02::1/64"), ""), 22, "The address ff02::1/64 cannot be added: Invalid argument." },
        { "route by nowhere", new AddRouteRequest(7, new(Far, Support.Peer.Address), "b"), LinkErrno.NoInterface, "There is no interface b; there is tw0." },
        { "gateway of nobody", new AddRouteRequest(7, new(Far, Router), ""), 22, "The gateway 10.98.0.1 is on no network of the driver's addresses, 10.99.0.2/24; name a router on one of them." },
        { "gateway of another", new AddRouteRequest(7, new(Far, Router), "tw0"), 22, "The gateway 10.98.0.1 is on no network of the stack's addresses, 10.99.0.2/24; name a router on one of them." },
        { "own gateway", new AddRouteRequest(7, new(Far, Address), ""), 22, "The gateway 10.99.0.2 is the stack's own address; name the router's." },
        { "destination", new AddRouteRequest(7, new(IpPrefix.Parse("10.20.0.1/16"), Support.Peer.Address), ""), 22, "10.20.0.1 is a host's address; the network is 10.20.0.0/16." },
        { "no route", new RemoveRouteRequest(7, Far, ""), 101, "There is no route to 10.20.0.0/16 through a gateway." },
        { "no route by it", new RemoveRouteRequest(7, Far, "tw0"), 101, "There is no route to 10.20.0.0/16 through a gateway by the interface tw0." },
        { "own neighbor", new NeighborRequest(7, Address, new MacAddress(0x02_00_00_00_00_07), ""), 22, "10.99.0.2 is no neighbour's address: it is the driver's own, or that of a group or of nobody." },
        { "group as neighbor", new NeighborRequest(7, IpAddress.Parse("ff02::1"), new MacAddress(0x02_00_00_00_00_07), ""), 22, "ff02::1 is no neighbour's address: it is the driver's own, or that of a group or of nobody." },
        { "neighbor with a group's hardware", new NeighborRequest(7, Support.Peer.Address, new MacAddress(0x01_00_00_00_00_07), ""), 22, "The neighbour 10.99.0.1 cannot be set: Invalid argument." },
        { "no neighbor", new NeighborRequest(7, IpAddress.Parse("10.99.0.77"), null, ""), 99, "The interface tw0 has no neighbour 10.99.0.77." },
        { "neighbor by nowhere", new NeighborRequest(7, Support.Peer.Address, null, "b"), LinkErrno.NoInterface, "There is no interface b; there is tw0." },
        { "neighbors of nowhere", new NeighborRequest(7, null, null, "b"), LinkErrno.NoInterface, "There is no interface b; there is tw0." },
        { "route of an address", new RemoveRouteRequest(7, IpPrefix.Parse("10.99.0.0/24"), ""), 101, "There is no route to 10.99.0.0/24 through a gateway." },
    };

    private static NewInterface B => new("tap:b", [IpPrefix.Parse("10.98.0.2/24")]);

    [Fact]
    public void An_interface_comes_with_all_that_belongs_to_it_and_goes_with_its_wire()
    {
        Assert.Equal("", Command(Adding(B with
        {
            Name = "lab",
            Mtu = 1400,
            HardwareAddress = MacAddress.Parse("02:00:00:00:00:0b"),
            PeerAddresses = [IpPrefix.Parse("10.98.0.1/24")],
            Routes = [new(Far, IpAddress.Parse("10.98.0.9")), new(Everywhere, Router)],
        })));
        var lab = StackStatus().Interfaces[1];
        Assert.Equal("lab", lab.Name);
        Assert.Equal(B.Addresses, lab.Addresses);
        Assert.Equal([new(IpPrefix.Parse("10.98.0.0/24"), default), new(Far, IpAddress.Parse("10.98.0.9")), new(Everywhere, Router)], lab.Routes.Select(Plain));

        // It has told its network who has the address from now on (RFC 5227).
        var wire = Assert.Single(_wires);
        Assert.NotEmpty(wire.Sent);
        Assert.All(wire.Sent, static frame => Assert.Equal("02000000000B0806", Convert.ToHexString(frame.AsSpan(6, 8))));
        Assert.Equal("", Command(new RemoveInterfaceRequest(7, "lab")));
        Assert.True(wire.Disposed);
        Assert.Equal(["tw0"], StackStatus().Interfaces.Select(static each => each.Name));

        // The name is free, and stands for the device where none is given.
        Assert.Equal("", Command(Adding(B)));
        Assert.Equal("b", StackStatus().Interfaces[1].Name);
    }

    [Theory]
    [MemberData(nameof(Refusals))]
    public void What_cannot_be_is_refused_with_the_reason_and_changes_nothing(string what, LinkRequest request, int error, string reason)
    {
        _ = what;
        var before = Snapshot();
        var answer = Answer(request);
        Assert.Equal((request.Id, error, reason), (answer.Id, answer.Error, answer.Reason));
        Assert.Equal(before, Snapshot());
        Assert.All(_wires, static wire => Assert.True(wire.Disposed));

        // The driver is as ready as before.
        Assert.Equal("", Command(Adding(B)));
    }

    [Fact]
    public void An_interface_that_a_stack_refuses_leaves_nothing_behind()
    {
        for (var i = 1; i < NetworkStack.MaxInterfaces; i++)
            Assert.Equal("", Command(Adding(new NewInterface($"tap:i{i}", [IpPrefix.Parse($"10.100.{i}.2/24")]))));
        Assert.Equal($"The interface b does not come: The stack has no room for the interface b: it has {NetworkStack.MaxInterfaces} already.", Command(Adding(B)));
        Assert.True(_wires[^1].Disposed);
        Assert.Equal("", Command(new RemoveInterfaceRequest(7, "i1")));
        Assert.Equal("", Command(Adding(B)));
    }

    [Fact]
    public void An_address_goes_to_the_interface_that_is_named_or_has_its_network_or_is_the_first()
    {
        Command(Adding(B));
        Assert.Equal("", Command(new AddInterfaceAddressRequest(7, IpPrefix.Parse("10.97.0.2/24"), "b")));
        Assert.Equal("", Command(new AddInterfaceAddressRequest(7, IpPrefix.Parse("10.98.0.3/24"), "")));
        Assert.Equal(0, Answer(new AddAddressRequest(7, IpAddress.Parse("10.97.0.3"), 24)).Error);
        Assert.Equal(0, Answer(new AddAddressRequest(7, IpAddress.Parse("10.96.0.3"), 24)).Error);
        Assert.Equal(["10.98.0.2/24", "10.97.0.2/24", "10.98.0.3/24", "10.97.0.3/24"], StackStatus().Interfaces[1].Addresses.Select(static own => $"{own}"));
        Assert.Equal(["10.99.0.2/24", "10.96.0.3/24"], StackStatus().Interfaces[0].Addresses.Select(static own => $"{own}"));
        Assert.Equal(0, Answer(new RemoveAddressRequest(7, IpAddress.Parse("10.97.0.2"))).Error);

        // These two are answered as they always were: no reason, where none was.
        var again = Answer(new RemoveAddressRequest(7, IpAddress.Parse("10.97.0.2")));
        Assert.Equal(((int)StackError.AddressNotAvailable, 0), (again.Error, again.Body.Length));
        Assert.Equal(0, Answer(new AddAddressRequest(7, IpAddress.Parse("10.97.0.3"), 24)).Body.Length);
    }

    [Fact]
    public void Routes_to_one_network_have_metrics_and_go_by_them()
    {
        var (first, second) = (new LinkRoute(Far, Support.Peer.Address) { Metric = 100 }, new LinkRoute(Far, IpAddress.Parse("10.99.0.9")) { Metric = 200 });
        Assert.Equal("", Command(new AddRouteRequest(7, second, "")));
        Assert.Equal("", Command(new AddRouteRequest(7, first, "")));
        Assert.Equal("The interface tw0 has a route 10.20.0.0/16 via 10.99.0.1 metric 100 already; remove that one first, or give this one another metric.", Command(new AddRouteRequest(7, second with { Metric = 100 }, "")));
        Assert.Equal([first, second], StackStatus().Interfaces[0].Routes.Where(static route => route.Destination == Far).Select(Plain));
        Assert.Equal("There are routes to 10.20.0.0/16 with the metrics 200 and 100; name one of them.", Command(new RemoveRouteRequest(7, Far, "")));
        Assert.Equal("There is no route to 10.20.0.0/16 through a gateway with the metric 7.", Command(new RemoveRouteRequest(7, Far, "") { Metric = 7 }));
        Assert.Equal("", Command(new RemoveRouteRequest(7, Far, "") { Metric = 100 }));
        Assert.Equal([second], StackStatus().Interfaces[0].Routes.Where(static route => route.Destination == Far).Select(Plain));
        Assert.Equal("", Command(new RemoveRouteRequest(7, Far, "")));
    }

    [Fact]
    public void Routes_come_and_go_by_the_interface_that_is_named_or_has_the_gateways_network()
    {
        Command(Adding(B));
        Assert.Equal("", Command(new AddRouteRequest(7, new(Everywhere, Router), "")));
        Assert.Equal("", Command(new AddRouteRequest(7, new(Everywhere, Support.Peer.Address), "tw0")));
        Assert.Equal("", Command(new AddRouteRequest(7, new(Far, Support.Peer.Address), "")));
        Assert.Equal("The interface tw0 has a route 10.20.0.0/16 via 10.99.0.1 already; remove that one first, or give this one another metric.", Command(new AddRouteRequest(7, new(Far, IpAddress.Parse("10.99.0.9")), "")));
        Assert.Contains(new(Everywhere, Router), StackStatus().Interfaces[1].Routes.Select(Plain));
        Assert.Contains(new(Far, Support.Peer.Address), StackStatus().Interfaces[0].Routes.Select(Plain));
        Assert.Equal("There are routes to 0.0.0.0/0 by tw0 and b; name the interface.", Command(new RemoveRouteRequest(7, Everywhere, "")));
        Assert.Equal("", Command(new RemoveRouteRequest(7, Everywhere, "tw0")));
        Assert.Equal("", Command(new RemoveRouteRequest(7, Everywhere, "")));
        Assert.Equal("", Command(new RemoveRouteRequest(7, Far, "")));
        Assert.All(StackStatus().Interfaces.SelectMany(static each => each.Routes), static route => Assert.True(route.Gateway.IsUnspecified));
    }

    [Fact]
    public void Devices_and_routes_are_for_the_drivers_own_user_and_root_only()
    {
        using var muted = EventFilter.Warning(start: "Refused a ").Mute();
        LinkRequest[] requests = [new NeighborRequest(7, Support.Peer.Address, new MacAddress(0x02_00_00_00_00_07), ""), Adding(B), new AddRouteRequest(7, new(Far, Support.Peer.Address), ""), new RemoveRouteRequest(7, Far, ""), new RemoveInterfaceRequest(7, "b")];
        PeerCredentials[] others = [new(1, Stranger, Stranger), new PeerCredentials(1, 0, 0) { IsPassedOn = true }, new PeerCredentials(1, Libc.geteuid(), 0) { IsPassedOn = true }];
        foreach (var request in requests)
        {
            var before = Snapshot();
            foreach (var other in others)
            {
                var answer = Answer(request, other);
                Assert.Equal((LinkErrno.NotPermitted, "Only the driver's own user and root may change its interfaces and routes."), (answer.Error, answer.Reason));
            }

            Assert.Equal(before, Snapshot());
            Assert.Equal("", Answer(request, new PeerCredentials(1, Libc.geteuid(), 0)).Reason);
            Assert.NotEqual(before, Snapshot());
        }

        // An address takes nothing from anybody.
        Assert.Equal(0, Answer(new AddAddressRequest(7, IpAddress.Parse("10.99.0.3"), 24), others[0]).Error);
        Assert.Equal(0, Answer(new AddInterfaceAddressRequest(7, IpPrefix.Parse("10.99.0.4/24"), "tw0"), others[0]).Error);
        Assert.Equal(0, Answer(new RemoveAddressRequest(7, IpAddress.Parse("10.99.0.3")), others[0]).Error);
    }

    [Fact]
    public void A_session_that_is_passed_on_is_known_as_such()
    {
        using var session = LinkSession.Create(new PeerCredentials(1, 0, 0), out var application);
        application.Dispose();
        Assert.Equal(new PeerCredentials(1, 0, 0) { IsPassedOn = true }, session.Peer);
    }

    [Fact]
    public void What_commands_have_changed_stays_when_the_settings_say_what_they_said()
    {
        Command(Adding(B));
        Command(new AddRouteRequest(7, new(Far, Router), ""));
        Command(new AddInterfaceAddressRequest(7, IpPrefix.Parse("10.99.0.3/24"), "tw0"));
        Command(new AddRouteRequest(7, new(Everywhere, Support.Peer.Address), "tw0"));
        Answer(new RemoveAddressRequest(7, Address));
        var before = Snapshot();
        var answer = Reconfigure(Settings with { Serve = [new ServiceSpec("echo", 7)] });
        Assert.Equal(["echo:7 opened"], answer.Done);
        Assert.Empty(answer.Problems);
        Assert.Equal(before, Snapshot());

        // What the log is to name is what this change has done.
        Assert.Equal(["tapwire.serve"], SettingKeys.Differences(answer.Before!, answer.Settings).Select(static key => key.Name));
        Assert.Empty(Reconfigure(Settings with { Serve = [new ServiceSpec("echo", 7)] }).Done);
        Assert.Equal(before, Snapshot());
    }

    [Fact]
    public void An_interface_becomes_what_its_settings_say_once_these_say_something_else_and_others_stay()
    {
        var lab = OwnInterface("lab", "10.97.0.2/24");
        Assert.Equal(["interface lab added"], Reconfigure(Settings with { Interfaces = [lab] }).Done);
        Command(Adding(B));
        Command(new AddInterfaceAddressRequest(7, IpPrefix.Parse("10.97.0.3/24"), "lab"));
        Command(new AddInterfaceAddressRequest(7, IpPrefix.Parse("10.99.0.3/24"), "tw0"));
        var other = lab with { Addresses = [.. lab.Addresses, IpPrefix.Parse("10.97.0.4/24")] };
        Assert.Equal(["address 10.97.0.4/24 added", "address 10.97.0.3/24 removed"], Reconfigure(Settings with { Interfaces = [other] }).Done);
        Assert.Equal("tw0: 10.99.0.2/24 10.99.0.3/24; lab: 10.97.0.2/24 10.97.0.4/24; b: 10.98.0.2/24", Addresses());
        var first = Settings with { Addresses = [.. Settings.Addresses, IpPrefix.Parse("10.99.0.4/24")], Interfaces = [other] };
        Assert.Equal(["address 10.99.0.4/24 added", "address 10.99.0.3/24 removed"], Reconfigure(first).Done);
        Assert.Equal("tw0: 10.99.0.2/24 10.99.0.4/24; lab: 10.97.0.2/24 10.97.0.4/24; b: 10.98.0.2/24", Addresses());
    }

    [Fact]
    public void An_interface_that_a_command_has_removed_comes_again_with_other_settings_only()
    {
        var lab = OwnInterface("lab", "10.97.0.2/24");
        Reconfigure(Settings with { Interfaces = [lab] });
        Assert.Equal("", Command(new RemoveInterfaceRequest(7, "lab")));
        Assert.Empty(Reconfigure(Settings with { Interfaces = [lab] }).Done);
        Assert.Equal("tw0: 10.99.0.2/24", Addresses());
        Assert.Equal(["interface lab added"], Reconfigure(Settings with { Interfaces = [lab with { Mtu = 1400 }] }).Done);
        Assert.Equal("tw0: 10.99.0.2/24; lab: 10.97.0.2/24", Addresses());
    }

    [Fact]
    public void Settings_that_name_an_interface_which_a_command_has_made_take_it_over()
    {
        Command(Adding(B));
        var taken = OwnInterface("b", "10.98.0.7/24");
        Assert.Equal(["address 10.98.0.7/24 added", "address 10.98.0.2/24 removed"], Reconfigure(Settings with { Interfaces = [taken] }).Done);
        Assert.Equal(["interface b removed"], Reconfigure(Settings).Done);
        Assert.Equal("tw0: 10.99.0.2/24", Addresses());
    }

    [Fact]
    public void An_interface_of_the_settings_that_has_not_come_is_tried_again_beside_one_of_a_command()
    {
        Command(Adding(B));
        var lost = OwnInterface("lost", "10.97.0.2/24");
        Assert.Equal(["The interface lost does not come: lost: no such device."], Reconfigure(Settings with { Interfaces = [lost] }).Problems);
        Assert.Equal(["The interface lost does not come: lost: no such device."], Reconfigure(Settings with { Interfaces = [lost] }).Problems);
        Assert.Equal("tw0: 10.99.0.2/24; b: 10.98.0.2/24", Addresses());
    }

    [Fact]
    public void Commands_and_settings_that_come_while_one_is_carried_out_wait_for_their_turn()
    {
        var later = CreateTestProbe("later");
        _whenOpening = () =>
        {
            Driver.Tell(new AddressComes(IpPrefix.Parse("10.98.0.3/24"), "b"), later);
            Driver.Tell(new Reconfigure(Settings with { Serve = [new ServiceSpec("echo", 7)] }, []), later);
            Driver.Tell(new InterfaceGoes("b"), later);
            Driver.Tell(new InterfaceGoes("b"), later);
        };
        Assert.Equal("", Command(Adding(B)));
        RunUntilTold(later);
        Assert.Equal(CommandAnswer.Done, later.ExpectMsg<CommandAnswer>());
        RunUntilTold(later);
        Assert.Equal(["echo:7 opened"], later.ExpectMsg<Reconfigured>().Done);
        RunUntilTold(later);
        Assert.Equal(CommandAnswer.Done, later.ExpectMsg<CommandAnswer>());
        RunUntilTold(later);
        Assert.Equal(LinkErrno.NoInterface, later.ExpectMsg<CommandAnswer>().Error);
    }

    [Fact]
    public void No_more_wait_than_there_is_room_for()
    {
        const int room = 64;
        var later = CreateTestProbe("later");
        _whenOpening = () =>
        {
            for (var i = 0; i <= room; i++)
                Driver.Tell(new InterfaceGoes("nobody"), later);
        };
        Command(Adding(B));
        Assert.Equal(new CommandAnswer(LinkErrno.Busy, "The driver is busy with too many commands; ask again later."), later.ExpectMsg<CommandAnswer>());
        for (var i = 0; i < room; i++)
            Assert.Equal(LinkErrno.NoInterface, later.ExpectMsg<CommandAnswer>().Error);
    }

    [Fact]
    public void A_driver_that_stops_refuses_what_it_has_begun_and_what_waits()
    {
        var later = CreateTestProbe("later");
        _whenOpening = () =>
        {
            Driver.Tell(new InterfaceGoes("b"), later);
            Driver.Tell(new Reconfigure(Settings, []), later);
            Driver.Tell(Tapwire.Messages.StopDriver.Instance);
        };
        Driver.Tell(new InterfaceComes(OwnInterface("b", "10.98.0.2/24")), Session);
        RunUntilTold(Session);
        var stopping = new CommandAnswer(StackError.ConnectionAborted, "The driver is stopping.");
        Assert.Equal(stopping, Session.ExpectMsg<CommandAnswer>());
        Assert.Equal(stopping, later.ExpectMsg<CommandAnswer>());
        Assert.Equal("The driver is stopping.", later.ExpectMsg<Status.Failure>().Cause.Message);
    }

    protected override DriverContext Adapted(DriverContext context) => context with
    {
        OpenWires = added =>
        {
            if (added.Wire.Name == "lost")
                throw new WireException("lost: no such device.");
            _whenOpening?.Invoke();
            _whenOpening = null;
            var wire = new MemoryWire(added.Wire.Name);
            _wires.Add(wire);
            return [new DriverWire(wire, () => throw new WireException("gone."))];
        },
    };

    private static AddInterfaceRequest Adding(NewInterface added) => new(7, added);

    private static InterfaceSettings OwnInterface(string name, string address) => new(name, new WireSpec("tap", name), [IpPrefix.Parse(address)], null, null, 0, [], []);

    private static LinkRoute Plain(RouteStatus route) => new(route.Destination, route.Gateway) { Metric = route.Metric };

    private string Addresses() => string.Join("; ", StackStatus().Interfaces.Select(static each => $"{each.Name}: {string.Join(' ', each.Addresses)}"));

    private string Snapshot() => Addresses() + string.Concat(StackStatus().Interfaces.SelectMany(static each => each.Routes.Select(route => $"; {each.Name} {route}")
        .Concat(each.Neighbors.Where(static known => known.State == "PERMANENT").Select(known => $"; {each.Name} {known}"))));

    /// <returns>Why it is refused; empty: it is done.</returns>
    private string Command(InterfaceRequest request)
    {
        var answer = Answer(request);
        Assert.Equal(answer.Error == 0, answer.Reason.Length == 0);
        return answer.Reason;
    }

    private LinkAnswer Answer(LinkRequest request, PeerCredentials peer = default)
    {
        LinkActor.Tell(new LinkCall(request, peer), Session);
        RunUntilTold(Session);
        return Session.ExpectMsg<LinkReply>().Answer;
    }

    private Reconfigured Reconfigure(DriverSettings settings)
    {
        Driver.Tell(new Reconfigure(settings, []), Session);
        RunUntilTold(Session);
        return Session.ExpectMsg<Reconfigured>();
    }

    /// <summary>The answers of several actors meet on a thread of the pool.</summary>
    private void RunUntilTold(Akka.TestKit.TestProbe probe) => AwaitCondition(() =>
    {
        Run();
        return probe.HasMessages;
    }, TimeSpan.FromSeconds(30), TimeSpan.FromMilliseconds(1));
}
