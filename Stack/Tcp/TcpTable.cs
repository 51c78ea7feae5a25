using System.Runtime.InteropServices;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

/// <summary>
/// All connections by their endpoints: a chained table with intrusive links and a keyed hash, so that an attacker cannot aim at one chain. It doubles when it
/// has as many entries as chains, and moves a few chains with each insertion, so that no insertion waits for a million moves.
/// </summary>
internal sealed class TcpTable(KeyedRandom random)
{
    private const int InitialSize = 64;

    /// <summary>With one insertion per step, two chains would be enough; four end the move in half the time.</summary>
    private const int ChainsPerStep = 4;

    private readonly SipHash _hash = random.NextHash();
    private TcpEntry?[] _chains = new TcpEntry?[InitialSize];
    private TcpEntry?[]? _old;
    private int _moved;

    /// <summary>Number of entries with a local port.</summary>
    private readonly Dictionary<ushort, int> _portUse = [];

    /// <summary>Called when the last entry with a local port has gone.</summary>
    public Action<ushort>? Vacated;

    public int Count { get; private set; }

    public uint HashOf(in TcpPair pair)
    {
        var ports = (ulong)pair.Local.Port << 16 | pair.Remote.Port;
        var local = pair.Local.Address;
        var remote = pair.Remote.Address;
        if (local.IsV4 && remote.IsV4)
            return (uint)_hash.TableHash((ulong)local.V4 << 32 | remote.V4, ports);
        var (localHigh, localLow) = local.Halves;
        var (remoteHigh, remoteLow) = remote.Halves;
        return (uint)_hash.TableHash(localHigh, localLow, remoteHigh, remoteLow, ports);
    }

    public TcpEntry? Find(in TcpPair pair) => Find(pair, HashOf(pair));

    public TcpEntry? Find(in TcpPair pair, uint hash)
    {
        for (var entry = ChainOf(hash); entry is not null; entry = entry.Chain)
        {
            if (entry.Hash == hash && entry.Is(pair))
                return entry;
        }

        return null;
    }

    /// <summary>Adds an entry whose pair is not in the table.</summary>
    public void Add(TcpEntry entry)
    {
        if (_old is not null)
            Move(ChainsPerStep);
        else if (Count >= _chains.Length)
            Grow();
        ref var chain = ref ChainOf(entry.Hash);
        entry.Chain = chain;
        chain = entry;
        Count++;
        CollectionsMarshal.GetValueRefOrAddDefault(_portUse, entry.LocalPort, out _)++;
    }

    public void Remove(TcpEntry entry)
    {
        ref var link = ref Find(entry);
        link = entry.Chain;
        entry.Chain = null;
        Count--;
        ref var uses = ref CollectionsMarshal.GetValueRefOrNullRef(_portUse, entry.LocalPort);
        if (--uses != 0)
            return;
        _portUse.Remove(entry.LocalPort);
        Vacated?.Invoke(entry.LocalPort);
    }

    /// <summary>Whether an entry has that local port.</summary>
    public bool UsesPort(ushort port) => _portUse.ContainsKey(port);

    /// <summary>Replaces an entry by another one for the same pair.</summary>
    public void Replace(TcpEntry entry, TcpEntry with)
    {
        ref var link = ref Find(entry);
        with.Chain = entry.Chain;
        entry.Chain = null;
        link = with;
    }

    /// <summary>All entries at this moment, for the rare walks through all of them.</summary>
    public List<TcpEntry> Snapshot()
    {
        var all = new List<TcpEntry>(Count);
        Collect(_chains, all);
        if (_old is not null)
            Collect(_old, all);
        return all;
    }

    private static void Collect(TcpEntry?[] chains, List<TcpEntry> all)
    {
        foreach (var chain in chains)
        {
            for (var entry = chain; entry is not null; entry = entry.Chain)
                all.Add(entry);
        }
    }

    private ref TcpEntry? Find(TcpEntry entry)
    {
        ref var link = ref ChainOf(entry.Hash);
        while (link != entry)
            link = ref link!.Chain;
        return ref link;
    }

    private ref TcpEntry? ChainOf(uint hash)
    {
        if (_old is not null)
        {
            var index = (int)(hash & (uint)(_old.Length - 1));
            if (index >= _moved)
                return ref _old[index];
        }

        return ref _chains[(int)(hash & (uint)(_chains.Length - 1))];
    }

    private void Grow()
    {
        _old = _chains;
        _moved = 0;
        _chains = new TcpEntry?[_old.Length * 2];
        Move(ChainsPerStep);
    }

    private void Move(int chains)
    {
        var old = _old!;
        for (; chains > 0 && _moved < old.Length; chains--)
        {
            var entry = old[_moved];
            old[_moved++] = null;
            while (entry is not null)
            {
                var next = entry.Chain;
                ref var chain = ref _chains[(int)(entry.Hash & (uint)(_chains.Length - 1))];
                entry.Chain = chain;
                chain = entry;
                entry = next;
            }
        }

        if (_moved == old.Length)
            _old = null;
    }
}
