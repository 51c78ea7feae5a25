using Tapwire.Stack;
using Tapwire.Stack.Tcp;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Samples of the delivery rate (draft-ietf-ccwg-bbr, 4.1).</summary>
public class DeliveryRateSpec
{
    private const int Segment = 1000;

    private DeliveryRate _rate;
    private int _pipe;
    private uint _next;

    private static Instant At(double milliseconds) => Instant.FromMicroseconds((long)((milliseconds + 1000) * 1000));

    private Transmission Send(double milliseconds)
    {
        var entry = new Transmission { Start = _next, End = _next + Segment, SentAt = At(milliseconds) };
        _rate.Sent(entry, _pipe, Segment, At(milliseconds));
        _next += Segment;
        _pipe += Segment;
        return entry;
    }

    private AckReport Acknowledge(double milliseconds, params Transmission[] entries)
    {
        var report = new AckReport { Now = At(milliseconds), SegmentSize = Segment };
        foreach (var entry in entries)
        {
            _rate.Arrived(entry, entry.Length, ref report);
            _pipe -= entry.Length;
        }

        _rate.Finish(ref report);
        return report;
    }

    [Fact]
    public void One_flight_is_measured_from_its_first_transmission_to_its_last_acknowledgement()
    {
        var flight = new[] { Send(0), Send(0), Send(0), Send(0) };
        for (var i = 0; i < 3; i++)
            Acknowledge(10 + i, flight[i]);
        var report = Acknowledge(13, flight[3]);
        Assert.Equal(4 * Segment, report.DeliveredInInterval);
        Assert.Equal(TimeSpan.FromMilliseconds(13), report.Interval);
        Assert.Equal(4 * Segment * 1000 / 13, report.DeliveryRate);
    }

    /// <summary>Acknowledgements that come in clumps do not make the path faster than what was sent.</summary>
    [Fact]
    public void Clumps_of_acknowledgements_are_measured_by_the_time_of_sending()
    {
        var first = Send(0);
        var others = Enumerable.Range(1, 10).Select(i => Send(10 * i)).ToArray();
        Acknowledge(100, first);
        var report = Acknowledge(101, others);
        Assert.Equal(TimeSpan.FromMilliseconds(101), report.Interval);
        Assert.Equal(11 * Segment, report.DeliveredInInterval);
        var next = Enumerable.Range(11, 10).Select(i => Send(10 * i)).ToArray();
        report = Acknowledge(300, next);
        Assert.True(report.Interval >= TimeSpan.FromMilliseconds(90));
        Assert.True(report.DeliveryRate <= 12 * Segment * 10, $"{report.DeliveryRate}");
    }

    [Fact]
    public void An_acknowledgement_of_several_is_measured_by_the_one_sent_last()
    {
        var (a, b, c) = (Send(0), Send(5), Send(10));
        var report = Acknowledge(20, a, c, b);
        Assert.Equal(At(10), report.SentAt);
        Assert.Equal(c.End, report.SentEnd);
        Assert.Equal(3 * Segment, report.Delivered);
    }

    /// <summary>Zero time gives no rate, and no division by it.</summary>
    [Fact]
    public void No_time_is_no_sample()
    {
        var report = Acknowledge(0, Send(0));
        Assert.Equal(0, report.DeliveryRate);
        Assert.Equal(0, Acknowledge(5).DeliveryRate);
    }

    [Fact]
    public void A_sample_shorter_than_any_round_trip_is_none()
    {
        var report = Acknowledge(5, Send(0));
        report.MinRoundTrip = TimeSpan.FromMilliseconds(6);
        Assert.Equal(0, report.DeliveryRate);
        report.MinRoundTrip = TimeSpan.FromMilliseconds(5);
        Assert.Equal(Segment * 200, report.DeliveryRate);
    }

    [Fact]
    public void Samples_say_that_the_application_had_nothing_until_what_was_in_flight_then_is_delivered()
    {
        var first = Send(0);
        Assert.False(_rate.IsApplicationLimited);
        _rate.ApplicationHasNothing(_pipe);
        var second = Send(1);
        Assert.True(_rate.IsApplicationLimited);
        Assert.False(Acknowledge(10, first).IsApplicationLimited);
        Assert.True(Acknowledge(11, second).IsApplicationLimited);
        Assert.False(_rate.IsApplicationLimited);
        Assert.False(Acknowledge(22, Send(12)).IsApplicationLimited);
    }

    /// <summary>An idle time is neither sending nor delivering.</summary>
    [Fact]
    public void The_time_in_which_nothing_was_in_flight_does_not_count()
    {
        Acknowledge(10, Send(0));
        var report = Acknowledge(10_010, Send(10_000));
        Assert.Equal(TimeSpan.FromMilliseconds(10), report.Interval);
        Assert.Equal(Segment * 100, report.DeliveryRate);
    }
}
