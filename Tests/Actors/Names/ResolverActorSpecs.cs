using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Actors.Names;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Posix;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Actors.Names;

/// <summary>The driver's resolver, whose questions go by the driver's own stack. Each spec ends with the driver's stop, and nothing is left.</summary>
public sealed class ResolverActorSpecs() : NameServerSetup("""
    dns { servers = ["10.99.0.1"], hosts-file = "", timeout = 1s, hosts { "own.example" = "192.0.2.50" } }
    expose = ["tcp:90=service.host:80"]
    """)
{
    [Fact]
    public void A_name_is_asked_for_by_way_of_the_stack_and_answered_from_the_cache_again()
    {
        var resolved = Resolve("www.example.org", LookupKind.AddressesV4);
        Assert.Equal((LookupResult.Found, "www.example.org"), (resolved.Result, resolved.CanonicalName));
        Assert.Equal("192.0.2.1", Assert.Single(resolved.Addresses).ToString());
        Resolve("www.example.org", LookupKind.AddressesV4);
        Assert.Single(Asked);
        Assert.Empty(AskedOfHost);
    }

    [Fact]
    public void Each_question_has_a_port_of_its_own()
    {
        for (var i = 0; i < 20; i++)
            Assert.Equal(LookupResult.NoSuchName, Resolve($"n{i}.example.org", LookupKind.AddressesV4).Result);
        var ports = Asked.Select(static each => each.Port).ToList();
        Assert.Equal(20, ports.Distinct().Count());
        Assert.DoesNotContain(ports.Zip(ports.Skip(1)), static pair => pair.Second == pair.First + 1);
    }

    [Fact]
    public void What_is_too_long_for_a_datagram_comes_by_TCP()
    {
        Zone.Hosts["long.example.org"] = [.. Enumerable.Range(1, 200).Select(static i => $"192.0.2.{i}")];
        Assert.Equal(200, Resolve("long.example.org", LookupKind.AddressesV4).Addresses.Count);
        Assert.Equal([DnsTransport.Udp, DnsTransport.Tcp], Asked.Select(static each => each.Transport));
    }

    [Fact]
    public void A_silent_server_is_asked_twice_and_the_answer_is_a_time_out()
    {
        IsSilent = true;
        Assert.Equal(LookupResult.TimedOut, Resolve("www.example.org", LookupKind.AddressesV4).Result);
        Assert.Equal(2, Asked.Count);
        IsSilent = false;
        Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(LookupResult.Found, Resolve("www.example.org", LookupKind.AddressesV4).Result);
    }

    [Fact]
    public void Own_names_need_no_server()
    {
        Assert.Equal("192.0.2.50", Assert.Single(Resolve("own.example").Addresses).ToString());
        Assert.Equal("own.example", Resolve("192.0.2.50", LookupKind.Name).CanonicalName);
        Assert.Empty(Asked);
    }

    [Fact]
    public void A_name_of_the_hosts_own_network_is_the_hosts_business()
    {
        Assert.Equal("203.0.113.1", Assert.Single(Resolve("www.example.org", scope: ResolveScope.Host).Addresses).ToString());
        Assert.Equal(["www.example.org"], AskedOfHost);
        Assert.Empty(Asked);
    }

    [Fact]
    public void The_target_of_an_exposed_port_is_a_name_of_the_hosts()
    {
        Peer.Connect(90);
        RunUntil(() => AskedOfHost.Count > 0);
        Assert.Equal(["service.host"], AskedOfHost);
        Assert.Empty(Asked);
    }

    [Fact]
    public void An_application_asks_by_the_link()
    {
        var answer = Ask(new ResolveRequest(7, SocketFamily.V4, false, "www.example.org"));
        Assert.Equal(0, answer.Error);
        Assert.Equal("192.0.2.1", Assert.Single(ResolveRequest.ReadAnswer(answer.Body.Span).Addresses).Endpoint.Address.ToString());
        Assert.Equal("own.example", ResolveRequest.ReadAnswer(Ask(new ResolveRequest(8, SocketFamily.Unspecified, true, "192.0.2.50")).Body.Span).Name);
    }

    [Theory]
    [InlineData("none.example.org", (int)SocketFamily.V4, LinkErrno.NoEntry, "There is no host 'none.example.org'.")]
    [InlineData("www.example.org", (int)SocketFamily.V6, LinkErrno.NoData, "'www.example.org' has no IPv6 address.")]
    [InlineData("no name", 0, 22, "'no name' is no name of a host.")]
    [InlineData("www.example.org", 7, 97, "Addresses are of AF_INET or AF_INET6.")]
    public void An_application_learns_why_there_is_no_address(string name, int family, int error, string reason)
    {
        var answer = Ask(new ResolveRequest(7, (SocketFamily)family, false, name));
        Assert.Equal((error, reason), (answer.Error, answer.Reason));
    }

    [Fact]
    public void Settings_that_change_take_effect_for_those_who_wait_too()
    {
        IsSilent = true;
        Names.Tell(new Resolve("own.example.org", LookupKind.AddressesV4), Session);
        RunUntil(() => Asked.Count > 0);
        Names.Tell(new UseNames(Settings.Dns with { Hosts = [(Tapwire.Tests.Names.ResolverHarness.Name("own.example.org"), IpAddress.Parse("192.0.2.60"))] }));
        RunUntil(() => Session.HasMessages);
        Assert.Equal("192.0.2.60", Assert.Single(Session.ExpectMsg<Resolved>().Addresses).ToString());
    }

    [Fact]
    public void The_status_tells_servers_queries_and_what_came_of_them_and_goes_on_counting_after_a_change()
    {
        Resolve("www.example.org", LookupKind.AddressesV4);
        Resolve("www.example.org", LookupKind.AddressesV4);
        var status = NamesStatus()!;
        Assert.Equal(["10.99.0.1"], status.Servers);
        Assert.Equal((1, 1, 1, 0, 0, 1), (status.Queries, status.Answers, status.FromCache, status.TimeOuts, status.Busy, status.Cached));
        Assert.All(status.Refused, static reason => Assert.Equal(0, reason.Value));

        Names.Tell(new UseNames(Settings.Dns with { Search = [Tapwire.Tests.Names.ResolverHarness.Name("example.org")], Timeout = TimeSpan.FromSeconds(2) }));
        IsSilent = true;
        Resolve("peer.example.org", LookupKind.AddressesV4);
        status = NamesStatus()!;
        Assert.Equal(["example.org"], status.Search);
        Assert.Equal((3, 1, 1, 2, 0), (status.Queries, status.Answers, status.FromCache, status.TimeOuts, status.Busy));
    }

    [Fact]
    public void A_driver_that_stops_answers_those_who_wait()
    {
        IsSilent = true;
        Names.Tell(new Resolve("www.example.org"), Session);
        Run();
        StopDriver();
        Assert.Equal(LookupResult.ServerFailure, Session.ExpectMsg<Resolved>().Result);
    }

    [Fact]
    public void A_server_whose_port_is_closed_is_left_at_once()
    {
        var wanted = Settings with { Dns = Settings.Dns with { Servers = [new IpEndpoint(IpAddress.Parse("10.99.0.1"), 54), new IpEndpoint(IpAddress.Parse("10.99.0.1"), 53)] } };
        var asker = CreateTestProbe();
        Driver.Tell(new Reconfigure(wanted, []), asker);
        RunUntil(() => asker.HasMessages);
        Assert.Equal(["name servers changed"], asker.ExpectMsg<Reconfigured>().Done);
        var began = Peer.Now;
        Assert.Equal(LookupResult.Found, Resolve("www.example.org", LookupKind.AddressesV4).Result);
        Assert.True(Peer.Now - began < TimeSpan.FromSeconds(0.5), "The port unreachable message has not been heard.");
    }
}

/// <summary>A driver whose servers are for one domain only.</summary>
public sealed class SplitNamesSpecs() : NameServerSetup("""
    dns { hosts-file = "", split { "example.org" = ["10.99.0.1"] } }
    """)
{
    [Fact]
    public void Names_of_other_domains_are_the_hosts_business_for_proxies_and_nobodys_for_applications()
    {
        Assert.Equal("192.0.2.1", Resolve("www.example.org").Addresses[0].ToString());
        Assert.Equal("203.0.113.1", Assert.Single(Resolve("www.example.com").Addresses).ToString());
        Assert.Equal(LinkErrno.NoServer, Ask(new ResolveRequest(7, SocketFamily.V4, false, "www.example.com")).Error);
        Assert.Equal(["www.example.com"], AskedOfHost);
        Assert.All(Asked, static each => Assert.EndsWith("example.org", each.Name, StringComparison.Ordinal));
    }
}

/// <summary>A driver without servers: all is as it was without a resolver.</summary>
public sealed class NoNamesSpecs() : NameServerSetup("")
{
    [Fact]
    public void The_host_is_asked_for_every_name_and_applications_are_told_that_there_is_no_server()
    {
        Assert.Equal("203.0.113.1", Assert.Single(Resolve("localhost").Addresses).ToString());
        var answer = Ask(new ResolveRequest(7, SocketFamily.V4, false, "www.example.org"));
        Assert.Equal(LinkErrno.NoServer, answer.Error);
        Assert.Contains("tapwire up --dns ADDRESS", answer.Reason, StringComparison.Ordinal);
        Assert.Empty(Asked);
    }

    /// <summary>Memory is scarce in small containers: what nobody uses is not there.</summary>
    [Fact]
    public void A_resolver_is_made_with_the_first_server_and_not_before()
    {
        Assert.Null(NamesStatus());
        Assert.False(Has("servers"), "There is a resolver.");
        Assert.False(Has("host"), "There is an actor of the host's resolver although nobody has asked.");
        Names.Tell(new UseNames(Settings.Dns with { HostsFile = "", Servers = [new IpEndpoint(IpAddress.Parse("10.99.0.1"), 53)] }));
        Assert.Equal("192.0.2.1", Resolve("www.example.org").Addresses[0].ToString());
        Assert.True(Has("servers"), "There is no resolver.");
        Assert.NotNull(NamesStatus());

        bool Has(string child)
        {
            Sys.ActorSelection(Names.Path / child).Tell(new Identify(child), Session);
            RunUntil(() => Session.HasMessages);
            return Session.ExpectMsg<ActorIdentity>().Subject is not null;
        }
    }
}

/// <summary>A driver with a hosts file.</summary>
public sealed class HostsFileSpecs : NameServerSetup
{
    private static readonly string File = Path.Combine(Path.GetTempPath(), $"tapwire-hosts-{Environment.ProcessId}");

    public HostsFileSpecs()
        : base($$"""dns { servers = ["10.99.0.1"], hosts-file = "{{Write("192.0.2.70 file.example\n")}}" }""")
    {
    }

    [Fact]
    public void The_file_is_read_before_the_first_answer_and_again_after_a_change()
    {
        Assert.Equal("192.0.2.70", Assert.Single(Resolve("file.example").Addresses).ToString());
        Write("192.0.2.71 file.example other.example\n");
        Advance(TimeSpan.FromSeconds(5));

        // The first question has the file looked at, and does not wait for that.
        Assert.Equal("192.0.2.70", Assert.Single(Resolve("file.example").Addresses).ToString());
        Assert.True(SpinWait.SpinUntil(() => Resolve("file.example").Addresses[0].ToString() == "192.0.2.71", TimeSpan.FromSeconds(10)));
        Assert.Equal("file.example", Resolve("other.example").CanonicalName);
        Assert.Empty(Asked);
    }

    protected override void AfterAll()
    {
        base.AfterAll();
        System.IO.File.Delete(File);
    }

    private static string Write(string text)
    {
        System.IO.File.WriteAllText(File, text);
        return File;
    }
}
