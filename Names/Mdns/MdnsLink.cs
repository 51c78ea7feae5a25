using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Names.Mdns;

/// <summary>
/// Multicast DNS (RFC 6762) with DNS-based service discovery (RFC 6763) on one link, without sockets and clock: questions, messages and the time go in, <see cref="MdnsEvent"/>s come out. It asks
/// for names in .local, and publishes this host's. After every call events are to be dequeued, and <see cref="Poll"/> is to be called at <see cref="PollAt"/>.
/// </summary>
public sealed class MdnsLink
{
    /// <summary>UDP port of multicast DNS.</summary>
    public const ushort Port = MdnsAnswers.Port;

    /// <summary>Bytes of the secret.</summary>
    public const int SecretLength = KeyedRandom.SecretLength;

    /// <summary>The longest message that fits a frame of Ethernet with the headers of either family, and the shortest bound that makes sense.</summary>
    private const int LongestMessage = 1452;
    private const int ShortestBound = 512;

    private const int Headers = 48;

    private readonly MdnsOutput _output;
    private readonly MdnsResponder _responder;
    private readonly MdnsQuerier _querier;
    private readonly MdnsBrowser _browser;
    private readonly MdnsCounters _counters;
    private IReadOnlyList<IpPrefix> _prefixes = [];

    /// <param name="secret">Delays derive from it.</param>
    /// <param name="mtu">Longest IP packet in bytes.</param>
    /// <exception cref="ArgumentException">The secret is not <see cref="SecretLength"/> bytes long.</exception>
    public MdnsLink(ReadOnlySpan<byte> secret, MdnsCounters counters, int mtu)
    {
        _counters = counters;
        _output = new MdnsOutput(counters) { Size = Math.Clamp(mtu - Headers, ShortestBound, LongestMessage) };
        _responder = new MdnsResponder(_output, new KeyedRandom(secret));
        _querier = new MdnsQuerier(_output, new KeyedRandom(secret));
        _browser = new MdnsBrowser(_output);
    }

    /// <summary>The group of a family (RFC 6762, 3).</summary>
    public static IpAddress GroupV4 { get; } = IpAddress.Parse("224.0.0.251");

    /// <inheritdoc cref="GroupV4"/>
    public static IpAddress GroupV6 { get; } = IpAddress.Parse("ff02::fb");

    public MdnsState State => _responder.State;

    /// <summary>The label that this host has on the link, or wants to have; null: none.</summary>
    public string? Label => _responder.Label;

    /// <summary>Questions under way.</summary>
    public int QuestionCount => _querier.Count;

    /// <summary>Records that the link has told.</summary>
    public int Cached => _querier.Cache.Count;

    /// <summary>When <see cref="Poll"/> has something to do.</summary>
    public Instant PollAt => Instant.Min(_browser.PollAt, Instant.Min(_responder.PollAt, _querier.PollAt));

    /// <summary>The link's addresses of this host, which say by which families it is spoken to and who is on it.</summary>
    public void UseAddresses(IReadOnlyList<IpPrefix> prefixes, Instant now)
    {
        _prefixes = prefixes;
        var families = prefixes.Aggregate(MdnsFamilies.None, static (all, prefix) => all | FamilyOf(prefix.Address));
        // What goes is taken back by the families that there were.
        _output.Families |= families;
        _responder.UseAddresses([.. prefixes.Select(static prefix => prefix.Address)], now);
        _output.Families = families;
    }

    /// <summary>Publishes a name and services, or others than before.</summary>
    /// <param name="identity">Null: what is published is taken back.</param>
    public void Publish(MdnsIdentity? identity, Instant now) => _responder.Publish(identity, now);

    /// <summary>The wire has come up, perhaps on another link.</summary>
    public void LinkUp(Instant now)
    {
        _querier.Cache.Clear();
        _responder.LinkUp(now);
    }

    /// <summary>Asks for a name's records. Exactly one <see cref="MdnsAnswered"/> follows.</summary>
    /// <param name="number">The asker's.</param>
    /// <param name="type"><see cref="DnsType.A"/>, <see cref="DnsType.Aaaa"/> or <see cref="DnsType.Pointer"/>.</param>
    public void Ask(long number, DnsName name, DnsType type, Instant now)
    {
        if (_responder.Published is { } own && own.IsOwnName(name))
        {
            IpAddress[] addresses = [.. own.Of(name).Where(each => each.Record.Type == type && type is DnsType.A or DnsType.Aaaa).Select(static each => each.Record.Address)];
            _output.Events.Enqueue(new MdnsAnswered(number, addresses.Length == 0 ? MulticastAnswer.Failed(LookupResult.NoData) : new MulticastAnswer(LookupResult.Found, addresses, name)));
            return;
        }

        _querier.Ask(number, name, type, now);
    }

    /// <summary>Looks for services for a time. Exactly one <see cref="MdnsBrowsed"/> follows.</summary>
    /// <param name="number">The asker's.</param>
    /// <param name="type">A type in .local, as _http._tcp.local; <see cref="MdnsNames.AllServices"/>: all types.</param>
    public void Browse(long number, DnsName type, TimeSpan time, Instant now) =>
        _browser.Begin(number, type, time, name => _responder.Published?.Of(name).Select(static own => own.Record) ?? [], now);

    /// <summary>A datagram has come to port 5353 by this link.</summary>
    /// <param name="destination">A group, or an own address.</param>
    public void Received(IpEndpoint from, IpAddress destination, ReadOnlySpan<byte> bytes, Instant now)
    {
        _counters.Received++;
        var isOwn = _prefixes.Any(prefix => prefix.Address == from.Address);
        if (isOwn && _output.IsEcho(bytes))
            return;
        var isOnLink = isOwn || IsOnLink(from.Address);
        // A message to a group cannot have come from elsewhere (RFC 6762, 11).
        if (!destination.IsMulticast && !isOnLink)
        {
            _counters.OffLink++;
            return;
        }

        if (!MdnsMessage.TryParse(bytes, out var message, out var isForeign))
        {
            _ = isForeign ? _counters.Foreign++ : _counters.Malformed++;
            return;
        }

        if (!message.IsResponse)
        {
            if (from.Port == Port && !isOwn)
                _querier.Overheard(message);
            _responder.Asked(message, from, isOnLink, now);
        }
        else if (from.Port != Port)
        {
            // RFC 6762, 6: an answer from another port is none.
            _counters.Foreign++;
        }
        else
        {
            _responder.Heard(message, FamilyOf(from.Address), now);
            _querier.Heard(message, now);
            _browser.Heard(message, now);
        }
    }

    public void Poll(Instant now)
    {
        _responder.Poll(now);
        _querier.Poll(now);
        _browser.Poll(now);
    }

    /// <summary>Takes back what is published, and answers those who wait.</summary>
    public void Stop()
    {
        _responder.Stop();
        _querier.Reset();
        _browser.Reset();
    }

    public bool TryDequeue([NotNullWhen(true)] out MdnsEvent? next) => _output.Events.TryDequeue(out next);

    private static MdnsFamilies FamilyOf(IpAddress address) => address.IsV4 ? MdnsFamilies.V4 : MdnsFamilies.V6;

    private bool IsOnLink(IpAddress address) => address.IsLinkLocal || _prefixes.Any(prefix => prefix.Contains(address));
}
