namespace Akka.Event;

/// <summary>Logs; the extension methods of <see cref="LoggingExtensions"/> are what is called.</summary>
public interface ILoggingAdapter
{
    ILogMessageFormatter Formatter { get; }

    bool IsDebugEnabled { get; }

    bool IsInfoEnabled { get; }

    bool IsWarningEnabled { get; }

    bool IsErrorEnabled { get; }

    bool IsEnabled(LogLevel logLevel);

    void Log(LogLevel logLevel, Exception cause, LogMessage message);

    void Log(LogLevel logLevel, Exception cause, string format);
}

public abstract class LoggingAdapterBase : ILoggingAdapter
{
    protected LoggingAdapterBase(ILogMessageFormatter logMessageFormatter)
    {
        ArgumentNullException.ThrowIfNull(logMessageFormatter);
        Formatter = logMessageFormatter;
    }

    public ILogMessageFormatter Formatter { get; }

    public abstract bool IsDebugEnabled { get; }

    public abstract bool IsInfoEnabled { get; }

    public abstract bool IsWarningEnabled { get; }

    public abstract bool IsErrorEnabled { get; }

    public bool IsEnabled(LogLevel logLevel) => logLevel switch
    {
        LogLevel.DebugLevel => IsDebugEnabled,
        LogLevel.InfoLevel => IsInfoEnabled,
        LogLevel.WarningLevel => IsWarningEnabled,
        LogLevel.ErrorLevel => IsErrorEnabled,
        _ => throw new NotSupportedException($"Unknown LogLevel {logLevel}"),
    };

    public void Log(LogLevel logLevel, Exception cause, LogMessage message)
    {
        if (IsEnabled(logLevel))
            NotifyLog(logLevel, message, cause);
    }

    public void Log(LogLevel logLevel, Exception cause, string format)
    {
        if (IsEnabled(logLevel))
            NotifyLog(logLevel, format, cause);
    }

    protected abstract void NotifyLog(LogLevel logLevel, object message, Exception cause = null);
}

/// <summary>Logs to an event stream.</summary>
public sealed class BusLogging : LoggingAdapterBase
{
    private readonly LoggingBus _bus;
    private readonly string _logSource;
    private readonly Type _logClass;

    public BusLogging(LoggingBus bus, string logSource, Type logClass, ILogMessageFormatter logMessageFormatter) : base(logMessageFormatter)
    {
        _bus = bus;
        _logSource = logSource;
        _logClass = logClass;
    }

    public override bool IsDebugEnabled => _bus.LogLevel <= LogLevel.DebugLevel;

    public override bool IsInfoEnabled => _bus.LogLevel <= LogLevel.InfoLevel;

    public override bool IsWarningEnabled => _bus.LogLevel <= LogLevel.WarningLevel;

    public override bool IsErrorEnabled => _bus.LogLevel <= LogLevel.ErrorLevel;

    protected override void NotifyLog(LogLevel logLevel, object message, Exception cause = null) => _bus.Publish(logLevel switch
    {
        LogLevel.DebugLevel => new Debug(cause, _logSource, _logClass, message),
        LogLevel.InfoLevel => new Info(cause, _logSource, _logClass, message),
        LogLevel.WarningLevel => new Warning(cause, _logSource, _logClass, message),
        LogLevel.ErrorLevel => (object)new Error(cause, _logSource, _logClass, message),
        _ => throw new NotSupportedException($"Unknown LogLevel {logLevel}"),
    });
}

/// <summary>Logs nothing.</summary>
public sealed class NoLogger : ILoggingAdapter
{
    public static readonly ILoggingAdapter Instance = new NoLogger();

    private NoLogger() { }

    public ILogMessageFormatter Formatter => DefaultLogMessageFormatter.Instance;

    public bool IsDebugEnabled => false;

    public bool IsInfoEnabled => false;

    public bool IsWarningEnabled => false;

    public bool IsErrorEnabled => false;

    public bool IsEnabled(LogLevel logLevel) => false;

    public void Log(LogLevel logLevel, Exception cause, LogMessage message) { }

    public void Log(LogLevel logLevel, Exception cause, string format) { }
}
