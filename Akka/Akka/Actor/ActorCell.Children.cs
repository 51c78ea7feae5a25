using Akka.Actor.Internal;
using Akka.Util;

namespace Akka.Actor;

/// <summary>The children of a cell.</summary>
public partial class ActorCell
{
    private ChildrenTable _children;
    private long _nextRandomName = -1;

    internal bool IsWaitingForChildren => _children is not null && _children.IsWaitingForChildren;

    protected bool IsNormal => _children is null || _children.IsNormal;

    protected bool IsTerminating => _children is not null && _children.IsTerminating;

    public virtual IActorRef ActorOf(Props props, string name = null) => MakeChild(props, name, isSystemService: false);

    public virtual IActorRef AttachChild(Props props, bool isSystemService, string name = null) => MakeChild(props, name, isSystemService);

    public ActorSelection ActorSelection(string path) => ActorRefFactoryShared.ActorSelection(path, _systemImpl, Self);

    public ActorSelection ActorSelection(ActorPath path) => ActorRefFactoryShared.ActorSelection(path, _systemImpl);

    public IEnumerable<IInternalActorRef> GetChildren() => _children?.Children ?? [];

    IEnumerable<IActorRef> IActorContext.GetChildren() => GetChildren();

    IActorRef IActorContext.Child(string name) =>
        TryGetChildStatsByName(name, out var child) && child is ChildRestartStats stats ? stats.Child : ActorRefs.Nobody;

    /// <summary>The child of that name, which may end in <c>#uid</c>, or <see cref="ActorRefs.Nobody"/>.</summary>
    public IInternalActorRef GetSingleChild(string name)
    {
        var hash = name.IndexOf('#');
        var uid = hash < 0 ? UndefinedUid : long.TryParse(name.AsSpan(hash + 1), out var parsed) ? parsed : -1;
        if (!TryGetChildStatsByName(hash < 0 ? name : name[..hash], out var child) || child is not ChildRestartStats stats)
            return ActorRefs.Nobody;
        return uid == UndefinedUid || uid == stats.Uid ? stats.Child : ActorRefs.Nobody;
    }

    public bool TryGetChildStatsByName(string name, out IChildStats child)
    {
        child = null;
        return _children is not null && _children.TryGetByName(name, out child);
    }

    protected bool TryGetChildStatsByRef(IActorRef actor, out ChildRestartStats child)
    {
        child = null;
        return _children is not null && _children.TryGetByRef(actor, out child);
    }

    public void ReserveChild(string name) => Children.Reserve(name);

    protected void UnreserveChild(string name) => Children.Unreserve(name);

    public ChildRestartStats InitChild(IInternalActorRef actor) => Children.Init(actor);

    /// <summary>Stops a child, or any other actor.</summary>
    public void Stop(IActorRef child)
    {
        _children?.ShallDie(child);
        ((IInternalActorRef)child).Stop();
    }

    protected bool SetChildrenTerminationReason(SuspendReason reason) => _children is not null && _children.SetReason(reason);

    protected void SetTerminated() => Children.SetTerminated();

    protected SuspendReason RemoveChildAndGetStateChange(IActorRef child) => _children?.Remove(child);

    private ChildrenTable Children =>
        _children ?? Interlocked.CompareExchange(ref _children, new ChildrenTable(), null) ?? _children;

    /// <summary>The children, listed only if somebody looks: most strategies do not, and a parent may have a hundred thousand.</summary>
    private IEnumerable<IInternalActorRef> ChildrenWhenAsked()
    {
        foreach (var child in GetChildren())
            yield return child;
    }

    private IActorRef MakeChild(Props props, string name, bool isSystemService)
    {
        ArgumentNullException.ThrowIfNull(props);
        name = CheckName(name);
        var children = Children;
        children.Reserve(name);
        IInternalActorRef child;
        try
        {
            var path = new ChildActorPath(Self.Path, name, NewUid());
            child = _systemImpl.Provider.ActorOf(
                _systemImpl, props, _self, path, isSystemService, props.Deploy, lookupDeploy: true, async: false);
        }
        catch
        {
            children.Unreserve(name);
            throw;
        }

        children.Init(child);
        child.Start();
        return child;
    }

    private string CheckName(string name) => name switch
    {
        null => Base64Name.Of(Interlocked.Increment(ref _nextRandomName)),
        "" => throw new InvalidActorNameException("Actor name must not be empty."),
        _ when ActorPath.IsValidPathElement(name) => name,
        _ => throw new InvalidActorNameException(ActorPath.IllegalNameMessage(name)),
    };

    private static long NewUid()
    {
        long uid;
        do
            uid = Random.Shared.Next();
        while (uid == UndefinedUid);
        return uid;
    }

    private void SuspendChildren(IReadOnlyCollection<IActorRef> exceptFor = null)
    {
        if (_children is null)
            return;
        foreach (var child in _children.Children)
        {
            if (exceptFor is null || !exceptFor.Contains(child))
                child.Suspend();
        }
    }

    private void ResumeChildren(Exception causedByFailure, IActorRef perpetrator)
    {
        if (_children is null)
            return;
        foreach (var child in _children.Children)
            child.Resume(child.Equals(perpetrator) ? causedByFailure : null);
    }
}
