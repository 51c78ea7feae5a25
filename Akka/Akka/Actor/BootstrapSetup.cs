using Akka.Configuration;
using Akka.Util;

namespace Akka.Actor;

/// <summary>The configuration of an actor system, in code.</summary>
public sealed class BootstrapSetup : Setup.Setup
{
    private BootstrapSetup(Option<Config> config) => Config = config;

    /// <summary>Without one the application's own configuration file is read.</summary>
    public Option<Config> Config { get; }

    public static BootstrapSetup Create() => new(Option<Config>.None);

    public BootstrapSetup WithConfig(Config config) => new(config);

    /// <summary>Puts a configuration behind the one there is.</summary>
    public BootstrapSetup WithConfigFallback(Config config) => new(Config.HasValue ? Config.Value.SafeWithFallback(config) : config);
}
