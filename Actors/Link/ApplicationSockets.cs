using System.Diagnostics.CodeAnalysis;
using Akka.Actor;
using Tapwire.Links;

namespace Tapwire.Actors.Link;

/// <summary>The sockets of applications by their handles: the actor of each, and whose it is.</summary>
internal sealed class ApplicationSockets
{
    private readonly Dictionary<ulong, Entry> _entries = [];

    public int Count => _entries.Count;

    public void Add(ulong handle, IActorRef actor, PeerCredentials owner) => _entries[handle] = new Entry(actor, owner.ProcessId, owner.UserId);

    public bool TryGet(ulong handle, [NotNullWhen(true)] out IActorRef? actor)
    {
        var found = _entries.TryGetValue(handle, out var entry);
        actor = entry.Actor;
        return found;
    }

    /// <summary>Whose a socket is; nobody's if there is none of that handle.</summary>
    public PeerCredentials OwnerOf(ulong handle) => _entries.TryGetValue(handle, out var entry) ? new PeerCredentials(entry.Process, entry.User, 0) : default;

    public void Remove(ulong handle) => _entries.Remove(handle);

    /// <summary>Whose the sockets of some actors are. An actor that is no application's is left out.</summary>
    public Dictionary<IActorRef, PeerCredentials> OwnersOf(IEnumerable<IActorRef> actors)
    {
        var wanted = actors.ToHashSet();
        var owners = new Dictionary<IActorRef, PeerCredentials>();
        foreach (var entry in _entries.Values)
        {
            if (wanted.Contains(entry.Actor))
                owners[entry.Actor] = new PeerCredentials(entry.Process, entry.User, 0);
        }

        return owners;
    }

    private readonly record struct Entry(IActorRef Actor, int Process, uint User);
}
