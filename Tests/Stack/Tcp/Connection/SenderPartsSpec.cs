using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Tcp.Connection;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp.Connection;

/// <summary>The parts of a sender by themselves: the peer's window, the writer's room, the urgent pointer.</summary>
public sealed class SenderPartsSpec
{
    private const byte Shift = 7;

    [Fact]
    public void The_window_of_a_syn_is_not_scaled_and_that_of_any_other_segment_is()
    {
        var window = default(SendWindow);
        window.Open(Segment(1, 1, 500, TcpFlags.Syn | TcpFlags.Ack), Shift);
        Assert.Equal(500u, window.SndWnd);
        window.Open(Segment(2, 1, 500, TcpFlags.Ack), Shift);
        Assert.Equal(500u << Shift, window.SndWnd);
    }

    [Fact]
    public void An_older_segment_brings_its_window_only_with_an_acknowledgement_of_new_data()
    {
        var window = default(SendWindow);
        window.Open(Segment(100, 1000, 10, TcpFlags.Ack), 0);
        Assert.False(window.Update(Segment(90, 1000, 5, TcpFlags.Ack), 0, sndUna: 1000));
        Assert.Equal(10u, window.SndWnd);
        Assert.True(window.Update(Segment(90, 1001, 5, TcpFlags.Ack), 0, sndUna: 1000));
        Assert.Equal(5u, window.SndWnd);
        Assert.Equal(10u, window.Largest);
    }

    [Fact]
    public void The_writer_is_woken_for_an_eighth_of_its_buffer_or_when_nothing_is_left()
    {
        var buffer = default(SendBuffer);
        buffer.Set(8000, new TcpOptions(), isUnderPressure: false, share: int.MaxValue);
        Assert.False(buffer.IsWorthWaking(queued: 0));
        buffer.Free(999);
        Assert.False(buffer.IsWorthWaking(queued: 1));
        Assert.True(buffer.IsWorthWaking(queued: 0));
        buffer.Free(1);
        Assert.True(buffer.IsWorthWaking(queued: 1));
        Assert.Equal(1000, buffer.TakeCredit());
        Assert.Equal(0, buffer.Credit);
    }

    [Fact]
    public void What_a_buffer_grows_is_credit_at_once()
    {
        var buffer = default(SendBuffer);
        buffer.Set(0, new TcpOptions { SendBuffer = 64 << 10, MaxSendBuffer = 1 << 20 }, isUnderPressure: false, share: int.MaxValue);
        buffer.Grow(congestionWindow: 100_000, share: int.MaxValue);
        Assert.Equal(200_000, buffer.Size);
        Assert.Equal(200_000 - (64 << 10), buffer.Credit);
        buffer.Grow(congestionWindow: 10_000_000, share: int.MaxValue);
        Assert.Equal(1 << 20, buffer.Size);
    }

    [Fact]
    public void The_urgent_pointer_stands_on_what_comes_before_its_end_and_not_once_that_is_acknowledged()
    {
        var urgent = default(UrgentSender);
        urgent.Mark(end: 1010);
        var before = Segment(1000, 1, 0, TcpFlags.Ack);
        urgent.Put(ref before, sndUna: 1000);
        Assert.True(before.Has(TcpFlags.Urg));
        Assert.Equal(10, before.UrgentPointer);
        Assert.False(urgent.TakeNotice());
        var behind = Segment(1010, 1, 0, TcpFlags.Ack);
        urgent.Put(ref behind, sndUna: 1000);
        Assert.False(behind.Has(TcpFlags.Urg));
        var acknowledged = Segment(1005, 1, 0, TcpFlags.Ack);
        urgent.Put(ref acknowledged, sndUna: 1010);
        Assert.False(acknowledged.Has(TcpFlags.Urg));
        Assert.False(urgent.IsOutstanding(1010));
    }

    private static TcpHeader Segment(uint sequence, uint acknowledgment, ushort window, TcpFlags flags) =>
        new() { Sequence = sequence, Acknowledgment = acknowledgment, Window = window, Flags = flags };
}
