using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Names.Mdns;

/// <summary>
/// Records that a link has told, until they expire (RFC 6762, 10). Only those of names that somebody has looked up get in; they are bounded in number and in size. What was used since it was told is asked for
/// again before it expires (RFC 6762, 5.2); what nobody has used is not.
/// </summary>
internal sealed class MdnsCache(MdnsCounters counters, KeyedRandom random)
{
    /// <summary>Records of all names, and of one.</summary>
    public const int MaxRecords = 512;
    public const int MaxOfName = 64;

    /// <summary>Bytes of a record's data; none that a look-up needs is longer.</summary>
    private const int MaxData = 300;

    /// <summary>How long what is taken back, or replaced, still counts: another message may just be putting it right (RFC 6762, 10.1 and 10.2).</summary>
    private static readonly TimeSpan LastSecond = TimeSpan.FromSeconds(1);

    /// <summary>Nothing is kept longer, whatever a host says.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(MdnsRecord.OtherLifetime);

    /// <summary>Hundredths of a record's lifetime after which it is asked for again, with up to two more at random (RFC 6762, 5.2).</summary>
    private static readonly int[] RefreshTimes = [80, 85, 90, 95];

    private const int RefreshJitter = 2;

    private readonly Dictionary<DnsName, List<Entry>> _names = [];

    public int Count { get; private set; }

    /// <summary>When <see cref="TakeDue"/> has something.</summary>
    public Instant RefreshAt { get; private set; } = Instant.Never;

    public bool Has(DnsName name) => _names.ContainsKey(name);

    public void Take(MdnsRecord record, Instant now)
    {
        var entries = _names.GetValueOrDefault(record.Owner);
        var same = entries?.Find(entry => entry.Record.IsSame(record));
        if (record.Lifetime == 0)
        {
            if (same is not null)
                same.Dismiss(now + LastSecond);
            return;
        }

        if (record.IsUnique)
            Flush(entries, record, now);
        var lifetime = TimeSpan.FromSeconds(record.Lifetime);
        var expires = now + (lifetime < Longest ? lifetime : Longest);
        if (same is not null)
        {
            (same.Received, same.Expires, same.RefreshAt, same.Refreshes, same.IsDismissed) = (now, expires, Instant.Never, 0, false);
            return;
        }

        if (record.Length > MaxData || entries?.Count >= MaxOfName || !MakeRoom(now))
        {
            counters.Full++;
            return;
        }

        // Making room may have forgotten the name.
        if (!_names.TryGetValue(record.Owner, out entries))
            _names[record.Owner] = entries = [];
        entries.Add(new Entry(record) { Received = now, Expires = expires });
        Count++;
    }

    /// <summary>Records of this name and type have been used: they will be asked for again, unless they are told again before.</summary>
    public void Use(DnsName name, DnsType type, Instant now)
    {
        if (!_names.TryGetValue(name, out var entries))
            return;
        foreach (var entry in entries)
        {
            if (entry.RefreshAt == Instant.Never && entry.Expires > now && (entry.Record.Type == type || entry.Record.Type == DnsType.CanonicalName))
                Schedule(entry, now);
        }
    }

    /// <summary>Names and types that are to be asked for now, each once.</summary>
    public IReadOnlyCollection<(DnsName Name, DnsType Type)> TakeDue(Instant now)
    {
        if (RefreshAt > now)
            return [];
        HashSet<(DnsName, DnsType)> due = [];
        RefreshAt = Instant.Never;
        foreach (var entry in _names.Values.SelectMany(static entries => entries))
        {
            if (entry.RefreshAt <= now)
            {
                if (entry.Expires > now)
                    due.Add((entry.Record.Owner, entry.Record.Type));
                entry.RefreshAt = Instant.Never;
                Schedule(entry, now);
            }

            RefreshAt = Instant.Min(RefreshAt, entry.RefreshAt);
        }

        return due;
    }

    /// <summary>What a question lists as known (RFC 6762, 7.1): records of which more than half of the lifetime is left, with what is left.</summary>
    public IEnumerable<MdnsRecord> Known(DnsName name, DnsType type, Instant now) => _names.TryGetValue(name, out var entries)
        ? entries.Where(entry => entry.Record.Type == type && !entry.IsDismissed && entry.Expires - now > (entry.Expires - entry.Received) / 2).Select(entry => entry.Record.With((uint)(entry.Expires - now).TotalSeconds))
        : [];

    /// <summary>What is known; null: nothing.</summary>
    public MulticastAnswer? Find(DnsName name, DnsType type, Instant now)
    {
        if (!_names.TryGetValue(name, out var entries))
            return null;
        var live = entries.Where(entry => entry.Expires > now).Select(static entry => entry.Record).ToList();
        var found = live.Where(record => record.Type == type).ToList();
        if (found.Count > 0 && type == DnsType.Pointer)
            return found.Find(static record => record.Target.IsHostName) is { } pointer ? new MulticastAnswer(LookupResult.Found, [], pointer.Target) : null;
        // An IPv6 address in which an IPv4 address is mapped is no host's (RFC 4291, 2.5.5.2).
        IpAddress[] addresses = [.. found.Select(static record => record.Address).Where(address => address.IsV4 == (type == DnsType.A) && !address.IsMulticast && !address.IsUnspecified && !address.IsLoopback)];
        if (addresses.Length > 0)
            return new MulticastAnswer(LookupResult.Found, addresses, name);
        if (live.Find(static record => record.Type == DnsType.CanonicalName) is { } alias)
            return new MulticastAnswer(LookupResult.Found, [], alias.Target, IsAlias: true);
        return live.Exists(record => record.Type == DnsType.NextSecure && !record.HasType(type)) ? MulticastAnswer.Failed(LookupResult.NoData) : null;
    }

    public void Clear()
    {
        _names.Clear();
        Count = 0;
        RefreshAt = Instant.Never;
    }

    /// <summary>The next of the times that is still to come; none after the last.</summary>
    private void Schedule(Entry entry, Instant now)
    {
        while (!entry.IsDismissed && entry.RefreshAt == Instant.Never && entry.Refreshes < RefreshTimes.Length)
        {
            var hundredths = RefreshTimes[entry.Refreshes++] + RefreshJitter * random.Next(1024) / 1024.0;
            var at = entry.Received + (entry.Expires - entry.Received) * (hundredths / 100);
            if (at > now)
                entry.RefreshAt = at;
        }

        RefreshAt = Instant.Min(RefreshAt, entry.RefreshAt);
    }

    /// <summary>The sender has said all records of a name and type: what it has not said goes, except for what came in the same second (RFC 6762, 10.2).</summary>
    private static void Flush(List<Entry>? entries, MdnsRecord record, Instant now)
    {
        foreach (var entry in entries ?? [])
        {
            if (entry.Record.Type == record.Type && !entry.Record.IsSame(record) && now - entry.Received > LastSecond)
                entry.Dismiss(now + LastSecond);
        }
    }

    /// <summary>Beyond the limit what has expired goes, then the name that expires first.</summary>
    private bool MakeRoom(Instant now)
    {
        if (Count < MaxRecords)
            return true;
        foreach (var (name, entries) in _names)
        {
            Count -= entries.RemoveAll(entry => entry.Expires <= now);
            if (entries.Count == 0)
                _names.Remove(name);
        }

        if (Count < MaxRecords)
            return true;
        var first = _names.MinBy(static each => each.Value.Max(static entry => entry.Expires.Ticks));
        Count -= first.Value.Count;
        return _names.Remove(first.Key);
    }

    private sealed class Entry(MdnsRecord record)
    {
        public MdnsRecord Record => record;

        public Instant Received { get; set; }

        public Instant Expires { get; set; }

        /// <summary>When it is asked for again; Never: nobody has used it, or it was asked for often enough.</summary>
        public Instant RefreshAt { get; set; } = Instant.Never;

        /// <summary>How many of the times have been taken.</summary>
        public int Refreshes { get; set; }

        /// <summary>Its host has said goodbye to it, or others instead of it: it ends soon, and nobody is to be asked for it.</summary>
        public bool IsDismissed { get; set; }

        public void Dismiss(Instant end)
        {
            Expires = Instant.Min(Expires, end);
            (IsDismissed, RefreshAt) = (true, Instant.Never);
        }
    }
}
