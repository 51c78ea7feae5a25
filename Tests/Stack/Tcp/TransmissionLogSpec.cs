using Tapwire.Stack;
using Tapwire.Stack.Tcp;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>The log of transmissions against a model that keeps each byte by itself.</summary>
public class TransmissionLogSpec
{
    private const int Size = 1460;

    /// <summary>Sequence numbers wrap in the middle of it.</summary>
    [Theory]
    [InlineData(1, 40)]
    [InlineData(2, 40)]
    [InlineData(3, 400)]
    [InlineData(4, 400)]
    [InlineData(5, 3000)]
    [InlineData(6, 3000)]
    public void It_agrees_with_a_model_that_keeps_each_byte_by_itself(int seed, int inFlight)
    {
        var model = new Model(seed, inFlight);
        for (var i = 0; i < 6000; i++)
        {
            model.Act();
            model.Check();
        }
    }

    [Fact]
    public void However_it_is_divided_its_entries_are_bounded_and_its_bytes_stay()
    {
        var log = new TransmissionLog(new TransmissionPool(1));
        for (var i = 0u; i < 2; i++)
            log.Append(i * 50_000, (i + 1) * 50_000, Instant.FromMilliseconds(i), Size);
        var refused = 0;
        for (var at = 1u; at < 100_000; at++)
        {
            if (at == 50_000)
                continue;
            var entry = log.Find(at);
            if (entry.Start != at && !log.TrySplit(entry, at))
                refused++;
        }

        Assert.Equal(TransmissionLog.MaxEntries, log.Count);
        Assert.Equal(100_000 - TransmissionLog.MaxEntries, refused);
        var last = log.Last;
        Assert.True(last.Length > 1000);
        Assert.False(log.TrySplit(last, last.End - 1000));
        Assert.True(log.TrySplit(last, last.End - 1000, isForSending: true));
        Assert.Equal(1000, log.Last.Length);
        Assert.Equal(0u, log.First.Start);
        Assert.Equal(100_000u, log.Last.End);
        for (var entry = log.First; entry.Next is { } next; entry = next)
            Assert.Equal(entry.End, next.Start);
        while (log.Count > 0)
            log.RemoveFirst();
        Assert.Null(log.Oldest);
        Assert.Null(log.Newest);
    }

    [Fact]
    public void Bytes_sent_one_by_one_do_not_make_an_entry_each_for_ever()
    {
        var log = new TransmissionLog(new TransmissionPool(1));
        for (var i = 0u; i < 50_000; i++)
        {
            var now = Instant.FromMilliseconds(i);
            if (log.CanExtend(i, now, 1, Size))
                log.Extend(i + 1, Size, hasFin: false);
            else
                log.Append(i, i + 1, now, Size);
        }

        Assert.InRange(log.Count, 1, 1 << 13);
        Assert.Equal(50_000u, log.Last.End);
    }

    [Fact]
    public void What_is_returned_is_empty_and_used_again()
    {
        var pool = new TransmissionPool(1);
        var log = pool.RentLog();
        for (var i = 0u; i < 1000; i++)
            log.Append(i, i + 1, Instant.FromMilliseconds(i), Size);
        log.MarkArrived(log.Find(500));
        log.MarkLost(log.First);
        pool.Return(log);
        var again = pool.RentLog();
        Assert.Same(log, again);
        Assert.Equal((0, 0, 0, 0), (again.Count, again.ArrivedBytes, again.LostBytes, again.RepeatedBytes));
        Assert.Null(again.Oldest);
        Assert.Null(again.Newest);
    }

    /// <summary>The peer reports every second segment, in an order of its own, and lets go of it all; or all seems lost, and is not. With times as mixed as that, to
    /// find each one's place by a walk would take the square of their number.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Thousands_of_entries_that_are_in_flight_again_are_put_in_order_in_few_steps(bool reported)
    {
        const uint Count = TransmissionLog.MaxEntries;
        var pool = new TransmissionPool(1);
        var log = pool.RentLog();
        for (uint i = 0; i < Count; i++)
            log.Append(i * Size, (i + 1) * Size, Instant.FromMilliseconds(i), Size);
        var random = new Random(1);
        var order = Enumerable.Range(0, (int)Count).Select(i => (uint)i).ToArray();
        random.Shuffle(order);
        // Sent again in random order, so that time and sequence have nothing to do with each other.
        for (var i = 0; i < order.Length; i++)
            log.MarkSent(log.Find(order[i] * Size), Instant.FromMilliseconds(10_000 + i / 3), Size);
        foreach (var i in order)
        {
            if (i % 2 != 0)
                continue;
            var entry = log.Find(i * Size);
            if (reported)
                log.MarkArrived(entry);
            else
                log.MarkLost(entry);
        }

        var before = pool.Steps;
        if (reported)
            log.ForgetArrivals();
        else
            log.ForgetLosses();
        Assert.InRange(pool.Steps - before, 1, Count * 20);
        var left = Count;
        for (var entry = log.Oldest; entry is not null; entry = entry.Later, left--)
        {
            Assert.True(entry.Later is null || !Transmission.IsAfter(entry.SentAt, entry.End, entry.Later.SentAt, entry.Later.End) || entry.SentAt == entry.Later.SentAt);
            Assert.Same(entry, entry.Later is null ? log.Newest : entry.Later.Earlier);
        }

        Assert.Equal(0u, left);
        Assert.Equal((0, 0), (log.ArrivedBytes, log.LostBytes));
    }

    private sealed class Model(int seed, int inFlight)
    {
        private readonly Random _random = new(seed);
        private readonly TransmissionLog _log = new(new TransmissionPool(1));
        private readonly List<Byte> _bytes = [];
        private uint _una = uint.MaxValue - 5000;
        private Instant _now = Instant.FromMilliseconds(1000);

        private uint End => _una + (uint)_bytes.Count;

        public void Act()
        {
            if (_random.Next(3) == 0)
                _now += TimeSpan.FromMilliseconds(_random.Next(1, 4));
            switch (_random.Next(20))
            {
                case < 6:
                    Send(_random.Next(1, 30));
                    break;
                case < 11:
                    Report();
                    break;
                case < 13:
                    LoseOldest();
                    break;
                case < 15:
                    Repeat();
                    break;
                case < 17:
                    Acknowledge();
                    break;
                case 17:
                    _log.ForgetLosses();
                    Change(TransmissionState.Lost);
                    break;
                case 18 when _random.Next(4) == 0:
                    _log.ForgetArrivals();
                    Change(TransmissionState.Arrived);
                    break;
            }
        }

        private void Send(int count)
        {
            if (_bytes.Count + count > inFlight)
                return;
            if (_log.CanExtend(End, _now, count, Size))
                _log.Extend(End + (uint)count, Size, hasFin: false);
            else
                _log.Append(End, End + (uint)count, _now, Size);
            for (var i = 0; i < count; i++)
                _bytes.Add(new Byte(TransmissionState.InFlight, false, _now));
        }

        /// <summary>As a SACK block does.</summary>
        private void Report()
        {
            if (_bytes.Count == 0)
                return;
            var from = _random.Next(_bytes.Count);
            var to = Math.Min(_bytes.Count, from + _random.Next(1, 40));
            var (start, end) = (_una + (uint)from, _una + (uint)to);
            for (var entry = _log.Find(start); entry is not null && Seq.Lt(entry.Start, end); entry = entry.Next)
            {
                if (entry.State == TransmissionState.Arrived)
                    continue;
                if (Seq.Lt(entry.Start, start))
                {
                    Assert.True(_log.TrySplit(entry, start));
                    entry = entry.Next!;
                }

                if (Seq.Gt(entry.End, end))
                    Assert.True(_log.TrySplit(entry, end));
                entry = _log.MarkArrived(entry);
            }

            for (var i = from; i < to; i++)
                _bytes[i] = _bytes[i] with { State = TransmissionState.Arrived };
        }

        private void LoseOldest()
        {
            if (_log.Oldest is not { } oldest)
                return;
            for (var i = oldest.Start; i != oldest.End; i++)
                Set(i, Get(i) with { State = TransmissionState.Lost });
            _log.MarkLost(oldest);
        }

        private void Repeat()
        {
            if (_log.LostBytes == 0)
                return;
            var entry = _log.FirstLost!;
            for (var other = entry; _random.Next(3) != 0 && other is not null; other = other.Next)
            {
                if (other.State == TransmissionState.Lost)
                    entry = other;
            }

            if (entry.Length > 1 && _random.Next(2) == 0)
                _log.TrySplit(entry, entry.Start + (uint)_random.Next(1, entry.Length));
            _log.MarkSent(entry, _now, Size);
            for (var i = entry.Start; i != entry.End; i++)
                Set(i, new Byte(TransmissionState.InFlight, true, _now));
        }

        private void Acknowledge()
        {
            var ack = _una + (uint)_random.Next(Math.Min(_bytes.Count, 60) + 1);
            while (_log.Count > 0 && Seq.Lt(_log.First.Start, ack))
            {
                if (Seq.Le(_log.First.End, ack))
                    _log.RemoveFirst();
                else
                    _log.TrimFirst(ack);
            }

            _bytes.RemoveRange(0, (int)(ack - _una));
            _una = ack;
        }

        /// <summary>What has been forgotten is in flight. What lay side by side and arrived is one entry, sent when its first part was.</summary>
        private void Change(TransmissionState from)
        {
            for (var entry = _log.Count == 0 ? null : _log.First; entry is not null; entry = entry.Next)
            {
                for (var at = entry.Start; at != entry.End; at++)
                {
                    if (Get(at).State == from)
                        Set(at, new Byte(TransmissionState.InFlight, entry.IsRepeated, entry.SentAt));
                }
            }
        }

        private Byte Get(uint at) => _bytes[(int)(at - _una)];

        private void Set(uint at, Byte value) => _bytes[(int)(at - _una)] = value;

        public void Check()
        {
            var at = _una;
            var inFlight = 0;
            var count = 0;
            Transmission? firstLost = null;
            Transmission? previous = null;
            for (var entry = _log.Count == 0 ? null : _log.First; entry is not null; entry = entry.Next)
            {
                count++;
                Assert.Same(previous, entry.Previous);
                previous = entry;
                firstLost ??= entry.State == TransmissionState.Lost ? entry : null;
                Assert.Equal(at, entry.Start);
                Assert.True(entry.Length > 0);
                for (; at != entry.End; at++)
                {
                    var value = Get(at);
                    Assert.Equal(value.State, entry.State);
                    if (value.State != TransmissionState.Arrived)
                        Assert.Equal((value.SentAt, value.IsRepeated), (entry.SentAt, entry.IsRepeated));
                }

                inFlight += entry.State == TransmissionState.InFlight ? 1 : 0;
            }

            Assert.Equal(End, at);
            Assert.Equal(count, _log.Count);
            Assert.Same(firstLost, _log.FirstLost);
            Assert.Equal(_bytes.Count(value => value.State == TransmissionState.Arrived), _log.ArrivedBytes);
            Assert.Equal(_bytes.Count(value => value.State == TransmissionState.Lost), _log.LostBytes);
            Assert.Equal(_bytes.Count(value => value is { State: TransmissionState.InFlight, IsRepeated: true }), _log.RepeatedBytes);
            CheckOrderOfTime(inFlight);
            if (_bytes.Count == 0)
                return;
            var any = _una + (uint)_random.Next(_bytes.Count);
            var found = _log.Find(any);
            Assert.True(Seq.Le(found.Start, any) && Seq.Gt(found.End, any));
        }

        private void CheckOrderOfTime(int inFlight)
        {
            Transmission? earlier = null;
            for (var entry = _log.Oldest; entry is not null; entry = entry.Later)
            {
                Assert.Equal(TransmissionState.InFlight, entry.State);
                Assert.Same(earlier, entry.Earlier);
                Assert.True(earlier is null || earlier.SentAt <= entry.SentAt);
                Assert.Same(entry, _log.Find(entry.Start));
                earlier = entry;
                inFlight--;
            }

            Assert.Same(earlier, _log.Newest);
            Assert.Equal(0, inFlight);
        }
    }

    private readonly record struct Byte(TransmissionState State, bool IsRepeated, Instant SentAt);
}
