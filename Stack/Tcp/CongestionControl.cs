namespace Tapwire.Stack.Tcp;

/// <summary>
/// Decides how much may be in flight, and how fast it leaves. Each connection has its own object, reports events to it, and reads <see cref="Window"/> and
/// <see cref="PacingRate"/>.
/// </summary>
internal abstract class CongestionControl
{
    private long _priorWindow;
    private long _priorThreshold;

    /// <summary>cwnd in bytes.</summary>
    public long Window { get; protected set; }

    /// <summary>ssthresh in bytes.</summary>
    public long SlowStartThreshold { get; protected set; } = long.MaxValue;

    public bool IsInSlowStart => Window < SlowStartThreshold;

    public abstract CongestionAlgorithm Algorithm { get; }

    /// <summary>During a recovery the window follows the delivered data (RFC 9937) instead of <see cref="Window"/>.</summary>
    public virtual bool UsesProportionalRateReduction => true;

    /// <summary>Bytes per second; 0: as fast as the window allows.</summary>
    /// <param name="smoothed">SRTT; zero before the first measurement.</param>
    public virtual long PacingRate(TimeSpan smoothed) => PaceOf(Window, IsInSlowStart, smoothed);

    /// <param name="doubles">The window doubles in each round trip, as in slow start.</param>
    public static long PaceOf(long window, bool doubles, TimeSpan smoothed)
    {
        // As in Linux: twice the window per round trip in slow start, a little more than the window afterwards. Where a round trip is not much longer than a
        // timer's precision, acknowledgements pace well enough.
        if (smoothed < TimeSpan.FromMilliseconds(1))
            return 0;
        return window * (doubles ? 20 : 12) / 10 * TimeSpan.TicksPerSecond / smoothed.Ticks;
    }

    /// <summary>Segments that may leave at once ahead of the pace.</summary>
    public virtual int BurstSegments => 10;

    /// <summary>True: the pace only spreads the window, so a burst of a part of it does no harm. False: the pace itself keeps the path's queue short.</summary>
    public virtual bool LeavesInBatches => true;

    /// <summary>The handshake is done.</summary>
    /// <param name="synLost">The SYN or SYN-ACK had to be sent again.</param>
    /// <param name="roundTrip">The handshake's round trip; zero: not measured.</param>
    public virtual void Begin(int segmentSize, bool synLost, TimeSpan roundTrip, Instant now) =>
        Window = FirstWindow(segmentSize, synLost);

    /// <summary>Resets to the initial state with this window.</summary>
    public void Begin(long window) => Window = window;

    /// <summary>Nothing has changed since <see cref="Begin(long)"/>, so the object can serve another connection.</summary>
    public virtual bool IsFresh(long initialWindow) =>
        Window == initialWindow && SlowStartThreshold == long.MaxValue && _priorWindow == 0;

    /// <summary>The window after the handshake.</summary>
    public static int FirstWindow(int segmentSize, bool synLost) => synLost ? segmentSize : InitialWindow(segmentSize);

    /// <summary>The algorithm takes nothing but the first window from the handshake, so its object may be made when data is to be sent.</summary>
    public static bool CanBeginLater(CongestionAlgorithm algorithm) => algorithm != CongestionAlgorithm.Bbr;

    /// <summary>An acknowledgement has brought news. Called after <see cref="LossDetected"/> if it shows a loss.</summary>
    /// <param name="isRecovering">A fast recovery is in progress.</param>
    public abstract void Acknowledged(in AckReport report, bool isRecovering);

    /// <summary>Acknowledgements have shown a loss, or the peer has echoed a congestion mark (RFC 3168). Called once per recovery.</summary>
    /// <param name="inFlight">Bytes between SND.UNA and SND.NXT.</param>
    public abstract void LossDetected(int inFlight, int segmentSize, Instant now);

    /// <summary>One transmission counts as lost.</summary>
    public virtual void Lost(Transmission entry, in AckReport report, long totalLost)
    {
    }

    /// <summary>Everything that was in flight when recovery began is acknowledged.</summary>
    public virtual void Recovered()
    {
    }

    /// <summary>The retransmission timer ran out.</summary>
    /// <param name="first">The segment was not yet sent again by the timer (RFC 5681, 3.1).</param>
    public abstract void TimedOut(int inFlight, int segmentSize, bool first, Instant now);

    /// <summary>The loss was spurious: takes back what the last <see cref="LossDetected"/> or <see cref="TimedOut"/> has changed.</summary>
    public virtual void Undo()
    {
        Window = Math.Max(Window, _priorWindow);
        SlowStartThreshold = Math.Max(SlowStartThreshold, _priorThreshold);
    }

    /// <summary>Sending begins again with nothing in flight. Each time-out without sending halves the window, down to the initial one; ssthresh remembers most
    /// of it (RFC 2861, 3.2).</summary>
    public virtual void Restarted(TimeSpan idle, TimeSpan timeout, int segmentSize, Instant now)
    {
        if (idle < timeout)
            return;
        var least = Math.Min(Window, InitialWindow(segmentSize));
        SlowStartThreshold = Math.Max(SlowStartThreshold, Window * 3 / 4);
        for (; idle >= timeout && Window > least; idle -= timeout)
            Window = Math.Max(Window / 2, least);
    }

    /// <summary>min(10 SMSS, max(2 SMSS, 14600)) (RFC 6928, 2).</summary>
    public static int InitialWindow(int segmentSize) => Math.Min(10 * segmentSize, Math.Max(2 * segmentSize, 14600));

    /// <summary>The socket's choice, or the stack's, or CUBIC.</summary>
    public static CongestionAlgorithm Choose(CongestionAlgorithm socket, CongestionAlgorithm stack)
    {
        var chosen = socket == CongestionAlgorithm.Default ? stack : socket;
        return chosen == CongestionAlgorithm.Default ? CongestionAlgorithm.Cubic : chosen;
    }

    public static CongestionControl Create(CongestionAlgorithm algorithm, TcpLayer layer) => algorithm switch
    {
        CongestionAlgorithm.NewReno => new NewRenoCongestionControl(),
        CongestionAlgorithm.Bbr => new BbrCongestionControl(layer.Random),
        _ => new CubicCongestionControl(),
    };

    /// <summary>Saves the values that <see cref="Undo"/> restores.</summary>
    protected void Remember()
    {
        _priorWindow = Window;
        _priorThreshold = SlowStartThreshold;
    }

    /// <summary>Slow start: the window grows by the acknowledged bytes, up to the threshold. RFC 5681 allows one segment per ACK. As in Linux all bytes count,
    /// because one ACK may answer a whole batch.</summary>
    /// <returns>Acknowledged bytes that remain for congestion avoidance.</returns>
    protected long SlowStart(long acknowledged)
    {
        if (Window >= SlowStartThreshold)
            return acknowledged;
        var growth = Math.Min(acknowledged, SlowStartThreshold - Window);
        Window += growth;
        return acknowledged - growth;
    }
}
