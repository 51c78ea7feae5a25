using Akka.Event;
using Serilog.Core;
using Serilog.Core.Enrichers;

namespace Akka.Logger.Serilog;

/// <summary>Logs with message templates (<c>"{Name} is {Age}"</c>), whichever formatter the actor system has.</summary>
public class SerilogLoggingAdapter : LoggingAdapterBase
{
    private readonly LoggingBus _bus;
    private readonly string _logSource;
    private readonly Type _logClass;
    private readonly ILogEventEnricher[] _enrichers;

    public SerilogLoggingAdapter(LoggingBus bus, string logSource, Type logClass)
        : this(bus, logSource, logClass, [])
    {
    }

    private SerilogLoggingAdapter(LoggingBus bus, string logSource, Type logClass, ILogEventEnricher[] enrichers)
        : base(SerilogLogMessageFormatter.Instance)
    {
        _bus = bus;
        _logSource = logSource;
        _logClass = logClass;
        _enrichers = enrichers;
        IsErrorEnabled = bus.LogLevel <= LogLevel.ErrorLevel;
        IsWarningEnabled = bus.LogLevel <= LogLevel.WarningLevel;
        IsInfoEnabled = bus.LogLevel <= LogLevel.InfoLevel;
        IsDebugEnabled = bus.LogLevel <= LogLevel.DebugLevel;
    }

    public override bool IsErrorEnabled { get; }

    public override bool IsWarningEnabled { get; }

    public override bool IsInfoEnabled { get; }

    public override bool IsDebugEnabled { get; }

    /// <summary>An adapter that adds the property to each event, beside those that this one adds.</summary>
    /// <param name="destructureObjects">Whether an object is logged with its parts instead of as its text.</param>
    public ILoggingAdapter SetContextProperty(string name, object value, bool destructureObjects = false) =>
        new SerilogLoggingAdapter(_bus, _logSource, _logClass, [new PropertyEnricher(name, value, destructureObjects), .. _enrichers]);

    protected override void NotifyLog(LogLevel logLevel, object message, Exception cause = null)
    {
        if (_enrichers.Length > 0)
            message = new SerilogPayload(message, _enrichers);
        _bus.Publish(logLevel switch
        {
            LogLevel.DebugLevel => new Debug(cause, _logSource, _logClass, message),
            LogLevel.InfoLevel => new Info(cause, _logSource, _logClass, message),
            LogLevel.WarningLevel => new Warning(cause, _logSource, _logClass, message),
            LogLevel.ErrorLevel => (object)new Error(cause, _logSource, _logClass, message),
            _ => throw new NotSupportedException($"Unknown LogLevel {logLevel}"),
        });
    }
}
