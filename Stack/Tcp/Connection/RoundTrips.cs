namespace Tapwire.Stack.Tcp.Connection;

/// <summary>A sender's measures of the round trip: smoothed for the time-out (RFC 6298), and the least for loss detection (RFC 8985, 6.2) and congestion
/// control.</summary>
internal struct RoundTrips
{
    /// <summary>How long the least round trip is remembered (tcp_min_rtt_wlen).</summary>
    private static readonly TimeSpan MinFilter = TimeSpan.FromSeconds(300);

    private RoundTripTime _time;
    private Instant _minAt;

    /// <summary>The least round trip; zero before the first measurement.</summary>
    public TimeSpan Min { get; private set; }

    public readonly bool IsMeasured => _time.IsMeasured;

    /// <summary>SRTT; zero before the first measurement.</summary>
    public readonly TimeSpan Smoothed => _time.Smoothed;

    /// <summary>RTTVAR.</summary>
    public readonly TimeSpan Variation => _time.Variation;

    /// <summary>Takes a measurement that Karn's algorithm allows (RFC 6298, 3).</summary>
    public void Measured(TimeSpan roundTrip) => _time.Sample(roundTrip);

    public void Established(Instant now)
    {
        Min = Smoothed;
        _minAt = now;
    }

    public readonly TimeSpan Timeout(TcpOptions options, TimeSpan initial, int backoff) => _time.Timeout(options, initial, backoff);

    /// <summary>Takes the time from one transmission to its answer.</summary>
    public void Sampled(TimeSpan roundTrip, Instant now)
    {
        if (Min != TimeSpan.Zero && roundTrip > Min && now - _minAt <= MinFilter)
            return;
        Min = roundTrip;
        _minAt = now;
    }
}
