using Tapwire.Names;
using Tapwire.Names.Mdns;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Names.Mdns;

/// <summary>A message that was sent, as others read it.</summary>
internal sealed record MdnsSent(Instant At, MdnsFamilies Families, IpEndpoint? To, MdnsMessage Message, int Length)
{
    /// <summary>As it was on the link.</summary>
    public ReadOnlyMemory<byte> Bytes { get; init; }
}

/// <summary>A host on the network: an engine with one address of each family.</summary>
internal sealed class MdnsHost
{
    private readonly MdnsNetwork _network;
    private readonly Dictionary<long, (MulticastAnswer Answer, Instant At)> _answers = [];
    private long _number;

    public MdnsHost(MdnsNetwork network, byte number, bool hasV6, int mtu)
    {
        _network = network;
        var secret = new byte[MdnsLink.SecretLength];
        secret.AsSpan().Fill(number);
        Engine = new MdnsLink(secret, Counters, mtu);
        V4 = IpAddress.Parse($"10.0.0.{number}");
        V6 = IpAddress.Parse($"fe80::{number:x}");
        Prefixes = hasV6 ? [new IpPrefix(V4, 24), new IpPrefix(V6, 64)] : [new IpPrefix(V4, 24)];
        Engine.UseAddresses(Prefixes, network.Now);
    }

    public MdnsLink Engine { get; }

    public MdnsCounters Counters { get; } = new();

    public IpAddress V4 { get; }

    public IpAddress V6 { get; }

    public IReadOnlyList<IpPrefix> Prefixes { get; }

    public List<MdnsSent> Sent { get; } = [];

    public List<MdnsBrowsed> Browsed { get; } = [];

    public List<MdnsRenamed> Renamed { get; } = [];

    public List<string> Established { get; } = [];

    /// <summary>Nothing comes here, and nothing that it sends arrives.</summary>
    public bool IsApart { get; set; }

    public void Publish(string? label, params MdnsService[] services)
    {
        Engine.Publish(label is null ? null : new MdnsIdentity(label, services), _network.Now);
        _network.Deliver();
    }

    public long Ask(string name, DnsType type)
    {
        Engine.Ask(++_number, ResolverHarness.Name(name), type, _network.Now);
        _network.Deliver();
        return _number;
    }

    /// <summary>Looks for services, and lets the time pass.</summary>
    public IReadOnlyList<ServiceInstance> Browse(DnsName type, double seconds = 2)
    {
        Engine.Browse(++_number, type, TimeSpan.FromSeconds(seconds), _network.Now);
        _network.Deliver();
        var before = Browsed.Count;
        _network.RunUntil(() => Browsed.Count > before);
        Assert.Equal((_number, LookupResult.Found), (Browsed[^1].Number, Browsed[^1].Result));
        return Browsed[^1].Services;
    }

    public bool HasAnswer(long number) => _answers.ContainsKey(number);

    public (MulticastAnswer Answer, Instant At) AnswerTo(long number) => _answers[number];

    /// <summary>Asks, and lets time pass until there is an answer.</summary>
    public MulticastAnswer Look(string name, DnsType type)
    {
        var number = Ask(name, type);
        _network.RunUntil(() => HasAnswer(number));
        return AnswerTo(number).Answer;
    }

    public void Receive(IpAddress from, ReadOnlySpan<byte> message, ushort port = MdnsLink.Port, IpAddress? to = null)
    {
        Engine.Received(new IpEndpoint(from, port), to ?? (from.IsV4 ? MdnsLink.GroupV4 : MdnsLink.GroupV6), message, _network.Now);
        _network.Deliver();
    }

    public void Take(MdnsEvent next)
    {
        switch (next)
        {
            case MdnsRenamed renamed:
                Renamed.Add(renamed);
                break;
            case MdnsBrowsed browsed:
                Browsed.Add(browsed);
                break;
            case MdnsEstablished established:
                Established.Add(established.Label);
                break;
            case MdnsAnswered answered:
                Assert.True(_answers.TryAdd(answered.Number, (answered.Answer, _network.Now)), "A question has two answers.");
                break;
        }
    }
}

/// <summary>Hosts on one link, in virtual time. What is sent to a group comes back to its sender, too, as on a real one. Every message has to keep to the format.</summary>
internal sealed class MdnsNetwork
{
    private readonly List<MdnsHost> _hosts = [];

    public Instant Now { get; private set; } = Instant.FromMilliseconds(1000);

    /// <summary>Sees every message, and may lose it.</summary>
    public Func<MdnsHost, MdnsSent, bool> Loses { get; set; } = static (_, _) => false;

    public MdnsHost Add(byte number, bool hasV6 = true, int mtu = 1500)
    {
        var host = new MdnsHost(this, number, hasV6, mtu);
        _hosts.Add(host);
        return host;
    }

    /// <summary>Delivers what the hosts have sent, until all are silent.</summary>
    public void Deliver()
    {
        for (var any = true; any;)
        {
            any = false;
            foreach (var host in _hosts)
            {
                while (host.Engine.TryDequeue(out var next))
                {
                    any = true;
                    if (next is MdnsSend send)
                        Deliver(host, send);
                    else
                        host.Take(next);
                }
            }
        }
    }

    public void Run(TimeSpan time)
    {
        var end = Now + time;
        while (PollAt is var at && at <= end)
            Step(at);
        Now = end;
    }

    public void RunUntil(Func<bool> condition)
    {
        var end = Now + TimeSpan.FromMinutes(1);
        while (!condition())
        {
            Assert.True(PollAt <= end, "The condition has not come to hold within a minute.");
            Step(PollAt);
        }
    }

    private Instant PollAt => _hosts.Select(static host => host.Engine.PollAt).Min();

    private void Step(Instant at)
    {
        Now = Instant.Max(at, Now);
        foreach (var host in _hosts)
        {
            host.Engine.Poll(Now);
            Assert.True(host.Engine.PollAt > Now, "After a poll something is due.");
        }

        Deliver();
    }

    private void Deliver(MdnsHost from, MdnsSend send)
    {
        Assert.True(MdnsMessage.TryParse(send.Message.Span, out var message, out _), $"A message does not keep to the format: {Convert.ToHexString(send.Message.Span)}");
        var sent = new MdnsSent(Now, send.Families, send.To, message, send.Message.Length) { Bytes = send.Message };
        from.Sent.Add(sent);
        if (from.IsApart || Loses(from, sent))
            return;
        foreach (var host in _hosts.Where(static host => !host.IsApart))
        {
            if (send.To is { } to)
            {
                if (to.Port == MdnsLink.Port && host.Prefixes.Any(prefix => prefix.Address == to.Address))
                    host.Engine.Received(new IpEndpoint(to.Address.IsV4 ? from.V4 : from.V6, MdnsLink.Port), to.Address, send.Message.Span, Now);
                continue;
            }

            if ((send.Families & MdnsFamilies.V4) != 0)
                host.Engine.Received(new IpEndpoint(from.V4, MdnsLink.Port), MdnsLink.GroupV4, send.Message.Span, Now);
            if ((send.Families & MdnsFamilies.V6) != 0)
                host.Engine.Received(new IpEndpoint(from.V6, MdnsLink.Port), MdnsLink.GroupV6, send.Message.Span, Now);
        }
    }

    /// <summary>A question as another implementation would write it.</summary>
    public static byte[] Query(string name, DnsType type, bool wantsUnicast = false, IEnumerable<MdnsRecord>? known = null, bool isTruncated = false, ushort id = 0, IEnumerable<MdnsRecord>? claims = null)
    {
        var writer = new MdnsWriter(isResponse: false, 1400, id: id);
        Assert.True(name.Length == 0 || writer.TryAsk(new MdnsQuestion(ResolverHarness.Name(name), type, wantsUnicast)));
        foreach (var record in known ?? [])
            Assert.True(writer.TryAdd(record, MdnsSection.Answer));
        foreach (var record in claims ?? [])
            Assert.True(writer.TryAdd(record, MdnsSection.Authority));
        if (isTruncated)
            writer.SetTruncated();
        return writer.Message;
    }

    public static byte[] Response(params MdnsRecord[] records)
    {
        var writer = new MdnsWriter(isResponse: true, 1400);
        foreach (var record in records)
            Assert.True(writer.TryAdd(record, MdnsSection.Answer));
        return writer.Message;
    }

    public static MdnsRecord Address(string name, string address, uint lifetime = MdnsRecord.HostLifetime, bool isUnique = true) =>
        MdnsRecord.OfAddress(ResolverHarness.Name(name), IpAddress.Parse(address)).With(lifetime, isUnique);
}
