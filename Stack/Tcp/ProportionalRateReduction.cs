namespace Tapwire.Stack.Tcp;

/// <summary>
/// Proportional rate reduction (RFC 9937): during a fast recovery the sender sends in proportion to what is delivered, so that the data in flight ends at
/// ssthresh. The sender is not silent for half a round trip, and does not burst when many losses show at once.
/// </summary>
internal struct ProportionalRateReduction
{
    private int _delivered;
    private int _sent;
    private int _inFlightAtStart;

    /// <summary>The congestion window of the recovery, in bytes.</summary>
    public long Window { get; private set; }

    /// <param name="inFlight">RecoverFS: bytes in flight before the acknowledgement that began the recovery.</param>
    public void Begin(int inFlight, long window)
    {
        _delivered = 0;
        _sent = 0;
        _inFlightAtStart = Math.Max(1, inFlight);
        Window = window;
    }

    /// <summary>An acknowledgement has come (RFC 9937, 6).</summary>
    /// <param name="delivered">Bytes that it newly reports as arrived, cumulatively or selectively.</param>
    /// <param name="isSafe">SafeACK: it has moved SND.UNA and shows no further loss.</param>
    public void Acknowledged(int delivered, int pipe, long threshold, int segmentSize, bool isSafe)
    {
        _delivered += delivered;
        long send;
        if (pipe > threshold)
        {
            send = ((long)_delivered * threshold + _inFlightAtStart - 1) / _inFlightAtStart - _sent;
        }
        else
        {
            // Below ssthresh: as much as was delivered, and one segment more while recovery makes progress.
            var limit = Math.Max(_delivered - _sent, delivered) + (isSafe ? segmentSize : 0);
            send = Math.Min(threshold - pipe, limit);
        }

        Window = pipe + Math.Max(send, 0);
    }

    public void Sent(int bytes) => _sent += bytes;
}
