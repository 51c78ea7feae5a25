using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>A stack's actor that gets no memory: it says so once a second, loses what it was at, and goes on.</summary>
public sealed class StackOutOfMemorySpec : StackSetup
{
    private const int Frames = 30;

    private readonly DiagnosingBufferPool _pool;

    public StackOutOfMemorySpec()
        : this(new DiagnosingBufferPool())
    {
    }

    private StackOutOfMemorySpec(DiagnosingBufferPool pool)
        : base(pool) => _pool = pool;

    [Fact]
    public void Frames_without_memory_are_dropped_with_one_line_a_second_and_the_next_one_with_memory_is_answered()
    {
        Start();
        var outside = new BufferPool();
        _pool.IsExhausted = true;
        EventFilter.Warning(start: "Out of memory: ").ExpectOne(() => EventFilter.Exception<OutOfMemoryException>().Expect(0, () =>
        {
            for (var i = 0; i < Frames; i++)
                Stack.Tell(Frame.Of(InPieces(outside)));
        }));
        EventFilter.Warning(contains: $"{Frames - 1} more before").ExpectOne(() =>
        {
            Advance(TimeSpan.FromSeconds(1));
            Stack.Tell(Frame.Of(InPieces(outside)));
        });
        Assert.Equal(Frames + 1, Counter("EngineFaults"));

        _pool.IsExhausted = false;
        Stack.Tell(Arriving(Question));
        Assert.Single(Emitted());
    }

    /// <summary>The engine copies such a frame into one, for which it rents.</summary>
    private static PacketBuffer InPieces(BufferPool pool)
    {
        var pieces = pool.Rent(14);
        Question.AsSpan(0, 14).CopyTo(pieces.Append(14));
        var rest = pool.RentCopy(Question.AsSpan(14));
        pieces.AddFragment(rest, 0, rest.Length);
        rest.Release();
        return pieces;
    }
}

/// <summary>Actors of a driver that get no memory.</summary>
public sealed class OutOfMemorySpecs : DriverSetup
{
    [Fact]
    public void A_connection_that_gets_no_memory_is_reset_on_both_sides_with_one_line_and_the_others_go_on()
    {
        var listener = Peer.Listen(80);
        using var other = OpenConnected(80);
        var toOther = listener.Accept()!;
        var apps = new List<(App App, TcpSocket Socket)>();
        for (var i = 0; i < 5; i++)
            apps.Add((OpenConnected(80), listener.Accept()!));
        Pool.IsExhausted = true;
        EventFilter.Warning(contains: "has stopped, and what it served is reset").ExpectOne(() => EventFilter.Exception<OutOfMemoryException>().Expect(0, () =>
        {
            foreach (var (app, _) in apps)
                app.Write("x"u8);
            Run();
        }));
        Pool.IsExhausted = false;
        Run();
        foreach (var (app, socket) in apps)
        {
            // There was no memory for a reset, either: it answers what comes next.
            if (!Peer.Ended.Contains(socket))
                Peer.Send(socket, "y"u8);
            RunUntil(() => Peer.Ended.Contains(socket));
            Assert.Equal(StackError.ConnectionReset, socket.Error);
            app.Read();
            Assert.True(app.SawReset);
            app.Dispose();
        }

        Peer.Send(toOther, "still here"u8);
        Run();
        Assert.Equal("still here"u8.ToArray(), other.Read());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_actor_that_gets_no_memory_stops_or_loses_its_message_as_after_any_fault_and_it_is_one_line_a_second(bool stops)
    {
        var parent = Sys.ActorOf(Props.Create(() => new Parent(stops)).WithDispatcher(VirtualTime.Dispatcher));
        var asker = CreateTestProbe();
        var words = stops ? "has stopped" : "has lost a message";
        EventFilter.Warning(contains: words).ExpectOne(() => EventFilter.Exception<OutOfMemoryException>().Expect(0, () =>
        {
            for (var i = 0; i < 10; i++)
                parent.Tell("fail", asker);
        }));
        parent.Tell("live", asker);
        Assert.Equal(stops ? 0 : 10, asker.ExpectMsg<int>());
    }

    /// <summary>Makes a child for each "fail", and says how many there are left.</summary>
    private sealed class Parent : UntypedActor
    {
        private readonly bool _stops;

        public Parent(bool stops) => _stops = stops;

        protected override SupervisorStrategy SupervisorStrategy() => _stops ? Supervision.Stop : Supervision.LoseMessage;

        protected override void OnReceive(object message)
        {
            if (message is "fail")
                Context.ActorOf(Props.Create(() => new Child()).WithDispatcher(VirtualTime.Dispatcher)).Tell(message);
            else
                Sender.Tell(Context.GetChildren().Count());
        }
    }

    private sealed class Child : UntypedActor
    {
        protected override void OnReceive(object message) => throw new OutOfMemoryException("A refusal on purpose.");
    }
}
