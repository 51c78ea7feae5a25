using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <summary>A client's knowledge of servers for Fast Open (RFC 7413, 4.1.3): cookies with the MSS that came with them, and paths that seem to drop it. Bounded;
/// the least recently used entry goes first.</summary>
internal sealed class FastOpenCache(int capacity)
{
    /// <summary>Pause of Fast Open after a failure; each further failure doubles it.</summary>
    private static readonly TimeSpan FirstPause = TimeSpan.FromMinutes(1);

    private const int MaxDoublings = 10;

    private readonly Dictionary<Path, LinkedListNode<Entry>> _byPath = [];
    private readonly LinkedList<Entry> _byUse = new();

    public int Count => _byPath.Count;

    /// <param name="cookie">The known cookie, or a request for one.</param>
    /// <param name="mss">The server's MSS; 0: not known.</param>
    /// <returns>False: the path seems to drop Fast Open, so an ordinary SYN must be sent.</returns>
    public bool TryFind(IpAddress local, IpAddress remote, Instant now, out FastOpenCookie cookie, out ushort mss)
    {
        cookie = default;
        mss = 0;
        if (!_byPath.TryGetValue(new Path(local, remote), out var node))
            return true;
        Touch(node);
        cookie = node.Value.Cookie;
        mss = node.Value.Mss;
        return now >= node.Value.PausedUntil;
    }

    /// <summary>The server's SYN-ACK shows no sign of a path that drops Fast Open.</summary>
    /// <param name="cookie">Null: the server sent none, and a known one stays.</param>
    public void Answered(IpAddress local, IpAddress remote, FastOpenCookie? cookie, ushort mss)
    {
        var entry = FindOrAdd(local, remote);
        entry.Cookie = cookie ?? entry.Cookie;
        entry.Mss = mss;
        entry.Failures = 0;
    }

    /// <summary>A SYN with Fast Open was not answered, or was answered only when sent again without it, or its data was not acknowledged.</summary>
    public void Failed(IpAddress local, IpAddress remote, Instant now)
    {
        var entry = FindOrAdd(local, remote);
        entry.PausedUntil = now + FirstPause * (1 << Math.Min(entry.Failures, MaxDoublings));
        entry.Failures++;
    }

    private Entry FindOrAdd(IpAddress local, IpAddress remote)
    {
        var path = new Path(local, remote);
        if (_byPath.TryGetValue(path, out var node))
        {
            Touch(node);
            return node.Value;
        }

        if (_byPath.Count >= capacity)
        {
            _byPath.Remove(_byUse.Last!.Value.Path);
            _byUse.RemoveLast();
        }

        node = _byUse.AddFirst(new Entry(path));
        _byPath.Add(path, node);
        return node.Value;
    }

    private void Touch(LinkedListNode<Entry> node)
    {
        _byUse.Remove(node);
        _byUse.AddFirst(node);
    }

    /// <summary>The key of an entry. A server's cookie is valid for one client address, so each of ours needs its own.</summary>
    private readonly record struct Path(IpAddress Local, IpAddress Remote);

    private sealed class Entry(Path path)
    {
        public readonly Path Path = path;
        public FastOpenCookie Cookie;
        public ushort Mss;
        public Instant PausedUntil = new(long.MinValue / 2);
        public int Failures;
    }
}
