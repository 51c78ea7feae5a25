using Akka.Configuration;

namespace Akka.TestKit.Configs;

/// <summary>Configurations for systems under test.</summary>
public static class TestConfigs
{
    /// <inheritdoc cref="TestKitBase.DefaultConfig"/>
    public static Config DefaultConfig => TestKitBase.DefaultConfig;

    /// <summary>Gives the system a <see cref="TestScheduler"/>.</summary>
    public static Config TestSchedulerConfig { get; } =
        ConfigurationFactory.ParseString("akka.scheduler.implementation = \"Akka.TestKit.TestScheduler, Akka.TestKit\"");
}
