using Akka.Actor;
using Akka.TestKit;
using Tapwire.Actors;
using Tapwire.Actors.Link;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>
/// What an application's idle connection costs beside the engine's part, which has a spec of its own: its actor with all that the runtime keeps of it, its end of the pair, its
/// registration. Allocations are exact numbers, and nothing else runs meanwhile, so these specs do not depend on the machine's load.
/// </summary>
[Collection(AloneCollection.Name)]
public sealed class IdleConnectionCostSpec : ActorSpec
{
    /// <summary>Connections made before anything is counted, so that tables have grown, and grow no more for those that are.</summary>
    private const int Before = 1040;
    private const int Counted = 400;
    private const int Counts = 3;

    private static readonly IpEndpoint Local = new(IpAddress.Parse("10.0.0.1"), 4000);
    private static readonly IpEndpoint Remote = new(IpAddress.Parse("10.0.0.2"), 80);

    private readonly DiagnosingBufferPool _pool = new();
    private readonly ManualReactor _reactor = new();
    private readonly SocketContext _context;
    private readonly IActorRef _link;
    private readonly List<ApplicationEnd> _applications = new(Before + (Counts * Counted));
    private readonly List<IActorRef> _actors = new(Before + (Counts * Counted));

    public IdleConnectionCostSpec()
    {
        _context = new SocketContext(ActorRefs.Nobody, _reactor, _pool);
        _link = Sys.ActorOf(Props.Create(() => new Parent(_actors)).WithDispatcher(VirtualTime.Dispatcher));
        for (var i = 0; i < Before; i++)
            Open();
    }

    /// <summary>The engine's part, some 690 bytes, is not among them, and neither are the test's own lists.</summary>
    [Fact]
    public void An_application_s_connection_keeps_less_than_1400_bytes()
    {
        // The runtime gives back memory of its own at times, which would count against the connections: so the middle of several counts is taken.
        var costs = new List<long>();
        for (var count = 0; count < Counts; count++)
        {
            var before = LiveBytes();
            for (var i = 0; i < Counted; i++)
                Open();
            costs.Add((LiveBytes() - before) / Counted);
        }

        Assert.InRange(costs.Order().ElementAt(Counts / 2), 500, 1400);
    }

    /// <summary>Most of it is what Akka.NET looks up for each actor that is made (its dispatcher, its mailbox, what they require), and its parent's tree of children.</summary>
    [Fact]
    public void Making_one_uses_less_than_5200_bytes()
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < Counted; i++)
            Open();
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / Counted, 500, 5200);
    }

    [Fact]
    public void Reports_and_room_for_a_connection_that_has_nothing_to_send_cost_no_memory()
    {
        var room = new WriteDone(1);
        var report = LinkReady.Of(Readiness.Readable);
        Assert.Equal(0, Allocated.Least(() =>
        {
            TellAll(room);
            TellAll(report);
        }));
    }

    protected override void AfterShutdown()
    {
        _applications.ForEach(static application => application.Dispose());
        _pool.AssertAllReturned();
        Assert.Equal(0, _reactor.Count);
    }

    /// <summary>Without what earlier specs have left to be finalized.</summary>
    private static long LiveBytes()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        return GC.GetTotalMemory(forceFullCollection: true);
    }

    private void Open()
    {
        var link = StreamLink.Create(out var application);
        var id = new SocketId(_actors.Count, 0);
        _link.Tell(new JoinSocket(_context, link, SocketFamily.V4, default, new Accepted(id, Local, Remote)), ActorRefs.NoSender);
        _actors[^1].Tell(new Connected(id, Local, Remote, 1000), ActorRefs.NoSender);
        _applications.Add(application);
    }

    private void TellAll(object message)
    {
        foreach (var actor in _actors)
            actor.Tell(message, ActorRefs.NoSender);
    }

    /// <summary>Has a child for each connection, as the link's actor does.</summary>
    private sealed class Parent : ReceiveActor
    {
        private readonly Props _connection = ConnectionActor.Props.WithDispatcher(VirtualTime.Dispatcher);

        public Parent(List<IActorRef> made) => Receive<JoinSocket>(join =>
        {
            made.Add(Context.ActorOf(_connection));
            made[^1].Tell(join);
        });
    }
}
