using Tapwire.Stack;
using Xunit;
using Timer = Tapwire.Stack.Timer;

namespace Tapwire.Tests.Stack;

public class TimerWheelSpec
{
    private sealed class Probe(List<(Probe, Instant)> log) : Timer
    {
        public Action<Instant>? Then { get; set; }

        protected internal override void Fire(Instant now)
        {
            log.Add((this, now));
            Then?.Invoke(now);
        }
    }

    private readonly TimerWheel _wheel = new();
    private readonly List<(Probe Timer, Instant At)> _fired = [];

    [Theory]
    [InlineData(1)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(4095)]
    [InlineData(4096)]
    [InlineData(262_145)]
    [InlineData(16_777_217)]
    [InlineData(2_000_000_000)]
    [InlineData(90_000_000_000)]
    public void A_timer_fires_at_its_tick_and_not_before(long ticks)
    {
        var deadline = new Instant(ticks * TimerWheel.TickLength);
        _wheel.Arm(new Probe(_fired), deadline);
        Assert.True(_wheel.NextDeadline <= deadline);
        _wheel.Advance(deadline - TimeSpan.FromTicks(1));
        Assert.Empty(_fired);
        _wheel.Advance(deadline);
        Assert.Single(_fired);
        Assert.Equal(Instant.Never, _wheel.NextDeadline);
    }

    [Fact]
    public void The_next_deadline_of_few_timers_is_exact()
    {
        _wheel.Arm(new Probe(_fired), Instant.FromMilliseconds(7_200_000));
        _wheel.Arm(new Probe(_fired), Instant.FromMilliseconds(200));
        Assert.Equal(Instant.FromMilliseconds(200), _wheel.NextDeadline);
        _wheel.Advance(Instant.FromMilliseconds(200));
        Assert.Equal(Instant.FromMilliseconds(7_200_000), _wheel.NextDeadline);
    }

    [Fact]
    public void An_early_estimate_for_timers_that_have_been_cancelled_does_not_stay_in_the_past()
    {
        var timers = Enumerable.Range(0, 40).Select(_ => new Probe(_fired)).ToList();
        foreach (var timer in timers)
            _wheel.Arm(timer, Instant.FromMilliseconds(1000));
        var first = new Probe(_fired);
        _wheel.Arm(first, Instant.FromMilliseconds(1));
        _wheel.Cancel(first);
        var early = _wheel.NextDeadline;
        Assert.True(early < Instant.FromMilliseconds(1000));
        timers.ForEach(_wheel.Cancel);
        var now = early + TimeSpan.FromMilliseconds(1);
        _wheel.Advance(now);
        Assert.True(_wheel.NextDeadline > now);
    }

    [Fact]
    public void A_deadline_between_ticks_is_rounded_up()
    {
        _wheel.Arm(new Probe(_fired), new Instant(TimerWheel.TickLength + 1));
        _wheel.Advance(new Instant(2 * TimerWheel.TickLength - 1));
        Assert.Empty(_fired);
        _wheel.Advance(new Instant(2 * TimerWheel.TickLength));
        Assert.Single(_fired);
    }

    [Fact]
    public void A_cancelled_timer_does_not_fire_and_a_moved_one_fires_once()
    {
        var cancelled = new Probe(_fired);
        var moved = new Probe(_fired);
        _wheel.Arm(cancelled, Instant.FromMilliseconds(10));
        _wheel.Arm(moved, Instant.FromMilliseconds(10));
        _wheel.Cancel(cancelled);
        _wheel.Arm(moved, Instant.FromMilliseconds(500));
        Assert.Equal(1, _wheel.Count);
        _wheel.Advance(Instant.FromMilliseconds(499));
        Assert.Empty(_fired);
        _wheel.Advance(Instant.FromMilliseconds(10_000));
        Assert.Same(moved, Assert.Single(_fired).Timer);
        Assert.False(moved.IsArmed);
    }

    [Fact]
    public void Timers_may_cancel_each_other_and_arm_themselves_while_they_fire()
    {
        var a = new Probe(_fired);
        var b = new Probe(_fired);
        a.Then = _ => _wheel.Cancel(b);
        b.Then = _ => _wheel.Cancel(a);
        _wheel.Arm(a, Instant.FromMilliseconds(5));
        _wheel.Arm(b, Instant.FromMilliseconds(5));
        _wheel.Advance(Instant.FromMilliseconds(5));
        Assert.Single(_fired);

        _fired.Clear();
        var again = new Probe(_fired);
        again.Then = now => _wheel.Arm(again, now);
        _wheel.Arm(again, Instant.FromMilliseconds(6));
        _wheel.Advance(Instant.FromMilliseconds(100));
        Assert.Single(_fired);
        Assert.True(_wheel.NextDeadline > Instant.FromMilliseconds(100));
    }

    [Fact]
    public void A_deadline_in_the_past_fires_on_the_next_tick()
    {
        _wheel.Advance(Instant.FromMilliseconds(1000));
        _wheel.Arm(new Probe(_fired), Instant.FromMilliseconds(1));
        Assert.True(_wheel.NextDeadline > Instant.FromMilliseconds(1000));
        _wheel.Advance(_wheel.NextDeadline);
        Assert.Single(_fired);
    }

    [Fact]
    public void Never_is_never()
    {
        _wheel.Arm(new Probe(_fired), Instant.Never);
        _wheel.Advance(Instant.FromMilliseconds(1000L * 86400 * 3650));
        Assert.Empty(_fired);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void It_agrees_with_a_sorted_list(int seed)
    {
        var random = new Random(seed);
        var expected = new List<(long Tick, Probe Timer)>();
        var now = 0L;
        for (var round = 0; round < 2000; round++)
        {
            for (var i = random.Next(4); i > 0; i--)
            {
                var timer = new Probe(_fired);
                var tick = now + 1 + (long)Math.Pow(2, random.NextDouble() * 30);
                _wheel.Arm(timer, new Instant(tick * TimerWheel.TickLength));
                expected.Add((tick, timer));
            }

            if (expected.Count > 0 && random.Next(3) == 0)
            {
                var index = random.Next(expected.Count);
                _wheel.Cancel(expected[index].Timer);
                expected.RemoveAt(index);
            }

            var first = expected.Count == 0 ? long.MaxValue : expected.Min(entry => entry.Tick);
            var next = _wheel.NextDeadline;
            Assert.True(first == long.MaxValue ? next == Instant.Never : next.Ticks <= first * TimerWheel.TickLength && next.Ticks > now * TimerWheel.TickLength);
            now = random.Next(3) == 0 && next != Instant.Never ? next.Ticks / TimerWheel.TickLength : now + (long)Math.Pow(2, random.NextDouble() * 20);
            _wheel.Advance(new Instant(now * TimerWheel.TickLength));
            var due = expected.Where(entry => entry.Tick <= now).ToList();
            Assert.Equal(due.Select(entry => entry.Timer).ToHashSet(), _fired.Select(entry => entry.Timer).ToHashSet());
            Assert.Equal(_fired.Select(entry => due.Single(d => d.Timer == entry.Timer).Tick).Order(), _fired.Select(entry => due.Single(d => d.Timer == entry.Timer).Tick));
            expected.RemoveAll(entry => entry.Tick <= now);
            _fired.Clear();
            Assert.Equal(expected.Count, _wheel.Count);
        }
    }
}
