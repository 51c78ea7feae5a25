using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <summary>What a client knows of servers' Fast Open (RFC 7413, 4.1.3): cookies with the MSS that came with them, and paths on which it seems to be
/// swallowed. Bounded; what was not used for longest goes first.</summary>
internal sealed class FastOpenCache(int capacity)
{
    /// <summary>After a failure Fast Open is left alone for that long, twice as long after each further one.</summary>
    private static readonly TimeSpan FirstPause = TimeSpan.FromMinutes(1);

    private const int MaxDoublings = 10;

    private readonly Dictionary<Path, LinkedListNode<Entry>> _byPath = [];
    private readonly LinkedList<Entry> _byUse = new();

    public int Count => _byPath.Count;

    /// <param name="cookie">A request if none is known.</param>
    /// <param name="mss">0: not known.</param>
    /// <returns>False: the path is suspected, an ordinary SYN is to be sent.</returns>
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

    /// <summary>A SYN-ACK has come that does not raise suspicion.</summary>
    /// <param name="cookie">Null: the server did not give one, and the known one, if any, stays.</param>
    public void Answered(IpAddress local, IpAddress remote, FastOpenCookie? cookie, ushort mss)
    {
        var entry = FindOrAdd(local, remote);
        entry.Cookie = cookie ?? entry.Cookie;
        entry.Mss = mss;
        entry.Failures = 0;
    }

    /// <summary>A SYN with Fast Open was not answered, or not until it was sent again without, or its data was left unacknowledged.</summary>
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

    /// <summary>A server makes its cookies for a client's address, so that each of ours needs its own.</summary>
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
