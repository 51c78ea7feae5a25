using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Names;

/// <summary>The answer to a question for one type of a name's records.</summary>
/// <param name="Target">The name at the end of all aliases; of a question for a pointer the name that was found.</param>
/// <param name="Lifetime">How long it may be kept.</param>
internal sealed record DnsAnswer(LookupResult Result, IReadOnlyList<IpAddress> Addresses, DnsName? Target, TimeSpan Lifetime)
{
    /// <inheritdoc cref="Mdns.MulticastAnswer.Interface"/>
    public byte? Interface { get; init; }

    public static DnsAnswer Failed(LookupResult result, TimeSpan lifetime = default) => new(result, [], null, lifetime);
}

/// <summary>Answers until they expire, within bounds; beyond these the one that has not been asked for the longest goes.</summary>
internal sealed class AnswerCache(int maxEntries, int maxBytes)
{
    /// <summary>Nothing is kept longer, whatever a server says (RFC 8767, 4, has the same bound).</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    /// <summary>No "there is none" is kept longer (RFC 2308, 5: one to three hours).</summary>
    public static readonly TimeSpan LongestNegative = TimeSpan.FromHours(3);

    /// <summary>Bytes of an entry beside its names and addresses: dictionary, list and objects.</summary>
    private const int Overhead = 256;

    /// <summary>A name that does not exist has no records of any type (RFC 2308, 5).</summary>
    private const DnsType AnyType = 0;

    private readonly Dictionary<(DnsName, DnsType), LinkedListNode<Entry>> _entries = [];
    private readonly LinkedList<Entry> _byUse = [];

    private readonly record struct Entry((DnsName Name, DnsType Type) Key, DnsAnswer Answer, Instant Expires, int Bytes);

    public int Count => _entries.Count;

    public int Bytes { get; private set; }

    public DnsAnswer? Find(DnsName name, DnsType type, Instant now) => Find((name, type), now) ?? Find((name, AnyType), now);

    public void Add(DnsName name, DnsType type, DnsAnswer answer, Instant now)
    {
        var longest = answer.Result == LookupResult.Found ? Longest : LongestNegative;
        var lifetime = answer.Lifetime < longest ? answer.Lifetime : longest;
        var bytes = Overhead + (2 * name.Wire.Length) + (answer.Target?.Wire.Length ?? 0) + (16 * answer.Addresses.Count);
        if (lifetime <= TimeSpan.Zero || bytes > maxBytes || maxEntries == 0)
            return;
        var key = (name, answer.Result == LookupResult.NoSuchName ? AnyType : type);
        if (_entries.TryGetValue(key, out var before))
            Remove(before);
        while (_entries.Count >= maxEntries || Bytes + bytes > maxBytes)
            Remove(_byUse.Last!);
        _entries[key] = _byUse.AddFirst(new Entry(key, answer, now + lifetime, bytes));
        Bytes += bytes;
    }

    private DnsAnswer? Find((DnsName, DnsType) key, Instant now)
    {
        if (!_entries.TryGetValue(key, out var entry))
            return null;
        if (entry.Value.Expires <= now)
        {
            Remove(entry);
            return null;
        }

        _byUse.Remove(entry);
        _byUse.AddFirst(entry);
        return entry.Value.Answer;
    }

    private void Remove(LinkedListNode<Entry> entry)
    {
        _byUse.Remove(entry);
        _entries.Remove(entry.Value.Key);
        Bytes -= entry.Value.Bytes;
    }
}
