using Tapwire.Stack.Interfaces;
using System.Reflection;
using Akka.Actor;
using Akka.TestKit;
using Tapwire.Actors;
using Tapwire.Actors.Link;
using Tapwire.Actors.Services.Page;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Names.Mdns;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Tapwire.Wires.Capture;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>
/// What becomes of each message that comes to nobody. A new message is in none of the lists here: whoever adds it has to say whether it takes something with it.
/// </summary>
public sealed class DeadLetterReclaimerSpec : ActorSpec
{
    private static readonly SocketId Id = new(3, 7);
    private static readonly IpEndpoint Local = new(IpAddress.Parse("10.0.0.1"), 80);

    /// <summary>The receiver would own what the message names, or the sender waits for an answer. Each goes back to its sender as the other.</summary>
    private static readonly (object Letter, object Answer)[] Answered =
    [
        (new Accepted(Id, Local, Local), new Abort(Id)),
        (new Connecting(Id, Local), new Abort(Id)),
        (new Bound(Id, Local), new Unbind(Id)),
        (new Listening(Id, Local), new Unlisten(Id)),
        (new DatagramOpened(Id, Local), new CloseDatagram(Id)),
        (new Bind(Local, default), new BindFailed(StackError.ConnectionAborted)),
        (new Listen(Local, 1, null, default), new ListenFailed(StackError.ConnectionAborted)),
        (new Connect(Local, null, default), new ConnectFailed(StackError.ConnectionAborted)),
        (new Attach(Id), new Closed(StackError.ConnectionAborted)),
        (new AcceptForwarded(Local, Local, default), new Closed(StackError.ConnectionAborted)),
        (new Close(Id), new Closed(StackError.ConnectionAborted)),
        (new Abort(Id), new Closed(StackError.ConnectionAborted)),
        (new OpenDatagram(Local, new()), new DatagramOpenFailed(StackError.ConnectionAborted)),
        (new ConnectDatagram(Id, Local), new DatagramConnected(StackError.ConnectionAborted, default)),
        (new SetOption(Id, SocketOption.NoDelay, 1), new OptionAnswer(StackError.ConnectionAborted, 0)),
        (new GetOption(Id, SocketOption.NoDelay), new OptionAnswer(StackError.ConnectionAborted, 0)),
        (new ChangeMembership(Id, default!), new OptionAnswer(StackError.ConnectionAborted, 0)),
        (new ChooseGroupInterface(Id, null), new OptionAnswer(StackError.ConnectionAborted, 0)),
        (new FindGroupInterface(default!), new GroupInterfaceFound(StackError.ConnectionAborted, 0)),
        (new GetTcpInfo(Id), new TcpInfoAnswer(null)),
        (new FindPath(Local.Address, default), new PathFound(StackError.ConnectionAborted, 0, 0)),
        (new AddAddress(IpPrefix.Parse("10.0.0.1/24")), new AddressAnswer(StackError.ConnectionAborted)),
        (new RemoveAddress(Local.Address), new AddressAnswer(StackError.ConnectionAborted)),
        (new AddRoute(default, "lab"), new AddressAnswer(StackError.ConnectionAborted)),
        (new RemoveRoute(default, 0, "lab"), new AddressAnswer(StackError.ConnectionAborted)),
        (new ChangeNeighbor("lab", Local.Address, null), new AddressAnswer(StackError.ConnectionAborted)),
        (new FlushNeighbors("lab"), new AddressAnswer(StackError.ConnectionAborted)),
        (new AttachInterface(new InterfaceOptions { Name = "lab" }, [], [], ActorRefs.Nobody), new InterfaceRefused("lab", "The stack has stopped.")),
        (new DetachInterface("lab"), new InterfaceDetached("lab")),
        (new LimitMtu("lab", 1400), new AddressAnswer(StackError.ConnectionAborted)),
        (new OpenDhcp("lab"), new DhcpOpenFailed(StackError.ConnectionAborted)),
        (new OpenDhcp6("lab"), new DhcpOpenFailed(StackError.ConnectionAborted)),
        (new OpenDhcpServer("lab"), new DhcpOpenFailed(StackError.ConnectionAborted)),
        (new DeprecateAddress(Local.Address, true), new AddressAnswer(StackError.ConnectionAborted)),
        (GetInterfaces.Instance, new InterfaceNames(null)),
        (new KillConnection(Local, Local), new ConnectionKilled(false)),
        (new BrowseServices(DnsName.Root, default), ServicesFound.Failed(LookupResult.ServerFailure)),
        (new LinksQuestion(1, 2, DnsName.Root, DnsType.A), new LinksAnswer(1, 2, MulticastAnswer.Failed(LookupResult.ServerFailure))),
        (new LinkLeaves("lab"), LinkLeft.Instance),
        (new Ping(Local.Address, 8, TimeSpan.FromSeconds(1)), new PingAnswer(StackError.ConnectionAborted, Local.Address, TimeSpan.Zero, 0, 8)),
        (new PageRequest("/status.json", "", "", Local, Local), PageActor.Gone),
        (WhenReady.Instance, new DriverFailed("The driver has stopped.")),
    ];

    /// <summary>Those that carry something to be closed; each has a spec below, and so has <see cref="Resolve"/>, whose answer has a list.</summary>
    private static readonly Type[] Closed = [typeof(LinkReply), typeof(JoinSocket), typeof(BecomeListener), typeof(LinkCall), typeof(Resolve), typeof(StartCapture)];

    /// <summary>News and farewells, and questions about a status: nothing is lost with them but themselves.</summary>
    private static readonly Type[] Lost =
    [
        typeof(Accept), typeof(AcceptingStopped), typeof(CaptureAnswer), typeof(CaptureJoined), typeof(CaptureLeft), typeof(JoinCapture), typeof(LeaveCapture), typeof(AddressAnswer), typeof(AdvertisedNames), typeof(AddressHeard), typeof(CloseDhcp), typeof(DhcpOpened), typeof(DhcpOpenFailed), typeof(DhcpReceived), typeof(DhcpWire), typeof(ProbeAddress), typeof(SendDhcp), typeof(CloseDhcp6), typeof(Dhcp6Opened), typeof(Dhcp6Received), typeof(DuplicateHeard), typeof(RouterAdvised), typeof(SendDhcp6), typeof(CloseDhcpServer), typeof(DhcpServerOpened), typeof(DhcpServerReceived), typeof(Dhcp6ServerReceived), typeof(SendDhcpReply), typeof(SendDhcp6Reply), typeof(AssociationOpened), typeof(BindFailed), typeof(CableStatus), typeof(CablePortStatus), typeof(CloseDatagram),
        typeof(Tapwire.Messages.Closed), typeof(ConnectFailed), typeof(Connected), typeof(ConnectionFailed), typeof(ConnectionServed), typeof(DatagramConnected), typeof(DatagramError),
        typeof(DatagramOpenFailed), typeof(DatagramSent), typeof(DatagramsDropped), typeof(DriverFailed), typeof(DriverReady), typeof(ForwardHandshake), typeof(FramesWritten),
        typeof(GetStatus), typeof(GetSockets), typeof(SocketsPage), typeof(ConnectionKilled), typeof(GroupInterfaceFound), typeof(GuestsStatus), typeof(HandshakeDone), typeof(InterfaceAttached), typeof(InterfaceDetached), typeof(InterfaceNames), typeof(InterfaceRefused), typeof(LinkLeft), typeof(LinkReady), typeof(LinksAnswer), typeof(LinkStatus), typeof(ServicesFound), typeof(LinkUp), typeof(OrderAddresses), typeof(PageAnswer), typeof(PublishName), typeof(WatchInterfaces), typeof(ListenFailed), typeof(OpenWire), typeof(OptionAnswer), typeof(PathFound), typeof(PingAnswer), typeof(Poll), typeof(PortOpened), typeof(RereadWire),
        typeof(ProxyOpened), typeof(ProxyStatus), typeof(ReadDone), typeof(ReceiveDatagrams), typeof(RefuseDatagram), typeof(RefuseForwarded), typeof(Resolved), typeof(ServiceOpened), typeof(Shutdown),
        typeof(Siblings), typeof(SocketEnded), typeof(StackStatus), typeof(StopAccepting), typeof(StopDriver), typeof(StopStack), typeof(Stopping), typeof(TakeForwarded), typeof(TapStatus), typeof(TcpInfoAnswer),
        typeof(TookTooLong), typeof(Unbind), typeof(Unlisten), typeof(WireDown), typeof(WireUp), typeof(WriteDone),
    ];

    /// <summary>No messages: what actors are made with.</summary>
    private static readonly Type[] NoMessages = [typeof(SocketContext), typeof(SocketShard), typeof(GatewayRoute), typeof(StackInterfaceStatus), typeof(InterfaceName), typeof(OwnedSocket), typeof(FoundService)];

    private readonly DiagnosingBufferPool _pool = new();
    private readonly ManualReactor _reactor = new();
    private readonly TestProbe _sender;
    private readonly TestProbe _stack;
    private readonly IActorRef _nobody;
    private readonly SocketContext _context;

    public DeadLetterReclaimerSpec()
    {
        Sys.ActorOf(Props.Create(() => new DeadLetterReclaimer()).WithDispatcher(VirtualTime.Dispatcher), "reclaimer");
        _sender = CreateTestProbe();
        _stack = CreateTestProbe();
        _context = new SocketContext(_stack, _reactor, _pool);
        _nobody = Sys.ActorOf(ConnectionActor.Props.WithDispatcher(VirtualTime.Dispatcher));
        Watch(_nobody);
        Sys.Stop(_nobody);
        ExpectTerminated(_nobody);
    }

    /// <summary>Whatever is named beside its message's other fields and has to be closed.</summary>
    public static TheoryData<Type> Messages => [.. typeof(Frame).Assembly.GetExportedTypes().Where(static type => type.IsClass).Except(NoMessages)];

    public static TheoryData<int> Letters => [.. Enumerable.Range(0, Answered.Length)];

    [Theory]
    [MemberData(nameof(Messages))]
    public void It_is_known_of_every_message_what_becomes_of_it(Type message)
    {
        var owns = typeof(IOwnsBuffers).IsAssignableFrom(message);
        var places = (owns ? 1 : 0) + Lost.Count(type => type == message) + Closed.Count(type => type == message)
            + Answered.Count(entry => entry.Letter.GetType() == message);
        Assert.True(places == 1, $"{message.Name} is in {places} of the lists.");
        Assert.True(!Lost.Contains(message) || !CarriesDisposable(message), $"{message.Name} carries something that has to be closed.");
    }

    [Theory]
    [MemberData(nameof(Letters))]
    public void Who_gives_or_asks_has_an_answer(int letter)
    {
        var (message, answer) = Answered[letter];
        _sender.Send(_nobody, message);
        Assert.Equal(answer, _sender.ExpectMsg<object>());
    }

    [Fact]
    public void Buffers_go_back_to_their_pool_and_a_datagram_to_be_sent_is_refused()
    {
        var chain = _pool.Rent(1);
        chain.Next = _pool.Rent(2);
        IOwnsBuffers[] letters =
        [
            Frame.Of(_pool.Rent(1)), new ReadReady(chain, 3, true), new WriteRequest(Id, _pool.Rent(1)), new DatagramReceived(_pool.Rent(1), Local),
            new Crossing(_pool.Rent(1), 0), new ForwardDatagram(_pool.Rent(1), Local, Local), new ReturnDatagram(_pool.Rent(1), Local, Local), new ForwardEcho(new ForwardedEcho(_pool.Rent(1), default)), new AnswerEcho(new ForwardedEcho(_pool.Rent(1), default), StackError.None),
            new FlowDatagram(Local, _pool.Rent(1)), new SendDatagram(Id, _pool.Rent(1), null),
            new CapturedPackets(new CaptureFeed(new CaptureOptions()), _pool.Rent(1)),
        ];
        foreach (var letter in letters)
            _sender.Send(_nobody, letter);
        Assert.Equal(StackError.ConnectionAborted, _sender.ExpectMsg<DatagramSent>().Error);
        Assert.False(_sender.HasMessages);
        Assert.Equal(
            typeof(Frame).Assembly.GetExportedTypes().Where(static type => type.IsClass && typeof(IOwnsBuffers).IsAssignableFrom(type)).ToHashSet(),
            letters.Select(static letter => letter.GetType()).ToHashSet());
    }

    [Fact]
    public void A_name_that_nobody_looks_for_is_not_known()
    {
        _sender.Send(_nobody, new Resolve("host"));
        var resolved = _sender.ExpectMsg<Resolved>();
        Assert.Equal("host", resolved.Name);
        Assert.Empty(resolved.Addresses);
    }

    [Fact]
    public void A_call_has_an_answer_and_the_descriptor_of_an_answer_is_closed()
    {
        _sender.Send(_nobody, new LinkCall(new GetSockNameRequest(5, 1)));
        Assert.Equal((5u, LinkErrno.BadHandle), (_sender.ExpectMsg<LinkReply>().Answer is var answer ? answer.Id : 0, answer.Error));

        using var link = StreamLink.Create(out var application);
        _sender.Send(_nobody, new LinkReply(new SocketRequest(1, SocketFamily.V4, LinkSocketType.Stream, 0).Created(application.Handle), application));
        Assert.Throws<ObjectDisposedException>(() => application.Descriptor);
    }

    [Fact]
    public void The_stream_of_a_capture_and_what_a_call_has_brought_are_closed()
    {
        var stream = new MemoryStream();
        _sender.Send(_nobody, new StartCapture(new CaptureOptions(), stream, "x"));
        Assert.False(stream.CanWrite);
        Assert.NotEqual(0, _sender.ExpectMsg<CaptureAnswer>().Error);
        using var file = File.OpenHandle("/dev/null");
        var passed = new PassedDescriptor(Libc.Duplicate((int)file.DangerousGetHandle()));
        _sender.Send(_nobody, new LinkCall(new CaptureRequest(5, "", null, 0, 96, 0) { Output = passed }));
        Assert.Throws<ObjectDisposedException>(() => passed.Take());
        _sender.ExpectMsg<LinkReply>();
    }

    [Fact]
    public void A_socket_that_nobody_joins_is_closed_on_both_sides()
    {
        var link = StreamLink.Create(out var application);
        using (application)
            _sender.Send(_nobody, new JoinSocket(_context, link, SocketFamily.V4, default, new Accepted(Id, Local, Local)));
        Assert.True(link.IsClosed);
        Assert.Equal(Id, _stack.ExpectMsg<Abort>().Id);
    }

    [Fact]
    public void A_socket_that_nobody_has_listen_is_closed_its_port_is_free_and_its_application_is_told()
    {
        var link = AcceptLink.From(StreamLink.Create(out var application));
        using (application)
            _sender.Send(_nobody, new BecomeListener(_context, link, SocketFamily.V4, Id, default, new ListenRequest(7, 1, 5), _sender.Ref));
        Assert.Equal(Id, _stack.ExpectMsg<Unbind>().Id);
        Assert.Equal((7u, (int)StackError.ConnectionAborted), (_sender.ExpectMsg<LinkReply>().Answer is var answer ? answer.Id : 0, answer.Error));
    }

    protected override void AfterShutdown()
    {
        _pool.AssertAllReturned();
        Assert.Equal(0, _reactor.Count);
    }

    private static bool CarriesDisposable(Type message) => message.GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Any(static property => typeof(IDisposable).IsAssignableFrom(property.PropertyType) || typeof(PacketBuffer).IsAssignableFrom(property.PropertyType));
}
