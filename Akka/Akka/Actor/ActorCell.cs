using System.Diagnostics;
using System.Runtime.CompilerServices;
using Akka.Actor.Internal;
using Akka.Dispatch;
using Akka.Dispatch.SysMsg;
using Akka.Event;

namespace Akka.Actor;

/// <summary>
/// An actor's life: its mailbox, instance, behaviour, children and watches. Each message is handled in a turn, on one thread at a time.
/// What few actors have is made when it is first needed.
/// </summary>
[DebuggerDisplay("{Self,nq}")]
public partial class ActorCell : IUntypedActorContext, ICell
{
    public const int UndefinedUid = 0;

    [ThreadStatic]
    private static ActorCell t_current;

    private readonly ActorSystemImpl _systemImpl;
    private readonly IInternalActorRef _self;
    private readonly Props _props;
    private Mailbox _mailbox;
    private ActorBase _actor;
    private object _behavior; // a Receive, or a Stack<Receive> once one has been stacked
    private ActorTaskScheduler _taskScheduler;
    private int _currentEnvelopeId;
    private bool _actorHasBeenCleared;

    public ActorCell(
        ActorSystemImpl system,
        IInternalActorRef self,
        Props props,
        MessageDispatcher dispatcher,
        IInternalActorRef parent)
    {
        _systemImpl = system;
        _self = self;
        _props = props;
        Dispatcher = dispatcher;
        Parent = parent;
    }

    public Mailbox Mailbox => Volatile.Read(ref _mailbox);

    public MessageDispatcher Dispatcher { get; }

    public IActorRef Self => _self;

    public IInternalActorRef Parent { get; }

    IActorRef IActorContext.Parent => Parent;

    public Props Props => _props;

    public ActorSystem System => _systemImpl;

    public ActorSystemImpl SystemImpl => _systemImpl;

    public bool IsLocal => true;

    public bool IsTerminated => Mailbox.IsClosed;

    public bool HasMessages => Mailbox.HasMessages;

    public int NumberOfMessages => Mailbox.NumberOfMessages;

    public object CurrentMessage { get; internal set; }

    public IActorRef Sender { get; internal set; }

    public int CurrentEnvelopeId => _currentEnvelopeId;

    public virtual ActorTaskScheduler TaskScheduler =>
        _taskScheduler ?? Interlocked.CompareExchange(ref _taskScheduler, new ActorTaskScheduler(this), null) ?? _taskScheduler;

    /// <summary>The instance; null before it has been made and after the actor has stopped.</summary>
    internal ActorBase Actor => _actor;

    internal bool ActorHasBeenCleared => _actorHasBeenCleared;

    /// <summary>Whose turn it is on this thread; a reference into the thread's own storage, which is found only once for several uses.</summary>
    internal static ref ActorCell Current => ref t_current;

    private Type ActorType => _actor?.GetType() ?? GetType();

    public static IActorRef GetCurrentSelfOrNoSender() => t_current?.Self;

    public static IActorRef GetCurrentSenderOrNoSender() => t_current?.Sender;

    /// <summary>Makes the mailbox and puts the order to make the actor into it.</summary>
    public void Init(bool sendSupervise, MailboxType mailboxType)
    {
        var mailbox = Dispatcher.CreateMailbox(this, mailboxType);
        mailbox.SetActor(this);
        Volatile.Write(ref _mailbox, mailbox);
        mailbox.SystemEnqueue(_self, new Create(MailboxMismatch(mailbox)));
        if (sendSupervise && System.Settings.DebugLifecycle)
            Parent.SendSystemMessage(new Supervise(_self, async: false));
    }

    public virtual void Start()
    {
        PreStart();
        Dispatcher.Attach(this);
    }

    /// <summary>Called before the actor begins; for derived cells.</summary>
    protected virtual void PreStart() { }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public virtual void SendMessage(IActorRef sender, object message) => SendMessage(new Envelope(message, sender));

    public virtual void SendMessage(Envelope message)
    {
        if (message.Message is null)
            throw new InvalidMessageException("Message is null");
        try
        {
            Dispatcher.Dispatch(this, message);
        }
        catch (Exception e)
        {
            _systemImpl.EventStream.Publish(
                new Error(e, Self.Path.ToString(), ActorType, $"Swallowing exception during message send: {e.Message}"));
        }
    }

    public virtual void SendSystemMessage(ISystemMessage systemMessage)
    {
        try
        {
            Dispatcher.SystemDispatch(this, (SystemMessage)systemMessage);
        }
        catch (Exception e)
        {
            _systemImpl.EventStream.Publish(
                new Error(e, Self.Path.ToString(), ActorType, $"Swallowing exception during message send: {e.Message}"));
        }
    }

    public void Suspend() => SendSystemMessage(new Suspend());

    public void Resume(Exception causedByFailure) => SendSystemMessage(new Resume(causedByFailure));

    public void Restart(Exception cause) => SendSystemMessage(new Recreate(cause));

    public void Stop() => SendSystemMessage(new Terminate());

    public void Become(Receive receive)
    {
        if (_behavior is Stack<Receive> stack)
        {
            if (stack.Count > 1)
                stack.Pop();
            stack.Push(receive);
        }
        else
        {
            _behavior = receive;
        }
    }

    public void BecomeStacked(Receive receive)
    {
        switch (_behavior)
        {
            case null:
                _behavior = receive;
                break;
            case Stack<Receive> stack:
                stack.Push(receive);
                break;
            case Receive current:
                var made = new Stack<Receive>();
                made.Push(current);
                made.Push(receive);
                _behavior = made;
                break;
        }
    }

    public void UnbecomeStacked()
    {
        if (_behavior is Stack<Receive> { Count: > 1 } stack)
            stack.Pop();
        else if (_actor is not null)
            _behavior = _actor.OriginalBehavior;
    }

    public void Become(UntypedReceive receive) => Become(m =>
    {
        receive(m);
        return true;
    });

    public void BecomeStacked(UntypedReceive receive) => BecomeStacked(m =>
    {
        receive(m);
        return true;
    });

    /// <summary>Runs code as if it were this actor's turn.</summary>
    public void UseThreadContext(Action action)
    {
        var previous = t_current;
        t_current = this;
        try
        {
            action();
        }
        finally
        {
            t_current = previous;
        }
    }

    internal Mailbox SwapMailbox(Mailbox mailbox) => Interlocked.Exchange(ref _mailbox, mailbox);

    private Receive CurrentBehavior => _behavior as Receive ?? ((Stack<Receive>)_behavior).Peek();

    /// <summary>An actor whose instance turns out to need another kind of queue than its mailbox has cannot be made.</summary>
    private ActorInitializationException MailboxMismatch(Mailbox mailbox)
    {
        var required = _systemImpl.Mailboxes?.GetRequiredType(_props.Type);
        if (required is null || mailbox.MessageQueue is null || required.IsInstanceOfType(mailbox.MessageQueue))
            return null;
        return new ActorInitializationException(_self, $"Actor [{_self}] requires mailbox type [{required}] got [{mailbox.MessageQueue.GetType()}]");
    }

    /// <summary>Makes the instance, with the cell as its context.</summary>
    private ActorBase NewActor()
    {
        var previous = t_current;
        t_current = this;
        try
        {
            PrepareForNewActor();
            var instance = CreateNewActorInstance();
            instance.SupervisorStrategyInternal = _props.SupervisorStrategy;
            return instance;
        }
        finally
        {
            t_current = previous;
        }
    }

    protected void PrepareForNewActor()
    {
        _behavior = null;
        _actorHasBeenCleared = false;
    }

    protected virtual ActorBase CreateNewActorInstance()
    {
        var actor = _props.NewActor();
        if (actor is IActorStash stash)
            stash.Stash = this.CreateStash(stash);
        if (actor is IInitializableActor initializable)
            initializable.Init();
        if (actor is IWithTimers timers)
            timers.Timers = new Scheduler.TimerScheduler(this);
        return actor;
    }

    protected void SetActorFields(ActorBase actor) => actor?.Unclear();

    /// <summary>Lets go of an instance.</summary>
    protected void ClearActor(ActorBase actor)
    {
        if (actor is not null)
        {
            if (actor is IDisposable disposable)
            {
                try
                {
                    disposable.Dispose();
                }
                catch (Exception e)
                {
                    _systemImpl.Log?.Error(e, "An error occurred while disposing {0} actor. Reason: {1}", actor.GetType(), e.Message);
                }
            }

            _props.Release(actor);
            actor.Clear(_systemImpl.DeadLetters);
        }

        _actorHasBeenCleared = true;
        CurrentMessage = null;
        _behavior = null;
    }

    protected void ClearActorCell()
    {
        _actor = null;
        _stashedSystemMessages = null;
        Sender = null;
    }

    private void Publish(LogEvent logEvent)
    {
        try
        {
            _systemImpl.EventStream.Publish(logEvent);
        }
        catch (Exception)
        {
            // a subscriber that throws must not change what happens to the actor
        }
    }
}
