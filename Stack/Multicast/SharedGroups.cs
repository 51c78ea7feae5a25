using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Multicast;

/// <summary>Which version of IGMP or MLD the routers of a link speak (RFC 3376, 7.2.1; RFC 3810, 8.2.1).</summary>
internal enum QuerierVersion : byte
{
    /// <summary>IGMPv3 or MLDv2, also while there is no router.</summary>
    Current,

    /// <summary>IGMPv2 or MLDv1.</summary>
    Older,

    /// <summary>IGMPv1.</summary>
    Oldest,
}

/// <summary>
/// The groups that the stacks with the same addresses are in, on each interface. Each stack sets its own part; any thread may read. To the network they are one host, so what is reported, and let in, is
/// the union.
/// </summary>
/// <param name="shards">Number of stacks.</param>
internal sealed class SharedGroups(int shards)
{
    /// <summary>Groups on all interfaces together.</summary>
    public const int MaxGroups = 4096;

    private readonly byte[] _versions = new byte[2 * InterfaceTable.Capacity];
    private Dictionary<Key, Parts> _groups = [];

    /// <summary>What the host wants of a group; <see cref="SourceFilter.Nothing"/>: it is not in it.</summary>
    public SourceFilter Find(int interfaceIndex, IpAddress group) =>
        Volatile.Read(ref _groups).TryGetValue(new Key((byte)interfaceIndex, group), out var parts) ? parts.Merged : SourceFilter.Nothing;

    /// <summary>The groups on an interface of one family.</summary>
    public IEnumerable<(IpAddress Group, SourceFilter Filter)> On(byte interfaceIndex, bool isV6)
    {
        foreach (var (key, parts) in Volatile.Read(ref _groups))
        {
            if (key.Interface == interfaceIndex && key.Group.IsV6 == isV6)
                yield return (key.Group, parts.Merged);
        }
    }

    /// <summary>Sets what one stack wants of a group.</summary>
    /// <param name="before">What all together wanted.</param>
    /// <param name="after">What all together want now.</param>
    /// <returns>False: there are too many groups, and nothing has changed.</returns>
    public bool TrySet(int shard, byte interfaceIndex, IpAddress group, SourceFilter filter, out SourceFilter before, out SourceFilter after)
    {
        var key = new Key(interfaceIndex, group);
        while (true)
        {
            var groups = Volatile.Read(ref _groups);
            var parts = groups.GetValueOrDefault(key);
            before = parts?.Merged ?? SourceFilter.Nothing;
            after = before;
            if (parts is null && groups.Count >= MaxGroups)
                return false;
            var changed = new Parts(parts, shards, shard, filter);
            var next = new Dictionary<Key, Parts>(groups);
            if (changed.Merged.IsNothing && changed.IsEmpty)
                next.Remove(key);
            else
                next[key] = changed;
            if (Interlocked.CompareExchange(ref _groups, next, groups) != groups)
                continue;
            after = changed.Merged;
            return true;
        }
    }

    public QuerierVersion VersionOn(byte interfaceIndex, bool isV6) => (QuerierVersion)Volatile.Read(ref _versions[PlaceOf(interfaceIndex, isV6)]);

    public void SetVersion(byte interfaceIndex, bool isV6, QuerierVersion version) => Volatile.Write(ref _versions[PlaceOf(interfaceIndex, isV6)], (byte)version);

    private static int PlaceOf(byte interfaceIndex, bool isV6) => 2 * interfaceIndex + (isV6 ? 1 : 0);

    private readonly record struct Key(byte Interface, IpAddress Group);

    /// <summary>What each stack wants of one group.</summary>
    private sealed class Parts
    {
        private readonly SourceFilter[] _filters;

        public Parts(Parts? before, int shards, int shard, SourceFilter filter)
        {
            _filters = before is null ? [.. Enumerable.Repeat(SourceFilter.Nothing, shards)] : [.. before._filters];
            _filters[shard] = filter;
            Merged = shards == 1 ? filter : SourceFilter.Merge(_filters);
        }

        public SourceFilter Merged { get; }

        public bool IsEmpty => Array.TrueForAll(_filters, static filter => filter.IsNothing);
    }
}
