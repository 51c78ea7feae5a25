using System.Text;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Names.Mdns;

/// <summary>
/// Looks for services on a link (RFC 6763): asks who offers a type for as long as it is told to, then asks for what the answers have left out, and says what there is at the end. Browsing is bounded in number,
/// in instances, and in what is kept of each.
/// </summary>
internal sealed class MdnsBrowser(MdnsOutput output)
{
    /// <summary>Times that the link is browsed at once.</summary>
    public const int MaxBrowses = 8;

    /// <summary>Instances of one type, and hosts that have them.</summary>
    public const int MaxInstances = 256;

    /// <summary>Addresses of one host.</summary>
    public const int MaxAddresses = 16;

    /// <summary>The longest TXT record that is kept, in bytes (RFC 6763, 6.2: most are shorter than 400).</summary>
    private const int MaxText = 1300;

    /// <summary>How often what is missing of an instance is asked for.</summary>
    private const int MaxAsked = 3;

    /// <summary>The pause before the second question, which doubles each time (RFC 6762, 5.2).</summary>
    private static readonly TimeSpan FirstInterval = TimeSpan.FromSeconds(1);

    /// <summary>What is missing is asked for so much later, as more may come meanwhile.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly Dictionary<long, Browse> _browses = [];

    public int Count => _browses.Count;

    public Instant PollAt
    {
        get
        {
            var earliest = Instant.Never;
            foreach (var browse in _browses.Values)
                earliest = Instant.Min(earliest, Instant.Min(browse.Deadline, Instant.Min(browse.Due, browse.Missing)));
            return earliest;
        }
    }

    /// <summary>Begins. Exactly one <see cref="MdnsBrowsed"/> follows.</summary>
    /// <param name="own">Finds this host's records of a name.</param>
    public void Begin(long number, DnsName type, TimeSpan time, Func<DnsName, IEnumerable<MdnsRecord>> own, Instant now)
    {
        if (_browses.Count >= MaxBrowses)
        {
            output.Counters.Full++;
            output.Events.Enqueue(new MdnsBrowsed(number, LookupResult.Busy, []));
            return;
        }

        var browse = new Browse(type) { Deadline = now + time, Due = now, Interval = FirstInterval };
        _browses.Add(number, browse);
        output.Counters.Asked++;
        Take(browse, own(type), now);
        foreach (var instance in browse.Instances.Keys.ToList())
        {
            Take(browse, own(instance), now);
            if (browse.Instances[instance].Host is { } host)
                Take(browse, own(host), now);
        }
    }

    /// <summary>A response of the link.</summary>
    public void Heard(MdnsMessage message, Instant now)
    {
        foreach (var browse in _browses.Values)
            Take(browse, message.Answers.Concat(message.Additional), now);
    }

    public void Poll(Instant now)
    {
        foreach (var (number, browse) in _browses)
        {
            if (browse.Deadline <= now)
            {
                End(number, browse);
                continue;
            }

            MdnsWriter? writer = null;
            var asksAll = browse.Due <= now;
            if (asksAll)
            {
                Ask(ref writer, browse.Type, DnsType.Pointer, browse.Asked++ == 0);
                browse.Due = now + browse.Interval;
                browse.Interval *= 2;
            }

            if (browse.Missing <= now)
            {
                browse.Missing = Instant.Never;
                AskForMissing(ref writer, browse, now);
            }

            if (writer is null)
                continue;
            // What is known stands behind the questions, and is told by nobody again (RFC 6762, 7.1).
            foreach (var instance in browse.Instances.Values)
            {
                if (!asksAll || !writer.TryAdd(instance.Pointer, MdnsSection.Answer))
                    break;
            }

            output.Multicast(output.Families, writer.Message);
        }
    }

    /// <summary>Ends all that is under way with what there is.</summary>
    public void Reset()
    {
        foreach (var (number, browse) in _browses)
            End(number, browse);
    }

    private void End(long number, Browse browse)
    {
        _browses.Remove(number);
        output.Events.Enqueue(new MdnsBrowsed(number, LookupResult.Found, [.. browse.Instances.Values.Select(instance => instance.Told(browse.AddressesOf(instance.Host)))]));
    }

    private void AskForMissing(ref MdnsWriter? writer, Browse browse, Instant now)
    {
        // The names of types are all that there is of them.
        if (browse.IsOfTypes)
            return;
        var asksAgain = false;
        foreach (var (name, instance) in browse.Instances)
        {
            if (instance.Asked >= MaxAsked)
                continue;
            if (instance.Host is null)
                Ask(ref writer, name, DnsType.Service, wantsUnicast: false);
            else if (browse.AddressesOf(instance.Host).Count == 0)
            {
                Ask(ref writer, instance.Host, DnsType.A, wantsUnicast: false);
                Ask(ref writer, instance.Host, DnsType.Aaaa, wantsUnicast: false);
            }

            if (instance.Text is null)
                Ask(ref writer, name, DnsType.Text, wantsUnicast: false);
            if (instance.Host is not null && instance.Text is not null && browse.AddressesOf(instance.Host).Count > 0)
                continue;
            instance.Asked++;
            asksAgain = true;
        }

        if (asksAgain)
            browse.Missing = now + FirstInterval;
    }

    /// <summary>Writes a question, into another message if there is no room.</summary>
    private void Ask(ref MdnsWriter? writer, DnsName name, DnsType type, bool wantsUnicast)
    {
        var question = new MdnsQuestion(name, type, wantsUnicast);
        writer ??= new MdnsWriter(isResponse: false, output.Size);
        if (writer.TryAsk(question))
            return;
        output.Multicast(output.Families, writer.Message);
        writer = new MdnsWriter(isResponse: false, output.Size);
        writer.TryAsk(question);
    }

    /// <summary>Takes the instances of a message first, then what it says of them, then the addresses of their hosts: they may stand in any order.</summary>
    private void Take(Browse browse, IEnumerable<MdnsRecord> records, Instant now)
    {
        var any = false;
        foreach (var record in records.Where(record => record.Type == DnsType.Pointer && record.Owner.Equals(browse.Type)))
            any |= TakePointer(browse, record);
        foreach (var record in records)
        {
            if (record.Type is DnsType.Service or DnsType.Text && record.Lifetime != 0 && browse.Instances.TryGetValue(record.Owner, out var instance))
                any |= instance.Take(record, MaxText);
        }

        foreach (var record in records)
        {
            if (record.Type is DnsType.A or DnsType.Aaaa && record.Lifetime != 0)
                TakeAddress(browse, record);
        }

        if (any)
            browse.Missing = Instant.Min(browse.Missing, now + Pause);
    }

    private bool TakePointer(Browse browse, MdnsRecord record)
    {
        // A host that says goodbye has the service no longer (RFC 6762, 10.1).
        if (record.Lifetime == 0)
            return browse.Instances.Remove(record.Target) && false;
        if (browse.Instances.ContainsKey(record.Target))
            return false;
        if (browse.Instances.Count < MaxInstances)
        {
            browse.Instances.Add(record.Target, new Instance(record, LabelsOf(record, browse)));
            return true;
        }

        output.Counters.Full++;
        return false;
    }

    private void TakeAddress(Browse browse, MdnsRecord record)
    {
        if (!browse.Instances.Values.Any(instance => record.Owner.Equals(instance.Host)))
            return;
        var address = record.Address;
        // An IPv6 address in which an IPv4 address is mapped is no host's (RFC 4291, 2.5.5.2).
        if (address.IsV4 != (record.Type == DnsType.A) || address.IsMulticast || address.IsUnspecified || address.IsLoopback)
            return;
        if (!browse.Hosts.TryGetValue(record.Owner, out var addresses))
            browse.Hosts[record.Owner] = addresses = [];
        if (addresses.Count < MaxAddresses && !addresses.Contains(address))
            addresses.Add(address);
    }

    /// <summary>The name as its host writes it, without the domain: of an instance the first label, which people read (RFC 6763, 4.1.1), of a type the first two.</summary>
    private static string LabelsOf(MdnsRecord record, Browse browse)
    {
        var spelling = record.Spelling;
        var text = new StringBuilder();
        for (var (at, left) = (0, browse.IsOfTypes ? 2 : 1); left > 0 && spelling[at] != 0; left--, at += 1 + spelling[at])
            text.Append(text.Length > 0 ? "." : "").Append(Encoding.UTF8.GetString(spelling.Slice(at + 1, spelling[at])));
        return text.ToString();
    }

    private sealed class Browse(DnsName type)
    {
        public DnsName Type => type;

        /// <summary>The types themselves are asked for (RFC 6763, 9).</summary>
        public bool IsOfTypes => type.Equals(MdnsNames.AllServices);

        public required Instant Deadline { get; init; }

        /// <summary>When the type is asked for again.</summary>
        public required Instant Due { get; set; }

        public required TimeSpan Interval { get; set; }

        /// <summary>When what is missing is asked for.</summary>
        public Instant Missing { get; set; } = Instant.Never;

        public int Asked { get; set; }

        public Dictionary<DnsName, Instance> Instances { get; } = [];

        public Dictionary<DnsName, List<IpAddress>> Hosts { get; } = [];

        public IReadOnlyList<IpAddress> AddressesOf(DnsName? host) => host is not null && Hosts.TryGetValue(host, out var addresses) ? addresses : [];
    }

    private sealed class Instance(MdnsRecord pointer, string label)
    {
        public MdnsRecord Pointer => pointer;

        public DnsName? Host { get; private set; }

        public ushort Port { get; private set; }

        public IReadOnlyList<string>? Text { get; private set; }

        public int Asked { get; set; }

        /// <returns>False: nothing new.</returns>
        public bool Take(MdnsRecord record, int maxText)
        {
            if (record.Type == DnsType.Service)
            {
                var isNew = !record.Target.Equals(Host);
                (Host, Port) = (record.Target, record.ServicePort);
                return isNew;
            }

            if (record.Length > maxText || Text is not null)
                return false;
            Text = record.Strings;
            return true;
        }

        public ServiceInstance Told(IReadOnlyList<IpAddress> addresses) => new(label, Host, Port, [.. addresses], Text ?? []);
    }
}
