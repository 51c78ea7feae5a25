using System.Runtime.Versioning;
using Tapwire.Actors;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>Interfaces, routes and addresses that come and go while a driver runs; beside the first one there is a lab, 10.98.0.0/24, with a host of its own.</summary>
[SupportedOSPlatform("linux")]
public sealed class InterfaceSpecs : DriverSetup
{
    private static readonly IpAddress LabAddress = IpAddress.Parse("10.98.0.2");

    private static readonly InterfaceSettings Lab = new("lab", new WireSpec("tap", "tw1"), [new IpPrefix(LabAddress, 24)], null, null, 0, [], []);

    private readonly List<MemoryWire> _opened = [];
    private Peer? _lab;
    private bool _opens = true;

    public InterfaceSpecs()
        : base("""serve = ["echo:7"]""")
    {
    }

    private DriverSettings WithLab => Settings with { Interfaces = [Lab] };

    protected override DriverContext Adapted(DriverContext context) => context with { OpenWires = Open };

    [Fact]
    public void An_interface_comes_and_has_what_the_first_one_has()
    {
        var answer = Reconfigure(WithLab);
        Assert.Equal(["interface lab added"], answer.Done);
        Assert.Empty(answer.Problems);
        Assert.Equal(WithLab.AllInterfaces.Select(each => $"{each}"), answer.Settings.AllInterfaces.Select(each => $"{each}"));
        Assert.Equal("first", Echo(Peer, Address, "first"u8));
        Assert.Equal("lab", Echo(_lab!, LabAddress, "lab"u8));
        var status = DriverStatus();
        Assert.Equal([("tw0", "10.99.0.2/24"), ("lab", "10.98.0.2/24")], status.Interfaces.Select(each => (each.Name, string.Join(", ", each.Addresses))));
        Assert.True(status.Interfaces[1].Wire is { Name: "tw1", Up: true, FramesReceived: > 0, FramesSent: > 0 });
        Assert.Empty(Reconfigure(WithLab).Done);
    }

    [Fact]
    public void One_that_goes_closes_its_wire_and_tells_its_sockets_and_the_others_go_on()
    {
        Reconfigure(WithLab);
        var (stays, goes) = (Connect(Peer, Address), Connect(_lab!, LabAddress));
        var listening = _lab!.Listen(80);
        var app = Open();
        Assert.Equal(0, Ask(new ConnectRequest(2, app.Handle, Sockaddr.From(new IpEndpoint(IpAddress.Parse("10.98.0.1"), 80)), 0, false)).Error);
        RunBoth();

        var answer = Reconfigure(Settings);
        Assert.Equal(["interface lab removed"], answer.Done);
        Assert.Empty(answer.Settings.Interfaces);
        Assert.True(Assert.Single(_opened).Disposed);
        Assert.Equal(StackError.ConnectionReset, goes.Error);
        Assert.Equal(StackError.ConnectionReset, listening.Accept()!.Error);
        Assert.Equal((int)StackError.ConnectionAborted, OptionOf(app, level: 1, name: 4));
        app.Read();
        Assert.True(app.SawReset);
        Peer.Send(stays, "still"u8);
        RunBoth();
        Assert.Equal("still", Text(Peer.Received(stays)));
        Assert.Equal(["tw0"], DriverStatus().Interfaces.Select(each => each.Name));
        app.Dispose();

        // And comes again.
        Assert.Equal(["interface lab added"], Reconfigure(WithLab).Done);
        Assert.Equal("again", Echo(_lab!, LabAddress, "again"u8));
    }

    [Fact]
    public void A_wire_that_does_not_open_is_named_and_everything_else_is_done()
    {
        _opens = false;
        var answer = Reconfigure(WithLab with { Serve = [] });
        Assert.Equal(["echo:7 closed"], answer.Done);
        Assert.Equal(["The interface lab does not come: There is no tw1."], answer.Problems);
        Assert.Empty(answer.Settings.Interfaces);
        _opens = true;
        Assert.Equal(["interface lab added"], Reconfigure(WithLab with { Serve = [] }).Done);
    }

    [Fact]
    public void What_the_stack_does_not_take_is_named_and_leaves_nothing()
    {
        var answer = Reconfigure(Settings with { Interfaces = [Lab with { Addresses = [new IpPrefix(LabAddress, 24), new IpPrefix(Address, 24)] }] });
        Assert.Equal(["The interface lab does not come: The stack refuses the address 10.99.0.2/24: Address already in use."], answer.Problems);
        Assert.True(Assert.Single(_opened).Disposed);
        Assert.Equal(["tw0"], DriverStatus().Interfaces.Select(each => each.Name));
        Assert.Equal([new IpPrefix(Address, 24)], StackStatus().Addresses());
    }

    [Fact]
    public void One_whose_wire_is_another_is_another_interface_and_the_old_device_is_closed_before()
    {
        Reconfigure(WithLab);
        var wasDisposed = false;
        OnOpen = () => wasDisposed = _opened[0].Disposed;
        Assert.Equal(["interface lab removed", "interface lab added"], Reconfigure(Settings with { Interfaces = [Lab with { Mtu = 1400 }] }).Done);
        Assert.True(wasDisposed);
        Assert.Equal("mtu", Echo(_lab!, LabAddress, "mtu"u8));
    }

    [Fact]
    public void Gateway_and_routes_come_change_and_go()
    {
        var routed = Settings with { Gateway = Peer.Address, Routes = [Route("10.20.0.0/16", "10.99.0.9")], Interfaces = [Lab with { Gateway = IpAddress.Parse("10.98.0.1") }] };
        var answer = Reconfigure(routed);
        Assert.Equal(["interface lab added", "route 10.20.0.0/16 via 10.99.0.9 added", "route 0.0.0.0/0 via 10.99.0.1 added"], answer.Done);
        Assert.Equal(["10.99.0.0/24 via ::", "10.20.0.0/16 via 10.99.0.9", "0.0.0.0/0 via 10.99.0.1"], RoutesOf("tw0"));
        Assert.Equal(["10.98.0.0/24 via ::", "0.0.0.0/0 via 10.98.0.1"], RoutesOf("lab"));

        answer = Reconfigure(answer.Settings with { Gateway = null, Routes = [Route("10.20.0.0/16", "10.99.0.8")] });
        Assert.Equal(["route 10.20.0.0/16 via 10.99.0.8 added", "route 0.0.0.0/0 via 10.99.0.1 removed"], answer.Done);
        Assert.Equal(["10.99.0.0/24 via ::", "10.20.0.0/16 via 10.99.0.8"], RoutesOf("tw0"));
        Assert.Null(answer.Settings.Gateway);

        answer = Reconfigure(answer.Settings with { Gateway = IpAddress.Parse("192.0.2.1") });
        Assert.Equal(["The route 0.0.0.0/0 via 192.0.2.1 cannot be added: Network is unreachable."], answer.Problems);
        Assert.Null(answer.Settings.Gateway);
    }

    [Fact]
    public void An_address_moves_from_one_interface_to_another()
    {
        var third = IpPrefix.Parse("10.99.0.3/24");
        var before = Reconfigure(Settings with { Addresses = [.. Settings.Addresses, third], Interfaces = [Lab] }).Settings;
        var answer = Reconfigure(before with { Addresses = Settings.Addresses, Interfaces = [Lab with { Addresses = [.. Lab.Addresses, third] }] });
        Assert.Equal(["address 10.99.0.3/24 removed", "address 10.99.0.3/24 added"], answer.Done);
        Assert.Empty(answer.Problems);
        Assert.Equal(["10.98.0.2/24", "10.99.0.3/24"], DriverStatus().Interfaces[1].Addresses.Select(prefix => prefix.ToString()));
    }

    [Fact]
    public void A_flood_on_one_wire_costs_the_others_no_frame()
    {
        Reconfigure(WithLab);
        Assert.Equal("warm", Echo(_lab!, LabAddress, "warm"u8));
        var junk = new byte[64];
        for (var i = 0; i < 20_000; i++)
            Wire.Deliver(junk);
        Assert.Equal("lab", Echo(_lab!, LabAddress, "lab"u8));
        Assert.True(Peer.Now - Instant.Zero < TimeSpan.FromSeconds(10));
    }

    [Fact]
    public void A_wire_that_is_full_holds_back_its_own_connections_only()
    {
        Reconfigure(WithLab);
        var (stuck, free) = (Connect(Peer, Address), Connect(_lab!, LabAddress));
        Wire.Room = 0;
        Peer.Send(stuck, new byte[60_000]);
        _lab!.Send(free, new byte[60_000]);
        RunBoth();
        Assert.Equal((0, 60_000), (Peer.ReceivedCount(stuck), _lab.ReceivedCount(free)));
        Wire.BecomeWritable(-1);
        RunUntil(() => Peer.ReceivedCount(stuck) == 60_000);
    }

    [Fact]
    public void A_driver_that_stops_closes_the_wires_of_all()
    {
        Reconfigure(WithLab);
        Assert.Equal("x", Echo(_lab!, LabAddress, "x"u8));
        StopDriver();
        Assert.True(Wire.Disposed);
        Assert.True(Assert.Single(_opened).Disposed);
    }

    private Action? OnOpen { get; set; }

    internal override void Run()
    {
        base.Run();
        while (_lab?.Exchange() == true)
            base.Run();
    }

    private void RunBoth() => Run();

    private static GatewayRoute Route(string destination, string gateway) => new(IpPrefix.Parse(destination), IpAddress.Parse(gateway));

    private static string Text(byte[] bytes) => System.Text.Encoding.ASCII.GetString(bytes);

    private IReadOnlyList<DriverWire> Open(InterfaceSettings settings)
    {
        if (!_opens)
            throw new WireException($"There is no {settings.Wire.Name}.");
        OnOpen?.Invoke();
        var wire = new MemoryWire(settings.Wire.Name);
        _opened.Add(wire);
        _lab = new Peer(wire, new BufferPool(), () => Peer.Now);
        Assert.Equal(StackError.None, _lab.Stack.AddAddress(IpPrefix.Parse("10.98.0.1/24"), Peer.Now));
        return [new DriverWire(wire, () => throw new WireException("It is gone."))];
    }

    private TcpSocket Connect(Peer from, IpAddress to)
    {
        Assert.Equal(StackError.None, from.Stack.Tcp.Connect(new IpEndpoint(to, 7), default(IpEndpoint), default, from.Now, out var socket));
        RunUntil(() => socket!.State == TcpState.Established);
        return socket!;
    }

    private string Echo(Peer from, IpAddress to, ReadOnlySpan<byte> bytes)
    {
        var (socket, count) = (Connect(from, to), bytes.Length);
        from.Send(socket, bytes);
        RunUntil(() => from.ReceivedCount(socket) == count);
        return Text(from.Received(socket));
    }

    private IEnumerable<string> RoutesOf(string name) =>
        StackStatus().Interfaces.Single(each => each.Name == name).Routes.Select(route => $"{route.Destination} via {route.Gateway}");

    private DriverStatus DriverStatus()
    {
        Driver.Tell(GetStatus.Instance, Session);
        AwaitCondition(() =>
        {
            Run();
            return Session.HasMessages;
        }, TimeSpan.FromSeconds(10));
        return Session.ExpectMsg<DriverStatus>();
    }

    private Reconfigured Reconfigure(DriverSettings settings)
    {
        Driver.Tell(new Reconfigure(settings, []), Session);
        // The answers meet on a thread of the pool.
        AwaitCondition(() =>
        {
            Run();
            return Session.HasMessages;
        }, TimeSpan.FromSeconds(10));
        return Session.ExpectMsg<Reconfigured>();
    }
}
