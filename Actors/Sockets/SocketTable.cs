using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;

namespace Tapwire.Actors.Sockets;

/// <summary>A socket as the stack actor knows it, beside the engine's own state: its id, and the actor that owns it.</summary>
internal sealed class SocketEntry(SocketId id, Instant since)
{
    public SocketId Id { get; } = id;

    /// <summary>When the stack got it: an accepted connection when its handshake was done.</summary>
    public Instant Since { get; } = since;

    public StackSocket Socket { get; set; } = null!;

    /// <summary>The owner; Nobody for an accepted connection until its actor attaches.</summary>
    public IActorRef Owner { get; set; } = ActorRefs.Nobody;

    /// <summary>The connection has been established at some time.</summary>
    public bool Established { get; set; }

    /// <summary>The requester of the connection will not own it: it has no owner until an actor attaches.</summary>
    public bool Hold { get; set; }

    /// <summary>Events that came before there was an owner.</summary>
    public SocketEvents Deferred { get; set; }

    /// <summary>For listeners and datagram sockets: how many connections or datagrams the owner can take now.</summary>
    public int Demand { get; set; }
}

/// <summary>
/// The sockets of one stack actor by <see cref="SocketId"/>: entries in pages, with a list of the free ones linked through the entries themselves. It grows by
/// a page, so that the millionth socket costs what the first did.
/// </summary>
internal sealed class SocketTable
{
    private const int PageBits = 10;
    private const int PageSize = 1 << PageBits;

    private readonly List<Place[]> _pages = [];
    private int _used;

    /// <summary>The entry freed last, or -1.</summary>
    private int _free = -1;

    public int Count { get; private set; }

    public SocketEntry Add(StackSocket socket, IActorRef owner, Instant now)
    {
        var index = _free >= 0 ? _free : _used++;
        if (index >> PageBits == _pages.Count)
            _pages.Add(new Place[PageSize]);
        ref var place = ref At(index);
        if (index == _free)
            _free = place.NextFree;
        var entry = new SocketEntry(new SocketId(index, place.Generation), now) { Socket = socket, Owner = owner };
        socket.Owner = entry;
        place.Entry = entry;
        Count++;
        return entry;
    }

    /// <summary>The entry, or null for a socket that is gone.</summary>
    public SocketEntry? Find(SocketId id)
    {
        if ((uint)id.Index >= (uint)_used)
            return null;
        var entry = At(id.Index).Entry;
        return entry is not null && entry.Id.Generation == id.Generation ? entry : null;
    }

    public void Remove(SocketEntry entry)
    {
        ref var place = ref At(entry.Id.Index);
        if (place.Entry != entry)
            return;
        place.Entry = null;
        place.Generation++;
        place.NextFree = _free;
        _free = entry.Id.Index;
        entry.Socket.Owner = null;
        Count--;
    }

    /// <summary>The entries from an index on, in the order of their indices; the table must not change while they are walked through.</summary>
    public IEnumerable<SocketEntry> All(int from = 0)
    {
        for (var index = Math.Max(0, from); index < _used; index++)
        {
            if (At(index).Entry is { } entry)
                yield return entry;
        }
    }

    private ref Place At(int index) => ref _pages[index >> PageBits][index & (PageSize - 1)];

    private struct Place
    {
        public SocketEntry? Entry;
        public uint Generation;
        public int NextFree;
    }
}
