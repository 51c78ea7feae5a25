using Akka.Actor;

namespace Akka.Event;

/// <summary>A message that need not be logged when nobody gets it.</summary>
public interface IDeadLetterSuppression;

/// <summary>Something nobody got.</summary>
public abstract class AllDeadLetters : IWrappedMessage
{
    protected AllDeadLetters(object message, IActorRef sender, IActorRef recipient)
    {
        Message = message;
        Sender = sender;
        Recipient = recipient;
    }

    public object Message { get; }

    public IActorRef Recipient { get; }

    public IActorRef Sender { get; }

    public override string ToString() => $"{GetType().Name} from {Sender} to {Recipient}: <{Message}>";
}

/// <summary>The recipient does not live.</summary>
public sealed class DeadLetter : AllDeadLetters
{
    public DeadLetter(object message, IActorRef sender, IActorRef recipient) : base(message, sender, recipient)
    {
        ArgumentNullException.ThrowIfNull(recipient);
    }
}

/// <summary>As <see cref="DeadLetter"/>, of a message that is not worth a line.</summary>
public sealed class SuppressedDeadLetter : AllDeadLetters
{
    public SuppressedDeadLetter(IDeadLetterSuppression message, IActorRef sender, IActorRef recipient) : base(message, sender, recipient)
    {
        ArgumentNullException.ThrowIfNull(sender);
        ArgumentNullException.ThrowIfNull(recipient);
    }
}

/// <summary>A message that was thrown away on purpose.</summary>
public sealed class Dropped : AllDeadLetters
{
    public Dropped(object message, string reason, IActorRef sender, IActorRef recipient) : base(message, sender, recipient) => Reason = reason;

    public Dropped(object message, string reason, IActorRef recipient) : this(message, reason, ActorRefs.NoSender, recipient) { }

    public string Reason { get; }
}

/// <summary>A message that its recipient did not handle.</summary>
public sealed class UnhandledMessage : AllDeadLetters
{
    public UnhandledMessage(object message, IActorRef sender, IActorRef recipient) : base(message, sender, recipient) { }
}

/// <summary>Logs what nobody got: so many (<c>akka.log-dead-letters</c>), and then, after a pause, again.</summary>
public class DeadLetterListener : ActorBase
{
    private readonly EventStream _eventStream = Context.System.EventStream;
    private readonly int _maxCount = Context.System.Settings.LogDeadLetters;
    private readonly TimeSpan _suspendDuration = Context.System.Settings.LogDeadLettersSuspendDuration;
    private readonly bool _duringShutdown = Context.System.Settings.LogDeadLettersDuringShutdown;
    private int _count;

    protected override void PreStart()
    {
        _eventStream.Subscribe(Self, typeof(DeadLetter));
        _eventStream.Subscribe(Self, typeof(Dropped));
        _eventStream.Subscribe(Self, typeof(UnhandledMessage));
    }

    protected override void PostStop() => _eventStream.Unsubscribe(Self);

    protected override void PreRestart(Exception reason, object message) { }

    protected override void PostRestart(Exception reason) { }

    protected override bool Receive(object message)
    {
        if (message is not AllDeadLetters letter || IsWrappedSuppressed(letter))
            return message is AllDeadLetters;
        _count = _count == int.MaxValue ? 1 : _count + 1;
        if (_maxCount == int.MaxValue || _count < _maxCount)
        {
            Log(letter, "");
        }
        else if (_suspendDuration == Timeout.InfiniteTimeSpan)
        {
            Log(letter, ", no more dead letters will be logged");
            Context.Stop(Self);
        }
        else
        {
            Log(letter, $", no more dead letters will be logged in next [{_suspendDuration}]");
            Context.Become(Suspended(Environment.TickCount64 + (long)_suspendDuration.TotalMilliseconds));
        }

        return true;
    }

    private Receive Suspended(long until) => message =>
    {
        if (message is not AllDeadLetters letter || IsWrappedSuppressed(letter))
            return message is AllDeadLetters;
        _count++;
        if (Environment.TickCount64 < until)
            return true;
        Log(letter, $", of which {_count - _maxCount - 1} were not logged. The counter will be reset now");
        _count = 0;
        Context.Become(Receive);
        return true;
    };

    private static bool IsWrappedSuppressed(AllDeadLetters letter) => letter.Message is IDeadLetterSuppression;

    private void Log(AllDeadLetters letter, string doneMessage)
    {
        if (!_duringShutdown && ((Actor.Internal.ActorSystemImpl)Context.System).IsTerminating)
            return;
        var recipient = letter.Recipient;
        var origin = letter.Sender.IsNobody() || ReferenceEquals(letter.Sender, Context.System.DeadLetters) ? "without sender" : $"from {letter.Sender}";
        var (fate, kind) = letter switch
        {
            Dropped dropped => ($"was dropped. {dropped.Reason}", "dead letters"),
            UnhandledMessage => ("was unhandled", "unhandled messages"),
            _ => ("was not delivered", "dead letters"),
        };
        _eventStream.Publish(new Info(
            recipient.Path.ToString(),
            recipient.GetType(),
            $"Message [{letter.Message.GetType().Name}] {origin} to {recipient} {fate}. [{_count}] {kind} encountered{doneMessage}. "
            + (letter is DeadLetter ? $"If this is not an expected behavior then {recipient} may have terminated unexpectedly. " : "")
            + "This logging can be turned off or adjusted with configuration settings 'akka.log-dead-letters' "
            + $"and 'akka.log-dead-letters-during-shutdown'. Message content: {letter.Message}"));
    }
}
