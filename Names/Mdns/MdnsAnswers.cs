using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Names.Mdns;

/// <summary>Answers to questions about this host's records: which ones, to whom, and when (RFC 6762, 6 and 7).</summary>
internal sealed class MdnsAnswers(MdnsOutput output, KeyedRandom random)
{
    /// <summary>UDP port of everybody who speaks multicast DNS fully.</summary>
    public const ushort Port = 5353;

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    /// <summary>A record is not told to the link again sooner; to one that probes for its name it is after this (RFC 6762, 6).</summary>
    private static readonly TimeSpan ProbeInterval = TimeSpan.FromMilliseconds(250);

    private readonly Dictionary<OwnRecord, Pending> _pending = [];
    private readonly List<OwnRecord> _due = [];

    public Instant PollAt
    {
        get
        {
            var earliest = Instant.Never;
            foreach (var pending in _pending.Values)
                earliest = Instant.Min(earliest, pending.Due);
            return earliest;
        }
    }

    public void Clear() => _pending.Clear();

    /// <summary>Somebody asks.</summary>
    /// <param name="isOnLink">The asker's address is one of the link: only then is anything sent to it alone.</param>
    public void Asked(OwnRecords own, MdnsMessage message, IpEndpoint from, bool isOnLink, Instant now)
    {
        var family = from.Address.IsV4 ? MdnsFamilies.V4 : MdnsFamilies.V6;
        Withdraw(message, from.Address);
        HashSet<OwnRecord>? alone = null;
        // One for all of them, so that they leave in one message (RFC 6762, 6.3).
        var delay = message.IsTruncated ? TimeSpan.FromMilliseconds(400 + random.Next(101)) : SharedDelay();
        foreach (var question in message.Questions.Distinct())
        {
            foreach (var answer in own.AnswersTo(question))
            {
                if (IsKnown(answer.Record, message.Answers))
                    continue;
                if (from.Port != Port || (question.WantsUnicast && isOnLink && WasToldLately(answer, family, now)))
                    (alone ??= []).Add(answer);
                else
                    Schedule(answer, family, message, from.Address, delay, now);
            }
        }

        if (alone is null || !isOnLink)
            return;
        if (from.Port != Port)
            AnswerLegacy(own, message, from, alone, now);
        else
            output.Unicast(from, Write(own, alone, family, now), now);
    }

    /// <summary>Others say the same as this host is about to say: then it does not (RFC 6762, 7.4).</summary>
    public void Heard(MdnsRecord record, MdnsFamilies family)
    {
        foreach (var (own, pending) in _pending)
        {
            if (!own.Record.IsSame(record) || record.Lifetime < own.Record.Lifetime)
                continue;
            pending.Families &= ~family;
            if (pending.Families == MdnsFamilies.None)
                _pending.Remove(own);
            return;
        }
    }

    /// <summary>Somebody has taken back, or is about to forget, what is still true here (RFC 6762, 10.1): the link is told again.</summary>
    public void Rescue(OwnRecord own, MdnsFamilies family, Instant now) => Put(own, family, now + SharedDelay(), ProbeInterval, null);

    public void Poll(OwnRecords own, Instant now)
    {
        foreach (var family in (ReadOnlySpan<MdnsFamilies>)[MdnsFamilies.V4, MdnsFamilies.V6])
        {
            _due.Clear();
            foreach (var (record, pending) in _pending)
            {
                if (pending.Due <= now && (pending.Families & family) != 0)
                    _due.Add(record);
            }

            if (_due.Count != 0 && output.MayAnswerAll(now))
                Tell(own, family, now);
        }

        foreach (var (record, pending) in _pending)
        {
            if (pending.Due <= now)
                _pending.Remove(record);
        }
    }

    private static bool IsKnown(MdnsRecord record, IReadOnlyList<MdnsRecord> known)
    {
        foreach (var each in known)
        {
            // RFC 6762, 7.1: half of its life must be left.
            if (each.Lifetime >= record.Lifetime / 2 && record.IsSame(each))
                return true;
        }

        return false;
    }

    /// <summary>RFC 6762, 5.4: an answer to one alone is enough while the others have not come near to forgetting the record.</summary>
    private static bool WasToldLately(OwnRecord own, MdnsFamilies family, Instant now) =>
        own.LastTo(family) is { } last && now - last < TimeSpan.FromSeconds(own.Record.Lifetime) / 4;

    /// <summary>Further known answers of somebody whose question came in several messages (RFC 6762, 7.2).</summary>
    private void Withdraw(MdnsMessage message, IpAddress from)
    {
        if (message.Answers.Count == 0 || _pending.Count == 0)
            return;
        foreach (var (own, pending) in _pending)
        {
            if (pending.OnlyFor == from && IsKnown(own.Record, message.Answers))
                _pending.Remove(own);
        }
    }

    private void Schedule(OwnRecord answer, MdnsFamilies family, MdnsMessage message, IpAddress from, TimeSpan delay, Instant now)
    {
        var isProbe = message.Authority.Count != 0;
        if (isProbe || (answer.Record.IsUnique && !message.IsTruncated))
            delay = TimeSpan.Zero;
        Put(answer, family, now + delay, isProbe ? ProbeInterval : Second, message.IsTruncated ? from : null);
    }

    private TimeSpan SharedDelay() => TimeSpan.FromMilliseconds(20 + random.Next(101));

    private void Put(OwnRecord own, MdnsFamilies family, Instant due, TimeSpan interval, IpAddress? onlyFor)
    {
        if (own.LastTo(family) is { } last)
            due = Instant.Max(due, last + interval);
        if (!_pending.TryGetValue(own, out var pending))
        {
            _pending[own] = new Pending { Families = family, Due = due, OnlyFor = onlyFor };
            return;
        }

        pending.Families |= family;
        pending.Due = Instant.Min(pending.Due, due);
        if (pending.OnlyFor != onlyFor)
            pending.OnlyFor = null;
    }

    private void Tell(OwnRecords own, MdnsFamilies family, Instant now)
    {
        var (first, count) = (0, _due.Count);
        while (first < count)
        {
            var writer = new MdnsWriter(isResponse: true, output.Size);
            var at = first;
            while (at < count && writer.TryAdd(_due[at].Record, MdnsSection.Answer))
                _due[at++].Sent(family, now);
            if (at == count)
                AddMore(own, writer, _due, family, now, isToAll: true);
            if (!writer.IsEmpty)
                output.Multicast(family, writer.Message);
            first = Math.Max(at, first + 1);
        }
    }

    private MdnsWriter Write(OwnRecords own, HashSet<OwnRecord> answers, MdnsFamilies family, Instant now)
    {
        var writer = new MdnsWriter(isResponse: true, output.Size);
        foreach (var answer in answers)
            writer.TryAdd(answer.Record, MdnsSection.Answer);
        AddMore(own, writer, answers, family, now, isToAll: false);
        return writer;
    }

    /// <summary>Adds what fits of what will be asked for next.</summary>
    /// <param name="isToAll">It counts as told to the link, and what was told within a second is left out.</param>
    private static void AddMore(OwnRecords own, MdnsWriter writer, IReadOnlyCollection<OwnRecord> answers, MdnsFamilies family, Instant now, bool isToAll)
    {
        var seen = new HashSet<OwnRecord>(answers);
        foreach (var more in answers.SelectMany(answer => own.Additional(answer.Record)))
        {
            if (!seen.Add(more) || (isToAll && more.LastTo(family) is { } last && now - last < Second))
                continue;
            if (!writer.TryAdd(more.Record, MdnsSection.Additional))
                return;
            if (isToAll)
                more.Sent(family, now);
        }
    }

    /// <summary>An asker that is a plain resolver gets a plain answer (RFC 6762, 6.7).</summary>
    private void AnswerLegacy(OwnRecords own, MdnsMessage message, IpEndpoint from, HashSet<OwnRecord> answers, Instant now)
    {
        var writer = new MdnsWriter(isResponse: true, output.Size, isLegacy: true, message.Id);
        foreach (var question in message.Questions.Distinct())
        {
            // Of many questions only those are repeated that this host answers: what goes out is no longer than what it says.
            if (own.Of(question.Name).Count != 0)
                writer.TryAsk(question with { WantsUnicast = false });
        }

        foreach (var answer in answers)
            writer.TryAdd(answer.Record, MdnsSection.Answer);
        AddMore(own, writer, answers, MdnsFamilies.None, now, isToAll: false);
        output.Unicast(from, writer, now);
    }

    /// <summary>A record that the link is to be told.</summary>
    private sealed class Pending
    {
        public MdnsFamilies Families { get; set; }

        public Instant Due { get; set; }

        /// <summary>Who alone has asked, and may still say that it knows the answer.</summary>
        public IpAddress? OnlyFor { get; set; }
    }
}
