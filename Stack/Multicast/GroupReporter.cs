using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Multicast;

/// <summary>
/// The host's part of IGMPv3 (RFC 3376) or MLDv2 (RFC 3810) on one interface: reports changes of what the host wants, and answers queries; with routers that know only an older version, by that one's
/// rules (RFC 2236, RFC 1112; RFC 2710).
/// </summary>
/// <param name="answers">Answers queries and keeps the routers' version, for all stacks with the same addresses. Each of them reports its own changes.</param>
internal sealed class GroupReporter(
    NetworkInterface owner, bool isV6, SharedGroups groups, BufferPool pool, TimerWheel timers, KeyedRandom random, StackCounters counters, bool answers)
{
    /// <summary>How often a change is reported, as long as no querier says otherwise (RFC 3376, 8.1; RFC 3810, 9.1).</summary>
    private const int DefaultRobustness = 2;

    /// <summary>Sources that are remembered of queries about one group. When more are asked about, the whole filter is the answer.</summary>
    private const int MaxQueriedSources = 256;

    /// <summary>RFC 3376, 8.2; RFC 3810, 9.2.</summary>
    private static readonly TimeSpan DefaultQueryInterval = TimeSpan.FromSeconds(125);

    /// <summary>RFC 3376, 8.11: between the reports of a change.</summary>
    private static readonly TimeSpan UnsolicitedInterval = TimeSpan.FromSeconds(1);

    /// <summary>RFC 2236, 8.10; RFC 2710, 7.10.</summary>
    private static readonly TimeSpan OlderUnsolicitedInterval = TimeSpan.FromSeconds(10);

    private readonly GroupSender _sender = new(owner, isV6, pool, counters);
    private readonly Dictionary<IpAddress, Change> _changes = [];
    private readonly Dictionary<IpAddress, Answer> _answers = [];
    private Alarm? _changeTimer;
    private Alarm? _generalTimer;
    private Alarm? _olderTimer;
    private Alarm? _oldestTimer;
    private int _robustness = DefaultRobustness;
    private TimeSpan _queryInterval = DefaultQueryInterval;

    private QuerierVersion Version => groups.VersionOn(owner.Index, isV6);

    /// <summary>What the host wants of a group has changed, by this stack.</summary>
    public void Changed(IpAddress group, SourceFilter before, SourceFilter after, Instant now)
    {
        if (!IsReported(group) || before.Equals(after))
            return;
        if (after.IsNothing)
            Cancel(group);
        if (Version == QuerierVersion.Current)
            Note(group, before, after);
        else if (!ChangedForOlder(group, before, after))
            return;
        SendChange(group);
        if (_changes.Count != 0 && _changeTimer is not { IsArmed: true })
            ArmChanges(now);
    }

    /// <summary>A query has arrived, and is well-formed.</summary>
    public void Queried(in GroupQuery query, Instant now)
    {
        if (!answers)
            return;
        Heed(query, now);
        var longest = TimeSpan.FromTicks(Math.Max(query.MaxResponse.Ticks, TimerWheel.TickLength));
        if (Version != QuerierVersion.Current)
            AnswerOlder(query.Group, longest, now);
        else if (query.Group.IsUnspecified)
            AnswerAll(now + Chance(longest));
        else
            AnswerOne(query, now + Chance(longest));
    }

    /// <summary>Another host has reported a group by an older version: one such report is enough for a link (RFC 2236, 3; RFC 2710, 4).</summary>
    public void Heard(IpAddress group)
    {
        if (Version != QuerierVersion.Current && _answers.Remove(group, out var answer))
            timers.Cancel(answer);
    }

    /// <summary>The wire has come up, perhaps on another network: reports everything as if it were new.</summary>
    public void Announce(Instant now)
    {
        if (!answers)
            return;
        foreach (var (group, filter) in groups.On(owner.Index, isV6))
        {
            if (!IsReported(group))
                continue;
            if (Version == QuerierVersion.Current)
                Note(group, SourceFilter.Nothing, filter);
            else
                ChangedForOlder(group, SourceFilter.Nothing, filter);
        }

        SendChanges(now);
    }

    /// <summary>The interface is gone.</summary>
    public void Stop()
    {
        ForgetPending();
        Disarm(_olderTimer);
        Disarm(_oldestTimer);
        groups.SetVersion(owner.Index, isV6, QuerierVersion.Current);
    }

    /// <summary>RFC 3376, 5 and RFC 3810, 6: nobody reports all hosts, nor what stays within a host.</summary>
    private static bool IsReported(IpAddress group) => group.IsV4 ? group.V4 != AllHosts : group != IpAddress.AllNodes && (group.Halves.High >> 48 & 0xF) >= 2;

    /// <summary>224.0.0.1.</summary>
    private const uint AllHosts = 0xE000_0001;

    private TimeSpan Chance(TimeSpan longest) => TimeSpan.FromTicks((long)(random.NextUInt64() % (ulong)longest.Ticks));

    /// <summary>Notes what there is to report of a change (RFC 3376, 5.1).</summary>
    private void Note(IpAddress group, SourceFilter before, SourceFilter after)
    {
        if (!_changes.TryGetValue(group, out var change))
            _changes.Add(group, change = new Change());
        if (before.IsExclude != after.IsExclude)
        {
            // The report of the new mode says all.
            change.ModeLeft = _robustness;
            change.SourcesLeft.Clear();
            return;
        }

        foreach (var source in before.Except(after).Union(after.Except(before)))
            change.SourcesLeft[source] = _robustness;
    }

    /// <returns>False: older versions have no message for it.</returns>
    private bool ChangedForOlder(IpAddress group, SourceFilter before, SourceFilter after)
    {
        if (after.IsNothing)
        {
            _changes.Remove(group);
            // IGMPv1 has no such message.
            if (Version == QuerierVersion.Older)
                _sender.SendLeave(group);
            return false;
        }

        if (!before.IsNothing)
            return false;
        _changes[group] = new Change { ModeLeft = _robustness };
        return true;
    }

    private void SendChange(IpAddress group)
    {
        var records = new List<GroupRecord>();
        TakeRecords(group, records);
        _sender.Send(records);
    }

    private void SendChanges(Instant now)
    {
        var records = new List<GroupRecord>();
        foreach (var group in _changes.Keys.ToArray())
            TakeRecords(group, records);
        _sender.Send(records);
        if (_changes.Count != 0)
            ArmChanges(now);
    }

    private void ArmChanges(Instant now) =>
        timers.Arm(_changeTimer ??= new Alarm(SendChanges), now + Chance(Version == QuerierVersion.Current ? UnsolicitedInterval : OlderUnsolicitedInterval));

    /// <summary>What is to be reported of a group once more, by its state of now. With an older version it is sent at once.</summary>
    private void TakeRecords(IpAddress group, List<GroupRecord> records)
    {
        if (!_changes.TryGetValue(group, out var change))
            return;
        var filter = groups.Find(owner.Index, group);
        if (Version != QuerierVersion.Current)
        {
            if (!filter.IsNothing)
                _sender.SendOlder(group, Version == QuerierVersion.Oldest);
            change.SourcesLeft.Clear();
            change.ModeLeft = filter.IsNothing ? 0 : change.ModeLeft - 1;
        }
        else if (change.ModeLeft > 0)
        {
            records.Add(new GroupRecord(filter.IsExclude ? GroupRecordType.ChangeToExclude : GroupRecordType.ChangeToInclude, group, filter.Sources));
            change.ModeLeft--;
        }
        else
        {
            AddIfAny(records, GroupRecordType.AllowNewSources, group, [.. change.SourcesLeft.Keys.Where(filter.Accepts)]);
            AddIfAny(records, GroupRecordType.BlockOldSources, group, [.. change.SourcesLeft.Keys.Where(source => !filter.Accepts(source))]);
            foreach (var source in change.SourcesLeft.Keys.ToArray())
            {
                if (--change.SourcesLeft[source] == 0)
                    change.SourcesLeft.Remove(source);
            }
        }

        if (change.ModeLeft <= 0 && change.SourcesLeft.Count == 0)
            _changes.Remove(group);
    }

    private static void AddIfAny(List<GroupRecord> records, GroupRecordType type, IpAddress group, IReadOnlyList<IpAddress> sources)
    {
        if (sources.Count != 0)
            records.Add(new GroupRecord(type, group, sources));
    }

    /// <summary>Takes over what a query says of the routers.</summary>
    private void Heed(in GroupQuery query, Instant now)
    {
        var oldness = (isV6 ? 2 : 3) - query.Version;
        if (oldness == 0)
        {
            _robustness = query.Robustness == 0 ? DefaultRobustness : query.Robustness;
            _queryInterval = query.Interval == TimeSpan.Zero ? DefaultQueryInterval : query.Interval;
            return;
        }

        // RFC 3376, 8.12; RFC 3810, 9.12: as long as such a querier may be there.
        var until = now + _robustness * _queryInterval + query.MaxResponse;
        if (oldness == 1)
            timers.Arm(_olderTimer ??= new Alarm(_ => SetVersion()), until);
        else
            timers.Arm(_oldestTimer ??= new Alarm(_ => SetVersion()), until);
        SetVersion();
    }

    private void SetVersion()
    {
        var version = _oldestTimer is { IsArmed: true } ? QuerierVersion.Oldest : _olderTimer is { IsArmed: true } ? QuerierVersion.Older : QuerierVersion.Current;
        if (version == Version)
            return;
        groups.SetVersion(owner.Index, isV6, version);
        // RFC 3376, 7.2.1; RFC 3810, 8.2.1: what waits would be of another version.
        ForgetPending();
    }

    private void AnswerOlder(IpAddress asked, TimeSpan longest, Instant now)
    {
        foreach (var (group, _) in groups.On(owner.Index, isV6))
        {
            if (!IsReported(group) || (!asked.IsUnspecified && group != asked))
                continue;
            var answer = AnswerFor(group);
            if (!answer.IsArmed || answer.Deadline > now + longest)
                timers.Arm(answer, now + Chance(longest));
        }
    }

    private void AnswerAll(Instant at)
    {
        if (_generalTimer is not { IsArmed: true } || _generalTimer.Deadline > at)
            timers.Arm(_generalTimer ??= new Alarm(_ => SendAll()), at);
    }

    /// <summary>RFC 3376, 5.2, rules 1 and 3 to 5.</summary>
    private void AnswerOne(in GroupQuery query, Instant at)
    {
        if (!IsReported(query.Group) || groups.Find(owner.Index, query.Group).IsNothing || (_generalTimer is { IsArmed: true } && _generalTimer.Deadline <= at))
            return;
        var answer = AnswerFor(query.Group);
        var isNew = !answer.IsArmed;
        if (query.SourceCount == 0 || query.SourceCount > MaxQueriedSources)
            answer.Sources = null;
        else if (isNew)
            answer.Sources = [];
        for (var i = 0; i < query.SourceCount && answer.Sources is not null; i++)
        {
            answer.Sources.Add(query.Source(i));
            if (answer.Sources.Count > MaxQueriedSources)
                answer.Sources = null;
        }

        if (isNew || answer.Deadline > at)
            timers.Arm(answer, at);
    }

    /// <summary>A group has one answer at a time, so that there are no more of them than groups.</summary>
    private Answer AnswerFor(IpAddress group)
    {
        if (!_answers.TryGetValue(group, out var answer))
            _answers.Add(group, answer = new Answer(this, group));
        return answer;
    }

    private void SendAll()
    {
        var records = new List<GroupRecord>();
        foreach (var (group, filter) in groups.On(owner.Index, isV6))
        {
            if (IsReported(group) && !filter.IsNothing)
                records.Add(StateOf(group, filter));
        }

        _sender.Send(records);
    }

    private static GroupRecord StateOf(IpAddress group, SourceFilter filter) =>
        new(filter.IsExclude ? GroupRecordType.ModeIsExclude : GroupRecordType.ModeIsInclude, group, filter.Sources);

    private void SendAnswer(Answer answer)
    {
        _answers.Remove(answer.Group);
        var filter = groups.Find(owner.Index, answer.Group);
        if (filter.IsNothing)
            return;
        if (Version != QuerierVersion.Current)
        {
            _sender.SendOlder(answer.Group, Version == QuerierVersion.Oldest);
            return;
        }

        var records = new List<GroupRecord>();
        if (answer.Sources is { } asked)
            AddIfAny(records, GroupRecordType.ModeIsInclude, answer.Group, [.. asked.Where(filter.Accepts)]);
        else
            records.Add(StateOf(answer.Group, filter));
        _sender.Send(records);
    }

    private void Cancel(IpAddress group)
    {
        if (_answers.Remove(group, out var answer))
            timers.Cancel(answer);
    }

    private void ForgetPending()
    {
        _changes.Clear();
        Disarm(_changeTimer);
        Disarm(_generalTimer);
        foreach (var answer in _answers.Values)
            timers.Cancel(answer);
        _answers.Clear();
    }

    private void Disarm(Timer? timer)
    {
        if (timer is not null)
            timers.Cancel(timer);
    }

    /// <summary>What is still to be reported of a group's change, and how often.</summary>
    private sealed class Change
    {
        /// <summary>Reports of the new mode with all of its sources.</summary>
        public int ModeLeft { get; set; }

        /// <summary>After them, those of sources that are wanted or unwanted since.</summary>
        public Dictionary<IpAddress, int> SourcesLeft { get; } = [];
    }

    /// <summary>An answer to a query about one group, which waits for its time.</summary>
    private sealed class Answer(GroupReporter reporter, IpAddress group) : Timer
    {
        public IpAddress Group => group;

        /// <summary>The sources asked about; null: all.</summary>
        public HashSet<IpAddress>? Sources { get; set; }

        protected internal override void Fire(Instant now) => reporter.SendAnswer(this);
    }

    private sealed class Alarm(Action<Instant> fire) : Timer
    {
        protected internal override void Fire(Instant now) => fire(now);
    }
}
