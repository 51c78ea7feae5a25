using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Names.Mdns;

/// <summary>
/// Questions to one link, for those who look names up: first so that the answer may come to this host alone (RFC 6762, 5.4), a second later so that all hear it. While nothing is known of a name and type, there
/// are no known answers to list (RFC 6762, 7.1); where it is asked because what is known, and used, will expire, there may be.
/// </summary>
internal sealed class MdnsQuerier(MdnsOutput output, KeyedRandom random)
{
    /// <summary>Questions under way; one more is not asked.</summary>
    public const int MaxQuestions = 256;

    /// <summary>Those who wait for one question's answer.</summary>
    private const int MaxWaiting = 4096;

    /// <summary>Aliases in one message whose targets are of interest.</summary>
    private const int MaxTargets = 16;

    /// <summary>How long a link has to answer. Nobody can say "there is none" for all hosts, so that every name in vain takes so long.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(2500);

    /// <summary>RFC 6762, 5.2: between the first two questions at least a second.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly Dictionary<(DnsName Name, DnsType Type), Asking> _asking = [];
    private readonly HashSet<DnsName> _names = [];
    private int _waiting;

    public MdnsCache Cache { get; } = new(output.Counters, random);

    /// <summary>Questions under way.</summary>
    public int Count => _asking.Count;

    public Instant PollAt
    {
        get
        {
            var earliest = Cache.RefreshAt;
            foreach (var asking in _asking.Values)
                earliest = Instant.Min(earliest, Instant.Min(asking.Due, asking.Deadline));
            return earliest;
        }
    }

    /// <inheritdoc cref="MdnsLink.Ask"/>
    public void Ask(long number, DnsName name, DnsType type, Instant now)
    {
        if (Cache.Find(name, type, now) is { } known)
        {
            output.Counters.FromCache++;
            Cache.Use(name, type, now);
            Answer(number, known);
            return;
        }

        var key = (name, type);
        if (!_asking.TryGetValue(key, out var asking) && _asking.Count < MaxQuestions && output.Families != MdnsFamilies.None)
        {
            output.Counters.Asked++;
            _asking[key] = asking = new Asking { Due = now, Deadline = now + Patience };
            _names.Add(name);
        }

        if (asking is null || _waiting >= MaxWaiting)
        {
            output.Counters.Full += output.Families == MdnsFamilies.None ? 0 : 1;
            Answer(number, MulticastAnswer.Failed(output.Families == MdnsFamilies.None ? LookupResult.NoSuchName : LookupResult.Busy));
            return;
        }

        asking.Numbers.Add(number);
        _waiting++;
    }

    /// <summary>Another host asks the link: who hears that need not ask the same (RFC 6762, 7.3).</summary>
    public void Overheard(MdnsMessage query)
    {
        if (query.Answers.Count != 0)
            return;
        foreach (var question in query.Questions)
        {
            if (!question.WantsUnicast && _asking.TryGetValue((question.Name, question.Type), out var asking) && asking.Sent == 1)
                (asking.Sent, asking.Due) = (2, Instant.Never);
        }
    }

    /// <summary>A response of the link.</summary>
    public void Heard(MdnsMessage message, Instant now)
    {
        if (_asking.Count == 0 && Cache.Count == 0)
            return;
        HashSet<DnsName>? targets = null;
        foreach (var record in message.Answers)
        {
            if (record.Type == DnsType.CanonicalName && _names.Contains(record.Owner) && !(targets?.Count >= MaxTargets))
                (targets ??= []).Add(record.Target);
        }

        var any = false;
        foreach (var record in message.Answers.Concat(message.Additional))
        {
            var isAsked = _names.Contains(record.Owner) || targets?.Contains(record.Owner) == true;
            any |= isAsked;
            if (isAsked || Cache.Has(record.Owner))
                Cache.Take(record, now);
        }

        if (!any)
            return;
        foreach (var (key, asking) in _asking)
        {
            if (Cache.Find(key.Name, key.Type, now) is not { } found)
                continue;
            output.Counters.Answered++;
            End(key, asking, found);
        }
    }

    public void Poll(Instant now)
    {
        MdnsWriter? writer = null;
        foreach (var (key, asking) in _asking)
        {
            if (asking.Deadline <= now)
            {
                output.Counters.TimedOut++;
                End(key, asking, MulticastAnswer.Failed(LookupResult.NoSuchName));
                continue;
            }

            if (asking.Due > now)
                continue;
            var question = new MdnsQuestion(key.Name, key.Type, WantsUnicast: asking.Sent == 0);
            Write(ref writer, question);
            asking.Due = ++asking.Sent == 1 ? now + Interval : Instant.Never;
        }

        if (writer is not null)
            output.Multicast(output.Families, writer.Message);
        Refresh(now);
    }

    /// <summary>Asks for what is used and will expire. What is already being asked for is not asked twice.</summary>
    private void Refresh(Instant now)
    {
        List<(DnsName Name, DnsType Type)> due = [.. Cache.TakeDue(now).Where(key => !_asking.ContainsKey(key))];
        if (due.Count == 0 || output.Families == MdnsFamilies.None)
            return;
        MdnsWriter? writer = null;
        var asked = new List<(DnsName Name, DnsType Type)>();
        foreach (var key in due)
        {
            output.Counters.Refreshed++;
            if (Write(ref writer, new MdnsQuestion(key.Name, key.Type, WantsUnicast: false)))
                asked.Clear();
            asked.Add(key);
        }

        // Those of the last message only: where there are so many questions, hearing an answer twice is the smaller cost.
        foreach (var record in asked.SelectMany(key => Cache.Known(key.Name, key.Type, now)))
        {
            if (!writer!.TryAdd(record, MdnsSection.Answer))
                break;
        }

        output.Multicast(output.Families, writer!.Message);
    }

    /// <summary>Writes a question, into another message if there is no room.</summary>
    /// <returns>True: the message before has been sent.</returns>
    private bool Write(ref MdnsWriter? writer, in MdnsQuestion question)
    {
        writer ??= new MdnsWriter(isResponse: false, output.Size);
        if (writer.TryAsk(question))
            return false;
        output.Multicast(output.Families, writer.Message);
        writer = new MdnsWriter(isResponse: false, output.Size);
        writer.TryAsk(question);
        return true;
    }

    /// <summary>The link is another one, or none any more: what was known of it is forgotten, and who waits learns that there is nothing.</summary>
    public void Reset()
    {
        Cache.Clear();
        foreach (var (key, asking) in _asking)
            End(key, asking, MulticastAnswer.Failed(LookupResult.NoSuchName));
    }

    private void End((DnsName Name, DnsType Type) key, Asking asking, MulticastAnswer answer)
    {
        _asking.Remove(key);
        if (!_asking.Keys.Any(other => other.Name.Equals(key.Name)))
            _names.Remove(key.Name);
        _waiting -= asking.Numbers.Count;
        foreach (var number in asking.Numbers)
            Answer(number, answer);
    }

    private void Answer(long number, MulticastAnswer answer) => output.Events.Enqueue(new MdnsAnswered(number, answer));

    private sealed class Asking
    {
        public List<long> Numbers { get; } = [];

        public int Sent { get; set; }

        public required Instant Due { get; set; }

        public required Instant Deadline { get; init; }
    }
}
