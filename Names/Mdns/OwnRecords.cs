using System.Globalization;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Names.Mdns;

/// <summary>One of this host's records, and when the link has last been told of it.</summary>
internal sealed class OwnRecord(MdnsRecord record)
{
    private Instant? _lastV4;
    private Instant? _lastV6;

    public MdnsRecord Record => record;

    /// <summary>When it was last multicast; null: never.</summary>
    /// <param name="family">One of them.</param>
    public Instant? LastTo(MdnsFamilies family) => family == MdnsFamilies.V4 ? _lastV4 : _lastV6;

    public void Sent(MdnsFamilies families, Instant now)
    {
        if ((families & MdnsFamilies.V4) != 0)
            _lastV4 = now;
        if ((families & MdnsFamilies.V6) != 0)
            _lastV6 = now;
    }

    /// <summary>Takes over what is known of the same record in an earlier set.</summary>
    public void Follow(OwnRecord earlier) => (_lastV4, _lastV6) = (earlier._lastV4, earlier._lastV6);
}

/// <summary>All records of this host on one link, under one label.</summary>
internal sealed class OwnRecords
{
    /// <summary>Addresses and services that are published; further ones are not.</summary>
    private const int MaxAddresses = 32;
    private const int MaxServices = 32;

    private readonly List<OwnRecord> _all = [];
    private readonly Dictionary<DnsName, List<OwnRecord>> _byName = [];
    private readonly List<DnsName> _names = [];

    public OwnRecords(string label, IReadOnlyList<IpAddress> addresses, IReadOnlyList<MdnsService> services)
    {
        Label = label;
        Host = MdnsNames.Of($"{label}.local");
        _names.Add(Host);
        foreach (var address in addresses.Take(MaxAddresses))
        {
            Add(MdnsRecord.OfAddress(Host, address));
            Add(MdnsRecord.OfPointer(DnsName.OfAddress(address), Host, isUnique: true));
        }

        DnsType[] types = [.. addresses.Select(static address => address.IsV4 ? DnsType.A : DnsType.Aaaa).Distinct()];
        Add(MdnsRecord.OfTypes(Host, MdnsRecord.HostLifetime, types));
        foreach (var service in services.Take(MaxServices))
            Add(service);
    }

    public string Label { get; }

    public DnsName Host { get; }

    public IReadOnlyList<OwnRecord> All => _all;

    /// <summary>The names that no other host may have: they are probed for. (That addresses are this host's only is known without.)</summary>
    public IReadOnlyList<DnsName> Names => _names;

    public IReadOnlyList<OwnRecord> Of(DnsName name) => _byName.TryGetValue(name, out var records) ? records : [];

    public bool IsOwnName(DnsName name) => _names.Contains(name);

    /// <summary>What a name has beside the record that says which types it has, in the order of probes (RFC 6762, 8.2.1).</summary>
    public List<MdnsRecord> Claimed(DnsName name)
    {
        var claimed = Of(name).Select(static own => own.Record).Where(static record => record.Type != DnsType.NextSecure).ToList();
        claimed.Sort(MdnsRecord.Compare);
        return claimed;
    }

    /// <summary>The records that answer a question; of a name of this host that has none of the type, the one that says so (RFC 6762, 6.1).</summary>
    public IEnumerable<OwnRecord> AnswersTo(MdnsQuestion question)
    {
        var records = Of(question.Name);
        var any = false;
        foreach (var own in records)
        {
            if (own.Record.Type == DnsType.NextSecure && question.Type != DnsType.NextSecure)
                continue;
            if (!question.IsAnsweredBy(own.Record))
                continue;
            any = true;
            yield return own;
        }

        if (!any && records.FirstOrDefault(static own => own.Record.Type == DnsType.NextSecure) is { } types)
            yield return types;
    }

    /// <summary>What an asker will want to know next (RFC 6763, 12; RFC 6762, 6.1).</summary>
    public IEnumerable<OwnRecord> Additional(MdnsRecord answer) => answer.Type switch
    {
        DnsType.Pointer when _names.Contains(answer.Target) && !answer.Target.Equals(Host) => Of(answer.Target).Concat(Of(Host)),
        DnsType.Service or DnsType.A or DnsType.Aaaa => Of(Host),
        _ => [],
    };

    private void Add(MdnsService service)
    {
        var type = MdnsNames.Of($"_{service.Type}.{(service.IsTcp ? "_tcp" : "_udp")}.local");
        var instance = MdnsNames.Of(Label).Within(type)!;
        // Of several services of one type, the further ones are told apart by their ports.
        if (_names.Contains(instance))
            instance = MdnsNames.Of(WithSuffix(Label, $"-{service.Port.ToString(CultureInfo.InvariantCulture)}")).Within(type)!;
        if (_names.Contains(instance))
            return;
        _names.Add(instance);
        Add(MdnsRecord.OfPointer(type, instance, isUnique: false));
        if (!Of(MdnsNames.AllServices).Any(own => own.Record.Target.Equals(type)))
            Add(MdnsRecord.OfPointer(MdnsNames.AllServices, type, isUnique: false));
        Add(MdnsRecord.OfService(instance, service.Port, Host));
        Add(MdnsRecord.OfNoText(instance));
        Add(MdnsRecord.OfTypes(instance, MdnsRecord.HostLifetime, DnsType.Text, DnsType.Service));
    }

    /// <summary>A label with something at its end, within the length of one.</summary>
    public static string WithSuffix(string label, string suffix) => label[..Math.Min(label.Length, DnsName.MaxLabel - suffix.Length)] + suffix;

    private void Add(MdnsRecord record)
    {
        var own = new OwnRecord(record);
        _all.Add(own);
        if (!_byName.TryGetValue(record.Owner, out var records))
            _byName[record.Owner] = records = [];
        records.Add(own);
    }
}
