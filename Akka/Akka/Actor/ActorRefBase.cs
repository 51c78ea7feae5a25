using Akka.Dispatch.SysMsg;

namespace Akka.Actor;

/// <summary>Equality, order and text of actor handles.</summary>
public abstract class ActorRefBase : IActorRef
{
    public abstract ActorPath Path { get; }

    public void Tell(object message, IActorRef sender) => TellInternal(message, sender);

    protected abstract void TellInternal(object message, IActorRef sender);

    public override string ToString() => Path.Uid == ActorCell.UndefinedUid ? $"[{Path}]" : $"[{Path}#{Path.Uid}]";

    public override bool Equals(object obj) => Equals(obj as IActorRef);

    public bool Equals(IActorRef other)
    {
        if (ReferenceEquals(this, other))
            return true;
        if (other is null)
            return false;
        ActorPath mine = Path, others = other.Path;
        return mine is not null && others is not null && mine.Uid == others.Uid && mine.Equals(others);
    }

    /// <remarks>The uid alone says nearly everything; the path is walked only where there is none.</remarks>
    public override int GetHashCode() => Path.Uid != ActorCell.UndefinedUid ? Path.Uid.GetHashCode() : Path.GetHashCode();

    public int CompareTo(IActorRef other)
    {
        if (other is null)
            return 1;
        var result = Path.CompareTo(other.Path);
        return result != 0 ? result : Path.Uid.CompareTo(other.Path.Uid);
    }

    public int CompareTo(object obj) => obj is null or IActorRef
        ? CompareTo((IActorRef)obj)
        : throw new ArgumentException($"Object must be of type IActorRef, found {obj.GetType()} instead.", nameof(obj));
}

/// <summary>The base of all handles in this assembly.</summary>
public abstract class InternalActorRefBase : ActorRefBase, IInternalActorRef
{
    public abstract IInternalActorRef Parent { get; }

    public abstract IActorRefProvider Provider { get; }

    public abstract bool IsTerminated { get; }

    public abstract bool IsLocal { get; }

    public abstract IActorRef GetChild(IReadOnlyList<string> name);

    public abstract void Resume(Exception causedByFailure = null);

    public abstract void Start();

    public abstract void Stop();

    public abstract void Restart(Exception cause);

    public abstract void Suspend();

    public abstract void SendSystemMessage(ISystemMessage message);
}

/// <summary>A handle behind which there is no cell: it does nothing unless a derived class says so.</summary>
public abstract class MinimalActorRef : InternalActorRefBase
{
    public override IInternalActorRef Parent => ActorRefs.Nobody;

    public override bool IsTerminated => false;

    public override bool IsLocal => true;

    public override IActorRef GetChild(IReadOnlyList<string> name) => name.All(string.IsNullOrEmpty) ? this : ActorRefs.Nobody;

    public override void Resume(Exception causedByFailure = null) { }

    public override void Start() { }

    public override void Stop() { }

    public override void Restart(Exception cause) { }

    public override void Suspend() { }

    protected override void TellInternal(object message, IActorRef sender) { }

    public override void SendSystemMessage(ISystemMessage message) { }
}

/// <summary>The actor that does not exist.</summary>
public sealed class Nobody : MinimalActorRef
{
    public static Nobody Instance = new();

    private Nobody() { }

    public override ActorPath Path { get; } = new RootActorPath(Address.AllSystems, "/Nobody");

    public override IActorRefProvider Provider => throw new NotSupportedException("Nobody does not provide");
}

/// <summary>A handle with a cell.</summary>
public abstract class ActorRefWithCell : InternalActorRefBase
{
    public abstract ICell Underlying { get; }

    public abstract IEnumerable<IActorRef> Children { get; }

    public abstract IInternalActorRef GetSingleChild(string name);
}
