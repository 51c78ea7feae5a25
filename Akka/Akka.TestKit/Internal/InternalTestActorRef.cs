using Akka.Actor;
using Akka.Actor.Internal;
using Akka.Dispatch;
using Akka.Util;

namespace Akka.TestKit.Internal;

/// <summary>The reference behind a <see cref="TestActorRef{TActor}"/>.</summary>
public partial class InternalTestActorRef : LocalActorRef
{
    private static long _names = -1;

    private InternalTestActorRef(
        ActorSystemImpl system, Props props, MessageDispatcher dispatcher, MailboxType mailboxType, IInternalActorRef supervisor, ActorPath path)
        : base(system, props, dispatcher, mailboxType, supervisor, path)
    {
    }

    /// <inheritdoc cref="TestActorRefBase{TActor}.UnderlyingActor"/>
    public object UnderlyingActor
    {
        get
        {
            if (IsTerminated)
                throw new IllegalActorStateException("Underlying actor is terminated");
            // Where a real dispatcher has been asked for, the actor may still be on its way.
            return Cell.Actor ?? this.Ask(InternalGetActor.Instance, TestKitExtension.For(System).DefaultTimeout).GetAwaiter().GetResult();
        }
    }

    /// <param name="supervisor">The parent; null for the user guardian.</param>
    /// <param name="name">Null for a name of its own.</param>
    public static InternalTestActorRef Create(ActorSystem system, Props props, IActorRef supervisor = null, string name = null)
    {
        name ??= CreateUniqueName();
        var impl = (ActorSystemImpl)system;
        var parent = (IInternalActorRef)supervisor ?? impl.Guardian;
        if (props.Deploy.Dispatcher == Deploy.NoDispatcherGiven)
            props = props.WithDispatcher(CallingThreadDispatcher.Id);
        var dispatcher = system.Dispatchers.Lookup(props.Deploy.Dispatcher);
        var mailbox = system.Mailboxes.GetMailboxType(props, dispatcher.Configurator.Config);

        if ((parent as ActorRefWithCell)?.Underlying is not ActorCell parentCell)
            throw new IllegalActorStateException($"{parent} cannot supervise a test actor: it is not a started local actor");
        parentCell.ReserveChild(name);
        var actor = new InternalTestActorRef(impl, props, dispatcher, mailbox, parent, parent.Path / name);
        parentCell.InitChild(actor);
        actor.Start();
        return actor;
    }

    public static string CreateUniqueName() => "$" + Base64Name.Of(Interlocked.Increment(ref _names));

    /// <inheritdoc cref="TestActorRefBase{TActor}.Receive"/>
    public void Receive(object message, IActorRef sender = null) =>
        Cell.UseThreadContext(() => Cell.ReceiveMessageForTest(EnvelopeOf(message, sender)));

    /// <inheritdoc cref="TestActorRefBase{TActor}.Receive"/>
    public Task ReceiveAsync(object message, IActorRef sender = null)
    {
        var cell = GetTestActorCell();
        return cell.RunTurn(() => cell.ReceiveMessageForTest(EnvelopeOf(message, sender)));
    }

    public void Watch(IActorRef subject) => Cell.Watch(subject);

    public void Unwatch(IActorRef subject) => Cell.Unwatch(subject);

    public override string ToString() => $"TestActor[{Path}]";

    protected TestActorCell GetTestActorCell() => (TestActorCell)Cell;

    protected override ActorCell NewActorCell(
        ActorSystemImpl system, IInternalActorRef self, Props props, MessageDispatcher dispatcher, IInternalActorRef supervisor) =>
        new TestActorCell(system, self, props, dispatcher, supervisor);

    private Envelope EnvelopeOf(object message, IActorRef sender) => new(message, sender.IsNobody() ? Cell.System.DeadLetters : sender);

    /// <summary>Asks the actor for itself.</summary>
    public class InternalGetActor : IAutoReceivedMessage, IPossiblyHarmful
    {
        public static readonly InternalGetActor Instance = new();

        private InternalGetActor()
        {
        }
    }
}
