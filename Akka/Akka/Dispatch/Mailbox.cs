using System.Diagnostics;
using System.Runtime.CompilerServices;
using Akka.Actor;
using Akka.Dispatch.MessageQueues;
using Akka.Dispatch.SysMsg;

namespace Akka.Dispatch;

/// <summary>
/// Joins an actor to its queue and runs it on the dispatcher: the system messages first, then up to <c>throughput</c> messages of users.
/// All that the mailbox is — scheduled, closed, suspended how often and why — is one number, changed by compare-and-swap.
/// </summary>
public class Mailbox : IRunnable
{
    private const int Closed = 1;
    private const int Scheduled = 2;
    private const int AwaitingTask = 4;
    private const int SuspendUnit = 8; // what is above counts the suspensions by supervision

    private static readonly NoMessage NoMoreSystemMessages = new();

    private int _status;
    private ActorCell _actor;
    private SystemMessage _systemQueue; // latest first

    public Mailbox(IMessageQueue messageQueue) => MessageQueue = messageQueue;

    public IMessageQueue MessageQueue { get; }

    public MessageDispatcher Dispatcher => _actor.Dispatcher;

    internal bool IsClosed => (Volatile.Read(ref _status) & Closed) != 0;

    internal bool IsScheduled => (Volatile.Read(ref _status) & Scheduled) != 0;

    internal bool IsSuspended => (Volatile.Read(ref _status) & ~(Closed | Scheduled)) != 0 && !IsClosed;

    internal int SuspendCount => Volatile.Read(ref _status) / SuspendUnit;

    internal bool HasMessages => MessageQueue.HasMessages;

    internal int NumberOfMessages => MessageQueue.Count;

    internal virtual bool HasSystemMessages => Volatile.Read(ref _systemQueue) is not (null or NoMessage);

    private bool ShouldProcessMessage => (Volatile.Read(ref _status) & ~Scheduled) == 0;

    public virtual void SetActor(ActorCell actorCell) => _actor = actorCell;

    [Conditional("MAILBOXDEBUG")]
    public static void DebugPrint(string message, params object[] args) => Console.WriteLine(message, args);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Enqueue(IActorRef receiver, Envelope envelope) => MessageQueue.Enqueue(receiver, envelope);

    /// <summary>Adds a system message; on a closed mailbox it goes where those of a stopped actor go.</summary>
    internal virtual void SystemEnqueue(IActorRef receiver, SystemMessage message)
    {
        while (true)
        {
            var head = Volatile.Read(ref _systemQueue);
            if (head is NoMessage)
            {
                _actor.SystemImpl.Mailboxes.DeadLetterMailbox.SystemEnqueue(receiver, message);
                return;
            }

            message.Next = head;
            if (ReferenceEquals(Interlocked.CompareExchange(ref _systemQueue, message, head), head))
                return;
        }
    }

    /// <summary>Takes all system messages, the earliest first.</summary>
    internal virtual SystemMessage SystemDrain(SystemMessage newContents)
    {
        var head = Volatile.Read(ref _systemQueue);
        while (true)
        {
            if (head is NoMessage)
                return null;
            var seen = Interlocked.CompareExchange(ref _systemQueue, newContents, head);
            if (ReferenceEquals(seen, head))
                break;
            head = seen;
        }

        SystemMessage earliest = null;
        while (head is not null)
        {
            var next = head.Next;
            head.Next = earliest;
            earliest = head;
            head = next;
        }

        return earliest;
    }

    internal bool CanBeScheduledForExecution(bool hasMessageHint, bool hasSystemMessageHint)
    {
        var status = Volatile.Read(ref _status);
        if ((status & Closed) != 0)
            return false;
        return (status & ~Scheduled) == 0
            ? hasMessageHint || hasSystemMessageHint || HasSystemMessages || HasMessages
            : hasSystemMessageHint || HasSystemMessages;
    }

    /// <summary>
    /// For whoever has put a message into an idle mailbox: as <see cref="SetAsScheduled"/>. What fails is a full fence, too: a turn that is seen from then on has
    /// not looked for messages for the last time. Without it the state might be read before others can see the message, and the message be left.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool SetIdleAsScheduled() => Interlocked.CompareExchange(ref _status, Scheduled, 0) == 0;

    /// <summary>Whether the caller is the one who has to hand the mailbox to the executor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool SetAsScheduled()
    {
        var status = Volatile.Read(ref _status);
        while ((status & (Closed | Scheduled)) == 0)
        {
            var seen = Interlocked.CompareExchange(ref _status, status | Scheduled, status);
            if (seen == status)
                return true;
            status = seen;
        }

        return false;
    }

    internal void SetAsIdle() => Interlocked.And(ref _status, ~Scheduled);

    internal bool BecomeClosed() => (Interlocked.Or(ref _status, Closed) & Closed) == 0;

    /// <summary>One suspension more; whether it is the first.</summary>
    internal bool Suspend() => Interlocked.Add(ref _status, SuspendUnit) / SuspendUnit == 1;

    /// <summary>One suspension less; whether it was the last.</summary>
    internal bool Resume()
    {
        var status = Volatile.Read(ref _status);
        while (true)
        {
            var next = status >= SuspendUnit ? status - SuspendUnit : status;
            var seen = Interlocked.CompareExchange(ref _status, next, status);
            if (seen == status)
                return next < SuspendUnit;
            status = seen;
        }
    }

    /// <summary>Holds back messages of users while an asynchronous handler runs.</summary>
    internal void SuspendForTask() => Interlocked.Or(ref _status, AwaitingTask);

    internal void ResumeAfterTask() => Interlocked.And(ref _status, ~AwaitingTask);

    public void Run()
    {
        try
        {
            if (IsClosed)
                return;
            ref var current = ref ActorCell.Current;
            var previous = current;
            current = _actor;
            try
            {
                ProcessAllSystemMessages();
                ProcessMailbox();
            }
            finally
            {
                current = previous;
            }
        }
        finally
        {
            SetAsIdle();
            Dispatcher.RegisterForExecution(this, hasMessageHint: false, hasSystemMessageHint: false);
        }
    }

    public void Execute() => Run();

    private void ProcessMailbox()
    {
        var actor = _actor;
        var dispatcher = actor.Dispatcher;
        var left = dispatcher.Throughput;
        var deadline = dispatcher.ThroughputDeadline > 0 ? Stopwatch.GetTimestamp() + dispatcher.ThroughputDeadline : 0;
        var queue = MessageQueue;
        while (ShouldProcessMessage && queue.TryDequeue(out var envelope))
        {
            actor.Invoke(envelope);
            if (Volatile.Read(ref _systemQueue) is not null)
                ProcessAllSystemMessages();
            if (--left <= 0 || (deadline != 0 && Stopwatch.GetTimestamp() >= deadline))
                return;
        }
    }

    private void ProcessAllSystemMessages()
    {
        if (!HasSystemMessages)
            return;
        var actor = _actor;
        for (var list = SystemDrain(null); list is not null && !IsClosed;)
        {
            var message = list;
            list = message.Next;
            message.Unlink();
            actor.SystemInvoke(message);
            if (list is null)
            {
                if (!IsClosed)
                    list = SystemDrain(null);
            }
            else if (IsClosed)
            {
                ForwardToDeadLetters(list);
                return;
            }
        }
    }

    /// <summary>Moves all that is left to the dead letters, after the mailbox has been closed. Runs again for a message that raced with that.</summary>
    public virtual void CleanUp()
    {
        var actor = _actor;
        if (actor is null)
            return;
        ForwardToDeadLetters(SystemDrain(NoMoreSystemMessages));
        if (MessageQueue is not null)
        {
            lock (this)
                MessageQueue.CleanUp(actor.Self, actor.SystemImpl.Mailboxes.DeadLetterMailbox.MessageQueue);
        }
    }

    private void ForwardToDeadLetters(SystemMessage list)
    {
        var deadLetters = _actor.SystemImpl.Mailboxes.DeadLetterMailbox;
        while (list is not null)
        {
            var message = list;
            list = message.Next;
            message.Unlink();
            deadLetters.SystemEnqueue(_actor.Self, message);
        }
    }
}
