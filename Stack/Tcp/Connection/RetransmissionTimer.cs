namespace Tapwire.Stack.Tcp.Connection;

/// <summary>The retransmission timer (RFC 6298). It is also the timer of tail loss probes (RFC 8985, 7.2).</summary>
internal sealed class RetransmissionTimer(SenderState state)
{
    /// <summary>R1 of RFC 9293, 3.8.3: this many retransmissions in a row are reported.</summary>
    private const int ReportedRetries = 3;

    /// <summary>The timer is set for a tail loss probe.</summary>
    private bool _isTailLossProbe;

    /// <summary>The next time-out has been brought forward, and tells nothing of the path.</summary>
    private bool _isBroughtForward;

    /// <summary>When the time-out is due unless a tail loss probe comes first.</summary>
    private Instant _timeoutAt;

    /// <summary>When new data last set the time of the tail loss probe.</summary>
    private Instant _tailLossProbeFrom;

    /// <summary>When the timer runs out; Never while it does not run.</summary>
    public Instant At { get; private set; } = Instant.Never;

    /// <summary>Number of doublings of the time-out, kept until a round trip is measured (RFC 6298, 5; Karn's algorithm). The acknowledgement of a repeated
    /// segment does not show how long the path takes; with the old time-out the next segment would be sent twice as well, for ever.</summary>
    public byte Backoff { get; private set; }

    /// <summary>Time-outs in a row, without new data acknowledged in between.</summary>
    public byte Timeouts { get; private set; }

    private TcpSender Sender => state.Sender;

    private TcpConnection Connection => state.Sender.Connection;

    /// <summary>New data is acknowledged.</summary>
    public void Progress() => Timeouts = 0;

    /// <summary>A round trip is measured.</summary>
    public void RoundTripMeasured() => Backoff = 0;

    public void Stop()
    {
        At = Instant.Never;
        _isBroughtForward = false;
    }

    public void Restart(Instant now)
    {
        var connection = Connection;
        _isBroughtForward = false;
        _timeoutAt = now + connection.CurrentRto;
        // RFC 8985, 7.2: a tail loss probe that would come later than the time-out replaces it, and shows losses without shrinking the window to one segment.
        var probeAt = state.TailLossProbe.At(now);
        _isTailLossProbe = probeAt != Instant.Never;
        At = connection.UserTimeout.Bound(connection.Options, Instant.Min(_timeoutAt, probeAt), now);
    }

    /// <summary>New data has left. A timer that does not run is started (RFC 6298, 5.1). A tail loss probe is timed from the last data (RFC 8985, 7.2), but
    /// comes no later than the time-out would.</summary>
    /// <param name="isSecond">It is the second segment in flight: the probe waits longer for a single one.</param>
    public void DataSent(bool isSecond, Instant now)
    {
        if (At == Instant.Never)
        {
            Restart(now);
            return;
        }

        // All segments of one turn leave at the same time.
        if (!_isTailLossProbe || (_tailLossProbeFrom == now && !isSecond))
            return;
        _tailLossProbeFrom = now;
        var probeAt = state.TailLossProbe.At(now);
        if (probeAt != Instant.Never)
            At = Connection.UserTimeout.Bound(Connection.Options, Instant.Min(_timeoutAt, probeAt), now);
    }

    /// <summary>Sets the timer to an earlier time, as a time-out.</summary>
    public void Hasten(Instant at)
    {
        At = at;
        _isTailLossProbe = false;
    }

    /// <summary>Packets get through again. The time-out is due at once; it counts neither as a retry nor for the doubling, because neighbours could otherwise use up the
    /// retries of a connection by moving.</summary>
    /// <returns>False: nothing is in flight.</returns>
    public bool PathRepaired(Instant now)
    {
        if (At == Instant.Never || Sender.SndUna == Sender.SndNxt)
            return false;
        Hasten(now);
        _isBroughtForward = true;
        return true;
    }

    /// <summary>A tail loss probe is not useful any more.</summary>
    public void TailLossProbeEnded(Instant now)
    {
        if (_isTailLossProbe && At != Instant.Never)
            Restart(now);
    }

    public void TimedOut(Instant now)
    {
        var counts = !_isBroughtForward;
        Stop();
        if (Sender.SndUna == Sender.SndNxt)
            return;
        if (_isTailLossProbe && !Connection.UserTimeout.IsOver(Connection.Options, now) && state.Recovery.State == LossState.Open)
        {
            state.TailLossProbe.TimedOut();
            Restart(now);
            return;
        }

        // The peer is alive and has closed its window over data in flight: the retransmission is a zero-window probe, which may continue while an application
        // waits.
        var isZeroWindowProbe = Sender.SndWnd == 0 && !Connection.IsClosedByOwner && Connection.IsPeerHeard(now);
        if ((counts && Timeouts >= Connection.MaxRetries && !isZeroWindowProbe) || Connection.UserTimeout.IsOver(Connection.Options, now))
        {
            Connection.GiveUp();
            return;
        }

        Sender.Layer.Counters.TcpExtTCPTimeouts++;
        state.Recovery.TimedOut(isFirst: Timeouts == 0, now);
        if (Timeouts < byte.MaxValue && (counts || Timeouts == 0))
            Timeouts++;
        if (Backoff < byte.MaxValue && counts)
            Backoff++;
        if (counts && Sender.SndWnd > 0)
            Sender.Path.SuspectBlackHole(Connection, Timeouts);
        if (counts && Timeouts == ReportedRetries)
            Connection.SoftErrors.ReportRetries(Connection);
        Restart(now);
    }

    public void Clear()
    {
        At = Instant.Never;
        Backoff = 0;
        Timeouts = 0;
        _tailLossProbeFrom = default;
        _isTailLossProbe = false;
        _isBroughtForward = false;
    }
}
