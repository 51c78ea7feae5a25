using System.Globalization;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Names.Mdns;

/// <summary>
/// Publishes this host's name, addresses and services on one link: asks whether another host has the name (RFC 6762, 8.1), tells the link (8.3), defends it (9), and takes it back. Names
/// stand and fall together: where one is taken, all go on under the next label.
/// </summary>
internal sealed class MdnsResponder(MdnsOutput output, KeyedRandom random)
{
    private const int Probes = 3;
    private const int Announcements = 2;

    /// <summary>More conflicts within <see cref="ConflictWindow"/> make the host wait before each further attempt, until one succeeds (RFC 6762, 8.1).</summary>
    private const int MaxConflicts = 15;

    /// <summary>Names that one probe asks for; services beyond that have another one.</summary>
    private const int NamesPerProbe = 8;

    private static readonly TimeSpan ProbeInterval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan AnnouncementInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ConflictWindow = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ConflictPause = TimeSpan.FromSeconds(5);

    /// <summary>RFC 6762, 8.2: who loses a tie tries again after this, and finds the other host established.</summary>
    private static readonly TimeSpan TiePause = TimeSpan.FromSeconds(1);

    private readonly MdnsAnswers _answers = new(output, random);
    private readonly Queue<Instant> _conflicts = new();
    private MdnsIdentity? _identity;
    private IReadOnlyList<IpAddress> _addresses = [];
    private OwnRecords? _own;
    private bool _isSlow;
    private int _attempt = 1;
    private int _sent;
    private Instant _due = Instant.Never;

    public MdnsState State { get; private set; }

    /// <summary>The label under which the host is, or wants to be, known; null: none.</summary>
    public string? Label => _own?.Label;

    /// <summary>The records that are true on the link; null while they may be another host's.</summary>
    public OwnRecords? Published => State is MdnsState.Announcing or MdnsState.Established ? _own : null;

    public Instant PollAt => Instant.Min(_due, _answers.PollAt);

    /// <param name="identity">Null: nothing is published any more.</param>
    public void Publish(MdnsIdentity? identity, Instant now)
    {
        if (identity?.ToString() == _identity?.ToString())
            return;
        var isSameHost = identity?.Label == _identity?.Label;
        _identity = identity;
        if (!isSameHost)
            _attempt = 1;
        Renew(now);
    }

    public void UseAddresses(IReadOnlyList<IpAddress> addresses, Instant now)
    {
        if (addresses.SequenceEqual(_addresses))
            return;
        _addresses = addresses;
        Renew(now);
    }

    /// <summary>The wire has come up, perhaps on another link: all is to be asked and told again (RFC 6762, 8.3).</summary>
    public void LinkUp(Instant now)
    {
        if (State != MdnsState.Off)
            Probe(now + FirstDelay());
    }

    /// <summary>Takes back what was published (RFC 6762, 10.1).</summary>
    public void Stop()
    {
        if (Published is { } own)
            TakeBack(own.All);
        _identity = null;
        TurnOff();
    }

    public void Asked(MdnsMessage message, IpEndpoint from, bool isOnLink, Instant now)
    {
        if (State == MdnsState.Probing && message.Authority.Count != 0)
            DecideTie(message, now);
        if (Published is { } own)
            _answers.Asked(own, message, from, isOnLink, now);
    }

    /// <summary>A response of another host.</summary>
    public void Heard(MdnsMessage message, MdnsFamilies family, Instant now)
    {
        if (_own is null || State == MdnsState.Off )
            return;
        foreach (var record in message.Answers.Concat(message.Additional))
        {
            if (IsConflict(record))
            {
                Conflict(now);
                return;
            }

            HeardSame(record, family, now);
        }
    }

    public void Poll(Instant now)
    {
        if (Published is { } own)
            _answers.Poll(own, now);
        if (_due > now)
            return;
        switch (State)
        {
            case MdnsState.Probing when _sent == Probes:
                (State, _sent, _isSlow) = (MdnsState.Announcing, 0, false);
                output.Events.Enqueue(new MdnsEstablished(_own!.Label));
                Announce(now);
                break;
            case MdnsState.Probing:
                SendProbe();
                _sent++;
                _due = now + ProbeInterval;
                break;
            case MdnsState.Announcing:
                Announce(now);
                break;
        }
    }

    private TimeSpan FirstDelay() => TimeSpan.FromMilliseconds(random.Next(251));

    /// <summary>What is published, or by which addresses, has changed.</summary>
    private void Renew(Instant now)
    {
        var before = _own;
        var published = Published;
        if (_identity is null || _addresses.Count == 0)
        {
            if (published is not null)
                TakeBack(published.All);
            TurnOff();
            return;
        }

        _own = Build();
        if (published is null)
        {
            // A probe that is under way goes on, with what is true now.
            if (State == MdnsState.Off)
                Probe(now + FirstDelay());
            return;
        }

        foreach (var own in _own.All)
        {
            if (published.Of(own.Record.Owner).FirstOrDefault(each => each.Record.IsSame(own.Record)) is { } earlier)
                own.Follow(earlier);
        }

        TakeBack(published.All.Where(own => own.Record.Type != DnsType.NextSecure && !_own.Of(own.Record.Owner).Any(each => each.Record.IsSame(own.Record))));
        _answers.Clear();
        if (_own.Names.All(before!.IsOwnName))
        {
            (State, _sent) = (MdnsState.Announcing, 0);
            Announce(now);
        }
        else
        {
            Probe(now);
        }
    }

    private OwnRecords Build() => new(LabelOf(_identity!.Label, _attempt), _addresses, _identity.Services);

    private static string LabelOf(string label, int attempt) =>
        attempt == 1 ? label : OwnRecords.WithSuffix(label, $"-{attempt.ToString(CultureInfo.InvariantCulture)}");

    private void TurnOff()
    {
        State = MdnsState.Off;
        _own = null;
        _due = Instant.Never;
        _answers.Clear();
    }

    private void Probe(Instant first)
    {
        (State, _sent, _due) = (MdnsState.Probing, 0, first);
        _answers.Clear();
    }

    private void SendProbe()
    {
        foreach (var names in _own!.Names.Chunk(NamesPerProbe))
        {
            var writer = new MdnsWriter(isResponse: false, output.Size);
            foreach (var name in names)
                writer.TryAsk(new MdnsQuestion(name, DnsType.Any, WantsUnicast: true));
            foreach (var record in names.SelectMany(_own.Claimed))
                writer.TryAdd(record, MdnsSection.Authority);
            output.Multicast(output.Families, writer.Message);
        }
    }

    private void Announce(Instant now)
    {
        foreach (var own in _own!.All)
            own.Sent(output.Families, now);
        output.Tell(output.Families, _own.All.Select(static own => own.Record));
        if (++_sent < Announcements)
            _due = now + AnnouncementInterval;
        else
            (State, _due) = (MdnsState.Established, Instant.Never);
    }

    private void TakeBack(IEnumerable<OwnRecord> records) => output.Tell(output.Families, records.Select(static own => own.Record.With(lifetime: 0, own.Record.IsUnique)));

    /// <summary>RFC 6762, 8.2: of two hosts that probe at the same time, the one whose records are later in order has the name.</summary>
    private void DecideTie(MdnsMessage message, Instant now)
    {
        foreach (var claims in message.Authority.Where(record => _own!.IsOwnName(record.Owner)).GroupBy(static record => record.Owner))
        {
            var theirs = claims.Order(Comparer<MdnsRecord>.Create(MdnsRecord.Compare)).ToList();
            if (Compare(_own!.Claimed(claims.Key), theirs) >= 0)
                continue;
            Probe(now + TiePause);
            return;
        }
    }

    private static int Compare(List<MdnsRecord> ours, List<MdnsRecord> theirs)
    {
        for (var i = 0; i < Math.Min(ours.Count, theirs.Count); i++)
        {
            if (MdnsRecord.Compare(ours[i], theirs[i]) is not 0 and var result)
                return result;
        }

        return ours.Count.CompareTo(theirs.Count);
    }

    /// <summary>
    /// Another host says that it has one of the names (RFC 6762, 8.1 and 9). Before the name is established any record says so; afterwards only one of the types that every owner of such a name has,
    /// so that what a proxy adds to a name is no dispute.
    /// </summary>
    private bool IsConflict(MdnsRecord record) =>
        record.Lifetime != 0 && record.Type != DnsType.NextSecure && _own!.IsOwnName(record.Owner)
        && (State == MdnsState.Probing || record.Type is DnsType.A or DnsType.Aaaa or DnsType.Service or DnsType.Text or DnsType.CanonicalName)
        && !_own.Of(record.Owner).Any(own => own.Record.IsSame(record));

    private void Conflict(Instant now)
    {
        output.Counters.Conflicts++;
        while (_conflicts.TryPeek(out var oldest) && now - oldest >= ConflictWindow)
            _conflicts.Dequeue();
        _conflicts.Enqueue(now);
        if (_conflicts.Count > MaxConflicts)
        {
            _isSlow = true;
            _conflicts.Dequeue();
        }

        var pause = _isSlow ? ConflictPause : TimeSpan.Zero;
        if (State == MdnsState.Probing)
        {
            var taken = _own!.Label;
            _attempt++;
            _own = Build();
            output.Events.Enqueue(new MdnsRenamed(taken, _own.Label));
        }

        // Who has had the name asks once more, and whoever answers then keeps it (RFC 6762, 9).
        Probe(now + pause);
    }

    private void HeardSame(MdnsRecord record, MdnsFamilies family, Instant now)
    {
        if (Published is not { } own || own.Of(record.Owner).FirstOrDefault(each => each.Record.IsSame(record)) is not { } same)
            return;
        if (record.Lifetime < same.Record.Lifetime / 2)
            _answers.Rescue(same, family, now);
        else
            _answers.Heard(record, family);
    }
}
