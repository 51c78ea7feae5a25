using System.Runtime.Versioning;
using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Names;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Stack.Dhcp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Actors.Dhcp;

/// <summary>A whole driver whose only address comes from a DHCP server, in virtual time.</summary>
public abstract class DhcpSetup : NameServerSetup
{
    private readonly DhcpServer _server;

    protected DhcpSetup(string settings)
        : base($"dhcp = 4\n{settings}")
    {
        _server = new DhcpServer(Peer);
        Peer.Loses = frame => _server.Takes(frame);
    }

    internal DhcpServer Server => _server;

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

    internal void AwaitAddress()
    {
        RunUntil(() => StackStatus().Addresses().Any());
        RunUntil(() => Status().Lease!.IsApplied);
    }

    internal IEnumerable<DhcpMessageType> SeenTypes => Server.Seen.Select(static each => each.Type);
}

/// <summary>Without a directory for leases.</summary>
public sealed class DhcpActorSpecs() : DhcpSetup("""
    state-directory = off
    dns.hosts-file = ""
    """)
{
    [Fact]
    public void The_driver_gets_address_route_name_servers_and_domain()
    {
        Assert.Equal(LookupResult.ServerFailure, Resolve("www.example.org").Result);
        AwaitAddress();
        var status = Status();
        Assert.Equal([$"{Address}/24"], status.Addresses.Select(static own => own.ToString()));
        Assert.Contains(new RouteStatus(IpPrefix.Parse("0.0.0.0/0"), Support.Peer.Address) { Metric = Route.LearntMetric }, status.Routes);
        var lease = status.Lease!;
        Assert.Equal(("bound", $"{Address}/24", "10.99.0.1"), (lease.State, lease.Address.ToString(), lease.Server.ToString()));
        Assert.InRange(lease.Expires!.Value.TotalSeconds, 3000, 3600);
        Assert.Equal((2, 2), (lease.Sent, lease.Received));
        Assert.Equal([(DhcpMessageType.Discover, "0.0.0.0", "0.0.0.0"), (DhcpMessageType.Request, "0.0.0.0", "10.99.0.2")], Server.Seen);

        Assert.Equal("192.0.2.1", Resolve("www").Addresses[0].ToString());
        Assert.Equal(["10.99.0.1"], NamesStatus()!.Servers);
        Assert.Empty(AskedOfHost);
        Peer.Listen(80);
        using var app = OpenConnected(80);
    }

    [Fact]
    public void Answers_to_the_address_itself_are_heard_before_the_driver_has_it()
    {
        Server.AnswersToAddress = true;
        AwaitAddress();
    }

    [Fact]
    public void The_lease_is_renewed_from_the_address_itself_without_a_change()
    {
        AwaitAddress();
        RunUntil(() => Server.Seen.Count == 3, TimeSpan.FromHours(1));
        Assert.Equal((DhcpMessageType.Request, "10.99.0.2", "10.99.0.2"), Server.Seen[2]);
        Assert.InRange(Status().Lease!.Expires!.Value.TotalSeconds, 3000, 3600);
    }

    [Fact]
    public void When_the_server_refuses_more_time_address_route_and_names_go_and_the_client_begins_anew()
    {
        AwaitAddress();
        Peer.Listen(80);
        using var app = OpenConnected(80);
        Server.Refuses = true;
        RunUntil(() => !StackStatus().Addresses().Any(), TimeSpan.FromHours(1));
        RunUntil(() => app.IsReadable);
        app.Read();
        Assert.True(app.SawReset || app.SawEndOfFile, "The connection goes on.");
        Assert.Empty(Status().Routes);
        Assert.Equal(LookupResult.ServerFailure, Resolve("www.example.org").Result);
        Assert.Empty(AskedOfHost);
        Server.Refuses = false;
        Server.Address = "10.99.0.3";
        AwaitAddress();
        Assert.Equal("10.99.0.3/24", Status().Addresses[0].ToString());
        Assert.Equal(LookupResult.Found, Resolve("www.example.org").Result);
    }

    [Fact]
    public void When_nobody_answers_the_address_goes_at_the_end_of_its_time()
    {
        Server.Seconds = 20;
        AwaitAddress();
        Server.IsSilent = true;
        RunUntil(() => !StackStatus().Addresses().Any());
        Assert.Contains((DhcpMessageType.Request, "10.99.0.2", "10.99.0.2"), Server.Seen);
        Server.IsSilent = false;
        AwaitAddress();
    }

    [Fact]
    public void An_address_that_a_neighbour_has_is_declined()
    {
        Peer.Stack.AddAddress(new IpPrefix(Address, 24), Peer.Now);
        RunUntil(() => SeenTypes.Contains(DhcpMessageType.Decline));
        Assert.Equal((DhcpMessageType.Decline, "0.0.0.0", "10.99.0.2"), Server.Seen[^1]);
        Assert.Empty(StackStatus().Addresses());
        Server.Address = "10.99.0.3";
        AwaitAddress();
        Assert.Equal("10.99.0.3/24", StackStatus().Addresses().Single().ToString());
    }

    [Fact]
    public void When_the_wire_is_back_the_server_is_asked_whether_the_address_holds()
    {
        AwaitAddress();
        var before = Server.Seen.Count;
        var next = new MemoryWire("next");
        NextWires.Enqueue(next);
        Wire.Break();
        Peer.Wire = next;
        RunUntil(() => Server.Seen.Count > before);
        Assert.Equal((DhcpMessageType.Request, "0.0.0.0", "10.99.0.2"), Server.Seen[^1]);
        Assert.Equal("bound", Status().Lease!.State);
        Assert.NotEmpty(StackStatus().Addresses());
    }

    [Fact]
    public void Another_mask_and_router_take_the_place_of_the_earlier_ones()
    {
        AwaitAddress();
        Server.Adds = static reply => reply.Instead(DhcpOption.SubnetMask, 255, 255, 0, 0).With(DhcpOption.Router, "10.99.7.1");
        RunUntil(() => StackStatus().Addresses().Any(static own => own.Length == 16), TimeSpan.FromHours(1));
        RunUntil(() => Status().Routes.Contains(new RouteStatus(IpPrefix.Parse("0.0.0.0/0"), IpAddress.Parse("10.99.7.1")) { Metric = Route.LearntMetric }));
        Assert.Equal(2, Status().Routes.Count);
    }

    [Fact]
    public void The_network_may_say_that_its_packets_are_shorter_than_the_wires()
    {
        Server.Adds = static reply => reply.With(DhcpOption.InterfaceMtu, 5, 120);
        AwaitAddress();
        Assert.Equal(1400, Mtu());

        int Mtu()
        {
            StackActor.Tell(GetInterfaces.Instance, Session);
            RunUntil(() => Session.HasMessages);
            return Session.ExpectMsg<InterfaceNames>().Interfaces![0].Options.Mtu;
        }
    }

    [Fact]
    public void Longer_ones_than_the_wires_it_does_not_get()
    {
        Server.Adds = static reply => reply.With(DhcpOption.InterfaceMtu, 35, 40);
        AwaitAddress();
        StackActor.Tell(GetInterfaces.Instance, Session);
        RunUntil(() => Session.HasMessages);
        Assert.Equal(1500, Session.ExpectMsg<InterfaceNames>().Interfaces![0].Options.Mtu);
    }

    [Fact]
    public void What_strangers_say_is_counted_by_its_reason()
    {
        AwaitAddress();
        var own = MacAddress.Parse("02:00:00:00:00:02");
        Server.Send([1, 2, 3], own, Address);
        RunUntil(() => Server.Seen.Count == 3, TimeSpan.FromHours(1));
        Server.IsSilent = true;
        RunUntil(() => Server.Seen.Count == 4, TimeSpan.FromHours(1));
        Server.Send([1, 2, 3], own, Address);
        Server.Send(new DhcpReply(DhcpMessageType.Nak, 0, own).ToArray(), own, IpAddress.BroadcastV4);
        Server.Send(new byte[1473], own, IpAddress.BroadcastV4, port: 69);
        Run();
        Assert.Equal([new("BadLength", 1), new("OtherTransaction", 1), new("NotExpected", 1)], Status().Lease!.Dropped);
    }

    [Fact]
    public void Settings_that_are_read_again_leave_the_lease_alone()
    {
        AwaitAddress();
        var asker = CreateTestProbe();
        Driver.Tell(new Reconfigure(Settings with { Addresses = [], ShutdownTimeout = TimeSpan.FromSeconds(1) }, []), asker);
        RunUntil(() => asker.HasMessages);
        Assert.Empty(asker.ExpectMsg<Reconfigured>().Problems);
        Assert.Equal($"{Address}/24", StackStatus().Addresses().Single().ToString());
        Assert.DoesNotContain(DhcpMessageType.Release, SeenTypes);
    }

    [Fact]
    public void At_the_end_the_address_is_kept()
    {
        AwaitAddress();
        StopDriver();
        Assert.DoesNotContain(DhcpMessageType.Release, SeenTypes);
    }
}

/// <summary>A driver whose settings give the address back at its end, and name a server of their own.</summary>
public sealed class DhcpReleaseSpecs() : DhcpSetup("""
    state-directory = off
    dhcp-client { release = on, client-id = mac }
    dns { hosts-file = "", servers = ["10.99.0.1"], search = ["example.com"] }
    """)
{
    [Fact]
    public void The_address_is_given_back_when_no_application_needs_it_any_more()
    {
        AwaitAddress();
        StopDriver();
        Assert.Equal((DhcpMessageType.Release, "10.99.0.2", "10.99.0.2"), Server.Seen[^1]);
    }

    [Fact]
    public void Name_servers_and_domains_of_the_settings_go_before_those_of_the_lease()
    {
        Server.Adds = static reply => reply.With(DhcpOption.DomainNameServer, "10.99.0.66").With(DhcpOption.DomainName, "evil.example"u8.ToArray());
        AwaitAddress();
        Assert.Equal(["10.99.0.1"], NamesStatus()!.Servers);
        Assert.Equal(["example.com"], NamesStatus()!.Search);
    }
}

/// <summary>With a directory for leases.</summary>
[SupportedOSPlatform("linux")]
public sealed class DhcpStateSpecs : DhcpSetup
{
    private static readonly string State = Path.Combine(Path.GetTempPath(), $"tapwire-leases-{Environment.ProcessId}");

    public DhcpStateSpecs()
        : base($"""
            state-directory = "{State}/of/this"
            dns.hosts-file = ""
            """)
    {
    }

    private static string LeaseFile => Path.Combine(State, "of/this/tw0.lease");

    [Fact]
    public void The_next_start_asks_for_the_same_address()
    {
        AwaitAddress();
        RunUntil(() => File.Exists(LeaseFile));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(LeaseFile));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.GetDirectoryName(LeaseFile)!));
        Server.Seen.Clear();
        StartAgain();
        RunUntil(() => StackStatusOfSecond().Any());
        Assert.Equal([(DhcpMessageType.Request, "0.0.0.0", "10.99.0.2")], Server.Seen);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("{\"version\":1,\"ends\":\"9999-01-01T00:00:00Z\",\"message\":\"AAAA\"}")]
    [InlineData("{\"version\":1,\"ends\":\"never\",\"message\":7}")]
    [InlineData("[1")]
    public void A_file_that_is_none_is_as_none(string text)
    {
        AwaitAddress();
        RunUntil(() => File.Exists(LeaseFile));
        Server.Seen.Clear();
        StopDriver();
        File.WriteAllText(LeaseFile, text);
        StartAgain();
        RunUntil(() => StackStatusOfSecond().Any());
        Assert.Equal([DhcpMessageType.Discover, DhcpMessageType.Request], SeenTypes);
    }

    [Fact]
    public void A_lease_that_is_lost_is_kept_no_longer()
    {
        AwaitAddress();
        RunUntil(() => File.Exists(LeaseFile));
        Server.Refuses = true;
        RunUntil(() => !File.Exists(LeaseFile), TimeSpan.FromHours(1));
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

    private IEnumerable<IpPrefix> StackStatusOfSecond() => StackStatus().Addresses();
}
