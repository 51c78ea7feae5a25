using Tapwire.Names;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Names;

/// <summary>A resolver in virtual time, whose servers are the spec itself.</summary>
internal sealed class ResolverHarness
{
    private static readonly byte[] Secret = [.. Enumerable.Range(0, Resolver.SecretLength).Select(static i => (byte)(i * 7))];

    private readonly Dictionary<long, LookupAnswer> _answers = [];

    public ResolverHarness(ResolverOptions? options = null) => Resolver = new Resolver(options ?? new ResolverOptions { Routes = [Route(".", "10.0.0.53")] }, Secret);

    public Resolver Resolver { get; }

    public Instant Now { get; private set; } = Instant.Zero;

    /// <summary>Everything that has been sent, in order.</summary>
    public List<ExchangeBegins> Sent { get; } = [];

    /// <summary>What the links have been asked, in order.</summary>
    public List<LinksAsked> OfLinks { get; } = [];

    /// <summary>Exchanges that are open.</summary>
    public HashSet<long> Open { get; } = [];

    /// <summary>What has been sent to servers that have not been answered yet, and are not given up.</summary>
    public IEnumerable<ExchangeBegins> Waiting => Sent.Where(each => Open.Contains(each.Exchange));

    public ExchangeBegins Last => Sent[^1];

    public static DnsRoute Route(string domain, params string[] servers) =>
        new(domain == "." ? DnsName.Root : Name(domain), [.. servers.Select(static address => new IpEndpoint(IpAddress.Parse(address), 53))]);

    public static DnsName Name(string text)
    {
        Assert.True(DnsName.TryParse(text, out var name), text);
        return name;
    }

    public long Ask(string name, LookupKind kind = LookupKind.AddressesV4)
    {
        var number = Resolver.Resolve(name, kind, Now);
        Take();
        return number;
    }

    public long AskName(string address)
    {
        var number = Resolver.Resolve(IpAddress.Parse(address), Now);
        Take();
        return number;
    }

    /// <summary>The answer of a look-up that has ended.</summary>
    public LookupAnswer AnswerOf(long number)
    {
        Assert.True(_answers.TryGetValue(number, out var answer), "The look-up has not ended.");
        return answer;
    }

    public bool HasEnded(long number) => _answers.ContainsKey(number);

    /// <summary>Asks, and answers all that is sent until the look-up ends.</summary>
    public LookupAnswer Look(string name, FakeZone zone, LookupKind kind = LookupKind.AddressesV4)
    {
        var number = Ask(name, kind);
        while (!HasEnded(number))
            Reply(Waiting.First(), zone);
        return AnswerOf(number);
    }

    public void Reply(ExchangeBegins exchange, FakeZone zone) => Reply(exchange, zone.Answer(exchange.Message.Span, exchange.Transport == DnsTransport.Tcp));

    public void Reply(ExchangeBegins exchange, ReplyBuilder reply, IpEndpoint? from = null) => Reply(exchange, reply.Build(), from);

    public void Reply(ExchangeBegins exchange, byte[] message, IpEndpoint? from = null)
    {
        Resolver.Received(exchange.Exchange, from ?? exchange.Server, message, Now);
        Take();
    }

    /// <summary>The links answer the last question to them.</summary>
    public void ReplyOfLinks(Tapwire.Names.Mdns.MulticastAnswer answer)
    {
        Resolver.LinksAnswered(OfLinks[^1].Number, answer, Now);
        Take();
    }

    public void Fail(ExchangeBegins exchange)
    {
        Open.Remove(exchange.Exchange);
        Resolver.Failed(exchange.Exchange, Now);
        Take();
    }

    /// <summary>Moves time from deadline to deadline.</summary>
    public void Advance(TimeSpan time)
    {
        var end = Now + time;
        while (Resolver.PollAt is var at && at <= end)
        {
            Assert.True(at >= Now, "A deadline has passed without a poll.");
            Now = at;
            Resolver.Poll(Now);
            Take();
            Assert.True(Resolver.PollAt > Now, "After a poll nothing is due.");
        }

        Now = end;
    }

    private void Take()
    {
        while (Resolver.TryDequeue(out var next))
        {
            switch (next)
            {
                case ExchangeBegins begins:
                    Sent.Add(begins);
                    Assert.True(Open.Add(begins.Exchange));
                    break;
                case ExchangeEnds ends:
                    Assert.True(Open.Remove(ends.Exchange), "An exchange ends that is not open.");
                    break;
                case LinksAsked asked:
                    OfLinks.Add(asked);
                    break;
                case LookupEnds ends:
                    _answers.Add(ends.Lookup, ends.Answer);
                    break;
            }
        }
    }
}
