using Akka.Actor;
using Akka.Configuration;

namespace Akka.TestKit;

/// <summary>What is set under <c>akka.test</c>.</summary>
public class TestKitSettings : IExtension
{
    /// <exception cref="ConfigurationException">The configuration is empty, or <c>timefactor</c> is not positive.</exception>
    public TestKitSettings(Config config)
    {
        if (config.IsNullOrEmpty())
            throw ConfigurationException.NullOrEmptyConfig<TestKitSettings>();
        DefaultTimeout = config.GetTimeSpan("akka.test.default-timeout", null, allowInfinite: false);
        SingleExpectDefault = config.GetTimeSpan("akka.test.single-expect-default", null, allowInfinite: false);
        TestEventFilterLeeway = config.GetTimeSpan("akka.test.filter-leeway", null, allowInfinite: false);
        TestTimeFactor = config.GetDouble("akka.test.timefactor");
        LogTestKitCalls = config.GetBoolean("akka.test.testkit.debug");
        if (!(TestTimeFactor > 0))
            throw new ConfigurationException($"Expected a positive value for \"akka.test.timefactor\" but found {TestTimeFactor}");
    }

    /// <summary><c>default-timeout</c>, for latches and barriers.</summary>
    public TimeSpan DefaultTimeout { get; }

    /// <summary><c>single-expect-default</c>, for an expectation outside of <c>Within</c>.</summary>
    public TimeSpan SingleExpectDefault { get; }

    /// <summary><c>filter-leeway</c>, for an event filter after the code in it has run.</summary>
    public TimeSpan TestEventFilterLeeway { get; }


    /// <summary><c>timefactor</c>, by which the time-outs are multiplied.</summary>
    public double TestTimeFactor { get; }

    /// <summary><c>testkit.debug</c></summary>
    public bool LogTestKitCalls { get; }
}

/// <summary>Keeps the <see cref="TestKitSettings"/> of an actor system.</summary>
public class TestKitExtension : ExtensionIdProvider<TestKitSettings>
{
    public override TestKitSettings CreateExtension(ExtendedActorSystem system)
    {
        system.Settings.InjectTopLevelFallback(TestKitBase.DefaultConfig);
        return new TestKitSettings(system.Settings.Config);
    }

    public static TestKitSettings For(ActorSystem system) => system.GetExtension<TestKitSettings>();
}

/// <summary>The assertions that an actor system is tested with.</summary>
public class TestKitAssertionsProvider(ITestKitAssertions assertions) : IExtension
{
    public ITestKitAssertions Assertions => assertions;
}

public class TestKitAssertionsExtension(ITestKitAssertions assertions) : ExtensionIdProvider<TestKitAssertionsProvider>
{
    public override TestKitAssertionsProvider CreateExtension(ExtendedActorSystem system) => new(assertions);

    public static TestKitAssertionsProvider For(ActorSystem system) => system.GetExtension<TestKitAssertionsProvider>();
}
