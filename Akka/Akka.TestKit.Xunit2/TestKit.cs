using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Configuration;
using Akka.Event;
using Akka.TestKit.Xunit2.Internals;
using Xunit.Abstractions;

namespace Akka.TestKit.Xunit2;

/// <summary>The base of xunit tests of actors. Ends the system under test after each test.</summary>
public class TestKit : TestKitBase, IDisposable
{
    /// <summary>Where log events go, too; null for nowhere.</summary>
    protected readonly ITestOutputHelper Output;

    private bool _isDisposed;

    /// <param name="system">The system to test; null creates one with <see cref="DefaultConfig"/>.</param>
    public TestKit(ActorSystem system = null, ITestOutputHelper output = null)
        : base(Assertions, system)
    {
        Output = output;
        InitializeLogger(Sys);
    }

    public TestKit(ActorSystemSetup config, string actorSystemName = null, ITestOutputHelper output = null)
        : base(Assertions, config, actorSystemName)
    {
        Output = output;
        InitializeLogger(Sys);
    }

    public TestKit(Config config, string actorSystemName = null, ITestOutputHelper output = null)
        : base(Assertions, config, actorSystemName)
    {
        Output = output;
        InitializeLogger(Sys);
    }

    /// <param name="config">HOCON.</param>
    public TestKit(string config, ITestOutputHelper output = null)
        : base(Assertions, ConfigurationFactory.ParseString(config))
    {
        Output = output;
        InitializeLogger(Sys);
    }

    /// <inheritdoc cref="TestKitBase.DefaultConfig"/>
    public static new Config DefaultConfig => TestKitBase.DefaultConfig;

    /// <inheritdoc cref="TestKitBase.FullDebugConfig"/>
    public static new Config FullDebugConfig => TestKitBase.FullDebugConfig;

    protected static XunitAssertions Assertions { get; } = new();

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Runs once, after the test; an override calls this one, or <see cref="TestKitBase.Shutdown(TimeSpan?, bool)"/>.</summary>
    protected virtual void AfterAll() => Shutdown();

    protected virtual void Dispose(bool disposing)
    {
        if (_isDisposed || !disposing)
            return;
        _isDisposed = true;
        AfterAll();
    }

    /// <summary>Sends the log events of a system to the test's output.</summary>
    protected void InitializeLogger(ActorSystem system) => StartLogger(system, Output, "log-test");

    /// <inheritdoc cref="InitializeLogger(ActorSystem)"/>
    /// <param name="prefix">Begins each line, to tell systems apart.</param>
    protected void InitializeLogger(ActorSystem system, string prefix) =>
        StartLogger(system, Output is null || string.IsNullOrEmpty(prefix) ? Output : new PrefixedOutput(Output, prefix), $"log-test-{prefix}");

    private static void StartLogger(ActorSystem system, ITestOutputHelper output, string name)
    {
        if (output is null)
            return;
        var logger = ((ExtendedActorSystem)system).SystemActorOf(Props.Create(() => new TestOutputLogger(output)), name);
        logger.Tell(new InitializeLogger(system.EventStream), ActorRefs.NoSender);
    }
}
