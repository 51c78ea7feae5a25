namespace Akka.Actor.Internal;

/// <summary>
/// The children of an actor by name. Only the actor itself changes it, except that guardians get children from any thread and that
/// selections look in from anywhere: hence the lock.
/// </summary>
internal sealed class ChildrenTable
{
    private readonly Dictionary<string, IChildStats> _byName = [];
    private int _dying;
    private bool _terminated;

    /// <summary>Why children that shall die are waited for; null while none shall.</summary>
    public SuspendReason Reason { get; private set; }

    public bool IsTerminating => _terminated || Reason is SuspendReason.Termination;

    public bool IsNormal => !_terminated && Reason is null or SuspendReason.UserRequest;

    public bool IsWaitingForChildren => Reason is SuspendReason.IWaitingForChildren;

    public IInternalActorRef[] Children
    {
        get
        {
            lock (_byName)
            {
                var children = new List<IInternalActorRef>(_byName.Count);
                foreach (var stats in _byName.Values)
                {
                    if (stats is ChildRestartStats child)
                        children.Add(child.Child);
                }

                return children.ToArray();
            }
        }
    }

    /// <summary>The children with their restarts, listed only if somebody looks.</summary>
    public IReadOnlyCollection<ChildRestartStats> Stats => new StatsWhenAsked(this);

    public bool TryGetByName(string name, out IChildStats stats)
    {
        lock (_byName)
            return _byName.TryGetValue(name, out stats);
    }

    public bool TryGetByRef(IActorRef actor, out ChildRestartStats stats)
    {
        stats = TryGetByName(actor.Path.Name, out var found) ? found as ChildRestartStats : null;
        if (stats is not null && !stats.Child.Equals(actor))
            stats = null;
        return stats is not null;
    }

    /// <exception cref="InvalidActorNameException">The name is taken.</exception>
    /// <exception cref="InvalidOperationException">The actor is stopping.</exception>
    public void Reserve(string name)
    {
        lock (_byName)
        {
            if (_terminated)
                throw new InvalidOperationException($"Cannot reserve actor name '{name}': already terminated");
            if (Reason is SuspendReason.Termination)
                throw new InvalidOperationException($"Cannot reserve actor name '{name}': terminating");
            if (!_byName.TryAdd(name, ChildNameReserved.Instance))
                throw new InvalidActorNameException($"Actor name \"{name}\" is not unique!");
        }
    }

    public void Unreserve(string name)
    {
        lock (_byName)
        {
            if (_byName.TryGetValue(name, out var stats) && stats is ChildNameReserved)
                _byName.Remove(name);
        }
    }

    /// <summary>Puts the child in the place of its reserved name; null when there is none.</summary>
    public ChildRestartStats Init(IInternalActorRef child)
    {
        lock (_byName)
        {
            ref var entry = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrNullRef(_byName, child.Path.Name);
            if (System.Runtime.CompilerServices.Unsafe.IsNullRef(ref entry))
                return null;
            if (entry is ChildRestartStats there)
                return there;
            var stats = new ChildRestartStats(child);
            entry = stats;
            return stats;
        }
    }

    /// <summary>Notes that a child has been told to stop.</summary>
    public void ShallDie(IActorRef child)
    {
        lock (_byName)
        {
            if (!_byName.TryGetValue(child.Path.Name, out var found) || found is not ChildRestartStats stats
                || stats.ShallDie || !stats.Child.Equals(child))
                return;
            stats.ShallDie = true;
            _dying++;
            Reason ??= SuspendReason.UserRequest.Instance;
        }
    }

    /// <summary>Changes why the dying children are waited for; false when there are none.</summary>
    public bool SetReason(SuspendReason reason)
    {
        lock (_byName)
        {
            if (_dying == 0)
                return false;
            Reason = reason;
            return true;
        }
    }

    /// <summary>Removes a child that has stopped; the reason for which the last of the dying ones was waited for, else null.</summary>
    public SuspendReason Remove(IActorRef child)
    {
        lock (_byName)
        {
            if (!_byName.TryGetValue(child.Path.Name, out var found) || found is not ChildRestartStats stats || !stats.Child.Equals(child))
                return null;
            _byName.Remove(child.Path.Name);
            if (!stats.ShallDie || --_dying > 0)
                return null;
            var reason = Reason;
            Reason = null;
            if (reason is SuspendReason.Termination)
                _terminated = true;
            return reason;
        }
    }

    public void SetTerminated()
    {
        lock (_byName)
        {
            _terminated = true;
            _byName.Clear();
        }
    }

    private sealed class StatsWhenAsked(ChildrenTable table) : IReadOnlyCollection<ChildRestartStats>
    {
        private ChildRestartStats[] _stats;

        public int Count => List().Length;

        public IEnumerator<ChildRestartStats> GetEnumerator() => ((IEnumerable<ChildRestartStats>)List()).GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();

        private ChildRestartStats[] List()
        {
            if (_stats is not null)
                return _stats;
            lock (table._byName)
                return _stats = table._byName.Values.OfType<ChildRestartStats>().ToArray();
        }
    }
}
