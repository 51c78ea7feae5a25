using Akka.Actor;
using Akka.TestKit;
using Akka.TestKit.Xunit2;
using Tapwire.Actors;
using Tapwire.Actors.Link;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Actors.Support;

/// <summary>
/// A whole driver in virtual time on the test's own thread: wire, engine and actors run when the test says so, applications are real descriptors. The host at the
/// other end of the wire is a bare engine.
/// </summary>
public abstract class DriverSetup : TestKit
{
    public static readonly IpAddress Address = IpAddress.Parse("10.99.0.2");

    private static readonly string TestConfig = """
        akka.scheduler.implementation = "Akka.TestKit.TestScheduler, Akka.TestKit"
        akka.loglevel = DEBUG
        akka.loggers = ["Akka.TestKit.TestEventListener, Akka.TestKit"]
        """;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-spec-");

    protected DriverSetup()
        : this("")
    {
    }

    /// <param name="settings">HOCON below tapwire that differs from akka.hocon.</param>
    protected DriverSetup(string settings)
        : base(TestConfig)
    {
        var source = new SettingsSource("akka.hocon", File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "akka.hocon")));
        var own = new SettingsSource("spec", settings.Length == 0 ? "tapwire {}" : $"tapwire {{\n{settings}\n}}");
        var read = DriverSettings.Read(own.Parse().WithFallback(source.Parse()), own, source);
        Settings = read with { Addresses = [new IpPrefix(Address, 24)], HardwareAddress = Tapwire.Stack.Link.MacAddress.Parse("02:00:00:00:00:02") };
        var clock = new VirtualClock(Scheduler);
        Peer = new Peer(Wire, Pool, () => new Instant(clock.GetTimestamp()));
        var listener = LinkListener.Listen(Path.Combine(_directory.FullName, "link.sock"));
        Driver = Sys.ActorOf(DriverActor.Props(new DriverContext(Settings, Wire, ReopenWire, listener, Reactor, Pool, clock, Peer.Secret(2),
            CallingThreadDispatcher.Id)).WithDispatcher(CallingThreadDispatcher.Id), "driver");
        Session = CreateTestProbe("session");
        Run();
    }

    internal MemoryWire Wire { get; } = new();

    internal ManualReactor Reactor { get; } = new();

    internal DiagnosingBufferPool Pool { get; } = new();

    internal Peer Peer { get; }

    internal Queue<MemoryWire> NextWires { get; } = new();

    protected TestScheduler Scheduler => (TestScheduler)Sys.Scheduler;

    protected DriverSettings Settings { get; }

    protected IActorRef Driver { get; }

    /// <summary>Plays the control connection of an application.</summary>
    protected TestProbe Session { get; }

    protected IActorRef LinkActor => Child("link");

    protected IActorRef StackActor => Child("stack");

    protected IActorRef TapActor => Child("tap");

    /// <summary>Lets everything that can happen now happen: descriptors, mailboxes, frames in both directions.</summary>
    protected void Run()
    {
        do
        {
            Reactor.Look();
        }
        while (Peer.Exchange());
        Reactor.Look();
        Peer.Exchange();
    }

    /// <summary>Moves virtual time in small steps, so that both ends see their timers in order.</summary>
    protected void Advance(TimeSpan time, TimeSpan? step = null)
    {
        var size = step ?? TimeSpan.FromMilliseconds(10);
        for (var left = time; left > TimeSpan.Zero; left -= size)
        {
            Scheduler.Advance(left < size ? left : size);
            Run();
        }
    }

    /// <summary>Runs, moving time where nothing else moves, until the condition holds.</summary>
    protected void RunUntil(Func<bool> condition, TimeSpan? within = null)
    {
        var end = Peer.Now + (within ?? TimeSpan.FromMinutes(5));
        Run();
        while (!condition())
        {
            Assert.True(Peer.Now < end, "The condition has not come to hold in the virtual time allowed.");
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

    internal App Open(LinkSocketType type = LinkSocketType.Stream)
    {
        var reply = AskReply(new SocketRequest(1, LinkFamily.V4, type, 0));
        Assert.Equal(0, reply.Answer.Error);
        return new App(this, reply.Descriptor!);
    }

    /// <summary>An application that is connected to a port of the peer.</summary>
    internal App OpenConnected(ushort port)
    {
        var app = Open();
        Assert.Equal(0, Ask(new ConnectRequest(2, app.Handle, LinkAddress.From(new IpEndpoint(Support.Peer.Address, port)), 0, false)).Error);
        return app;
    }

    internal void RunFor(App _) => Run();

    protected override void AfterAll()
    {
        base.AfterAll();
        _directory.Delete(recursive: true);
    }

    /// <summary>Ends the driver as an operator does, and then holds it to account: no buffer, descriptor or file is left.</summary>
    protected void StopDriver()
    {
        Watch(Driver);
        Driver.Tell(Tapwire.Actors.StopDriver.Instance);
        Advance(Settings.ShutdownTimeout + TimeSpan.FromMilliseconds(20));
        ExpectTerminated(Driver);
    }

    private IActorRef Child(string name) => Sys.ActorSelection($"/user/driver/{name}").ResolveOne(TimeSpan.FromSeconds(3)).GetAwaiter().GetResult();

    private Tapwire.Wires.IWire ReopenWire() => NextWires.TryDequeue(out var wire) ? wire : throw new Tapwire.Wires.WireException("memory: no such device.");
}
