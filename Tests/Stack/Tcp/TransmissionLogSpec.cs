using Tapwire.Stack;
using Tapwire.Stack.Tcp;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>The log of transmissions against a model that keeps each byte by itself.</summary>
public class TransmissionLogSpec
{
    private const int MaxEntries = 1 << 15;

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
        var log = new TransmissionLog(new TransmissionPool());
        for (var i = 0u; i < 2; i++)
            log.Append(i * 50_000, (i + 1) * 50_000, Instant.FromMilliseconds(i));
        var refused = 0;
        for (var at = 1u; at < 100_000; at++)
        {
            if (at == 50_000)
                continue;
            var index = log.IndexOf(at);
            if (log[index].Start != at && !log.TrySplit(index, at))
                refused++;
        }

        Assert.Equal(MaxEntries, log.Count);
        Assert.Equal(100_000 - MaxEntries, refused);
        var last = log.Last;
        Assert.True(last.Length > 1000);
        Assert.False(log.TrySplit(log.Count - 1, last.End - 1000));
        Assert.True(log.TrySplit(log.Count - 1, last.End - 1000, isForSending: true));
        Assert.Equal(1000, log.Last.Length);
        Assert.Equal(0u, log.First.Start);
        Assert.Equal(100_000u, log.Last.End);
        for (var i = 1; i < log.Count; i++)
            Assert.Equal(log[i - 1].End, log[i].Start);
        while (log.Count > 0)
            log.RemoveFirst();
        Assert.Null(log.Oldest);
        Assert.Null(log.Newest);
    }

    [Fact]
    public void Bytes_sent_one_by_one_do_not_make_an_entry_each_for_ever()
    {
        var log = new TransmissionLog(new TransmissionPool());
        for (var i = 0u; i < 50_000; i++)
        {
            var now = Instant.FromMilliseconds(i);
            if (log.CanExtend(i, now, 1))
                log.Last.End++;
            else
                log.Append(i, i + 1, now);
        }

        Assert.InRange(log.Count, 1, 1 << 13);
        Assert.Equal(50_000u, log.Last.End);
    }

    [Fact]
    public void What_is_returned_is_empty_and_used_again()
    {
        var pool = new TransmissionPool();
        var log = pool.RentLog();
        for (var i = 0u; i < 1000; i++)
            log.Append(i, i + 1, Instant.FromMilliseconds(i));
        log.MarkArrived(500);
        log.MarkLost(log[0]);
        pool.Return(log);
        var again = pool.RentLog();
        Assert.Same(log, again);
        Assert.Equal((0, 0, 0, 0), (again.Count, again.ArrivedBytes, again.LostBytes, again.RepeatedBytes));
        Assert.Null(again.Oldest);
        Assert.Null(again.Newest);
    }

    private sealed class Model(int seed, int inFlight)
    {
        private readonly Random _random = new(seed);
        private readonly TransmissionLog _log = new(new TransmissionPool());
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
            if (_log.CanExtend(End, _now, count))
                _log.Last.End += (uint)count;
            else
                _log.Append(End, End + (uint)count, _now);
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
            var index = _log.IndexOf(start);
            while (index < _log.Count && Seq.Lt(_log[index].Start, end))
            {
                var entry = _log[index];
                if (entry.State == TransmissionState.Arrived)
                {
                    index++;
                    continue;
                }

                if (Seq.Lt(entry.Start, start))
                {
                    Assert.True(_log.TrySplit(index, start));
                    entry = _log[++index];
                }

                if (Seq.Gt(entry.End, end))
                    Assert.True(_log.TrySplit(index, end));
                index = _log.MarkArrived(index) + 1;
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
            var index = _random.Next(_log.Count);
            while (_log[index].State != TransmissionState.Lost)
                index = (index + 1) % _log.Count;
            var entry = _log[index];
            if (entry.Length > 1 && _random.Next(2) == 0)
                _log.TrySplit(index, entry.Start + (uint)_random.Next(1, entry.Length));
            _log.MarkSent(entry, _now);
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
            for (var i = 0; i < _log.Count; i++)
            {
                var entry = _log[i];
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
            for (var i = 0; i < _log.Count; i++)
            {
                var entry = _log[i];
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
            Assert.Equal(_bytes.Count(value => value.State == TransmissionState.Arrived), _log.ArrivedBytes);
            Assert.Equal(_bytes.Count(value => value.State == TransmissionState.Lost), _log.LostBytes);
            Assert.Equal(_bytes.Count(value => value is { State: TransmissionState.InFlight, IsRepeated: true }), _log.RepeatedBytes);
            CheckOrderOfTime(inFlight);
            if (_bytes.Count == 0)
                return;
            var any = _una + (uint)_random.Next(_bytes.Count);
            var found = _log[_log.IndexOf(any)];
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
                Assert.Same(entry, _log[_log.IndexOf(entry.Start)]);
                earlier = entry;
                inFlight--;
            }

            Assert.Same(earlier, _log.Newest);
            Assert.Equal(0, inFlight);
        }
    }

    private readonly record struct Byte(TransmissionState State, bool IsRepeated, Instant SentAt);
}
