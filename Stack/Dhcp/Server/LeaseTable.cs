using System.Buffers.Binary;
using System.Text;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp.Server;

/// <summary>An address and the client that has it, or has been offered it; or nobody, where a client has found that somebody else has it.</summary>
internal sealed class Binding(string key, IpAddress address)
{
    /// <summary>The client's; empty: the address is not to be given away.</summary>
    public string Key => key;

    public IpAddress Address => address;

    public MacAddress Hardware { get; set; }

    public string Name { get; set; } = "";

    public Instant Expires { get; set; }

    /// <summary>The client has taken what it was offered.</summary>
    public bool IsLeased { get; set; }

    public ServedLease Lease => new(address, Hardware, Name, Expires);
}

/// <summary>Who has which address. Its size is bounded, whatever clients say they are: an offer that nobody has taken yet, and what was declined, give way, a lease does not.</summary>
internal sealed class LeaseTable(DhcpServerOptions options)
{
    private readonly SipHash _choice = new(BinaryPrimitives.ReadUInt64LittleEndian(options.Secret.Span), BinaryPrimitives.ReadUInt64LittleEndian(options.Secret.Span[8..]));
    private readonly Dictionary<string, Binding> _byClient = [];
    private readonly Dictionary<uint, Binding> _byAddress = [];

    // Each binding is there once, by a time at which it may be over: it is looked at then.
    private readonly PriorityQueue<Binding, Instant> _due = new();

    public IEnumerable<Binding> All => _byAddress.Values;

    public int Count => _byAddress.Count;

    /// <summary>When the first may be over.</summary>
    public Instant NextDue => _due.TryPeek(out _, out var due) ? due : Instant.Never;

    public Binding? Find(string key) => _byClient.GetValueOrDefault(key);

    public bool IsFree(IpAddress address) => IsInPool(address) && !_byAddress.ContainsKey(address.V4);

    /// <summary>The address is one that this server gives away.</summary>
    public bool IsInPool(IpAddress address) => options.Address.Contains(address) && address != options.Address.Network && address != options.Address.Broadcast
        && address != options.Address.Address && !options.Reserved.Contains(address);

    /// <summary>A free address for a client: the one that it wishes, else the one that its name leads to, or one of those behind it.</summary>
    public IpAddress? Choose(string key, IpAddress? wished)
    {
        if (wished is { } wish && IsFree(wish))
            return wish;
        var size = (1L << (32 - options.Address.Length)) - 2;
        var first = (long)(_choice.Hash(Encoding.ASCII.GetBytes(key)) % (ulong)size);
        // Of so many addresses one is free, or there is none.
        var tries = Math.Min(size, _byAddress.Count + options.Reserved.Count + 2L);
        for (var i = 0L; i < tries; i++)
        {
            var address = IpAddress.FromV4(options.Address.Network.V4 + 1 + (uint)((first + i) % size));
            if (IsFree(address))
                return address;
        }

        return null;
    }

    /// <summary>Makes a place for one more.</summary>
    /// <returns>False: all are leases.</returns>
    public bool TryMakeRoom()
    {
        if (Count < options.MostLeases)
            return true;
        Binding? oldest = null;
        foreach (var each in _byAddress.Values)
        {
            if (!each.IsLeased && (oldest is null || each.Expires < oldest.Expires))
                oldest = each;
        }

        if (oldest is not null)
            Remove(oldest);
        return oldest is not null;
    }

    /// <summary>Adds a binding of a free address, and of a client that has none.</summary>
    public void Add(Binding added)
    {
        if (added.Key.Length > 0)
            _byClient.Add(added.Key, added);
        _byAddress.Add(added.Address.V4, added);
        _due.Enqueue(added, added.Expires);
    }

    public void Remove(Binding removed)
    {
        if (removed.Key.Length > 0)
            _byClient.Remove(removed.Key);
        _byAddress.Remove(removed.Address.V4);
        _due.Remove(removed, out _, out _);
    }

    /// <summary>Removes one that is over.</summary>
    public bool TryTakeExpired(Instant now, out Binding expired)
    {
        expired = null!;
        while (_due.TryPeek(out var first, out var due) && due <= now)
        {
            if (first.Expires <= now)
            {
                expired = first;
                Remove(first);
                return true;
            }

            // It has got more time since.
            _due.DequeueEnqueue(first, first.Expires);
        }

        return false;
    }
}
