namespace Tapwire.Stack.Tcp;

/// <summary>
/// Smoothed round-trip time and retransmission time-out (RFC 6298). As in Linux, the minimum applies to the variation, not to the sum: on a fast path the
/// time-out is the round trip plus 200 ms, so that a delayed acknowledgement never causes one.
/// </summary>
internal struct RoundTripTime
{
    /// <summary>
    /// No segment lives longer (the MSL of RFC 9293, 3.4.2); and after the largest time-out it has been sent again, so that nothing is measured. A longer
    /// measurement means that this host was stopped: a process (SIGSTOP), or a virtual machine. Taking an hour for a round trip would pace a connection at a
    /// few bytes per second for days.
    /// </summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(2);

    private long _srtt;
    private long _variation;

    public readonly bool IsMeasured => _srtt != 0;

    /// <summary>SRTT; zero before the first sample.</summary>
    public readonly TimeSpan Smoothed => new(_srtt);

    /// <summary>RTTVAR.</summary>
    public readonly TimeSpan Variation => new(_variation);

    /// <summary>Takes a measurement that Karn's algorithm allows (RFC 6298, 3), unless it is longer than <see cref="Longest"/>.</summary>
    public void Sample(TimeSpan roundTrip)
    {
        if (roundTrip > Longest)
            return;
        var sample = Math.Max(roundTrip.Ticks, 1);
        if (_srtt == 0)
        {
            _srtt = sample;
            _variation = sample / 2;
            return;
        }

        _variation += (Math.Abs(_srtt - sample) - _variation) / 4;
        _srtt = Math.Max(1, _srtt + (sample - _srtt) / 8);
    }

    /// <summary>The time-out after a number of time-outs in a row (RFC 6298, 2.3, 2.4, 5.5).</summary>
    public readonly TimeSpan Timeout(TcpOptions options, TimeSpan initial, int backoff)
    {
        var rto = _srtt == 0 ? initial.Ticks : _srtt + Math.Max(options.MinRto.Ticks, 4 * _variation);
        var max = options.MaxRto.Ticks;
        return new TimeSpan(backoff >= 30 || rto > max >> backoff ? max : rto << backoff);
    }
}
