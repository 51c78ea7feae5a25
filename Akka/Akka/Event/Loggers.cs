using System.Globalization;
using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Dispatch.MessageQueues;

namespace Akka.Event;

/// <summary>The mailbox of a logger: what is left in it when the logger stops goes to the standard output.</summary>
public interface ILoggerMessageQueueSemantics : ISemantics;

/// <summary>Makes the mailboxes of loggers.</summary>
internal sealed class LoggerMailboxType : MailboxType, IProducesMessageQueue<LoggerMessageQueue>
{
    public LoggerMailboxType(Settings settings, Config config) : base(settings, config) { }

    public override IMessageQueue Create(IActorRef owner, ActorSystem system) => new LoggerMessageQueue(system);
}

internal sealed class LoggerMessageQueue : IMessageQueue, IUnboundedMessageQueueSemantics, ILoggerMessageQueueSemantics
{
    private readonly UnboundedMessageQueue _queue = new();
    private readonly ActorSystem _system;

    public LoggerMessageQueue(ActorSystem system) => _system = system;

    public bool HasMessages => _queue.HasMessages;

    public int Count => _queue.Count;

    public void Enqueue(IActorRef receiver, Envelope envelope) => _queue.Enqueue(receiver, envelope);

    public bool TryDequeue(out Envelope envelope) => _queue.TryDequeue(out envelope);

    public void CleanUp(IActorRef owner, IMessageQueue deadletters)
    {
        while (_queue.TryDequeue(out var envelope))
        {
            if (envelope.Message is not LogEvent logEvent)
                deadletters.Enqueue(owner, envelope);
            else if (logEvent.LogLevel() >= _system.EventStream.LogLevel)
                _system.Settings.StdoutLogger.Tell(logEvent, envelope.Sender);
        }
    }
}

/// <summary>A logger that needs no actor: it prints on the thread that logs.</summary>
public abstract class MinimalLogger : MinimalActorRef
{
    public sealed override ActorPath Path { get; } = new RootActorPath(Address.AllSystems, "/StandardOutLogger");

    public sealed override IActorRefProvider Provider => throw new NotSupportedException("This logger does not provide.");

    protected abstract void Log(object message);

    protected sealed override void TellInternal(object message, IActorRef sender) =>
        Log(message ?? throw new ArgumentNullException(nameof(message), "The message to log must not be null."));
}

/// <summary>Prints log events.</summary>
public class StandardOutLogger : MinimalLogger
{
    private static readonly Lock Printing = new();

    public static ConsoleColor DebugColor { get; set; } = ConsoleColor.Gray;

    public static ConsoleColor InfoColor { get; set; } = ConsoleColor.White;

    public static ConsoleColor WarningColor { get; set; } = ConsoleColor.Yellow;

    public static ConsoleColor ErrorColor { get; set; } = ConsoleColor.Red;

    public static bool UseColors { get; set; } = true;

    protected override void Log(object message)
    {
        if (message is LogEvent logEvent)
            Print(logEvent);
        else
            Console.WriteLine(message);
    }

    internal static void Print(LogEvent logEvent)
    {
        var text = Text(logEvent);
        lock (Printing)
        {
            if (!UseColors || Console.IsOutputRedirected)
            {
                Console.WriteLine(text);
                return;
            }

            Console.ForegroundColor = logEvent switch
            {
                Debug => DebugColor,
                Info => InfoColor,
                Warning => WarningColor,
                _ => ErrorColor,
            };
            Console.WriteLine(text);
            Console.ResetColor();
        }
    }

    /// <remarks>A template that does not fit its values must be seen too.</remarks>
    private static string Text(LogEvent logEvent)
    {
        try
        {
            return logEvent.ToString();
        }
        catch (FormatException e)
        {
            var template = logEvent.Message is LogMessage message ? message.Unformatted() : logEvent.LogSource;
            return string.Create(
                CultureInfo.InvariantCulture,
                $"[ERROR][{logEvent.Timestamp:MM/dd/yyyy HH:mm:ss.fffzzz}][Thread {logEvent.Thread.ManagedThreadId:D4}][{logEvent.LogSource}] "
                + $"Encountered System.FormatException while formatting message for {logEvent.LogLevel().StringFor()}: {template}. {e.Message}");
        }
    }
}

/// <summary>The logger of <c>akka.loggers</c>' default: prints log events as an actor.</summary>
public class DefaultLogger : ActorBase, IRequiresMessageQueue<ILoggerMessageQueueSemantics>
{
    private MinimalLogger _stdoutLogger;

    protected override bool Receive(object message)
    {
        switch (message)
        {
            case InitializeLogger:
                _stdoutLogger = Context.System.Settings.StdoutLogger;
                Sender.Tell(new LoggerInitialized());
                return true;
            case LogEvent logEvent:
                Print(logEvent);
                return true;
            default:
                return false;
        }
    }

    protected virtual void Print(LogEvent logEvent)
    {
        if (_stdoutLogger is null)
            throw new InvalidOperationException("Logger has not been initialized yet.");
        _stdoutLogger.Tell(logEvent, ActorRefs.NoSender);
    }
}

/// <summary>Writes log events to <see cref="System.Diagnostics.Trace"/>.</summary>
public class TraceLogger : UntypedActor
{
    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case InitializeLogger:
                Sender.Tell(new LoggerInitialized());
                break;
            case Error error:
                System.Diagnostics.Trace.TraceError(error.ToString());
                break;
            case Warning warning:
                System.Diagnostics.Trace.TraceWarning(warning.ToString());
                break;
            case LogEvent logEvent:
                System.Diagnostics.Trace.TraceInformation(logEvent.ToString());
                break;
            default:
                Unhandled(message);
                break;
        }
    }
}
