using Akka.Actor.Setup;
using Akka.Configuration;
using Akka.Event;

namespace Akka.Actor;

/// <summary>The settings of an actor system, read from its configuration with the reference configuration behind it.</summary>
public class Settings
{
    private readonly Config _userConfig;
    private Config _fallbackConfig;

    public Settings(ActorSystem system, Config config) : this(system, config, ActorSystemSetup.Empty) { }

    /// <exception cref="ConfigurationException">A value is not one.</exception>
    public Settings(ActorSystem system, Config config, ActorSystemSetup setup)
    {
        System = system;
        Setup = setup;
        _userConfig = config;
        _fallbackConfig = ConfigurationFactory.Default();
        Config = config.IsNullOrEmpty() ? _fallbackConfig : config.WithFallback(_fallbackConfig);

        ProviderClass = Config.GetString("akka.actor.provider");
        SupervisorStrategyClass = Config.GetString("akka.actor.guardian-supervisor-strategy");
        AskTimeout = Config.GetTimeSpan("akka.actor.ask-timeout", Timeout.InfiniteTimeSpan);
        EmitActorTelemetry = Config.GetBoolean("akka.actor.telemetry.enabled");

        LogLevel = Config.GetString("akka.loglevel");
        StdoutLogLevel = Config.GetString("akka.stdout-loglevel");
        Loggers = Config.GetStringList("akka.loggers");
        LoggersDispatcher = Config.GetString("akka.loggers-dispatcher");
        LoggerStartTimeout = Config.GetTimeSpan("akka.logger-startup-timeout");
        LoggerAsyncStart = Config.GetBoolean("akka.logger-async-start");
        LogFormatter = Logging.CreateFormatter(Config.GetString("akka.logger-formatter"));
        StdoutLogger = CreateStdoutLogger(Config.GetString("akka.stdout-logger-class"));

        LogConfigOnStart = Config.GetBoolean("akka.log-config-on-start");
        LogDeadLetters = Config.GetString("akka.log-dead-letters") switch
        {
            "on" or "true" or "yes" => int.MaxValue,
            "off" or "false" or "no" => 0,
            _ => Config.GetInt("akka.log-dead-letters"),
        };
        LogDeadLettersDuringShutdown = Config.GetBoolean("akka.log-dead-letters-during-shutdown");
        LogDeadLettersSuspendDuration = Config.GetTimeSpan("akka.log-dead-letters-suspend-duration", Timeout.InfiniteTimeSpan);

        AddLoggingReceive = Config.GetBoolean("akka.actor.debug.receive");
        DebugAutoReceive = Config.GetBoolean("akka.actor.debug.autoreceive");
        DebugLifecycle = Config.GetBoolean("akka.actor.debug.lifecycle");
        DebugEventStream = Config.GetBoolean("akka.actor.debug.event-stream");
        DebugUnhandledMessage = Config.GetBoolean("akka.actor.debug.unhandled");

        SchedulerClass = Config.GetString("akka.scheduler.implementation");
        SchedulerShutdownTimeout = Config.GetTimeSpan("akka.scheduler.shutdown-timeout");
        CoordinatedShutdownTerminateActorSystem = Config.GetBoolean("akka.coordinated-shutdown.terminate-actor-system");
        CoordinatedShutdownRunByActorSystemTerminate = Config.GetBoolean("akka.coordinated-shutdown.run-by-actor-system-terminate");
        if (CoordinatedShutdownRunByActorSystemTerminate && !CoordinatedShutdownTerminateActorSystem)
        {
            throw new ConfigurationException(
                "akka.coordinated-shutdown.run-by-actor-system-terminate=on and akka.coordinated-shutdown.terminate-actor-system=off is not a supported configuration combination.");
        }
    }

    public ActorSystem System { get; }

    public Config Config { get; private set; }

    public ActorSystemSetup Setup { get; }

    public string ProviderClass { get; }

    public string SupervisorStrategyClass { get; }

    /// <summary>How long an <c>Ask</c> without a time-out waits.</summary>
    public TimeSpan AskTimeout { get; }

    public bool EmitActorTelemetry { get; }

    public string LogLevel { get; }

    public string StdoutLogLevel { get; }

    public IList<string> Loggers { get; }

    public string LoggersDispatcher { get; }

    public TimeSpan LoggerStartTimeout { get; }

    public bool LoggerAsyncStart { get; }

    public MinimalLogger StdoutLogger { get; }

    public bool LogConfigOnStart { get; }

    /// <summary>How many dead letters are logged; <see cref="int.MaxValue"/> for all, 0 for none.</summary>
    public int LogDeadLetters { get; }

    public bool LogDeadLettersDuringShutdown { get; }

    public TimeSpan LogDeadLettersSuspendDuration { get; }

    public bool AddLoggingReceive { get; }

    public bool DebugAutoReceive { get; }

    public bool DebugLifecycle { get; }

    public bool DebugEventStream { get; }

    public bool DebugUnhandledMessage { get; }

    public string SchedulerClass { get; }

    public TimeSpan SchedulerShutdownTimeout { get; }

    public bool CoordinatedShutdownTerminateActorSystem { get; }

    public bool CoordinatedShutdownRunByActorSystemTerminate { get; }

    /// <summary>The formatter of loggers that are made without one.</summary>
    internal ILogMessageFormatter LogFormatter { get; }

    /// <summary>Puts defaults behind the user's configuration and before the reference configuration; extensions bring theirs so.</summary>
    public void InjectTopLevelFallback(Config config)
    {
        _fallbackConfig = config.WithFallback(_fallbackConfig);
        Config = _userConfig.IsNullOrEmpty() ? _fallbackConfig : _userConfig.WithFallback(_fallbackConfig);
    }

    public override string ToString() => Config.ToString(includeFallback: true);

    private static MinimalLogger CreateStdoutLogger(string typeName)
    {
        var type = Util.TypeNames.Find(typeName)
            ?? throw new ConfigurationException($"akka.stdout-logger-class: there is no type [{typeName}]");
        if (!typeof(MinimalLogger).IsAssignableFrom(type))
            throw new ConfigurationException($"akka.stdout-logger-class: [{typeName}] is no {nameof(MinimalLogger)}");
        return (MinimalLogger)Activator.CreateInstance(type);
    }
}
