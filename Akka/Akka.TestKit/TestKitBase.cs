using System.Diagnostics;
using Akka.Actor;
using Akka.Actor.Internal;
using Akka.Actor.Setup;
using Akka.Configuration;
using Akka.Event;
using Akka.TestKit.Internal;
using Akka.Util;

namespace Akka.TestKit;

/// <summary>
/// An actor system under test, with a test actor whose messages the test expects. A test sends as its test actor unless it is marked
/// with <see cref="INoImplicitSender"/>. The methods without <c>Async</c> block the test's own thread and need no other.
/// </summary>
public abstract partial class TestKitBase : IActorRefFactory
{
    private static int _testActors;

    private readonly ITestKitAssertions _assertions;
    private MessageQueue _queue;
    private MessageEnvelope _lastMessage;
    // When the innermost Within ends, on the clock of Clock; null outside of one.
    private TimeSpan? _end;
    // Having waited for silence to the end of a Within does not fail it.
    private bool _lastWasNoMsg;

    /// <param name="system">The system to test; null creates one with <see cref="DefaultConfig"/>.</param>
    /// <param name="testActorName">Null for a name of its own.</param>
    protected TestKitBase(ITestKitAssertions assertions, ActorSystem system = null, string testActorName = null)
        : this(assertions, system, ActorSystemSetup.Empty.WithSetup(BootstrapSetup.Create().WithConfig(DefaultConfig)), null, testActorName)
    {
    }

    protected TestKitBase(ITestKitAssertions assertions, ActorSystemSetup setup, string actorSystemName = null, string testActorName = null)
        : this(assertions, null, setup, actorSystemName, testActorName)
    {
    }

    /// <param name="config">What the system created is configured with, before <see cref="DefaultConfig"/>.</param>
    protected TestKitBase(ITestKitAssertions assertions, Config config, string actorSystemName = null, string testActorName = null)
        : this(assertions, null, ActorSystemSetup.Empty.WithSetup(BootstrapSetup.Create().WithConfig(config)), actorSystemName, testActorName)
    {
    }

    protected TestKitBase(
        ITestKitAssertions assertions, ActorSystem system, ActorSystemSetup config, string actorSystemName, string testActorName)
    {
        _assertions = assertions ?? throw new ArgumentNullException(nameof(assertions), "The supplied assertions must not be null.");
        InitializeTest(system, config, actorSystemName, testActorName);
    }

    /// <summary>The configuration behind that of every system under test.</summary>
    public static Config DefaultConfig { get; } = ConfigurationFactory.FromResource<TestKitBase>("Akka.TestKit.Internal.Reference.conf");

    /// <summary>A configuration that logs whatever the runtime can log.</summary>
    public static Config FullDebugConfig { get; } = ConfigurationFactory.ParseString("""
        akka {
          loglevel = DEBUG
          stdout-loglevel = DEBUG
          log-dead-letters = true
          log-dead-letters-during-shutdown = true
          actor.debug {
            receive = true
            autoreceive = true
            lifecycle = true
            event-stream = true
            unhandled = true
            fsm = true
            router-misconfiguration = true
          }
        }
        """);

    /// <summary>The time of day in UTC, since the year 1.</summary>
    public static TimeSpan Now => TimeSpan.FromTicks(DateTime.UtcNow.Ticks);

    /// <summary>The system under test.</summary>
    public ActorSystem Sys { get; private set; }

    public TestKitSettings TestKitSettings { get; private set; }

    public ILoggingAdapter Log { get; private set; }

    /// <summary>The actor whose messages the test expects. The messages of <see cref="TestKit.TestActor"/> control it.</summary>
    public IActorRef TestActor { get; private set; }

    /// <summary>Makes filters that expect or mute log events. They need the logger that <see cref="DefaultConfig"/> sets.</summary>
    public EventFilterFactory EventFilter { get; private set; }

    /// <summary>The sender of the message received last. Throws if the last attempt received none.</summary>
    public IActorRef LastSender => _lastMessage.Sender;

    /// <summary>The message received last. Throws if the last attempt received none.</summary>
    public object LastMessage => _lastMessage.Message;

    public bool HasMessages => _queue.Count > 0;

    // Unlike Now this clock is never set.
    private static TimeSpan Clock => Stopwatch.GetElapsedTime(0);

    public EventFilterFactory CreateEventFilter(ActorSystem system) => new(this, system);

    public void IgnoreMessages(Func<object, bool> shouldIgnoreMessage) =>
        TestActor.Tell(new TestActor.SetIgnore(message => shouldIgnoreMessage(message)), TestActor);

    public void IgnoreMessages<TMsg>(Func<TMsg, bool> shouldIgnoreMessage) =>
        IgnoreMessages(message => message is TMsg wanted && shouldIgnoreMessage(wanted));

    public void IgnoreMessages<TMsg>() => IgnoreMessages(message => message is TMsg);

    public void IgnoreNoMessages() => TestActor.Tell(new TestActor.SetIgnore(null), TestActor);

    /// <summary>Makes the test actor receive <see cref="Terminated"/> when the actor has stopped. Answers that actor.</summary>
    public IActorRef Watch(IActorRef actorToWatch)
    {
        TestActor.Tell(new TestActor.Watch(actorToWatch), TestActor);
        return actorToWatch;
    }

    /// <inheritdoc cref="Watch"/>
    public Task<IActorRef> WatchAsync(IActorRef actorToWatch) => Task.FromResult(Watch(actorToWatch));

    public IActorRef Unwatch(IActorRef actorToUnwatch)
    {
        TestActor.Tell(new TestActor.Unwatch(actorToUnwatch), TestActor);
        return actorToUnwatch;
    }

    public Task<IActorRef> UnwatchAsync(IActorRef actorToUnwatch) => Task.FromResult(Unwatch(actorToUnwatch));

    /// <summary>Has the pilot run for each message that the test actor receives.</summary>
    public void SetAutoPilot(AutoPilot pilot) => TestActor.Tell(new TestActor.SetAutoPilot(pilot), TestActor);

    /// <summary>Another test actor, whose messages come to this test, too.</summary>
    public IActorRef CreateTestActor(string name) => CreateTestActor(Sys, name);

    public virtual TestProbe CreateTestProbe(string name = null) => CreateTestProbe(Sys, name);

    public virtual TestProbe CreateTestProbe(ActorSystem system, string name = null) => new(system, _assertions, name);

    public virtual TestLatch CreateTestLatch(int count = 1) => new(Dilated, TestKitSettings.DefaultTimeout, count);

    public TestBarrier CreateTestBarrier(int count) => new(this, count, TestKitSettings.DefaultTimeout);

    /// <summary>Ends the system under test and waits for that.</summary>
    /// <param name="duration">How long to wait; 5 s times the <c>timefactor</c>, but at most 10 s, if it is not given.</param>
    /// <param name="verifySystemShutdown">Whether a <see cref="TimeoutException"/> says that it took longer, instead of a warning in the log.</param>
    public virtual void Shutdown(TimeSpan? duration = null, bool verifySystemShutdown = false) => Shutdown(Sys, duration, verifySystemShutdown);

    /// <inheritdoc cref="Shutdown(TimeSpan?, bool)"/>
    protected virtual void Shutdown(ActorSystem system, TimeSpan? duration = null, bool verifySystemShutdown = false)
    {
        system ??= Sys;
        // The next test on this thread is not to send as an actor of a system that is gone.
        if (InternalCurrentActorCellKeeper.Current?.System == system)
            InternalCurrentActorCellKeeper.Current = null;
        var limit = duration ?? Dilated(TimeSpan.FromSeconds(5)).Min(TimeSpan.FromSeconds(10));
        if (system.Terminate().Wait(limit))
            return;
        const string message = "Failed to stop [{0}] within [{1}]";
        if (verifySystemShutdown)
            throw new TimeoutException(string.Format(null, message, system.Name, limit));
        system.Log.Warning(message, system.Name, limit);
    }

    /// <summary>Begins a test anew, with a new queue and test actor.</summary>
    protected virtual void InitializeTest(ActorSystem system, ActorSystemSetup config, string actorSystemName, string testActorName)
    {
        system ??= ActorSystem.Create(actorSystemName ?? "test", WithDefaults(config));
        Sys = system;
        system.RegisterExtension(new TestKitExtension());
        system.RegisterExtension(new TestKitAssertionsExtension(_assertions));
        TestKitSettings = TestKitExtension.For(system);
        Log = Logging.GetLogger(system, GetType());
        EventFilter = new EventFilterFactory(this);

        _queue = new MessageQueue();
        _lastMessage = NullMessageEnvelope.Instance;
        _end = null;
        _lastWasNoMsg = false;
        TestActor = CreateTestActor(
            system, string.IsNullOrEmpty(testActorName) ? $"testActor{Interlocked.Increment(ref _testActors)}" : testActorName);
        BecomeImplicitSender();
    }

    protected void InitializeTest(ActorSystem system, Config config, string actorSystemName, string testActorName) =>
        InitializeTest(system, ActorSystemSetup.Create(BootstrapSetup.Create().WithConfig(config)), actorSystemName, testActorName);

    private static ActorSystemSetup WithDefaults(ActorSystemSetup setup)
    {
        var bootstrap = setup.Get<BootstrapSetup>();
        var config = bootstrap.FlatSelect(b => b.Config).GetOrElse(Config.Empty);
        return setup.WithSetup(BootstrapSetup.Create().WithConfig(
            ReferenceEquals(config, DefaultConfig) ? config : config.WithFallback(DefaultConfig)));
    }

    private IActorRef CreateTestActor(ActorSystem system, string name)
    {
        var queue = _queue;
        return ((ExtendedActorSystem)system).SystemActorOf(
            Props.CreateBy(new TestActorProducer(queue)).WithDispatcher("akka.test.test-actor.dispatcher"), name);
    }

    private void BecomeImplicitSender()
    {
        // A probe is made inside of a test, whose sender remains.
        if (this is not INoImplicitSender)
            InternalCurrentActorCellKeeper.Current = (ActorCell)((ActorRefWithCell)TestActor).Underlying;
        else if (this is not TestProbe)
            InternalCurrentActorCellKeeper.Current = null;
        SynchronizationContext.SetSynchronizationContext(new ActorCellKeepingSynchronizationContext(InternalCurrentActorCellKeeper.Current));
    }

    private void ConditionalLog(string format, params object[] args)
    {
        if (TestKitSettings.LogTestKitCalls)
            Log.Debug(format, args);
    }

    private sealed class TestActorProducer(MessageQueue queue) : IIndirectActorProducer
    {
        public Type ActorType => typeof(InternalTestActor);

        public ActorBase Produce() => new InternalTestActor(queue);

        public void Release(ActorBase actor)
        {
        }
    }
}
