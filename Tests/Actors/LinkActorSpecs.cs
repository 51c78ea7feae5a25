using System.Net.Sockets;
using System.Text.Json;
using Tapwire.Actors.Link;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Links.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>Control connections over the driver's real socket, by clients that the spec plays with plain descriptors.</summary>
public sealed class LinkActorSpecs : DriverSetup
{
    private const int MaxSessions = 2;
    private const int MaxSockets = 3;

    public LinkActorSpecs()
        : base($"link.max-sessions = {MaxSessions}\nlink.max-sockets = {MaxSockets}")
    {
    }

    [Fact]
    public void P19_a_request_may_come_byte_by_byte()
    {
        using var client = Greet();
        foreach (var part in LinkHarness.Frame(new SocketRequest(5, SocketFamily.V4, LinkSocketType.Stream, 0)))
        {
            Assert.Empty(client.ReadAll());
            client.Send([part]);
            Run();
        }

        var (bytes, descriptor) = client.ReceiveWithDescriptor(4096);
        var answer = Assert.Single(LinkHarness.Answers(bytes));
        Assert.Equal((5u, 0), (answer.Id, answer.Error));
        using var app = new App(this, answer.Handle, descriptor);
        Assert.Equal(0, Ask(new BindRequest(1, app.Handle, Sockaddr.From(new IpEndpoint(Address, 80)))).Error);
    }

    [Fact]
    public void P19_requests_may_come_together_and_each_is_answered()
    {
        using var client = Greet();
        client.Send([.. Enumerable.Range(1, 40).SelectMany(id => LinkHarness.Frame(new GetSockNameRequest((uint)id, 0xDEAD)))]);
        Run();
        var answers = LinkHarness.Answers(client.ReadAll());
        Assert.Equal(Enumerable.Range(1, 40).Select(id => (uint)id), answers.Select(answer => answer.Id));
        Assert.All(answers, answer => Assert.Equal(LinkErrno.BadHandle, answer.Error));
    }

    [Fact]
    public void A_client_that_talks_rubbish_is_disconnected_and_logged_and_others_go_on()
    {
        using var good = Greet();
        using var bad = Greet();
        bad.Send(LinkHarness.Frame(new SocketRequest(5, SocketFamily.V4, LinkSocketType.Stream, 0)));
        Run();
        var (bytes, descriptor) = bad.ReceiveWithDescriptor(4096);
        using var app = new App(this, Assert.Single(LinkHarness.Answers(bytes)).Handle, descriptor);

        EventFilter.Warning(start: $"Link client with process id {Environment.ProcessId} is disconnected").ExpectOne(() =>
        {
            bad.Send([.. Enumerable.Repeat((byte)0xEE, 64)]);
            Run();
        });
        Assert.Null(bad.TryRead());

        // What it had made lives on with its descriptor, and the other client does not notice.
        good.Send(LinkHarness.Frame(new GetSockNameRequest(6, app.Handle)));
        Run();
        Assert.Equal((6u, 0), LinkHarness.Answers(good.ReadAll()).Select(answer => (answer.Id, answer.Error)).Single());
    }

    [Fact]
    public void A_client_of_another_version_or_another_protocol_is_disconnected()
    {
        using var future = Connect();
        EventFilter.Warning(contains: "version 99").ExpectOne(() =>
        {
            future.Send(LinkHarness.Hello(99));
            Run();
        });
        Assert.Equal(LinkHarness.Hello(), future.ReadAll());
        Assert.Null(future.TryRead());

        // One line a second of a kind.
        Advance(TimeSpan.FromSeconds(1));
        using var web = Connect();
        EventFilter.Warning(contains: "no magic").ExpectOne(() =>
        {
            web.Send("GET / HTTP/1.1\r\n\r\n"u8);
            Run();
        });
    }

    [Fact]
    public void More_sessions_than_allowed_get_no_socket_but_the_status_and_one_that_ends_makes_room()
    {
        var first = Greet();
        using var second = Greet();
        Socket third = null!;
        EventFilter.Warning(contains: "max-sessions").ExpectOne(() => third = Greet());
        using (third)
        {
            Assert.Equal((int)StackError.NoBufferSpace, Ask(third, new SocketRequest(1, SocketFamily.V4, LinkSocketType.Stream, 0)));
            Assert.Equal((int)StackError.NoBufferSpace, Ask(third, new SessionRequest(2)));
            Assert.Equal(0, Ask(third, new StatusRequest(3)));
            first.Dispose();
            Run();
            Assert.Equal(0, Ask(third, new SocketRequest(4, SocketFamily.V4, LinkSocketType.Stream, 0)));
        }
    }

    [Fact]
    public void Whoever_holds_on_to_a_place_beyond_those_allowed_leaves_it_to_the_one_who_comes_last()
    {
        using var first = Greet();
        using var second = Greet();
        var guests = new List<Socket>();
        for (var i = 0; i < 12; i++)
        {
            guests.Add(Greet());
            Assert.Equal(0, Ask(guests[i], new StatusRequest(3)));
        }

        var left = guests.Where(static guest => guest.TryRead() is not null).ToList();
        Assert.Equal(4, left.Count);
        Assert.Contains(guests[^1], left);
        guests.ForEach(static guest => guest.Dispose());
    }

    /// <summary>Asks in this session, and returns the answer's error.</summary>
    private int Ask(Socket session, LinkRequest request)
    {
        session.Send(LinkHarness.Frame(request));
        var answers = new List<LinkAnswer>();

        // The status is put together by actors that ask each other, which a thread of the pool may carry on.
        AwaitCondition(() =>
        {
            Run();
            answers.AddRange(LinkHarness.Answers(session.ReadAll()));
            return answers.Count > 0;
        });
        return Assert.Single(answers).Error;
    }

    [Fact]
    public void More_sockets_than_allowed_are_ENOBUFS_and_one_that_is_closed_makes_room()
    {
        var first = Open();
        using var second = Open(LinkSocketType.Datagram);
        using var third = Open();
        Assert.Equal((int)StackError.NoBufferSpace, Ask(new SocketRequest(1, SocketFamily.V4, LinkSocketType.Stream, 0)).Error);
        first.Dispose();
        Run();
        using var fourth = Open();
    }

    [Theory]
    [InlineData(1, 1, 0, (int)StackError.AddressFamilyNotSupported)]
    [InlineData(2, 3, 0, LinkErrno.SocketTypeNotSupported)]
    [InlineData(2, 1, 17, LinkErrno.ProtocolNotSupported)]
    [InlineData(2, 2, 6, LinkErrno.ProtocolNotSupported)]
    [InlineData(2, 1, 6, 0)]
    [InlineData(2, 2, 17, 0)]
    [InlineData(10, 1, 0, 0)]
    public void A_socket_is_made_of_a_family_type_and_protocol_that_there_are(int family, int type, int protocol, int error)
    {
        var reply = AskReply(new SocketRequest(1, (SocketFamily)family, (LinkSocketType)type, protocol));
        Assert.Equal(error, reply.Answer.Error);
        Assert.Equal(error == 0, reply.Descriptor is not null);
        reply.Descriptor?.Dispose();
    }

    [Fact]
    public void A_client_that_asks_for_a_socket_and_goes_leaves_nothing_behind()
    {
        var registered = Reactor.Count;
        using (var client = Connect())
        {
            client.Send([.. LinkHarness.Hello(), .. LinkHarness.Frame(new SocketRequest(5, SocketFamily.V4, LinkSocketType.Stream, 0))]);
        }

        Run();
        Assert.Equal(registered, Reactor.Count);
        using var first = Open();
        using var second = Open();
        using var third = Open();
    }

    [Fact]
    public void Status_is_JSON_with_the_documented_fields()
    {
        Peer.Listen(80);
        using var app = OpenConnected(80);
        var status = JsonDocument.Parse(AskLater(new StatusRequest(3)).Text).RootElement;
        Assert.True(status.GetProperty("uptimeSeconds").GetDouble() >= 0);
        var wire = status.GetProperty("wire");
        Assert.Equal("memory", wire.GetProperty("name").GetString());
        Assert.True(wire.GetProperty("up").GetBoolean());
        Assert.Equal(1500, wire.GetProperty("mtu").GetInt32());
        Assert.Equal(JsonValueKind.Null, wire.GetProperty("hardwareAddress").ValueKind);
        Assert.Equal("None", wire.GetProperty("offloads").GetString());
        Assert.True(wire.GetProperty("framesReceived").GetInt64() > 0);
        Assert.True(wire.GetProperty("bytesReceived").GetInt64() > 0);
        Assert.True(wire.GetProperty("framesSent").GetInt64() > 0);
        Assert.True(wire.GetProperty("bytesSent").GetInt64() > 0);
        Assert.Equal(0, wire.GetProperty("framesRefused").GetInt64());
        Assert.Equal(0, wire.GetProperty("framesDropped").GetInt64());
        Assert.Equal(["10.99.0.2/24"], status.GetProperty("addresses").EnumerateArray().Select(address => address.GetString()!));
        Assert.Equal(0, status.GetProperty("link").GetProperty("sessions").GetInt32());
        Assert.Equal(1, status.GetProperty("link").GetProperty("sockets").GetInt32());
        Assert.Equal(1, status.GetProperty("connectionCount").GetInt32());
        var connection = Assert.Single(status.GetProperty("connections").EnumerateArray());
        Assert.Equal("Established", connection.GetProperty("state").GetString());
        Assert.StartsWith("10.99.0.2:", connection.GetProperty("local").GetString(), StringComparison.Ordinal);
        Assert.Equal("10.99.0.1:80", connection.GetProperty("remote").GetString());
        Assert.Equal(0, connection.GetProperty("sendQueue").GetInt32());
        Assert.Equal(0, connection.GetProperty("receiveQueue").GetInt32());
        Assert.Equal(0, status.GetProperty("buffersRented").GetInt64());
        Assert.Equal(1, status.GetProperty("counters").GetProperty("TcpActiveOpens").GetInt64());
    }

    [Fact]
    public void A_ping_goes_out_and_its_answer_comes_back()
    {
        var reply = AskLater(new PingRequest(3, Sockaddr.From(new IpEndpoint(Support.Peer.Address, 0)), 1, 56, 1000));
        Assert.Equal((3u, 0), (reply.Id, reply.Error));
        Assert.Equal(Support.Peer.Address, reply.PingReply.From.Endpoint.Address);
        Assert.Equal(64, reply.PingReply.HopLimit);
        var far = AskLater(new PingRequest(4, Sockaddr.From(new IpEndpoint(IpAddress.Parse("192.0.2.1"), 0)), 1, 56, 1000));
        Assert.Equal((int)StackError.NetworkUnreachable, far.Error);
    }

    [Fact]
    public void P21_addresses_are_added_and_removed_over_the_link()
    {
        var second = IpAddress.Parse("192.0.2.2");
        Assert.Equal(0, AskLater(new AddAddressRequest(1, second, 24)).Error);
        Assert.Equal((int)StackError.AddressInUse, AskLater(new AddAddressRequest(2, second, 24)).Error);
        Assert.Contains(new IpPrefix(second, 24), StackStatus().Addresses());
        Assert.Equal(0, AskLater(new RemoveAddressRequest(3, second)).Error);
        Assert.Equal((int)StackError.AddressNotAvailable, AskLater(new RemoveAddressRequest(4, second)).Error);
    }

    private Socket Connect()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(LinkPath));
        socket.Blocking = false;
        Run();
        return socket;
    }

    private Socket Greet()
    {
        var socket = Connect();
        socket.Send(LinkHarness.Hello());
        Run();
        Assert.Equal(LinkHarness.Hello(), socket.ReadAll());
        return socket;
    }

    /// <summary>A request that is answered by way of a task: the answer comes on another thread, soon.</summary>
    private LinkAnswer AskLater(LinkRequest request)
    {
        LinkActor.Tell(new LinkCall(request), Session);
        Run();
        return Session.ExpectMsg<LinkReply>().Answer;
    }
}
