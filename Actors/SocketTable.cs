using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;

namespace Tapwire.Actors;

/// <summary>What the stack actor knows of one socket beside the engine's own state: its name, and the actor that it belongs to.</summary>
internal sealed class SocketEntry(SocketId id)
{
    public SocketId Id { get; } = id;

    public StackSocket Socket { get; set; } = null!;

    /// <summary>Nobody for an accepted connection until its actor attaches.</summary>
    public IActorRef Owner { get; set; } = ActorRefs.Nobody;

    /// <summary>The connection has been established at some time.</summary>
    public bool Established { get; set; }

    /// <summary>Whoever connects it is not the one to own it: nobody does, from then on until an actor attaches.</summary>
    public bool Hold { get; set; }

    /// <summary>News that came before there was an owner.</summary>
    public SocketEvents Deferred { get; set; }

    /// <summary>For listeners and datagram sockets: how many connections or datagrams the owner can take now.</summary>
    public int Demand { get; set; }
}

/// <summary>The sockets of one stack actor by <see cref="SocketId"/>: an array with a free list.</summary>
internal sealed class SocketTable
{
    private SocketEntry?[] _entries = new SocketEntry?[64];
    private uint[] _generations = new uint[64];
    private readonly Stack<int> _free = new();
    private int _used;

    public int Count { get; private set; }

    public SocketEntry Add(StackSocket socket, IActorRef owner)
    {
        if (!_free.TryPop(out var index))
        {
            index = _used++;
            if (index == _entries.Length)
            {
                Array.Resize(ref _entries, index * 2);
                Array.Resize(ref _generations, index * 2);
            }
        }

        var entry = new SocketEntry(new SocketId(index, _generations[index])) { Socket = socket, Owner = owner };
        socket.Owner = entry;
        _entries[index] = entry;
        Count++;
        return entry;
    }

    /// <summary>The entry, or null for a socket that is gone.</summary>
    public SocketEntry? Find(SocketId id)
    {
        var entries = _entries;
        if ((uint)id.Index >= (uint)entries.Length)
            return null;
        var entry = entries[id.Index];
        return entry is not null && entry.Id.Generation == id.Generation ? entry : null;
    }

    public void Remove(SocketEntry entry)
    {
        var index = entry.Id.Index;
        if (_entries[index] != entry)
            return;
        _entries[index] = null;
        _generations[index]++;
        _free.Push(index);
        entry.Socket.Owner = null;
        Count--;
    }

    public IEnumerable<SocketEntry> All() => _entries.Where(static entry => entry is not null)!;
}
