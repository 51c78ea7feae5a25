using Tapwire.Stack.Interfaces;
using Akka.Actor;
using Akka.TestKit;
using Tapwire.Actors;
using Tapwire.Actors.Link;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Actors.Support;

/// <summary>
/// A whole driver in virtual time on the test's own thread: wire, engine and actors run when the test says so, applications are real descriptors. The host at the
/// other end of the wire is a bare engine.
/// </summary>
public abstract class DriverSetup : ActorSpec
{
    public static readonly IpAddress Address = IpAddress.Parse("10.99.0.2");

    private static readonly TimeSpan RealPatience = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-spec-");
    private readonly VirtualClock _clock;
    private bool _stopped;

    protected DriverSetup()
        : this("")
    {
    }

    /// <param name="settings">HOCON below tapwire that differs from akka.hocon.</param>
    protected DriverSetup(string settings)
    {
        var read = HostConfiguration.Combine(SettingsSource.Parse("spec", $"tapwire {{\n{settings}\n}}"), HostConfiguration.Defaults).Settings;
        Settings = read with { Addresses = [new IpPrefix(Address, 24)], HardwareAddress = MacAddress.Parse("02:00:00:00:00:02") };
        var clock = new VirtualClock(Scheduler);
        Peer = new Peer(Wire, new BufferPool(), () => new Instant(clock.GetTimestamp()));
        LinkPath = Path.Combine(_directory.FullName, "link.sock");
        var listener = LinkListener.Listen(LinkPath);
        _clock = clock;
        Driver = StartDriver("driver", Settings, Wire, listener);
        Session = CreateTestProbe("session");
        Run();
    }

    internal MemoryWire Wire { get; } = new();

    protected string LinkPath { get; }

    internal ManualReactor Reactor { get; } = new();

    internal DiagnosingBufferPool Pool { get; } = new();

    internal Peer Peer { get; }

    internal Queue<MemoryWire> NextWires { get; } = new();

    protected DriverSettings Settings { get; }

    /// <summary>What a stop takes at most: the driver's patience, the time for its last words, and some for the steps in which a spec moves time.</summary>
    protected TimeSpan LongestStop => Settings.ShutdownTimeout + Tapwire.Actors.StackActor.LastWords + TimeSpan.FromMilliseconds(20);

    protected IActorRef Driver { get; private set; }

    /// <summary>Plays the control connection of an application.</summary>
    protected TestProbe Session { get; }

    protected IActorRef LinkActor => Child("link");

    protected IActorRef StackActor => Child("stack");

    protected IActorRef TapActor => Child("tap");

    /// <summary>Starts a driver; the harness has one already.</summary>
    internal IActorRef StartDriver(string name, DriverSettings settings, MemoryWire wire, LinkListener? listener) =>
        Sys.ActorOf(DriverActor.Props(Adapted(new DriverContext(settings, [new DriverShard([new DriverWire(wire, ReopenWire)], Reactor, VirtualTime.Dispatcher)], listener, Pool, _clock,
            Peer.Secret(2)))).WithDispatcher(VirtualTime.Dispatcher), name);

    /// <summary>What a spec's driver has that others have not. Called by the constructor.</summary>
    protected virtual DriverContext Adapted(DriverContext context) => context;

    /// <summary>Stops the driver and starts another one on the same link, with a wire of its own.</summary>
    internal void StartAgain()
    {
        StopDriver();
        Peer.Wire = new MemoryWire("second");
        Driver = StartDriver("again", Settings, Peer.Wire, LinkListener.Listen(LinkPath));
        _stopped = false;
        Run();
    }

    /// <summary>Lets everything that can happen now happen: descriptors, mailboxes, frames in both directions.</summary>
    internal override void Run()
    {
        var rounds = 0;
        do
        {
            Assert.True(++rounds < 100_000, "Driver and peer never come to rest.");
            Reactor.Look();
        }
        while (Peer.Exchange());
        Reactor.Look();
        Peer.Exchange();
    }

    /// <summary>Runs, moving time where nothing else moves, until the condition holds.</summary>
    internal void RunUntil(Func<bool> condition, TimeSpan? within = null)
    {
        var end = Peer.Now + (within ?? TimeSpan.FromMinutes(5));
        // An Ask's answer and a file's content come by the thread pool, which knows no virtual time: on a busy machine all of that passes before they are here.
        long overtime = 0;
        var spinner = new SpinWait();
        Run();
        while (!condition())
        {
            if (Peer.Now >= end)
            {
                if (overtime == 0)
                    overtime = Environment.TickCount64;
                Assert.True(Environment.TickCount64 - overtime < RealPatience.TotalMilliseconds, "The condition has not come to hold in the virtual time allowed.");
                spinner.SpinOnce();
            }

            Advance(TimeSpan.FromMilliseconds(10));
        }
    }

    internal LinkAnswer Ask(LinkRequest request) => AskReply(request).Answer;

    internal LinkReply AskReply(LinkRequest request)
    {
        LinkActor.Tell(new LinkCall(request), Session);
        LinkReply? reply = null;
        RunUntil(() => Session.HasMessages);
        reply = Session.ExpectMsg<LinkReply>();
        Assert.Equal(request.Id, reply.Answer.Id);
        return reply;
    }

    internal App Open(LinkSocketType type = LinkSocketType.Stream, SocketFamily family = SocketFamily.V4)
    {
        var reply = AskReply(new SocketRequest(1, family, type, 0));
        Assert.Equal(0, reply.Answer.Error);
        return new App(this, reply.Descriptor!);
    }

    /// <summary>An application that is connected to a port of the peer.</summary>
    internal App OpenConnected(ushort port)
    {
        var app = Open();
        Assert.Equal(0, Ask(new ConnectRequest(2, app.Handle, Sockaddr.From(new IpEndpoint(Support.Peer.Address, port)), 0, false)).Error);
        return app;
    }

    /// <summary>An application that listens on a port of the driver's address.</summary>
    internal App OpenListening(ushort port, int backlog = 16)
    {
        var app = Open();
        Assert.Equal(0, Ask(new BindRequest(2, app.Handle, Sockaddr.From(new IpEndpoint(Address, port)))).Error);
        Assert.Equal(0, Ask(new ListenRequest(3, app.Handle, backlog)).Error);
        return app;
    }

    /// <summary>The value of a socket option that is an int.</summary>
    internal int OptionOf(App app, int level, int name)
    {
        var answer = Ask(new GetOptionRequest(9, app.Handle, level, name, 4));
        Assert.Equal(0, answer.Error);
        return BitConverter.ToInt32(answer.Body.Span);
    }

    /// <summary>The stack's own report.</summary>
    protected Tapwire.Messages.StackStatus StackStatus() => StatusOf(StackActor);

    internal void RunFor(App _) => Run();

    /// <summary>Every spec ends with the driver's orderly stop, and nothing is left: no buffer, no watched descriptor, no file.</summary>
    protected override void AfterAll()
    {
        try
        {
            StopDriver();
            Pool.AssertAllReturned();
            Assert.Equal(0, Reactor.Count);
            Assert.False(File.Exists(LinkPath), "The link's socket file is still there.");
        }
        finally
        {
            base.AfterAll();
            _directory.Delete(recursive: true);
        }
    }

    /// <summary>Ends the driver as an operator does, within its patience. A second call does nothing.</summary>
    protected void StopDriver()
    {
        if (_stopped)
            return;
        _stopped = true;
        var watcher = CreateTestProbe();
        watcher.Watch(Driver);
        Driver.Tell(Tapwire.Messages.StopDriver.Instance);
        Run();
        var end = Peer.Now + LongestStop;
        while (!watcher.HasMessages && Peer.Now < end)
            Advance(TimeSpan.FromMilliseconds(10));
        watcher.ExpectTerminated(Driver);
    }

    private IActorRef Child(string name) => Sys.ActorSelection(Driver.Path / name).ResolveOne(TimeSpan.FromSeconds(3)).GetAwaiter().GetResult();

    private Tapwire.Wires.IWire ReopenWire() => NextWires.TryDequeue(out var wire) ? wire : throw new Tapwire.Wires.WireException("memory: no such device.");
}
