using Akka.Actor;
using Akka.Dispatch.SysMsg;
using Akka.TestKit.Internal;

namespace Akka.TestKit;

/// <summary>An actor that runs on the thread that sends to it, and whose object the test can reach.</summary>
public class TestActorRef<TActor>(ActorSystem system, Props actorProps, IActorRef supervisor = null, string name = null)
    : TestActorRefBase<TActor>(system, actorProps, supervisor, name)
    where TActor : ActorBase
{
    public static bool operator ==(TestActorRef<TActor> testActorRef, IActorRef actorRef) => Same(testActorRef, actorRef);

    public static bool operator !=(TestActorRef<TActor> testActorRef, IActorRef actorRef) => !Same(testActorRef, actorRef);

    public static bool operator ==(IActorRef actorRef, TestActorRef<TActor> testActorRef) => Same(testActorRef, actorRef);

    public static bool operator !=(IActorRef actorRef, TestActorRef<TActor> testActorRef) => !Same(testActorRef, actorRef);

    public override bool Equals(object obj) => base.Equals(obj);

    public override int GetHashCode() => base.GetHashCode();
}

/// <inheritdoc cref="TestActorRef{TActor}"/>
public abstract class TestActorRefBase<TActor> : ICanTell, IEquatable<IActorRef>, IInternalActorRef
    where TActor : ActorBase
{
    /// <param name="supervisor">The parent; null for the user guardian.</param>
    /// <param name="name">Null for a name of its own.</param>
    protected TestActorRefBase(ActorSystem system, Props actorProps, IActorRef supervisor = null, string name = null) =>
        InternalRef = InternalTestActorRef.Create(system, actorProps, supervisor, name);

    public IActorRef Ref => InternalRef;

    /// <summary>The actor itself; after a restart the new one.</summary>
    /// <exception cref="IllegalActorStateException">The actor has stopped.</exception>
    public TActor UnderlyingActor => (TActor)InternalRef.UnderlyingActor;

    public ActorPath Path => InternalRef.Path;

    bool IActorRefScope.IsLocal => InternalRef.IsLocal;

    IInternalActorRef IInternalActorRef.Parent => InternalRef.Parent;

    IActorRefProvider IInternalActorRef.Provider => InternalRef.Provider;

    [Obsolete("Use Context.Watch and Receive<Terminated> [1.1.0]")]
    bool IInternalActorRef.IsTerminated => InternalRef.IsTerminated;

    protected InternalTestActorRef InternalRef { get; }

    /// <summary>Has the actor handle the message on this thread, past its mailbox; what it throws reaches the caller and not its supervisor.</summary>
    public void Receive(object message, IActorRef sender = null) => InternalRef.Receive(message, sender);

    /// <inheritdoc cref="Receive"/>
    public Task ReceiveAsync(object message, IActorRef sender = null) => InternalRef.ReceiveAsync(message, sender);

    public void Watch(IActorRef subject) => InternalRef.Watch(subject);

    public void Unwatch(IActorRef subject) => InternalRef.Unwatch(subject);

    public void Tell(object message) => InternalRef.Tell(message);

    public void Tell(object message, IActorRef sender) => InternalRef.Tell(message, sender);

    public void Forward(object message) => InternalRef.Forward(message);

    public void SendSystemMessage(ISystemMessage message) => InternalRef.SendSystemMessage(message);

    /// <inheritdoc cref="SendSystemMessage(ISystemMessage)"/>
    /// <param name="sender">A system message has no sender.</param>
    public void SendSystemMessage(ISystemMessage message, IActorRef sender) => InternalRef.SendSystemMessage(message);

    public int CompareTo(object obj) => InternalRef.CompareTo(obj);

    public override bool Equals(object obj) => InternalRef.Equals(obj is TestActorRefBase<TActor> other ? other.InternalRef : obj);

    public bool Equals(IActorRef other) => Equals((object)other);

    public override int GetHashCode() => InternalRef.GetHashCode();

    public override string ToString() => InternalRef.ToString();

    int IComparable<IActorRef>.CompareTo(IActorRef other) => InternalRef.CompareTo(other);

    IActorRef IInternalActorRef.GetChild(IReadOnlyList<string> name) => InternalRef.GetChild(name);

    void IInternalActorRef.Resume(Exception causedByFailure) => InternalRef.Resume(causedByFailure);

    void IInternalActorRef.Start() => InternalRef.Start();

    void IInternalActorRef.Stop() => InternalRef.Stop();

    void IInternalActorRef.Restart(Exception cause) => InternalRef.Restart(cause);

    void IInternalActorRef.Suspend() => InternalRef.Suspend();

    public static IActorRef ToActorRef(TestActorRefBase<TActor> actorRef) => actorRef.InternalRef;

    public static bool operator ==(TestActorRefBase<TActor> testActorRef, IActorRef actorRef) => Same(testActorRef, actorRef);

    public static bool operator !=(TestActorRefBase<TActor> testActorRef, IActorRef actorRef) => !Same(testActorRef, actorRef);

    public static bool operator ==(IActorRef actorRef, TestActorRefBase<TActor> testActorRef) => Same(testActorRef, actorRef);

    public static bool operator !=(IActorRef actorRef, TestActorRefBase<TActor> testActorRef) => !Same(testActorRef, actorRef);

    private protected static bool Same(TestActorRefBase<TActor> testActorRef, IActorRef actorRef) =>
        testActorRef is null ? actorRef is null : testActorRef.Equals(actorRef);
}
