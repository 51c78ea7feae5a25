using System.Text;
using Akka.Actor;
using Akka.TestKit;
using Tapwire.Actors;
using Tapwire.Actors.Services;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Tapwire.Tests.Wires.Offload;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>The actors of a service have one connection after the other; the stack is a probe.</summary>
public sealed class ServiceReuseSpec : ActorSpec
{
    private const int Chunk = 65536;

    private static readonly IpEndpoint Local = new(IpAddress.Parse("10.0.0.1"), 7);
    private static readonly IpEndpoint Remote = new(IpAddress.Parse("10.0.0.2"), 1000);

    private readonly DiagnosingBufferPool _pool = new();
    private readonly TestProbe _stack;
    private int _connections;

    public ServiceReuseSpec() => _stack = CreateTestProbe("stack");

    [Fact]
    public void An_actor_whose_connection_has_ended_has_the_next_one_and_those_at_a_time_have_one_each()
    {
        var listener = Serve(EchoActor.Props(_stack));
        var first = Accept(listener);
        var second = Accept(listener);
        Assert.NotEqual(first, second);
        End(second);
        Assert.Equal(second, Accept(listener));
        End(first);
        End(second);
        for (var i = 0; i < 10; i++)
        {
            var actor = Accept(listener);
            Assert.Contains(actor, new[] { first, second });
            End(actor);
        }
    }

    [Fact]
    public void The_next_connection_sees_nothing_of_the_one_before()
    {
        var listener = Serve(EchoActor.Props(_stack));
        var actor = Accept(listener, room: 0);
        actor.Tell(Arrived("abc", endOfStream: true));
        End(actor, StackError.ConnectionReset);
        Assert.Equal(0, _pool.Rented);

        Assert.Equal(actor, Accept(listener));
        Assert.False(_stack.HasMessages);
        actor.Tell(Arrived("d", endOfStream: false));
        Assert.Equal("d"u8.ToArray(), Sent());
        Assert.Equal(1, _stack.ExpectMsg<ReadDone>().Bytes);
        Assert.False(_stack.HasMessages);
    }

    [Fact]
    public void The_source_begins_anew()
    {
        var listener = Serve(SourceActor.Props(_stack, _pool));
        var actor = Accept(listener, room: Chunk);
        var beginning = Sent();
        actor.Tell(new WriteDone(Chunk));
        Assert.NotEqual(beginning, Sent());
        actor.Tell(new ReadReady(null, 0, EndOfStream: true));
        _stack.ExpectMsg<Close>();
        End(actor);
        Assert.Equal(actor, Accept(listener, room: Chunk));
        Assert.Equal(beginning, Sent());
    }

    [Fact]
    public void An_actor_to_which_something_of_its_connection_may_still_come_is_stopped()
    {
        var listener = Serve(HttpActor.Props(_stack, _pool, new HttpService(Akka.Actor.ActorRefs.Nobody)));
        var actor = Watch(Accept(listener));
        actor.Tell(Arrived("GET / HTTP/1.1\r\n\r\n", endOfStream: false));
        _stack.ExpectMsg<ReadDone>();
        _stack.ExpectMsg<GetStatus>();
        End(actor, StackError.ConnectionReset);
        ExpectTerminated(actor);
        Assert.NotEqual(actor, Accept(listener));
        Assert.Equal(0, _pool.Rented);
    }

    [Fact]
    public void A_request_that_its_connection_has_cut_off_is_not_part_of_the_next_ones()
    {
        var listener = Serve(HttpActor.Props(_stack, _pool, new HttpService(Akka.Actor.ActorRefs.Nobody)));
        var actor = Accept(listener);
        actor.Tell(Arrived("GET /half", endOfStream: false));
        _stack.ExpectMsg<ReadDone>();
        End(actor, StackError.ConnectionReset);
        Assert.Equal(0, _pool.Rented);
        Assert.Equal(actor, Accept(listener));
        actor.Tell(Arrived(" HTTP/1.1\r\n\r\n", endOfStream: false));
        _stack.ExpectMsg<ReadDone>();
        Assert.StartsWith("HTTP/1.1 400 ", Encoding.ASCII.GetString(Sent()), StringComparison.Ordinal);
    }

    [Fact]
    public void When_the_driver_stops_actors_without_a_connection_do_too()
    {
        var listener = Serve(EchoActor.Props(_stack));
        var actor = Watch(Accept(listener));
        End(actor);
        Watch(listener);
        listener.Tell(Stopping.Instance);
        ExpectTerminated(actor);
        ExpectTerminated(listener);
        _stack.ExpectMsg<Unlisten>();
    }

    private IActorRef Serve(Props connection)
    {
        var listener = Sys.ActorOf(ServiceListenerActor.Props(_stack, "service", Local, 16, connection.WithDispatcher(VirtualTime.Dispatcher))
            .WithDispatcher(VirtualTime.Dispatcher));
        _stack.ExpectMsg<Listen>();
        _stack.Send(listener, new Listening(new SocketId(0, 0), Local));
        _stack.ExpectMsg<Accept>();
        return listener;
    }

    /// <summary>A connection comes, and its actor attaches to it.</summary>
    private IActorRef Accept(IActorRef listener, int room = 1 << 20)
    {
        var id = new SocketId(++_connections, 0);
        _stack.Send(listener, new Accepted(id, Local, Remote));
        Assert.Equal(id, _stack.ExpectMsg<Attach>().Id);
        var actor = _stack.LastSender;
        _stack.Send(actor, new Connected(id, Local, Remote, room));
        return actor;
    }

    private void End(IActorRef actor, StackError reason = StackError.None) => _stack.Send(actor, new Closed(reason));

    private ReadReady Arrived(string text, bool endOfStream)
    {
        var buffer = _pool.RentCopy(Encoding.ASCII.GetBytes(text));
        return new ReadReady(buffer, buffer.Length, endOfStream);
    }

    /// <summary>What the actor has sent with its next message.</summary>
    private byte[] Sent()
    {
        var data = _stack.ExpectMsg<WriteRequest>().Data;
        var bytes = SegmentFrame.BytesOf(data);
        data.Release();
        return bytes;
    }
}
