using Akka.Actor;
using Akka.TestKit;
using Tapwire.Actors;
using Tapwire.Actors.Services;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Actors.Support;
using Tapwire.Posix;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>
/// Actors that fail, each by a fault of what it works with: what it owned is given back, whoever waits is told, the others live on, and the driver stops in order
/// afterwards. (Tap: TapActorSpecs. Stack: EngineFaultSpec. Connection: ConnectionFaultSpecs. Port of a cable: CableActorSpecs.)
/// </summary>
public sealed class SupervisionSpecs() : DriverSetup("serve = [\"echo:7\"]")
{
    [Fact]
    public void A_stream_socket_that_cannot_be_watched_is_reset_and_the_next_one_works()
    {
        var registered = Reactor.Count;
        using (var app = FailsToBegin(() => Open(), inPreStart: false))
        {
            app.Read();
            Assert.True(app.SawReset || app.SawEndOfFile);
            Assert.Equal(LinkErrno.BadHandle, Ask(new GetSockNameRequest(1, app.Handle)).Error);
        }

        Assert.Equal(registered, Reactor.Count);
        using var next = Open();
        Assert.Equal(0, Ask(new GetSockNameRequest(1, next.Handle)).Error);
    }

    [Fact]
    public void A_datagram_socket_that_cannot_be_watched_is_closed_and_the_next_one_works()
    {
        using (var app = FailsToBegin(() => Open(LinkSocketType.Datagram)))
        {
            Assert.Null(app.ReadMessage());
            Assert.True(app.SawEndOfFile);
            Assert.Equal(LinkErrno.BadHandle, Ask(new GetSockNameRequest(1, app.Handle)).Error);
        }

        using var next = Open(LinkSocketType.Datagram);
        Assert.Equal(0, Ask(new GetSockNameRequest(1, next.Handle)).Error);
    }

    [Fact]
    public void A_listener_that_cannot_be_watched_refuses_its_application_and_leaves_the_port_free()
    {
        using var app = Open();
        var local = Sockaddr.From(new IpEndpoint(Address, 80));
        Assert.Equal(0, Ask(new BindRequest(2, app.Handle, local)).Error);
        Assert.Equal((int)StackError.ConnectionAborted, FailsToBegin(() => Ask(new ListenRequest(3, app.Handle, 5))).Error);
        app.Read();
        Assert.True(app.SawEndOfFile || app.SawReset);
        using var next = OpenListening(80);
        Peer.Connect(80);
        Run();
        using var accepted = next.Accept(out _);
        Assert.NotNull(accepted);
    }

    [Fact]
    public void A_session_that_cannot_be_watched_is_closed_and_the_link_serves_on()
    {
        var reply = FailsToBegin(() => AskReply(new SessionRequest(1)));
        using var app = new App(this, 0, reply.Descriptor!.Take());
        app.Read();
        Assert.True(app.SawEndOfFile);
        using var next = Open();
    }

    [Fact]
    public void A_session_that_fails_on_an_answer_is_closed_and_the_others_serve_on()
    {
        var first = AskReply(new SessionRequest(1)).Descriptor!;
        var session = Assert.Single(Children("link"));
        var second = AskReply(new SessionRequest(2)).Descriptor!;
        using var app = new App(this, 0, first.Take());
        using var other = new App(this, 0, second.Take());
        StreamLink.Create(out var end).Dispose();
        end.Dispose();
        EventFilter.Exception<ObjectDisposedException>().ExpectOne(() =>
            session.Tell(new LinkReply(new SocketRequest(1, SocketFamily.V4, LinkSocketType.Stream, 0).Created(1), end)));
        Run();
        app.Read();
        Assert.True(app.SawEndOfFile);
        other.Read();
        Assert.False(other.SawEndOfFile);
    }

    [Fact]
    public void A_services_connection_that_fails_is_reset_and_the_service_goes_on()
    {
        var first = Connected();
        var actor = Assert.Single(Children("echo-7"));
        var second = Connected();
        var dead = Pool.Rent(10);
        dead.Append(10);
        dead.Release();
        EventFilter.Exception<InvalidOperationException>().ExpectOne(() => actor.Tell(new ReadReady(dead, 10, false)));
        RunUntil(() => Peer.Ended.Contains(first));
        Assert.Equal(StackError.ConnectionReset, first.Error);
        Peer.Send(second, "still here"u8);
        RunUntil(() => Peer.ReceivedCount(second) == 10);
        var third = Connected();
        Peer.Send(third, "x"u8);
        RunUntil(() => Peer.ReceivedCount(third) == 1);
    }

    [Fact]
    public void A_link_that_cannot_begin_fails_the_driver_which_says_so_and_stops_in_order()
    {
        var path = LinkPath + "2";
        var wire = new MemoryWire("other");
        var listener = LinkListener.Listen(path);
        Reactor.FailsNext = true;
        using var muted = EventFilter.Error(start: "The driver stops").Mute();
        IActorRef driver = ActorRefs.Nobody;
        EventFilter.Exception<ActorInitializationException>().ExpectOne(() => driver = StartDriver("failing", Settings with { Serve = [] }, wire, listener));
        Watch(driver);
        driver.Tell(WhenReady.Instance, Session);
        Assert.Contains("link", Session.ExpectMsg<DriverFailed>().Reason, StringComparison.Ordinal);
        ExpectTerminated(driver);
        Assert.True(wire.Disposed);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void A_service_whose_actors_cannot_be_made_resets_its_connections_one_by_one()
    {
        var stack = CreateTestProbe("services-stack");
        var local = new IpEndpoint(Address, 9);
        var listener = Sys.ActorOf(ServiceListenerActor.Props(stack, "unmakeable", local, 5, Props.Create(() => new Unmakeable()).WithDispatcher(VirtualTime.Dispatcher))
            .WithDispatcher(VirtualTime.Dispatcher));
        stack.ExpectMsg<Listen>();
        stack.Send(listener, new Listening(new SocketId(1, 1), local));
        stack.ExpectMsg<Accept>();
        for (uint i = 0; i < 3; i++)
        {
            var id = new SocketId(2, i);
            EventFilter.Exception<ActorInitializationException>().ExpectOne(() => stack.Send(listener, new Accepted(id, local, local)));
            Assert.Equal(id, stack.ExpectMsg<Abort>().Id);
        }
    }

    /// <summary>What is done makes an actor that cannot watch its descriptor.</summary>
    private T FailsToBegin<T>(Func<T> act, bool inPreStart = true)
    {
        T result = default!;
        Reactor.FailsNext = true;
        var fault = inPreStart ? EventFilter.Exception<ActorInitializationException>() : EventFilter.Exception<PosixException>();
        fault.ExpectOne(() => result = act());
        Assert.False(Reactor.FailsNext);
        Run();
        return result;
    }

    private TcpSocket Connected()
    {
        var socket = Peer.Connect(7);
        RunUntil(() => socket.State == TcpState.Established);
        return socket;
    }

    private HashSet<IActorRef> Children(string of)
    {
        var asker = CreateTestProbe();
        Sys.ActorSelection($"/user/driver/{of}/*").Tell(new Identify(0), asker.Ref);
        var actors = new HashSet<IActorRef>();
        while (asker.HasMessages)
            actors.Add(asker.ExpectMsg<ActorIdentity>().Subject);
        return actors;
    }

    private sealed class Unmakeable : ReceiveActor
    {
        public Unmakeable() => throw new FormatException("A fault on purpose.");
    }
}
