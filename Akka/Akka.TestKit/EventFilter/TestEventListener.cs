using Akka.Actor;
using Akka.Dispatch.SysMsg;
using Akka.Event;
using Akka.TestKit.TestEvent;

namespace Akka.TestKit;

/// <summary>
/// The logger of a system under test: shows every log event, dead letter and unhandled message to the filters, and prints what none of them
/// catches. Chosen with <c>akka.loggers = ["Akka.TestKit.TestEventListener, Akka.TestKit"]</c>.
/// </summary>
public class TestEventListener : DefaultLogger
{
    private readonly List<IEventFilter> _filters = [];

    protected override bool Receive(object message)
    {
        switch (message)
        {
            case InitializeLogger initialize:
                foreach (var type in (Type[])[typeof(Mute), typeof(Unmute), typeof(DeadLetter), typeof(UnhandledMessage)])
                    initialize.LoggingBus.Subscribe(Context.Self, type);
                base.Receive(initialize);
                break;
            case Mute mute:
                _filters.AddRange(mute.Filters);
                break;
            case Unmute unmute:
                foreach (var filter in unmute.Filters)
                    _filters.Remove(filter);
                break;
            case LogEvent logEvent:
                PrintUnlessFiltered(logEvent);
                break;
            case DeadLetter deadLetter:
                Handle(deadLetter);
                break;
            case UnhandledMessage unhandled:
                PrintUnlessFiltered(new Warning(
                    unhandled.Recipient.Path.ToString(), unhandled.Recipient.GetType(), $"Unhandled message from {unhandled.Sender}: {unhandled.Message}"));
                break;
            default:
                Print(new Debug(Context.System.Name, GetType(), message));
                break;
        }
        return true;
    }

    // A filter sees the dead letter itself, or the text that would be printed.
    private void Handle(DeadLetter deadLetter)
    {
        if (deadLetter.Message is Terminate)
            return;
        var (source, type) = (deadLetter.Recipient.Path.ToString(), deadLetter.Recipient.GetType());
        if (IsFiltered(new Warning(source, type, deadLetter)))
            return;
        var text = deadLetter.Message is ISystemMessage
            ? $"Received dead system message: {deadLetter.Message}"
            : $"Received dead letter from {deadLetter.Sender}: {deadLetter.Message}";
        PrintUnlessFiltered(new Warning(source, type, new DeadLetter(text, deadLetter.Sender, deadLetter.Recipient)));
    }

    private void PrintUnlessFiltered(LogEvent logEvent)
    {
        if (!IsFiltered(logEvent))
            Print(logEvent);
    }

    private bool IsFiltered(LogEvent logEvent) => _filters.Exists(filter =>
    {
        try
        {
            return filter.Apply(logEvent);
        }
        catch (Exception)
        {
            // A test's predicate that throws does not match; the test fails for want of a match.
            return false;
        }
    });
}
