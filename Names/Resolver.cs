using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Names;

/// <summary>
/// A stub resolver (RFC 1034, 5.3.1) without sockets and clock: look-ups, messages and the time go in, <see cref="ResolverEvent"/>s come out. It looks into the names that it has
/// been given, then into its cache, then asks servers. After every call events are to be dequeued, and <see cref="Poll"/> is to be called at <see cref="PollAt"/>.
/// </summary>
public sealed class Resolver
{
    /// <summary>Bytes of the secret.</summary>
    public const int SecretLength = KeyedRandom.SecretLength;

    /// <summary>How long a look-up that has addresses of one family waits for those of the other: some servers do not answer what they do not know.</summary>
    private static readonly TimeSpan Straggling = TimeSpan.FromSeconds(1);

    private static readonly DnsType[] OfV4 = [DnsType.A];
    private static readonly DnsType[] OfV6 = [DnsType.Aaaa];
    private static readonly DnsType[] OfBoth = [DnsType.A, DnsType.Aaaa];
    private static readonly DnsType[] OfName = [DnsType.Pointer];

    private readonly ResolverOptions _options;
    private readonly QuestionTable _questions;
    private readonly Queue<ResolverEvent> _events = new();
    private readonly HashSet<Lookup> _lookups = [];
    private readonly HashSet<Lookup> _straggling = [];
    private long _lookupNumber;

    /// <param name="secret">Ids and cases of letters derive from it; nobody else may know it.</param>
    /// <param name="counters">What an earlier resolver has counted, to go on from there; null: from 0.</param>
    /// <exception cref="ArgumentException">The secret is not <see cref="SecretLength"/> bytes long.</exception>
    public Resolver(ResolverOptions options, ReadOnlySpan<byte> secret, ResolverCounters? counters = null)
    {
        _options = options;
        Counters = counters ?? new ResolverCounters();
        _questions = new QuestionTable(options, new KeyedRandom(secret), _events, Counters);
    }

    /// <summary>The content of a hosts file. A name that it has is found there, unless the family asked for is missing.</summary>
    public HostsTable HostsFile { get; set; } = HostsTable.Empty;

    public ResolverCounters Counters { get; }

    /// <summary>Look-ups under way.</summary>
    public int LookupCount => _lookups.Count;

    /// <summary>Questions that servers are being asked.</summary>
    public int QuestionCount => _questions.Count;

    /// <summary>Answers in the cache, and their bytes.</summary>
    public (int Count, int Bytes) Cached => (_questions.Cache.Count, _questions.Cache.Bytes);

    /// <summary>When <see cref="Poll"/> has something to do.</summary>
    public Instant PollAt
    {
        get
        {
            var earliest = _questions.PollAt;
            foreach (var lookup in _straggling)
                earliest = Instant.Min(earliest, lookup.Deadline);
            return earliest;
        }
    }

    /// <summary>Begins a look-up, which ends by exactly one <see cref="LookupEnds"/>.</summary>
    /// <param name="text">A host's name. A dot at its end keeps domains from being searched. An address is its own answer.</param>
    /// <param name="kind">Of addresses.</param>
    /// <returns>The look-up's number.</returns>
    public long Resolve(string text, LookupKind kind, Instant now)
    {
        var number = ++_lookupNumber;
        if (IpAddress.TryParse(text, out var address))
            End(number, Has(kind, address) ? new LookupAnswer(LookupResult.Found, [address], address.ToString()) : LookupAnswer.Failed(LookupResult.NoData));
        else if (!DnsName.TryParse(text, out var name) || name.EndsInNumber)
            End(number, LookupAnswer.Failed(LookupResult.NotAName));
        else if (Known(name, kind) is { } known)
            End(number, known);
        else
            Begin(new Lookup(number, Candidates(text, name), TypesOf(kind), text.TrimEnd('.')), now);
        return number;
    }

    /// <summary>Begins the look-up of an address's name; otherwise as <see cref="Resolve(string, LookupKind, Instant)"/>.</summary>
    public long Resolve(IpAddress address, Instant now)
    {
        var number = ++_lookupNumber;
        if ((_options.Hosts.Find(address) ?? HostsFile.Find(address))?.ToString() is { } known)
            End(number, new LookupAnswer(LookupResult.Found, [], known));
        else if (address.IsLoopback)
            End(number, new LookupAnswer(LookupResult.Found, [], "localhost"));
        else
            Begin(new Lookup(number, [DnsName.OfAddress(address)], OfName, ""), now);
        return number;
    }

    /// <summary>A message has come on an exchange's socket. One that is no answer to it is ignored, and never ends it.</summary>
    public void Received(long exchange, IpEndpoint from, ReadOnlySpan<byte> message, Instant now)
    {
        _questions.Received(exchange, from, message, now);
        Settle(now);
    }

    /// <summary>An exchange's socket has failed. There is no <see cref="ExchangeEnds"/> for it.</summary>
    public void Failed(long exchange, Instant now)
    {
        _questions.Failed(exchange, now);
        Settle(now);
    }

    /// <summary>What the links have said to a <see cref="LinksAsked"/>.</summary>
    public void LinksAnswered(long number, Mdns.MulticastAnswer answer, Instant now)
    {
        _questions.LinksAnswered(number, answer, now);
        Settle(now);
    }

    public void Poll(Instant now)
    {
        _questions.Poll(now);
        Settle(now);
        foreach (var lookup in _straggling.Where(lookup => lookup.Deadline <= now).ToList())
            End(lookup, lookup.Judge()!);
    }

    public bool TryDequeue([NotNullWhen(true)] out ResolverEvent? next) => _events.TryDequeue(out next);

    private static bool Has(LookupKind kind, IpAddress address) => kind switch
    {
        LookupKind.AddressesV4 => address.IsV4,
        LookupKind.AddressesV6 => address.IsV6,
        _ => true,
    };

    private static DnsType[] TypesOf(LookupKind kind) => kind switch
    {
        LookupKind.AddressesV4 => OfV4,
        LookupKind.AddressesV6 => OfV6,
        _ => OfBoth,
    };

    private LookupAnswer? Known(DnsName name, LookupKind kind)
    {
        if (_options.Hosts.Find(name) is { } own)
            return Of(own) ?? LookupAnswer.Failed(LookupResult.NoData);
        return HostsFile.Find(name) is { } found ? Of(found) : null;

        LookupAnswer? Of((DnsName Host, IReadOnlyList<IpAddress> Addresses) entry)
        {
            IpAddress[] addresses = [.. entry.Addresses.Where(address => Has(kind, address)).OrderBy(static address => address.IsV6)];
            return addresses.Length == 0 ? null : new LookupAnswer(LookupResult.Found, addresses, entry.Host.ToString());
        }
    }

    /// <summary>The names that are tried for one: itself, and itself in the domains to search (resolv.conf(5): search, ndots).</summary>
    private IReadOnlyList<DnsName> Candidates(string text, DnsName name)
    {
        // A name of the links in a domain to search would be told to that domain's servers.
        if (text.EndsWith('.') || (_options.AsksLinks && Mdns.MdnsNames.IsOfLink(name)))
            return [name];
        var within = _options.Search.Select(name.Within).OfType<DnsName>();
        return text.Count(static c => c == '.') >= _options.Dots ? [name, .. within] : [.. within, name];
    }

    private void Begin(Lookup lookup, Instant now)
    {
        if (_lookups.Count >= _options.MaxLookups)
        {
            Counters.Busy++;
            End(lookup.Number, LookupAnswer.Failed(LookupResult.Busy));
            return;
        }

        _lookups.Add(lookup);
        TryNext(lookup, now);
        Settle(now);
    }

    /// <summary>Asks for the next names of a look-up, until one has to wait or is found.</summary>
    private void TryNext(Lookup lookup, Instant now)
    {
        while (lookup.TryNext())
        {
            foreach (var type in lookup.Types)
            {
                if (_questions.Ask(lookup.Current, type, lookup, now) is { } answer)
                    lookup.TryTake(lookup.Current, type, answer);
            }

            if (!lookup.IsComplete)
            {
                AwaitOthers(lookup, now);
                return;
            }

            if (lookup.Judge() is { } end)
            {
                End(lookup, end);
                return;
            }
        }

        End(lookup, lookup.Conclude());
    }

    /// <summary>Gives look-ups the answers that they wait for, and goes on with them.</summary>
    private void Settle(Instant now)
    {
        while (_questions.TryTakeAnswer(out var lookup, out var question, out var answer))
        {
            if (!lookup.TryTake(question.Name, question.Type, answer))
                continue;
            if (!lookup.IsComplete)
                AwaitOthers(lookup, now);
            else if (lookup.Judge() is { } end)
                End(lookup, end);
            else
                TryNext(lookup, now);
        }
    }

    private void AwaitOthers(Lookup lookup, Instant now)
    {
        if (!lookup.HasFound || !_straggling.Add(lookup))
            return;
        lookup.Deadline = now + Straggling;
    }

    private void End(Lookup lookup, LookupAnswer answer)
    {
        lookup.End();
        _lookups.Remove(lookup);
        _straggling.Remove(lookup);
        End(lookup.Number, answer);
    }

    private void End(long number, LookupAnswer answer) => _events.Enqueue(new LookupEnds(number, answer));
}
