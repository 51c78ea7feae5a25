using Tapwire.Stack;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Tcp.Connection;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp.Connection;

/// <summary>The parts of a receiver by themselves: when an acknowledgement is due, how the buffer grows, where urgent data ends.</summary>
public sealed class ReceiverPartsSpec
{
    private const int Segment = 1000;

    private static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(40);
    private static readonly Instant Now = Instant.FromMilliseconds(100);

    [Fact]
    public void One_segment_is_acknowledged_after_the_delay_and_the_second_at_once()
    {
        var schedule = new AcknowledgmentSchedule();
        schedule.DataArrived(Segment, Segment, isWindowNarrow: false, Delay, Now);
        Assert.False(schedule.IsDue);
        Assert.Equal(Now + Delay, schedule.DelayedUntil);
        Assert.False(schedule.DelayIsOver(Now + Delay - new TimeSpan(1)));
        schedule.DataArrived(2 * Segment, Segment, isWindowNarrow: false, Delay, Now);
        Assert.True(schedule.IsDue);
        schedule.Sent();
        Assert.False(schedule.IsDue);
        Assert.Equal(Instant.Never, schedule.DelayedUntil);
    }

    [Fact]
    public void While_the_peer_is_in_slow_start_the_first_16_acknowledgements_are_not_delayed()
    {
        var schedule = new AcknowledgmentSchedule();
        schedule.BeginQuick();
        for (var i = 0; i < 16; i++)
        {
            schedule.DataArrived(1, Segment, isWindowNarrow: false, Delay, Now);
            Assert.True(schedule.IsDue);
            schedule.Sent();
        }

        schedule.DataArrived(1, Segment, isWindowNarrow: false, Delay, Now);
        Assert.False(schedule.IsDue);
    }

    [Fact]
    public void An_application_that_answers_has_its_acknowledgement_wait_for_the_answer()
    {
        var schedule = new AcknowledgmentSchedule();
        schedule.BeginQuick();
        schedule.DataArrived(1, Segment, isWindowNarrow: false, Delay, Now);
        schedule.DataSent(Delay, Now + Delay / 2);
        schedule.Sent();
        schedule.DataArrived(1, Segment, isWindowNarrow: false, Delay, Now + Delay);
        Assert.False(schedule.IsDue);
        Assert.True(schedule.DelayIsOver(Now + 2 * Delay));
        Assert.True(schedule.IsDue);
    }

    [Theory]
    [InlineData(false, 3)]
    [InlineData(true, 1)]
    public void A_peer_without_sack_gets_an_acknowledgement_for_each_of_three_segments_ahead_of_a_gap(bool selectiveAck, int expected)
    {
        var schedule = new AcknowledgmentSchedule();
        for (var i = 0; i < 3; i++)
            schedule.AheadArrived(selectiveAck);
        var sent = 0;
        for (; schedule.IsDue; sent++)
            schedule.Sent();
        Assert.Equal(expected, sent);
    }

    [Fact]
    public void The_buffer_doubles_what_was_taken_in_a_round_trip_and_no_longer_grows_once_the_application_has_set_it()
    {
        var options = new TcpOptions { ReceiveBuffer = 64 << 10, MaxReceiveBuffer = 4 << 20 };
        var buffer = default(ReceiveBuffer);
        buffer.Set(0, options, isUnderPressure: false);
        buffer.ApplicationRead(60_000, TimeSpan.FromMilliseconds(10), Segment, share: int.MaxValue, Now);
        Assert.InRange(buffer.Size, 2 * 60_000, 4 << 20);
        buffer.Set(100_000, options, isUnderPressure: false);
        buffer.ApplicationRead(1_000_000, TimeSpan.FromMilliseconds(10), Segment, share: int.MaxValue, Now + TimeSpan.FromSeconds(1));
        Assert.Equal(100_000, buffer.Size);
    }

    [Fact]
    public void Urgent_data_is_told_once_for_each_advance_and_passes_with_the_reader()
    {
        var urgent = default(UrgentReceiver);
        Assert.False(urgent.Announced(end: 10, nextToRead: 10));
        Assert.True(urgent.Announced(end: 20, nextToRead: 10));
        Assert.False(urgent.Announced(end: 15, nextToRead: 10));
        Assert.Equal(10, urgent.Mark(nextToRead: 10));
        urgent.Pass(nextToRead: 20);
        Assert.Equal(0, urgent.Mark(nextToRead: 15));
    }
}
