namespace Tapwire.Stack.Tcp;

/// <summary>How much may be in flight. One object per connection; the connection tells it what happens and reads <see cref="Window"/>.</summary>
internal abstract class CongestionControl
{
    /// <summary>cwnd in bytes.</summary>
    public long Window { get; protected set; }

    /// <summary>ssthresh in bytes.</summary>
    public long SlowStartThreshold { get; protected set; } = long.MaxValue;

    /// <summary>The handshake is done.</summary>
    /// <param name="synLost">The SYN or SYN-ACK had to be sent again.</param>
    public abstract void Begin(int segmentSize, bool synLost);

    /// <summary>New data was acknowledged, outside of a fast recovery.</summary>
    /// <param name="limited">The window, and not the application or the peer, was what held the sender back.</param>
    public abstract void Acknowledged(int bytes, int segmentSize, bool limited);

    /// <summary>A loss was seen through acknowledgements: recovery begins.</summary>
    public abstract void LossDetected(int inFlight, int segmentSize);

    /// <summary>Everything that was in flight when recovery began is acknowledged.</summary>
    public abstract void Recovered();

    /// <summary>The retransmission timer ran out.</summary>
    /// <param name="first">Not for a segment that was sent again by the timer already (RFC 5681, 3.1).</param>
    public abstract void TimedOut(int inFlight, int segmentSize, bool first);

    /// <summary>Sending begins again after nothing was sent for a time-out or longer.</summary>
    public abstract void Restarted(int segmentSize);
}

/// <summary>Slow start and congestion avoidance by RFC 5681, with the initial window of RFC 6928.</summary>
internal sealed class NewRenoCongestionControl : CongestionControl
{
    private long _acknowledged;

    /// <summary>min(10 SMSS, max(2 SMSS, 14600)) (RFC 6928, 2).</summary>
    public static int InitialWindow(int segmentSize) => Math.Min(10 * segmentSize, Math.Max(2 * segmentSize, 14600));

    public override void Begin(int segmentSize, bool synLost) => Window = synLost ? segmentSize : InitialWindow(segmentSize);

    public override void Acknowledged(int bytes, int segmentSize, bool limited)
    {
        // A window that was not used says nothing about the path (RFC 7661, 4.1).
        if (!limited)
            return;
        if (Window < SlowStartThreshold)
        {
            // RFC 5681 allows one segment per ACK; as Linux does, all that was acknowledged counts, for one ACK may answer a whole batch.
            var growth = Math.Min(bytes, SlowStartThreshold - Window);
            Window += growth;
            bytes -= (int)growth;
            if (bytes == 0)
                return;
        }

        _acknowledged += bytes;
        if (_acknowledged < Window)
            return;
        _acknowledged -= Window;
        Window += segmentSize;
    }

    public override void LossDetected(int inFlight, int segmentSize)
    {
        SlowStartThreshold = Half(inFlight, segmentSize);
        Window = SlowStartThreshold;
        _acknowledged = 0;
    }

    public override void Recovered()
    {
        // RFC 9937, 6: the reduction has led there; the second way of RFC 6582, 3.2, step 3.
        Window = Math.Min(Window, SlowStartThreshold);
        _acknowledged = 0;
    }

    public override void TimedOut(int inFlight, int segmentSize, bool first)
    {
        if (first)
            SlowStartThreshold = Half(inFlight, segmentSize);
        Window = segmentSize;
        _acknowledged = 0;
    }

    public override void Restarted(int segmentSize) => Window = Math.Min(Window, InitialWindow(segmentSize));

    private static long Half(int inFlight, int segmentSize) => Math.Max(inFlight / 2, 2 * segmentSize);
}
