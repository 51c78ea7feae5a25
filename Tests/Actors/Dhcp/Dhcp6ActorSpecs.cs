using System.Runtime.Versioning;
using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Names;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors.Dhcp;

/// <summary>A whole driver whose only address comes from a DHCPv6 server, in virtual time.</summary>
public abstract class Dhcp6Setup : NameServerSetup
{
    protected Dhcp6Setup(string settings, byte? routerFlags = null)
        : base(settings)
    {
        Server = new Dhcp6Server(Peer) { RouterFlags = routerFlags };
        Peer.Loses = frame => Server.Takes(frame);
    }

    internal Dhcp6Server Server { get; }

    protected override DriverContext Adapted(DriverContext context) => base.Adapted(context) with { Settings = context.Settings with { Addresses = [] } };

    internal InterfaceStatus Status()
    {
        var asker = CreateTestProbe();
        Driver.Tell(GetStatus.Instance, asker);
        // The parts' answers come by the thread pool: the virtual time stands still meanwhile.
        Assert.True(SpinWait.SpinUntil(() =>
        {
            Run();
            return asker.HasMessages;
        }, TimeSpan.FromSeconds(30)));
        return asker.ExpectMsg<DriverStatus>().Interfaces[0];
    }

    /// <summary>Addresses but the link-local one.</summary>
    internal IReadOnlyList<string> Addresses() => [.. StackStatus().Addresses().Where(static own => !own.Address.IsLinkLocal).Select(static own => own.ToString())];

    internal void AwaitAddress(string address = "fd00::50/128")
    {
        RunUntil(() => Addresses().Contains(address));
        RunUntil(() => Status().Lease6!.IsApplied);
    }

    internal IEnumerable<Dhcp6MessageType> SeenTypes => Server.Seen.Select(static each => each.Type);
}

/// <summary>Without routers and without a directory for leases.</summary>
public sealed class Dhcp6ActorSpecs() : Dhcp6Setup("""
    dhcp = 6
    state-directory = off
    dns.hosts-file = ""
    """)
{
    [Fact]
    public void The_driver_gets_an_address_name_servers_and_domain()
    {
        AwaitAddress();
        var lease = Status().Lease6!;
        Assert.Equal(("bound", "fd00::50/128", "fe80::1"), (lease.State, lease.Address.ToString(), lease.Server.ToString()));
        Assert.InRange(lease.Expires!.Value.TotalSeconds, 7100, 7200);
        Assert.Null(Status().Lease);
        Assert.Equal((2, 2), (lease.Sent, lease.Received));
        Assert.Equal([Dhcp6MessageType.Solicit, Dhcp6MessageType.Request], SeenTypes);
        Assert.Equal(["fd00::53"], NamesStatus()!.Servers);
        Assert.Equal(["example.org"], NamesStatus()!.Search);
    }

    [Fact]
    public void The_lease_is_renewed_without_a_change()
    {
        AwaitAddress();
        RunUntil(() => Server.Seen.Count == 3, TimeSpan.FromHours(1));
        Assert.Equal((Dhcp6MessageType.Renew, "fd00::50"), Server.Seen[2]);
        Assert.Equal(["fd00::50/128"], Addresses());
    }

    [Fact]
    public void When_nobody_answers_the_address_goes_at_the_end_of_its_time()
    {
        (Server.Valid, Server.Preferred) = (40, 20);
        AwaitAddress();
        Server.IsSilent = true;
        RunUntil(() => Addresses().Count == 0);
        Assert.Contains(Dhcp6MessageType.Rebind, SeenTypes);
        Server.IsSilent = false;
        AwaitAddress();
    }

    [Fact]
    public void An_address_that_a_neighbour_has_is_declined_and_another_one_is_taken()
    {
        Assert.Equal(StackError.None, Peer.Stack.AddAddress(Peer.Stack.Interfaces[0], IpPrefix.Parse("fd00::50/64"), Peer.Now));
        RunUntil(() => SeenTypes.Contains(Dhcp6MessageType.Decline));
        Assert.Equal((Dhcp6MessageType.Decline, "fd00::50"), Server.Seen[^1]);
        Server.Address = "fd00::51";
        AwaitAddress("fd00::51/128");
        Assert.Equal(["fd00::51/128"], Addresses());
    }

    [Fact]
    public void When_the_wire_is_back_the_server_is_asked_whether_the_address_fits_and_if_not_it_goes()
    {
        AwaitAddress();
        Server.Confirms = Dhcp6Status.NotOnLink;
        var next = new MemoryWire("next");
        NextWires.Enqueue(next);
        Wire.Break();
        Peer.Wire = next;
        RunUntil(() => SeenTypes.Contains(Dhcp6MessageType.Confirm));
        Server.Address = "fd00::52";
        AwaitAddress("fd00::52/128");
        Assert.Equal(["fd00::52/128"], Addresses());
    }
}

/// <summary>With a router that says that addresses are to be had, and with both families.</summary>
public sealed class Dhcp6RouterSpecs() : Dhcp6Setup("""
    dhcp = on
    slaac = stable
    state-directory = off
    dns.hosts-file = ""
    """, routerFlags: 0x80)
{
    [Fact]
    public void The_routers_word_starts_the_client_and_its_route_leads_to_the_network()
    {
        AwaitAddress();
        Assert.Equal(["fd00::50/128"], Addresses());
        var routes = Status().Routes;
        Assert.Contains(new RouteStatus(IpPrefix.Parse("fd00::/64"), IpAddress.Unspecified), routes);
        Assert.Contains(new RouteStatus(IpPrefix.Parse("::/0"), IpAddress.Parse("fe80::1")) { Metric = Route.LearntMetric }, routes);
        Assert.Equal("selecting", Status().Lease!.State); // and nobody has answered by DHCP
    }
}

/// <summary>With a router that says that everything but addresses is to be had.</summary>
public sealed class Dhcp6StatelessSpecs() : Dhcp6Setup("""
    dhcp = 6
    slaac = stable
    state-directory = off
    dns.hosts-file = ""
    """, routerFlags: 0x40)
{
    [Fact]
    public void The_driver_asks_for_name_servers_only()
    {
        RunUntil(() => Status().Lease6 is { IsApplied: true });
        Assert.Equal("informed", Status().Lease6!.State);
        Assert.Equal([Dhcp6MessageType.InformationRequest], SeenTypes);
        Assert.Empty(Addresses());
        Assert.Equal(["fd00::53"], NamesStatus()!.Servers);

        // A router that promises more later is believed.
        Server.RouterFlags = 0xC0;
        Server.Advertise();
        AwaitAddress();
    }
}

/// <summary>With a router that says nothing of DHCPv6.</summary>
public sealed class Dhcp6IdleSpecs() : Dhcp6Setup("""
    dhcp = 6
    slaac = stable
    state-directory = off
    dns.hosts-file = ""
    """, routerFlags: 0)
{
    [Fact]
    public void Nothing_is_asked_for()
    {
        RunUntil(() => Status().Routes.Any(static route => route.Destination.Length == 0));
        Advance(TimeSpan.FromMinutes(10));
        Assert.Empty(Server.Seen);
        Assert.Equal("idle", Status().Lease6!.State);
    }
}

/// <summary>With a directory for leases.</summary>
[SupportedOSPlatform("linux")]
public sealed class Dhcp6StateSpecs : Dhcp6Setup
{
    private static readonly string State = Path.Combine(Path.GetTempPath(), $"tapwire-leases6-{Environment.ProcessId}");

    public Dhcp6StateSpecs()
        : base($"""
            dhcp = 6
            state-directory = "{State}"
            dns.hosts-file = ""
            """)
    {
    }

    private static string LeaseFile => Path.Combine(State, "tw0.lease6");

    [Fact]
    public void The_next_start_asks_whether_the_same_address_fits()
    {
        AwaitAddress();
        RunUntil(() => File.Exists(LeaseFile));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(LeaseFile));
        Assert.DoesNotContain(Dhcp6MessageType.Release, SeenTypes);
        Server.Seen.Clear();
        StartAgain();
        RunUntil(() => Addresses().Any());
        Assert.Equal([(Dhcp6MessageType.Confirm, "fd00::50")], Server.Seen);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"version\":1,\"ends\":\"9999-01-01T00:00:00Z\",\"message\":\"AAAA\"}")]
    public void A_file_that_is_none_is_as_none(string text)
    {
        AwaitAddress();
        RunUntil(() => File.Exists(LeaseFile));
        Server.Seen.Clear();
        StopDriver();
        File.WriteAllText(LeaseFile, text);
        StartAgain();
        RunUntil(() => Addresses().Any());
        Assert.Equal([Dhcp6MessageType.Solicit, Dhcp6MessageType.Request], SeenTypes);
    }

    /// <summary>The last lease may still be on its way to the file.</summary>
    protected override void AfterShutdown()
    {
        base.AfterShutdown();
        Assert.True(SpinWait.SpinUntil(TryDelete, TimeSpan.FromSeconds(10)));

        static bool TryDelete()
        {
            try
            {
                Directory.Delete(State, recursive: true);
                return true;
            }
            catch (IOException)
            {
                return !Directory.Exists(State);
            }
        }
    }
}

/// <summary>With other settings of the clients.</summary>
public sealed class Dhcp6ReleaseSpecs() : Dhcp6Setup("""
    dhcp = 6
    state-directory = off
    dhcp-client { release = on, client-id = mac }
    dns.hosts-file = ""
    """)
{
    [Fact]
    public void The_address_is_given_back_when_no_application_needs_it_any_more()
    {
        AwaitAddress();
        StopDriver();
        Assert.Equal((Dhcp6MessageType.Release, "fd00::50"), Server.Seen[^1]);
    }
}
