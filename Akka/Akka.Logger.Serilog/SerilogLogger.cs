using System.Globalization;
using Akka.Actor;
using Akka.Dispatch;
using Akka.Event;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using AkkaLogEvent = Akka.Event.LogEvent;
using SerilogEvent = Serilog.Events.LogEvent;

namespace Akka.Logger.Serilog;

/// <summary>
/// Passes log events on to <see cref="Log.Logger"/>, with the named properties of their templates, and beside those <c>SourceContext</c> (the
/// class that logs), <c>ActorPath</c>, <c>LogSource</c>, <c>Timestamp</c> and <c>Thread</c>. Chosen with
/// <c>akka.loggers = ["Akka.Logger.Serilog.SerilogLogger, Akka.Logger.Serilog"]</c>.
/// </summary>
public class SerilogLogger : ReceiveActor, IRequiresMessageQueue<ILoggerMessageQueueSemantics>
{
    // The loggers of the classes that log, as long as Serilog's own logger stays the same.
    private readonly Dictionary<Type, ILogger> _loggers = [];
    private ILogger _root;

    public SerilogLogger()
    {
        var log = Logging.GetLogger(Context.System.EventStream, nameof(SerilogLogger));
        Receive<AkkaLogEvent>(Write);
        Receive<InitializeLogger>(_ =>
        {
            log.Info("SerilogLogger started");
            Sender.Tell(new LoggerInitialized(), Self);
        });
    }

    private void Write(AkkaLogEvent logEvent)
    {
        var level = LevelOf(logEvent);
        var logger = LoggerOf(logEvent.LogClass);
        if (!logger.IsEnabled(level))
            return;
        logger = logger.ForContext(new Origin(logEvent, Sender.Path));
        var message = logEvent.Message;
        if (message is SerilogPayload payload)
        {
            logger = logger.ForContext(payload.Enrichers);
            message = payload.Message;
        }
        switch (message)
        {
            case LogMessage { Format: var template } parts:
                var parameters = parts.Parameters().ToList();
                if (parameters.RemoveAll(p => p is ILogEventEnricher) > 0)
                    logger = logger.ForContext(parts.Parameters().OfType<ILogEventEnricher>());
                logger.Write(level, logEvent.Cause, template, parameters.ToArray());
                break;
            default:
                logger.Write(level, logEvent.Cause, "{Message:l}", message);
                break;
        }
    }

    // Serilog's minimum level may differ from class to class.
    private ILogger LoggerOf(Type logClass)
    {
        if (!ReferenceEquals(_root, Log.Logger))
        {
            _root = Log.Logger;
            _loggers.Clear();
        }
        if (logClass is null)
            return _root;
        if (!_loggers.TryGetValue(logClass, out var logger))
            _loggers.Add(logClass, logger = _root.ForContext(Constants.SourceContextPropertyName, logClass.FullName));
        return logger;
    }

    private static LogEventLevel LevelOf(AkkaLogEvent logEvent) => logEvent.LogLevel() switch
    {
        LogLevel.DebugLevel => LogEventLevel.Debug,
        LogLevel.InfoLevel => LogEventLevel.Information,
        LogLevel.WarningLevel => LogEventLevel.Warning,
        _ => LogEventLevel.Error,
    };

    /// <summary>The properties that tell where an event comes from.</summary>
    private sealed class Origin(AkkaLogEvent source, ActorPath sender) : ILogEventEnricher
    {
        public void Enrich(SerilogEvent logEvent, ILogEventPropertyFactory propertyFactory)
        {
            Add("ActorPath", sender);
            Add("Timestamp", source.Timestamp);
            Add("LogSource", source.LogSource);
            Add("Thread", source.Thread.ManagedThreadId.ToString("0000", CultureInfo.InvariantCulture));

            void Add(string name, object value) => logEvent.AddPropertyIfAbsent(propertyFactory.CreateProperty(name, value));
        }
    }
}
