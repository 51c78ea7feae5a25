using System.Globalization;
using Akka.Actor;
using Akka.Actor.Internal;
using Akka.Configuration;

namespace Akka.Event;

/// <summary>An event bus by type that carries log events to the loggers.</summary>
public class LoggingBus : ActorEventBus<object, Type>
{
    private static readonly LogLevel[] AllLogLevels = Enum.GetValues<LogLevel>();
    private static int s_loggerId;

    private readonly List<IActorRef> _loggers = [];

    /// <summary>What is below is not logged.</summary>
    public LogLevel LogLevel { get; private set; }

    protected override bool IsSubClassification(Type parent, Type child) => parent.IsAssignableFrom(child);

    /// <summary>The sender is the actor whose turn it is, if any: so a logger knows who logs.</summary>
    protected override void Publish(object @event, IActorRef subscriber) => subscriber.Tell(@event);

    protected override bool Classify(object @event, Type classifier) => classifier.IsAssignableFrom(GetClassifier(@event));

    protected override Type GetClassifier(object @event) => @event.GetType();

    /// <summary>Prints log events of <c>akka.stdout-loglevel</c> and above until the loggers have started.</summary>
    public void StartStdoutLogger(Settings config)
    {
        SetUpStdoutLogger(config);
        Publish(new Debug(SimpleName(this), GetType(), "StandardOutLogger started"));
    }

    public void SetLogLevel(LogLevel logLevel)
    {
        LogLevel = logLevel;
        foreach (var logger in _loggers)
        {
            SubscribeLogLevelAndAbove(logLevel, logger);
            foreach (var level in AllLogLevels.Where(l => l < logLevel))
                Unsubscribe(logger, level.ClassFor());
        }
    }

    /// <summary>Starts the loggers that the configuration names.</summary>
    /// <exception cref="ConfigurationException">One of them does not exist or does not start.</exception>
    internal void StartDefaultLoggers(ActorSystemImpl system)
    {
        var logName = SimpleName(this) + "(" + system.Name + ")";
        var settings = system.Settings;
        var logLevel = Logging.LogLevelFor(settings.LogLevel);
        var keepStdoutLogger = false;
        foreach (var name in settings.Loggers)
        {
            var type = Util.TypeNames.Find(name) ?? throw new ConfigurationException($"Logger specified in config cannot be found: \"{name}\"");
            if (type == typeof(StandardOutLogger))
                keepStdoutLogger = true;
            else if (settings.LoggerAsyncStart)
                _ = StartLater(system, type, logLevel, logName);
            else
                StartNow(system, type, logLevel, logName);
        }

        LogLevel = logLevel;
        if (settings.DebugUnhandledMessage)
            Subscribe(system.SystemActorOf(Props.Create<UnhandledMessageForwarder>(), "UnhandledMessageForwarder"), typeof(UnhandledMessage));
        if (!keepStdoutLogger)
        {
            Publish(new Debug(logName, GetType(), "StandardOutLogger being removed"));
            Unsubscribe(settings.StdoutLogger);
        }

        Publish(new Debug(logName, GetType(), "Default Loggers started"));
    }

    /// <summary>Stops the loggers; the standard output serves for what is logged after.</summary>
    internal void StopDefaultLoggers(ActorSystem system)
    {
        SetUpStdoutLogger(system.Settings);
        Publish(new Debug(SimpleName(this), GetType(), "Shutting down: StandardOutLogger started"));
        foreach (var logger in _loggers)
        {
            Unsubscribe(logger);
            ((IInternalActorRef)logger).Stop();
        }

        Publish(new Debug(SimpleName(this), GetType(), "All default loggers stopped"));
    }

    private async Task StartLater(ActorSystemImpl system, Type type, LogLevel logLevel, string logName)
    {
        try
        {
            await AddLogger(system, type, logLevel, logName).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            Console.WriteLine($"Logger [{type}] specified in config cannot be loaded: {e}");
        }
    }

    private void StartNow(ActorSystemImpl system, Type type, LogLevel logLevel, string logName)
    {
        try
        {
            AddLogger(system, type, logLevel, logName).GetAwaiter().GetResult();
        }
        catch (Exception e)
        {
            throw new ConfigurationException($"Logger [{type}] specified in config cannot be loaded: {e}", e);
        }
    }

    private async Task AddLogger(ActorSystemImpl system, Type type, LogLevel logLevel, string logName)
    {
        var timeout = system.Settings.LoggerStartTimeout;
        var name = string.Create(CultureInfo.InvariantCulture, $"log{Interlocked.Increment(ref s_loggerId)}-{SimpleName(type)}");
        var logger = system.SystemActorOf(Props.Create(type).WithDispatcher(system.Settings.LoggersDispatcher), name);
        object response = null;
        try
        {
            response = await logger.Ask(new InitializeLogger(this), timeout).ConfigureAwait(false);
        }
        catch (Exception e) when (e is TaskCanceledException or AskTimeoutException)
        {
            Publish(new Warning(logName, GetType(), $"Logger {name} [{type.FullName}] did not respond within {timeout} to InitializeLogger(bus)"));
        }

        if (response is not null and not LoggerInitialized)
            throw new LoggerInitializationException($"Logger {name} [{type.FullName}] did not respond with LoggerInitialized, sent instead {response}");
        lock (_loggers)
            _loggers.Add(logger);
        SubscribeLogLevelAndAbove(logLevel, logger);
        Publish(new Debug(logName, GetType(), $"Logger {name} [{type.Name}] started"));
    }

    private void SetUpStdoutLogger(Settings config) => SubscribeLogLevelAndAbove(Logging.LogLevelFor(config.StdoutLogLevel), config.StdoutLogger);

    private void SubscribeLogLevelAndAbove(LogLevel logLevel, IActorRef logger)
    {
        foreach (var level in AllLogLevels.Where(l => l >= logLevel))
            Subscribe(logger, level.ClassFor());
    }

    /// <summary>Logs unhandled messages, with <c>akka.actor.debug.unhandled</c>.</summary>
    private sealed class UnhandledMessageForwarder : ActorBase
    {
        protected override bool Receive(object message)
        {
            if (message is not UnhandledMessage unhandled)
                return false;
            var sender = unhandled.Sender is null ? "NoSender" : unhandled.Sender.Path.ToString();
            Context.System.EventStream.Publish(new Debug(
                unhandled.Recipient.Path.ToString(),
                unhandled.Recipient.GetType(),
                $"Unhandled message from {sender} : {unhandled.Message}"));
            return true;
        }
    }
}
