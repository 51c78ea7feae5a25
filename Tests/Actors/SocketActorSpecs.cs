using Akka.Actor;
using Akka.TestKit;
using Tapwire.Actors;
using Tapwire.Actors.Link;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Tapwire.Posix;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>Actors of single sockets while the stack, a probe, has not answered yet: nothing that comes meanwhile is lost or answered out of order.</summary>
public sealed class SocketActorSpecs : ActorSpec
{
    private static readonly IpEndpoint Local = new(IpAddress.Parse("10.0.0.1"), 4000);
    private static readonly IpEndpoint Remote = new(IpAddress.Parse("10.0.0.2"), 80);
    private static readonly SocketId Id = new(1, 0);

    private readonly DiagnosingBufferPool _pool = new();
    private readonly ManualReactor _reactor = new();
    private readonly TestProbe _stack;
    private readonly TestProbe _session;
    private readonly SocketContext _context;
    private ApplicationEnd? _application;

    private static ConnectRequest AwaitHandshake { get; } = new(2, 1, Sockaddr.None, 0, NoWait: false, AwaitHandshake: true);

    public SocketActorSpecs()
    {
        _stack = CreateTestProbe("stack");
        _session = CreateTestProbe("session");
        _context = new SocketContext(_stack.Ref, _reactor, _pool);
    }

    [Fact]
    public void Requests_that_come_while_binding_wait_and_are_answered_in_their_order()
    {
        var actor = Connection();
        Ask(actor, new BindRequest(1, 1, Sockaddr.From(Local)));
        Ask(actor, new GetSockNameRequest(2, 1));
        Ask(actor, new BindRequest(3, 1, Sockaddr.From(Local)));
        Ask(actor, new ConnectRequest(4, 1, Sockaddr.From(Remote), 0, false));
        _stack.ExpectMsg<Bind>();
        Assert.False(_session.HasMessages);
        Assert.False(_stack.HasMessages);

        _stack.Send(actor, new Bound(Id, Local));
        Assert.Equal((1u, 0), Answered(out var bound));
        Assert.Equal(Local, bound.Address.Endpoint);
        Assert.Equal((2u, 0), Answered(out var named));
        Assert.Equal(Local, named.Address.Endpoint);
        Assert.Equal((3u, (int)StackError.InvalidArgument), Answered(out _));
        Assert.Equal(Id, _stack.ExpectMsg<Connect>().Binding);
    }

    /// <summary>As in Linux: with a cookie a connect that does not wait has succeeded, and the data goes with the SYN.</summary>
    [Fact]
    public void A_connect_that_fast_open_has_a_cookie_for_is_done_at_once()
    {
        var actor = Connection();
        Ask(actor, new ConnectRequest(1, 1, Sockaddr.From(Remote), 0, NoWait: true));
        _stack.ExpectMsg<Connect>();
        _stack.Send(actor, new Connecting(Id, Local, IsEarly: true));
        Assert.False(_session.HasMessages);
        _stack.Send(actor, new Connected(Id, Local, Remote, 1000, IsEarly: true));
        Assert.Equal((1u, 0), Answered(out _));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Who_waits_for_the_handshake_of_an_early_connection_learns_what_has_come_of_it(bool asksFirst)
    {
        var actor = Early();
        if (asksFirst)
        {
            Ask(actor, AwaitHandshake);
            Assert.False(_session.HasMessages);
        }

        _stack.Send(actor, new HandshakeDone(Id));
        if (!asksFirst)
            Ask(actor, AwaitHandshake);
        Assert.Equal((2u, (int)StackError.AlreadyConnected), Answered(out _));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Who_waits_for_the_handshake_of_an_early_connection_that_is_refused_takes_the_error(bool asksFirst)
    {
        var actor = Early();
        if (asksFirst)
            Ask(actor, AwaitHandshake);
        _stack.Send(actor, new Closed(StackError.ConnectionRefused));
        if (!asksFirst)
            Ask(actor, AwaitHandshake);
        Assert.Equal((2u, (int)StackError.ConnectionRefused), Answered(out _));
        Ask(actor, new GetOptionRequest(3, 1, LinkOption.SolSocket, LinkOption.SoError, 4));
        Assert.Equal((3u, 0), Answered(out var error));
        Assert.Equal(new byte[4], error.Body.ToArray());
    }

    [Fact]
    public void Nobody_waits_for_the_handshake_of_a_socket_that_is_not_connecting()
    {
        var actor = Connection();
        Ask(actor, AwaitHandshake);
        Assert.Equal((2u, (int)StackError.NotConnected), Answered(out _));
    }

    [Fact]
    public void A_bind_that_fails_leaves_a_socket_that_can_be_bound_again()
    {
        var actor = Connection();
        Ask(actor, new BindRequest(1, 1, Sockaddr.From(Local)));
        _stack.ExpectMsg<Bind>();
        _stack.Send(actor, new BindFailed(StackError.AddressInUse));
        Assert.Equal((1u, (int)StackError.AddressInUse), Answered(out _));
        Ask(actor, new BindRequest(2, 1, Sockaddr.From(Local)));
        _stack.ExpectMsg<Bind>();
    }

    [Fact]
    public void What_comes_before_an_accepted_connection_is_attached_waits_for_it()
    {
        var actor = Connection(new Accepted(Id, Local, Remote));
        Assert.Equal(Id, _stack.ExpectMsg<Attach>().Id);
        Ask(actor, new GetPeerNameRequest(1, 1));
        Assert.False(_session.HasMessages);
        _stack.Send(actor, new Connected(Id, Local, Remote, 1000));
        Assert.Equal((1u, 0), Answered(out var named));
        Assert.Equal(Remote, named.Address.Endpoint);
    }

    [Fact]
    public void The_application_is_read_no_further_than_the_stack_has_room()
    {
        var actor = Connection(new Accepted(Id, Local, Remote));
        _stack.ExpectMsg<Attach>();
        using var app = new Application(_application!);
        app.Write(new byte[5000]);
        _stack.Send(actor, new Connected(Id, Local, Remote, 1000));
        _reactor.Look();
        Assert.Equal(1000, BytesGivenToStack());
        _reactor.Look();
        Assert.Equal(0, BytesGivenToStack());
        _stack.Send(actor, new WriteDone(300));
        Assert.Equal(300, BytesGivenToStack());
        _stack.Send(actor, new WriteDone(100_000));
        Assert.Equal(3700, BytesGivenToStack());
    }

    [Fact]
    public void Options_asked_of_a_connection_that_ends_meanwhile_are_answered_all_the_same()
    {
        var actor = Connection(new Accepted(Id, Local, Remote));
        _stack.ExpectMsg<Attach>();
        _stack.Send(actor, new Connected(Id, Local, Remote, 1000));
        Ask(actor, new GetOptionRequest(1, 1, 6, 1, 4));
        Ask(actor, new SetOptionRequest(2, 1, 6, 1, BitConverter.GetBytes(1)));
        _stack.ExpectMsg<GetOption>();
        _stack.ExpectMsg<SetOption>();
        _stack.Send(actor, new Closed(StackError.None));
        Assert.Equal((1u, 0), Answered(out var before));
        Assert.Equal(new byte[4], before.Body.ToArray());
        Assert.Equal((2u, 0), Answered(out _));
        Ask(actor, new GetOptionRequest(3, 1, 6, 1, 4));
        Assert.Equal((3u, 0), Answered(out var after));
        Assert.Equal(1, BitConverter.ToInt32(after.Body.Span));
    }

    [Fact]
    public void An_actor_that_is_stopped_resets_its_connection_and_its_application()
    {
        var actor = Connection(new Accepted(Id, Local, Remote));
        _stack.ExpectMsg<Attach>();
        _stack.Send(actor, new Connected(Id, Local, Remote, 1000));
        using var app = new Application(_application!);
        var chain = _pool.Rent(10);
        chain.Append(10);
        _stack.Send(actor, new ReadReady(chain, 10, false));
        Assert.Equal(10, _stack.ExpectMsg<ReadDone>().Bytes);
        actor.Tell(PoisonPill.Instance);
        Assert.Equal(Id, _stack.ExpectMsg<Abort>().Id);
        Assert.Equal(10, app.Read());
        Assert.Equal(-1, app.Read());
    }

    [Fact]
    public void A_connection_that_no_actor_takes_any_more_is_reset_on_both_sides()
    {
        Sys.ActorOf(Props.Create(() => new DeadLetterReclaimer()).WithDispatcher(VirtualTime.Dispatcher));
        var actor = Sys.ActorOf(ConnectionActor.Props.WithDispatcher(VirtualTime.Dispatcher));
        Watch(actor);
        Sys.Stop(actor);
        ExpectTerminated(actor);
        var link = StreamLink.Create(out _application);
        actor.Tell(new JoinSocket(_context, link, SocketFamily.V4, default, new Accepted(Id, Local, Remote)), ActorRefs.NoSender);
        Assert.Equal(Id, _stack.ExpectMsg<Abort>().Id);
        using var app = new Application(_application);
        Assert.Equal(-1, app.Read());
        Assert.True(link.IsClosed);
    }

    [Fact]
    public void What_comes_while_a_listener_opens_waits_for_it()
    {
        var actor = Listener();
        _stack.ExpectMsg<Listen>();
        Ask(actor, new GetSockNameRequest(8, 1));
        Assert.False(_session.HasMessages);
        _stack.Send(actor, new Listening(Id, Local));
        Assert.Equal((7u, 0), Answered(out _));
        Assert.Equal((8u, 0), Answered(out var named));
        Assert.Equal(Local, named.Address.Endpoint);
        Assert.Equal(1, _stack.ExpectMsg<Accept>().Count);
    }

    [Fact]
    public void A_listener_that_its_application_closes_while_it_opens_is_given_back()
    {
        var actor = Listener();
        _stack.ExpectMsg<Listen>();
        _application!.Dispose();
        _reactor.Look(); // the one report that a reactor makes of it
        Watch(actor);
        _stack.Send(actor, new Listening(Id, Local));
        ExpectTerminated(actor);
        _stack.ExpectMsg<Accept>();
        Assert.Equal(Id, _stack.ExpectMsg<Unlisten>().Id);
    }

    [Fact]
    public void A_datagram_request_that_is_under_way_when_the_socket_ends_is_answered()
    {
        var link = DatagramLink.Create(out _application);
        var actor = Sys.ActorOf(DatagramActor.Props(_context, link, SocketFamily.V4).WithDispatcher(VirtualTime.Dispatcher));
        Ask(actor, new BindRequest(1, 1, Sockaddr.From(Local)));
        _stack.ExpectMsg<OpenDatagram>();
        Ask(actor, new GetSockNameRequest(2, 1));
        _stack.Send(actor, new DatagramOpened(Id, Local));
        Assert.Equal((1u, 0), Answered(out _));
        Assert.Equal((2u, 0), Answered(out _));
        Ask(actor, new ConnectRequest(3, 1, Sockaddr.From(Remote), 0, false));
        Assert.False(_session.HasMessages);
        _stack.Send(actor, new Closed(StackError.AddressNotAvailable));
        Assert.Equal((3u, (int)StackError.ConnectionAborted), Answered(out _));
    }

    protected override void AfterShutdown()
    {
        _application?.Dispose();
        _pool.AssertAllReturned();
        Assert.Equal(0, _reactor.Count);
    }

    /// <summary>A connection that may be written to and whose handshake is not done.</summary>
    private IActorRef Early()
    {
        var actor = Connection();
        Ask(actor, new ConnectRequest(1, 1, Sockaddr.From(Remote), 0, NoWait: false));
        _stack.ExpectMsg<Connect>();
        _stack.Send(actor, new Connecting(Id, Local, IsEarly: true));
        _stack.Send(actor, new Connected(Id, Local, Remote, 1000, IsEarly: true));
        Assert.Equal((1u, 0), Answered(out _));
        return actor;
    }

    private IActorRef Connection(Accepted? accepted = null)
    {
        var link = StreamLink.Create(out _application);
        var made = new List<IActorRef>();
        var parent = Sys.ActorOf(Props.Create(() => new Parent(made)).WithDispatcher(VirtualTime.Dispatcher));
        parent.Tell(new JoinSocket(_context, link, SocketFamily.V4, default, accepted));
        return made[0];
    }

    private IActorRef Listener()
    {
        var link = StreamLink.Create(out _application);
        var listen = new BecomeListener(_context, AcceptLink.From(link), SocketFamily.V4, null, default, new ListenRequest(7, 1, 5), _session.Ref);
        return Sys.ActorOf(LinkListenerActor.Props(listen, _reactor).WithDispatcher(VirtualTime.Dispatcher));
    }

    private void Ask(IActorRef actor, LinkRequest request) => _session.Send(actor, new LinkCall(request));

    private (uint Id, int Error) Answered(out LinkAnswer answer)
    {
        answer = _session.ExpectMsg<LinkReply>().Answer;
        return (answer.Id, answer.Error);
    }

    /// <summary>Bytes that the actor has told the stack to send since the last call.</summary>
    private int BytesGivenToStack()
    {
        var bytes = 0;
        while (_stack.HasMessages)
        {
            var write = _stack.ExpectMsg<WriteRequest>();
            bytes += write.Data.Length;
            write.Release();
        }

        return bytes;
    }

    /// <summary>Answers from what remains of its socket, as the link's actor does.</summary>
    private sealed class Parent : ReceiveActor
    {
        private IEndedSocket? _ended;

        public Parent(List<IActorRef> made)
        {
            Receive<JoinSocket>(join =>
            {
                made.Add(Context.ActorOf(ConnectionActor.Props.WithDispatcher(VirtualTime.Dispatcher)));
                made[^1].Tell(join);
            });
            Receive<SocketEnded>(ended => _ended ??= ended.Remains);
            Receive<LinkCall>(call => Sender.Tell(new LinkReply(_ended!.Answer((LinkSocketRequest)call.Request))));
        }
    }

    /// <summary>The application's descriptor.</summary>
    private sealed unsafe class Application(ApplicationEnd end) : IDisposable
    {
        private readonly int _descriptor = end.Take();

        public void Write(byte[] bytes)
        {
            fixed (byte* start = bytes)
                Assert.Equal(bytes.Length, (int)Libc.send(_descriptor, start, (nuint)bytes.Length, Libc.MSG_DONTWAIT));
        }

        public int Read()
        {
            var buffer = stackalloc byte[64];
            return (int)Libc.recv(_descriptor, buffer, 64, Libc.MSG_DONTWAIT);
        }

        public void Dispose() => Libc.Close(_descriptor);
    }
}
