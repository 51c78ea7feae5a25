using Tapwire.Wires.WireGuard;
using Xunit;

namespace Tapwire.Tests.Wires.WireGuard;

/// <summary>RFC 6479.</summary>
public sealed class ReplayWindowSpec
{
    [Fact]
    public void Each_counter_is_taken_once()
    {
        var window = new ReplayWindow();
        foreach (var counter in (ulong[])[0, 1, 5, 3, 4, 2, 64, 63, 127, 128, 6])
        {
            Assert.True(window.MayBeNew(counter));
            Assert.True(window.TryAccept(counter), $"{counter}");
            Assert.False(window.MayBeNew(counter));
            Assert.False(window.TryAccept(counter), $"{counter} again");
        }
    }

    [Fact]
    public void What_is_older_than_the_window_is_not_taken()
    {
        var window = new ReplayWindow();
        Assert.True(window.TryAccept(100_000));
        Assert.True(window.TryAccept(100_001 - ReplayWindow.Size));
        Assert.False(window.TryAccept(100_000 - ReplayWindow.Size));
        Assert.False(window.TryAccept(0));
    }

    [Fact]
    public void A_jump_beyond_the_ring_forgets_what_was_there()
    {
        var window = new ReplayWindow();
        for (var counter = 0UL; counter < 300; counter++)
            Assert.True(window.TryAccept(counter));
        Assert.True(window.TryAccept(1UL << 40));
        Assert.False(window.TryAccept(1UL << 40));
        for (var counter = (1UL << 40) - ReplayWindow.Size + 1; counter < 1UL << 40; counter++)
            Assert.True(window.TryAccept(counter), $"{counter}");
    }

    [Fact]
    public void It_agrees_with_a_set_at_any_order()
    {
        var random = new Random(6479);
        for (var run = 0; run < 20; run++)
        {
            var window = new ReplayWindow();
            var taken = new HashSet<ulong>();
            ulong next = 0;
            for (var i = 0; i < 20_000; i++)
            {
                var counter = random.Next(50) == 0 ? next + (ulong)random.Next(20_000) : next + 100 < (ulong)random.Next(9000) ? (ulong)random.Next(100) : next + 100 - (ulong)random.Next(Math.Min(9000, (int)next + 100));
                var isNew = (counter >= next || next - counter <= ReplayWindow.Size) && taken.Add(counter);
                Assert.Equal(isNew, window.TryAccept(counter));
                if (isNew)
                    next = Math.Max(next, counter + 1);
            }
        }
    }
}
