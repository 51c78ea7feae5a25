using BenchmarkDotNet.Attributes;
using Tapwire.Stack;

namespace Tapwire.Bench.Micro;

/// <summary>What segments do to timers, among others that wait.</summary>
public class TimerWheelBenchmarks
{
    private readonly TimerWheel _wheel = new();
    private readonly Idle _timer = new();
    private long _now = TimeSpan.TicksPerSecond;

    [Params(0, 1_000_000)]
    public int Others { get; set; }

    [GlobalSetup]
    public void Fill()
    {
        var random = new Random(1);
        for (var i = 0; i < Others; i++)
            _wheel.Arm(new Idle(), new Instant(TimeSpan.TicksPerDay + random.NextInt64(60 * TimeSpan.TicksPerSecond)));
    }

    /// <summary>An acknowledgement moves the retransmission timer on.</summary>
    [Benchmark]
    public void Rearm()
    {
        _now += TimerWheel.TickLength;
        _wheel.Arm(_timer, new Instant(_now + 200 * TimeSpan.TicksPerMillisecond));
    }

    [Benchmark]
    public void ArmAndCancel()
    {
        _wheel.Arm(_timer, new Instant(_now + 40 * TimeSpan.TicksPerMillisecond));
        _wheel.Cancel(_timer);
    }

    [Benchmark]
    public Instant ArmAdvanceAndFire()
    {
        _now += TimerWheel.TickLength;
        _wheel.Arm(_timer, new Instant(_now));
        _wheel.Advance(new Instant(_now));
        return _wheel.NextDeadline;
    }

    private sealed class Idle : Tapwire.Stack.Timer
    {
        protected internal override void Fire(Instant now)
        {
        }
    }
}
