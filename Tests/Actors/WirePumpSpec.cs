using Tapwire.Actors;
using Tapwire.Stack.Buffers;
using Tapwire.Tests.Support;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Actors;

public sealed class WirePumpSpec
{
    [Fact]
    public void A_frame_that_crosses_a_cable_with_all_its_impairments_allocates_nothing()
    {
        var time = new Clock();
        var pool = new BufferPool();
        var way = new CableImpairments
        {
            Latency = TimeSpan.FromMilliseconds(1), Jitter = TimeSpan.FromMilliseconds(1), BitsPerSecond = 1_000_000_000, Loss = 0.01, LossBurst = 2,
            Reorder = 0.01, Duplicate = 0.01, Corrupt = 0.01,
        };
        using var source = new Cable(new CableOptions(), time);
        using var cable = new Cable(new CableOptions { AToB = way }, time);
        var (inward, outward) = (new WirePump(pool, 64), new WirePump(pool, 64));
        var frames = new PacketBuffer[64];
        var written = 0;

        // Pool and queues come to their size first.
        foreach (var buffer in Enumerable.Range(0, 1000).Select(_ => pool.Rent(1514)).ToList())
            buffer.Release();
        for (var i = 0; i < 200; i++)
            Round();
        var rounds = 200;
        Assert.Equal(0, Allocated.Least(Rounds));
        Assert.Equal(rounds * 64, written);
        Assert.InRange(cable.AToB.Frames, written * 0.98, written * 1.02);

        void Rounds()
        {
            for (var i = 0; i < 200; i++)
                Round();
            rounds += 200;
        }

        void Round()
        {
            for (var i = 0; i < frames.Length; i++)
            {
                frames[i] = pool.Rent(1514);
                frames[i].Append(1514);
            }

            // An assertion would allocate.
            written += source.A.Write(frames);
            foreach (var frame in frames)
                frame.Release();
            while (inward.Run(source.B, cable.A) == PumpState.More)
            {
            }

            time.Now += TimeSpan.TicksPerMillisecond;
            outward.Drain(cable.B);
        }
    }

    /// <summary>A clock without timers, which itself allocates nothing: what is due arrives when somebody looks.</summary>
    private sealed class Clock : TimeProvider
    {
        public long Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new NoTimer();
    }

    private sealed class NoTimer : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
