using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Actors.Names;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Names.Mdns;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Multicast;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors.Names;

/// <summary>A driver in virtual time whose peer speaks multicast DNS, too.</summary>
public abstract class MdnsSetup(string settings) : DriverSetup(settings)
{
    private readonly BufferPool _pool = new();
    private readonly MdnsCounters _counters = new();
    private UdpSocket? _socket;
    private MdnsLink? _engine;

    /// <summary>Messages that the driver has sent to a group.</summary>
    internal List<MdnsMessage> Heard { get; } = [];

    internal MdnsLink Engine
    {
        get
        {
            if (_engine is not null)
                return _engine;
            _engine = new MdnsLink(Tapwire.Tests.Actors.Support.Peer.Secret(3), _counters, 1500);
            _engine.UseAddresses([new IpPrefix(Tapwire.Tests.Actors.Support.Peer.Address, 24)], Peer.Now);
            return _engine;
        }
    }

    protected IActorRef Names => Sys.ActorSelection(Driver.Path / "names").ResolveOne(TimeSpan.FromSeconds(3)).GetAwaiter().GetResult();

    internal override void Run()
    {
        do
            base.Run();
        while (Speak());
    }

    internal Resolved Resolve(string name, LookupKind kind = LookupKind.AddressesV4)
    {
        Names.Tell(new Resolve(name, kind), Session);
        RunUntil(() => Session.HasMessages);
        return Session.ExpectMsg<Resolved>();
    }

    internal NamesStatus? NamesStatus()
    {
        Names.Tell(GetStatus.Instance, Session);
        // The answers of two actors are joined on the thread pool, which knows no virtual time.
        Assert.True(SpinWait.SpinUntil(
            () =>
            {
                Run();
                return Session.HasMessages;
            },
            TimeSpan.FromSeconds(10)));
        return Session.ExpectMsg<NamesReport>().Status;
    }

    internal void Publish(string label, params MdnsService[] services)
    {
        Engine.Publish(new MdnsIdentity(label, services), Peer.Now);
        RunUntil(() => Engine.State == MdnsState.Established);
    }

    private bool Speak()
    {
        if (_socket is null)
        {
            Assert.Equal(StackError.None, Peer.Stack.Udp.Bind(new IpEndpoint(IpAddress.Unspecified, MdnsLink.Port), new UdpSocketOptions
            {
                MulticastHopLimit = 255,
                Memberships = [new Membership(Peer.Stack.Interfaces[0].Index, MdnsLink.GroupV4, SourceFilter.Everything)],
            }, out _socket));
        }

        var any = false;
        while (_socket!.TryReceive(out var data, out var from, out var info))
        {
            any = true;
            Assert.Equal(255, info.HopLimit);
            if (from.Address == Address && MdnsMessage.TryParse(data.Span, out var message, out _))
                Heard.Add(message);
            Engine.Received(from, info.Destination, data.Span, Peer.Now);
            data.Release();
        }

        if (Engine.PollAt <= Peer.Now)
            Engine.Poll(Peer.Now);
        while (Engine.TryDequeue(out var next))
        {
            if (next is not MdnsSend send)
                continue;
            any = true;
            var buffer = _pool.Rent(send.Message.Length, BufferPool.HeaderRoom);
            send.Message.Span.CopyTo(buffer.Append(send.Message.Length));
            Assert.Equal(StackError.None, _socket.Send(buffer, send.To ?? new IpEndpoint(MdnsLink.GroupV4, MdnsLink.Port), Peer.Now));
        }

        return any;
    }
}

/// <summary>A driver with a name. Each spec ends with the driver's stop, and nothing is left.</summary>
public sealed class MdnsActorSpecs() : MdnsSetup("""
    name = box
    serve = ["http:80", "source:19"]
    expose = ["tcp:22=127.0.0.1:22", "tcp:999=127.0.0.1:999"]
    dns.hosts-file = ""
    """)
{
    private LinkNameStatus Link() => Assert.Single(NamesStatus()!.Multicast!.Links);

    private void Establish() => RunUntil(() => Heard.Count(static message => message.IsResponse) == 2);

    [Fact]
    public void The_name_its_services_and_its_addresses_are_published()
    {
        Establish();
        Assert.Equal(("established", "box.local"), (Link().State, Link().Name));
        var told = Heard.Last(static message => message.IsResponse).Answers;
        Assert.Equal(["_http._tcp.local", "_ssh._tcp.local"], told.Where(static record => record.Owner.Equals(MdnsNames.AllServices)).Select(static record => record.Target.ToString()));
        Assert.Equal(Address, Assert.Single(told, static record => record.Type == DnsType.A).Address);
        Assert.Equal("10.99.0.2", Assert.Single(Resolve("box.local").Addresses).ToString());
    }

    [Fact]
    public void A_name_that_the_peer_has_gets_a_number_and_the_status_says_so()
    {
        Advance(TimeSpan.FromSeconds(5));
        Peer.Loses = static _ => true; // the wire is cut while both take the name
        Publish("other");
        Peer.Loses = static _ => false;
        Engine.Publish(null, Peer.Now);
        Names.Tell(new PublishName(null));
        Run();
        Publish("box");
        Names.Tell(new PublishName(new MdnsIdentity("box", [])));
        RunUntil(() => Heard.Any(static message => message.IsResponse && message.Answers.Any(static record => record.Owner.ToString() == "box-2.local")));
        Assert.Equal(("box-2.local", 1L), (Link().Name, NamesStatus()!.Multicast!.Conflicts));
    }

    [Fact]
    public void An_address_that_comes_is_told_and_one_that_goes_is_taken_back()
    {
        Establish();
        Heard.Clear();
        StackActor.Tell(new AddAddress(new IpPrefix(IpAddress.Parse("10.99.0.7"), 24)), Session);
        RunUntil(() => Heard.Count > 0);
        Session.ExpectMsg<AddressAnswer>();
        Assert.Contains(Heard[0].Answers, static record => record.Type == DnsType.A && record.Address == IpAddress.Parse("10.99.0.7") && record.Lifetime == 120);
        Heard.Clear();
        StackActor.Tell(new RemoveAddress(IpAddress.Parse("10.99.0.7")), Session);
        RunUntil(() => Heard.Count > 0);
        Session.ExpectMsg<AddressAnswer>();
        Assert.Contains(Heard[0].Answers, static record => record.Type == DnsType.A && record.Address == IpAddress.Parse("10.99.0.7") && record.Lifetime == 0);
    }

    [Fact]
    public void All_is_taken_back_when_the_driver_stops()
    {
        Establish();
        Heard.Clear();
        StopDriver();
        Run();
        Assert.All(Assert.Single(Heard).Answers, static record => Assert.Equal(0u, record.Lifetime));
    }

    [Fact]
    public void All_is_taken_back_before_an_interface_goes()
    {
        Establish();
        Heard.Clear();
        Names.Tell(new LinkLeaves("tw0"), Session);
        Run();
        Session.ExpectMsg<LinkLeft>();
        Assert.All(Assert.Single(Heard).Answers, static record => Assert.Equal(0u, record.Lifetime));
        Assert.Empty(NamesStatus()!.Multicast!.Links);
    }

    [Fact]
    public void A_change_of_the_settings_changes_what_is_published()
    {
        Establish();
        var asker = CreateTestProbe();
        Driver.Tell(new Reconfigure(Settings with { Name = "crate" }, []), asker);
        RunUntil(() => asker.HasMessages);
        Assert.Equal(["published as crate.local"], asker.ExpectMsg<Reconfigured>().Done);
        RunUntil(() => Heard.Any(static message => message.IsResponse && message.Answers.Any(static record => record.Owner.ToString() == "crate.local")));
        Assert.Equal("crate.local", Link().Name);
    }

    [Fact]
    public void A_program_that_shares_the_port_is_beside_the_driver_and_hears_it()
    {
        Establish();
        var (error, socket) = Bind(new UdpSocketOptions { ReuseAddress = true, Memberships = [new Membership(0, MdnsLink.GroupV4, SourceFilter.Everything)] });
        Assert.Equal(StackError.None, error);
        Advance(TimeSpan.FromSeconds(2));
        StackActor.Tell(new ReceiveDatagrams(socket, 8), Session);
        Engine.Ask(1, Tapwire.Tests.Names.ResolverHarness.Name("box.local"), DnsType.A, Peer.Now);
        RunUntil(() => Session.HasMessages);
        var heard = Session.ExpectMsg<DatagramReceived>();
        heard.Release();
        Run();
        while (Session.HasMessages)
            Session.ExpectMsg<DatagramReceived>().Release();
        StackActor.Tell(new CloseDatagram(socket));
    }

    internal (StackError Error, SocketId Socket) Bind(UdpSocketOptions options)
    {
        StackActor.Tell(new OpenDatagram(new IpEndpoint(IpAddress.Unspecified, MdnsLink.Port), options), Session);
        RunUntil(() => Session.HasMessages);
        return Session.ExpectMsg<object>() is DatagramOpened opened ? (StackError.None, opened.Id) : (StackError.AddressInUse, default);
    }

    [Fact]
    public void A_program_that_wants_the_port_for_itself_is_refused()
    {
        Establish();
        Assert.Equal(StackError.AddressInUse, Bind(new UdpSocketOptions()).Error);
    }
}

/// <summary>A driver without a name, and without servers.</summary>
public sealed class LinkNamesSpecs() : MdnsSetup("dns.hosts-file = \"\"")
{
    [Fact]
    public void Nothing_is_sent_and_nothing_is_there_before_a_name_is_looked_up()
    {
        Advance(TimeSpan.FromMinutes(1));
        Assert.Empty(Heard);
        Assert.Null(NamesStatus());
    }

    [Fact]
    public void A_name_is_found_on_the_link_by_programs_and_operators()
    {
        Publish("peer");
        var answer = Ask(new ResolveRequest(7, SocketFamily.V4, false, "peer.local"));
        Assert.Equal(0, answer.Error);
        Assert.Equal("10.99.0.1", Assert.Single(ResolveRequest.ReadAnswer(answer.Body.Span).Addresses).Endpoint.Address.ToString());
        var found = Resolve("Peer.local", LookupKind.Addresses);
        Assert.Equal(("10.99.0.1", "Peer.local"), (Assert.Single(found.Addresses).ToString(), found.CanonicalName));
        var status = NamesStatus()!;
        Assert.Empty(status.Servers);
        Assert.Equal(("resolving", null), (status.Multicast!.Links[0].State, status.Multicast.Links[0].Name));
    }

    [Fact]
    public void A_name_that_nobody_has_is_none_after_two_and_a_half_seconds()
    {
        var began = Peer.Now;
        Assert.Equal(LookupResult.NoSuchName, Resolve("none.local").Result);
        Assert.InRange(Peer.Now - began, TimeSpan.FromSeconds(2.5), TimeSpan.FromSeconds(2.6));
        var answer = Ask(new ResolveRequest(7, SocketFamily.V4, false, "none.local"));
        Assert.Equal((LinkErrno.NoEntry, "There is no host 'none.local'."), (answer.Error, answer.Reason));
    }

    [Fact]
    public void Services_on_the_link_come_as_json_with_where_they_were_heard()
    {
        Publish("peer", new MdnsService("http", true, 8080));
        var answer = Ask(new BrowseRequest(7, "http", 1500));
        Assert.Equal(0, answer.Error);
        Assert.Contains("\"type\":\"_http._tcp\",\"host\":\"peer.local\",\"port\":8080,\"addresses\":[\"10.99.0.1\"]", answer.Text, StringComparison.Ordinal);
        Assert.Contains("\"name\":\"_http._tcp\"", Ask(new BrowseRequest(8, "", 1500)).Text, StringComparison.Ordinal);
        Assert.Equal("{\"services\":[],\"left\":0}", Ask(new BrowseRequest(9, "_ipp._tcp", 100)).Text);
        answer = Ask(new BrowseRequest(10, "_http", 100));
        Assert.Equal(0, answer.Error);
        answer = Ask(new BrowseRequest(11, "a.b.c", 100));
        Assert.Equal(((int)StackError.InvalidArgument, "'a.b.c' is no type of services, as _http._tcp is."), (answer.Error, answer.Reason));
    }

    [Fact]
    public void A_driver_that_stops_answers_those_who_look_for_services()
    {
        Names.Tell(new BrowseServices(MdnsNames.AllServices, TimeSpan.FromSeconds(20)), Session);
        Run();
        StopDriver();
        Assert.NotNull(Session.ExpectMsg<ServicesFound>());
    }

    [Fact]
    public void The_groups_are_left_when_nobody_has_asked_for_a_while()
    {
        Publish("peer");
        Resolve("peer.local");
        Advance(TimeSpan.FromMinutes(1));
        Assert.NotNull(NamesStatus());
        Advance(TimeSpan.FromMinutes(1.1));
        Assert.Null(NamesStatus());
        Assert.Equal("10.99.0.1", Assert.Single(Resolve("peer.local").Addresses).ToString());
    }

    [Fact]
    public void Where_a_program_has_the_port_for_itself_names_are_not_found_and_found_again_when_it_has_gone()
    {
        Publish("peer");
        StackActor.Tell(new OpenDatagram(new IpEndpoint(IpAddress.Unspecified, MdnsLink.Port), new UdpSocketOptions()), Session);
        Run();
        var socket = Session.ExpectMsg<DatagramOpened>().Id;
        Assert.Equal(LookupResult.NoSuchName, Resolve("peer.local").Result);
        Assert.Equal("failed", NamesStatus()!.Multicast!.Links[0].State);
        StackActor.Tell(new CloseDatagram(socket));
        Advance(TimeSpan.FromSeconds(31));
        Assert.Equal(LookupResult.Found, Resolve("peer.local").Result);
    }

    [Fact]
    public void A_driver_that_stops_answers_those_who_wait_for_the_link()
    {
        Names.Tell(new Resolve("none.local"), Session);
        Run();
        StopDriver();
        Assert.Equal(LookupResult.ServerFailure, Session.ExpectMsg<Resolved>().Result);
    }
}

/// <summary>Multicast DNS is off: nobody is asked for such names.</summary>
public sealed class NoLinkNamesSpecs() : MdnsSetup("name = box, dns { mdns = off, hosts-file = \"\" }")
{
    [Fact]
    public void Neither_is_the_name_published_nor_are_others_looked_up()
    {
        Publish("peer");
        Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(LinkErrno.NoServer, Ask(new ResolveRequest(7, SocketFamily.V4, false, "peer.local")).Error);
        Assert.Equal(LinkErrno.NoServer, Ask(new BrowseRequest(7, "", 100)).Error);
        Assert.Empty(Heard);
        Assert.Null(NamesStatus());
    }
}
