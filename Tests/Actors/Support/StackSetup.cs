using Tapwire.Stack.Interfaces;
using Akka.Actor;
using Akka.TestKit;
using Tapwire.Actors;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Actors.Support;

/// <summary>A stack actor alone, in virtual time: the tap is a probe, and so are the owners of sockets.</summary>
public abstract class StackSetup : ActorSpec
{
    /// <param name="pool">The engine's; null takes one that finds leaks.</param>
    protected StackSetup(BufferPool? pool = null)
    {
        Pool = pool ?? new DiagnosingBufferPool();
        Clock = new CountingClock(Scheduler);
        Tap = CreateTestProbe("tap");
        Owner = CreateTestProbe("owner");
        Engine = new NetworkStack(StackHarness.Ethernet(), Pool, Peer.Secret(3));
        Assert.Equal(StackError.None, Engine.AddAddress(IpPrefix.Parse("10.0.0.1/24"), Instant.Zero));
        Sys.ActorOf(Props.Create(() => new DeadLetterReclaimer()).WithDispatcher(VirtualTime.Dispatcher), "reclaimer");
    }

    internal BufferPool Pool { get; }

    internal CountingClock Clock { get; }

    internal NetworkStack Engine { get; }

    protected TestProbe Tap { get; }

    protected TestProbe Owner { get; }

    protected IActorRef Stack { get; private set; } = ActorRefs.Nobody;

    /// <summary>An ARP request of the peer, which a stack answers.</summary>
    protected static byte[] Question { get; } = Build.Arp(
        new ArpPacket(ArpOperation.Request, StackHarness.PeerMac, StackHarness.PeerIp, default, StackHarness.OwnIp), MacAddress.Broadcast);

    /// <summary>Starts the actor, and lets the announcements of its address pass.</summary>
    protected void Start(int queueFrames = 64, long queueBytes = 1 << 20, int framesPerPoll = 64, int egressCredit = 64, TimeSpan? maximumTick = null)
    {
        Stack = Sys.ActorOf(Props.Create(() => new StackActor(new StackContext(Engine, new[] { new WireTap(Tap.Ref, false) }, Pool, Clock, queueFrames, queueBytes, framesPerPoll,
            egressCredit, maximumTick ?? Timeout.InfiniteTimeSpan))).WithDispatcher(VirtualTime.Dispatcher), "stack");
        Tap.ExpectMsg<OpenWire>();
        Stack.Tell(new WireUp(0, "probe", null, 1500));
        for (var second = 0; second < 5; second++)
        {
            Advance(TimeSpan.FromSeconds(1));
            while (Emitted().Count is > 0 and var count)
                Stack.Tell(new FramesWritten(0, count));
        }

        Clock.Looks = 0;
    }

    internal Frame Arriving(ReadOnlySpan<byte> bytes, BufferPool? pool = null)
    {
        var buffer = (pool ?? Pool).Rent(bytes.Length);
        bytes.CopyTo(buffer.Append(bytes.Length));
        return Frame.Of(buffer);
    }

    /// <summary>Frames that arrive while the stack actor is busy: all are in its mailbox before it sees the first.</summary>
    protected void Burst(IEnumerable<byte[]> frames)
    {
        var arriving = frames.Select(bytes => Arriving(bytes)).ToList();
        var burst = Sys.ActorOf(Props.Create(() => new Burster(Stack, arriving)).WithDispatcher(VirtualTime.Dispatcher));
        Stack.Tell(GetStatus.Instance, burst);
    }

    /// <summary>What the actor has given to the tap since the last call.</summary>
    protected List<byte[]> Emitted()
    {
        var frames = new List<byte[]>();
        while (Tap.HasMessages)
        {
            if (Tap.ReceiveOne(TimeSpan.Zero) is not Frame frame)
                continue;
            var bytes = new byte[frame.Buffer.TotalLength];
            frame.Buffer.CopyTo(bytes);
            frame.Release();
            frames.Add(bytes);
        }

        return frames;
    }

    protected StackStatus Status() => StatusOf(Stack);

    protected long Counter(string name) => Status().Counters.GetValueOrDefault(name);

    protected override void AfterAll()
    {
        try
        {
            Stack.Tell(PoisonPill.Instance);
            Emitted();
            while (Owner.HasMessages)
                (Owner.ReceiveOne(TimeSpan.Zero) as IOwnsBuffers)?.Release();
            (Pool as DiagnosingBufferPool)?.AssertAllReturned();
        }
        finally
        {
            base.AfterAll();
        }
    }

    /// <summary>Answers the stack's status with frames: the stack is still handling the request when they come.</summary>
    private sealed class Burster : ReceiveActor
    {
        public Burster(IActorRef stack, List<Frame> frames) => Receive<StackStatus>(_ => frames.ForEach(frame => stack.Tell(frame)));
    }
}
