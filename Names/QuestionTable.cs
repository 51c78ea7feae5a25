using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Tapwire.Names.Mdns;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Names;

/// <summary>
/// The questions that servers are being asked: time-outs, retries and fail-over as in glibc (resolv.conf(5)), TCP for what UDP does not carry, and a defence against forged answers
/// (RFC 5452). Equal questions are one.
/// </summary>
internal sealed class QuestionTable(ResolverOptions options, KeyedRandom random, Queue<ResolverEvent> events, ResolverCounters counters)
{
    /// <summary>Strange messages after which an exchange goes on by TCP: somebody is guessing.</summary>
    private const int MaxStrangers = 8;

    /// <summary>Exchanges of one question that are open at a time.</summary>
    private const int MaxOpen = 4;

    private static readonly TimeSpan LongestPatience = TimeSpan.FromSeconds(30);

    /// <summary>How long a failure is kept, so that many who ask are no storm (RFC 9520, 3.2: at least a second).</summary>
    private static readonly TimeSpan FailureLifetime = TimeSpan.FromSeconds(1);

    /// <summary>The links answer sooner, also that nobody has the name.</summary>
    private static readonly TimeSpan LinksPatience = MdnsQuerier.Patience * 2;

    private readonly ServerTable _servers = new(options);
    private readonly AnswerCache _cache = new(options.CacheEntries, options.CacheBytes);
    private readonly Dictionary<(DnsName, DnsType), Question> _questions = [];
    private readonly Dictionary<long, Exchange> _exchanges = [];
    private readonly Queue<(Lookup Lookup, Question Question, DnsAnswer Answer)> _answered = new();
    private readonly Dictionary<long, Question> _ofLinks = [];
    private long _exchangeNumber;
    private long _linksNumber;

    public AnswerCache Cache => _cache;

    public int Count => _questions.Count;

    public Instant PollAt
    {
        get
        {
            var earliest = Instant.Never;
            foreach (var question in _questions.Values)
                earliest = Instant.Min(earliest, question.Deadline);
            return earliest;
        }
    }

    /// <returns>The answer, if it is known; null: it comes by <see cref="TryTakeAnswer"/>.</returns>
    public DnsAnswer? Ask(DnsName name, DnsType type, Lookup lookup, Instant now)
    {
        var isOfLinks = IsOfLinks(name);
        if (!isOfLinks && SpecialNames.Answer(name, type, _servers.For(name)?.Domain) is { } special)
            return special;
        if (_cache.Find(name, type, now) is { } known)
        {
            counters.FromCache++;
            return known;
        }

        if (_questions.TryGetValue((name, type), out var question))
        {
            question.Waiting.Add(lookup);
            return null;
        }

        if (!isOfLinks && _servers.For(name) is null)
            return DnsAnswer.Failed(LookupResult.NoServer);
        if (_questions.Count >= options.MaxQuestions)
        {
            counters.Busy++;
            return DnsAnswer.Failed(LookupResult.Busy);
        }

        question = new Question(name, type) { Waiting = { lookup } };
        _questions.Add((name, type), question);
        Begin(question, now);
        return null;
    }

    /// <summary>What the links have said. What they keep is theirs: a name that nobody has is kept for a second, so that many who ask are no storm.</summary>
    public void LinksAnswered(long number, MulticastAnswer answer, Instant now)
    {
        if (!_ofLinks.Remove(number, out var question))
            return;
        question.OfLinks = 0;
        // Without any link, a resolver that has no servers either knows as little of these names as of others.
        if (answer.Result == LookupResult.NoServer && options.Routes.Count > 0)
            answer = MulticastAnswer.Failed(LookupResult.NoSuchName);
        if (!answer.IsAlias)
            Finish(question, new DnsAnswer(answer.Result, answer.Addresses, answer.Target, answer.Result == LookupResult.NoSuchName ? FailureLifetime : default) { Interface = answer.Interface }, now);
        else if (question.Aliases >= AnswerReading.MaxAliases || !IsOfLinks(answer.Target!))
            Finish(question, DnsAnswer.Failed(LookupResult.NoSuchName), now);
        else
            Take(question, new Reading(null, answer.Target!, TimeSpan.MaxValue, question.Aliases + 1), now);
    }

    /// <summary>An answer for a look-up that waits. To be called until there is none, after every other call.</summary>
    public bool TryTakeAnswer([NotNullWhen(true)] out Lookup? lookup, [NotNullWhen(true)] out Question? question, [NotNullWhen(true)] out DnsAnswer? answer)
    {
        var any = _answered.TryDequeue(out var taken);
        (lookup, question, answer) = taken;
        return any;
    }

    /// <summary>A message has come on an exchange's socket.</summary>
    public void Received(long number, IpEndpoint from, ReadOnlySpan<byte> bytes, Instant now)
    {
        if (!_exchanges.TryGetValue(number, out var exchange))
            return;
        if (!DnsMessage.TryParse(bytes, out var message))
        {
            counters.Malformed++;
            TakeStranger(exchange, now);
            return;
        }

        if (from != exchange.Server.End || !message.IsResponse || message.Opcode != 0)
        {
            counters.NoResponses++;
            TakeStranger(exchange, now);
            return;
        }

        if (message.Id != BinaryPrimitives.ReadUInt16BigEndian(exchange.Query))
        {
            counters.WrongIds++;
            TakeStranger(exchange, now);
            return;
        }

        var asked = DnsQuery.QuestionOf(exchange.Query, exchange.Question.Current);
        if (!message.Question.SequenceEqual(asked) && !IsRefusedFormat(exchange, message))
        {
            if (!DnsQuery.IsSame(message.Question, asked))
            {
                counters.WrongQuestions++;
                TakeStranger(exchange, now);
                return;
            }

            if (exchange.HasCases && exchange.Transport == DnsTransport.Udp)
            {
                counters.CasesLost++;
                GoOn(exchange, DnsTransport.Tcp, now, confirms: true);
                return;
            }

            if (exchange.HasCases)
                exchange.Server.LosesCases(now);
        }

        exchange.Server.HasAnswered();
        Take(exchange, message, now);
    }

    /// <summary>An exchange's socket has failed, and is closed: the server refuses, or cannot be reached.</summary>
    public void Failed(long number, Instant now)
    {
        if (!_exchanges.Remove(number, out var exchange))
            return;
        exchange.Question.Open.Remove(exchange);
        Fail(exchange, now);
    }

    public void Poll(Instant now)
    {
        List<Question>? late = null;
        foreach (var question in _questions.Values)
        {
            if (question.Deadline <= now)
                (late ??= []).Add(question);
        }

        foreach (var question in late ?? [])
        {
            counters.TimedOut++;
            if (question.OfLinks != 0)
            {
                Finish(question, DnsAnswer.Failed(LookupResult.TimedOut), now);
                continue;
            }

            var exchange = question.Latest!;
            if (exchange.Transport == DnsTransport.Tcp)
                End(exchange);
            Fail(exchange, now);
        }
    }

    /// <summary>A server that does not know EDNS(0) may not even repeat the question (RFC 6891, 7).</summary>
    private static bool IsRefusedFormat(Exchange exchange, DnsMessage message) => exchange.HasOptions && message.Question.IsEmpty && !message.IsTruncated
        && message.Code is DnsResponseCode.FormatError or DnsResponseCode.NotImplemented;

    private void Take(Exchange exchange, DnsMessage message, Instant now)
    {
        if (message.IsTruncated)
        {
            if (exchange.Transport == DnsTransport.Udp)
                GoOn(exchange, DnsTransport.Tcp, now);
            else
                Discard(exchange, now);
            return;
        }

        switch (message.Code)
        {
            case DnsResponseCode.None or DnsResponseCode.NoSuchName:
                var question = exchange.Question;
                if (AnswerReading.Read(message, question.Current, question.Type, question.Aliases) is { } reading)
                {
                    counters.Answered++;
                    Take(question, reading, now);
                }
                else
                {
                    counters.Useless++;
                    Discard(exchange, now);
                }

                break;
            case DnsResponseCode.FormatError or DnsResponseCode.NotImplemented or DnsResponseCode.BadVersion when exchange.HasOptions:
                exchange.Server.RefusesOptions(now);
                GoOn(exchange, exchange.Transport, now);
                break;
            default:
                counters.ServerFailures++;
                Discard(exchange, now);
                break;
        }
    }

    private void Take(Question question, in Reading reading, Instant now)
    {
        question.Aliases = reading.Aliases;
        if (reading.Answer is { } answer)
        {
            Finish(question, answer, now);
            return;
        }

        question.Lifetime = reading.Lifetime < question.Lifetime ? reading.Lifetime : question.Lifetime;
        question.Current = reading.Name;
        EndAll(question);
        Begin(question, now);
    }

    /// <summary>Whether the links are asked for a name. A server's domain in .local is the settings' word for it.</summary>
    private bool IsOfLinks(DnsName name) => options.AsksLinks && MdnsNames.IsOfLink(name)
        && (_servers.For(name)?.Domain is not { } domain || !MdnsNames.IsOfLink(domain));

    /// <summary>Asks the links, or the servers of the current name, from the first on.</summary>
    private void Begin(Question question, Instant now)
    {
        // What a server says is an alias of a name of the links, is none: it would say whom this host asks there.
        if (IsOfLinks(question.Name))
        {
            question.OfLinks = ++_linksNumber;
            question.Deadline = now + LinksPatience;
            _ofLinks.Add(question.OfLinks, question);
            events.Enqueue(new LinksAsked(question.OfLinks, question.Current, question.Type));
            return;
        }

        var group = _servers.For(question.Current);
        // An alias of a name that is the host itself would turn what a server says into a way to the host's own services.
        if (SpecialNames.Answer(question.Current, question.Type, group?.Domain) is not null)
        {
            Finish(question, DnsAnswer.Failed(LookupResult.NoSuchName), now);
            return;
        }

        if (group is null)
        {
            Finish(question, DnsAnswer.Failed(LookupResult.NoServer), now);
            return;
        }

        question.Order = group.Order(now);
        question.Step = 0;
        question.Unable.Clear();
        AskNext(question, now);
    }

    private void AskNext(Question question, Instant now)
    {
        var count = question.Order.Count;
        while (question.Step < count * options.Attempts && question.Unable.Contains(question.Order[question.Step % count]))
            question.Step++;
        if (question.Step >= count * options.Attempts)
        {
            Finish(question, DnsAnswer.Failed(question.Unable.Count > 0 ? LookupResult.ServerFailure : LookupResult.TimedOut, FailureLifetime), now);
            return;
        }

        Send(question, question.Order[question.Step % count], DnsTransport.Udp, now);
    }

    private void Send(Question question, NameServer server, DnsTransport transport, Instant now, bool confirms = false)
    {
        var hasOptions = server.TakesOptions(now);
        var hasCases = server.KeepsCases(now);
        var query = DnsQuery.Write((ushort)random.NextUInt64(), question.Current, question.Type, hasOptions, hasCases ? random : null);
        var exchange = new Exchange(++_exchangeNumber, question, server, transport, query) { HasOptions = hasOptions, HasCases = hasCases, Confirms = confirms };
        _exchanges.Add(exchange.Number, exchange);
        question.Open.Add(exchange);
        question.Latest = exchange;
        question.Deadline = now + PatienceWith(question);
        if (question.Open.Count > MaxOpen)
            End(question.Open[0]);
        counters.Sent++;
        events.Enqueue(new ExchangeBegins(exchange.Number, transport, server.End, query));
    }

    private TimeSpan PatienceWith(Question question)
    {
        var position = question.Step % question.Order.Count;
        var patience = position == 0 ? options.Timeout : options.Timeout * (1 << position) / question.Order.Count;
        return patience < LongestPatience ? patience : LongestPatience;
    }

    /// <summary>Asks the same server in another way. An exchange that is late only ends.</summary>
    private void GoOn(Exchange exchange, DnsTransport transport, Instant now, bool confirms = false)
    {
        End(exchange);
        if (exchange.Question.Latest == exchange)
            Send(exchange.Question, exchange.Server, transport, now, confirms);
    }

    private void TakeStranger(Exchange exchange, Instant now)
    {
        if (exchange.Transport == DnsTransport.Tcp)
            Discard(exchange, now);
        else if (++exchange.Strangers == MaxStrangers)
            GoOn(exchange, DnsTransport.Tcp, now);
    }

    /// <summary>The server has answered, but not so that it helps.</summary>
    private void Discard(Exchange exchange, Instant now)
    {
        exchange.Question.Unable.Add(exchange.Server);
        End(exchange);
        Next(exchange, now);
    }

    /// <summary>The server has not answered.</summary>
    private void Fail(Exchange exchange, Instant now)
    {
        // Nobody has forged the answer that the server has given by UDP, as far as can be said without TCP: what is left of the defence are id and port.
        if (exchange.Confirms && exchange.Question.Latest == exchange)
        {
            exchange.Server.LosesCases(now);
            Send(exchange.Question, exchange.Server, DnsTransport.Udp, now);
            return;
        }

        exchange.Server.HasFailed(now);
        Next(exchange, now);
    }

    private void Next(Exchange exchange, Instant now)
    {
        var question = exchange.Question;
        if (question.Latest != exchange)
            return;
        question.Step++;
        AskNext(question, now);
    }

    private void Finish(Question question, DnsAnswer answer, Instant now)
    {
        if (question.Lifetime < answer.Lifetime)
            answer = answer with { Lifetime = question.Lifetime };
        EndAll(question);
        _ofLinks.Remove(question.OfLinks);
        question.Deadline = Instant.Never;
        _questions.Remove((question.Name, question.Type));
        _cache.Add(question.Name, question.Type, answer, now);
        foreach (var lookup in question.Waiting)
            _answered.Enqueue((lookup, question, answer));
    }

    private void EndAll(Question question)
    {
        while (question.Open is [var exchange, ..])
            End(exchange);
        question.Latest = null;
    }

    private void End(Exchange exchange)
    {
        exchange.Question.Open.Remove(exchange);
        if (_exchanges.Remove(exchange.Number))
            events.Enqueue(new ExchangeEnds(exchange.Number));
    }
}
