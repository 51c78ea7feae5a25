using Tapwire.Actors;
using Tapwire.Stack;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>From what is left to what is to be done.</summary>
public sealed class MemoryWatchSpec
{
    private double _left = 1;

    [Fact]
    public void Memory_becomes_scarce_then_exhausted_and_is_ample_again_only_a_little_above()
    {
        var watch = new MemoryWatch(() => _left, 1 << 30);
        Assert.Equal(MemoryLevel.Ample, watch.State.Level);
        foreach (var (left, level) in new[]
        {
            (0.26, MemoryLevel.Ample), (0.24, MemoryLevel.Scarce), (0.26, MemoryLevel.Scarce), (0.12, MemoryLevel.Exhausted), (0.13, MemoryLevel.Exhausted),
            (0.16, MemoryLevel.Scarce), (0.27, MemoryLevel.Scarce), (0.29, MemoryLevel.Ample), (0.0, MemoryLevel.Exhausted), (1.0, MemoryLevel.Ample),
        })
        {
            _left = left;
            Assert.Equal(level, watch.Look());
            Assert.Equal(level, watch.State.Level);
        }
    }

    [Fact]
    public void It_is_looked_after_some_time_and_before_much_can_have_been_used()
    {
        var watch = new MemoryWatch(() => _left, 200 << 20);
        Assert.False(watch.IsDue(TimeSpan.FromMilliseconds(99), 3 << 20));
        Assert.True(watch.IsDue(TimeSpan.FromMilliseconds(100), 0));
        Assert.True(watch.IsDue(TimeSpan.Zero, 4 << 20));
    }
}
