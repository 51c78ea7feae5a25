using Tapwire.Stack.Tcp;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>When a path counts as one that loses packets.</summary>
public sealed class LossEventsSpec
{
    private const int SegmentSize = 1448;

    /// <summary>With chance as it is, not with a loss every so many segments.</summary>
    [Theory]
    [InlineData(1, 50)]
    [InlineData(2, 100)]
    [InlineData(3, 100)]
    public void A_path_that_loses_one_segment_in_a_hundred_or_more_is_not_missed_for_long(int seed, int segmentsPerLoss)
    {
        var random = new Random(seed);
        var events = default(LossEvents);
        var missed = 0;
        for (var i = 0; i < 1_000_000; i++)
        {
            Deliver(ref events, random.Next(segmentsPerLoss) == 0);
            if (i > 1000 && !events.AreMany(SegmentSize))
                missed++;
        }

        Assert.InRange(missed, 0, 10_000);
    }

    [Theory]
    [InlineData(1, 1_000)]
    [InlineData(2, 10_000)]
    [InlineData(3, 1_000_000)]
    public void A_path_that_loses_one_segment_in_a_thousand_or_fewer_is_hardly_ever_accused(int seed, int segmentsPerLoss)
    {
        var random = new Random(seed);
        var events = default(LossEvents);
        var accused = 0;
        for (var i = 0; i < 1_000_000; i++)
        {
            Deliver(ref events, random.Next(segmentsPerLoss) == 0);
            if (events.AreMany(SegmentSize))
                accused++;
        }

        Assert.InRange(accused, 0, segmentsPerLoss > 1_000 ? 0 : 10_000);
    }

    [Fact]
    public void The_first_losses_of_a_connection_are_chance()
    {
        var events = default(LossEvents);
        for (var i = 1; i < LossEvents.LeastEvents; i++)
            Deliver(ref events, isLost: true);
        Assert.False(events.AreMany(SegmentSize));
        Deliver(ref events, isLost: true);
        Assert.True(events.AreMany(SegmentSize));
        events.Undo();
        Assert.False(events.AreMany(SegmentSize));
    }

    [Fact]
    public void A_path_that_has_become_better_is_accused_no_longer()
    {
        var events = default(LossEvents);
        for (var i = 0; i < 100_000; i++)
            Deliver(ref events, i % 50 == 0);
        Assert.True(events.AreMany(SegmentSize));
        var segments = 0;
        for (; events.AreMany(SegmentSize); segments++)
            Deliver(ref events, isLost: false);
        Assert.InRange(segments, 1_000, 10_000);
    }

    private static void Deliver(ref LossEvents events, bool isLost)
    {
        if (isLost)
            events.Add();
        events.Delivered(SegmentSize, SegmentSize);
    }
}
