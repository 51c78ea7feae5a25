namespace Tapwire.Stack.Tcp;

/// <summary>
/// BBR, version 3 (draft-ietf-ccwg-bbr): a model of the path (how much it delivers, how long a round trip takes at least, how much may be in flight
/// without much loss) sets the pace and the window. Names are the draft's; section numbers are those of its version 01.
/// </summary>
/// <remarks>
/// <para>Losses count where the draft counts them, but above a learnt threshold (<see cref="BbrPathLoss"/>) instead of the draft's 2 %. Some paths lose 2 % of
/// all packets whatever is sent, or reorder them so that PAWS drops some. There the draft's values find the path full at each probe, and ratchet down to a
/// thirtieth of its bandwidth. Linux's version 1 ignores losses altogether.</para>
/// <para>Bandwidth probes come more often than the draft's (<see cref="MaxRounds"/>), sooner still after one that found much more, and end when two rounds have
/// brought nothing but losses. A fast recovery holds the window back for a round only if its losses exceed the threshold.</para>
/// </remarks>
internal sealed partial class BbrCongestionControl(KeyedRandom random) : CongestionControl
{
    private const double StartupPacingGain = 2.773;
    private const double DrainPacingGain = 0.5;
    private const double DefaultWindowGain = 2;
    private const double Headroom = 0.15;

    /// <summary>BBRPacingMarginPercent: the pace stays this much below the measured rate, so that no queue persists.</summary>
    private const double PacingMargin = 0.99;
    private const double ProbeRttWindowGain = 0.5;
    private const int MinPipeSegments = 4;
    private const int MaxQuantum = 64 << 10;

    private static readonly TimeSpan ProbeRttDuration = TimeSpan.FromMilliseconds(200);

    private BbrMode _mode;
    private int _segmentSize;
    private double _pacingGain;
    private double _windowGain;
    private double _pacingRate;

    // Rounds (4.5.1)
    private BbrRounds _rounds;

    // Bandwidth, in bytes per second (4.5.2)
    private double _maxBandwidthNow;
    private double _maxBandwidthBefore;
    private double _bandwidth;

    // Round trip (4.5.3)
    private BbrRoundTrip _roundTrip;
    private Instant _probeRttDoneAt;
    private bool _probeRttRoundDone;
    private bool _idleRestart;

    // Windows saved during a recovery or ProbeRTT
    private long _savedWindow;
    private bool _conservation;
    private long _conservationEnd;
    private bool _recovering;

    private double MaxBandwidth => Math.Max(_maxBandwidthNow, _maxBandwidthBefore);

    private long MinPipe => (long)MinPipeSegments * _segmentSize;

    private bool IsInProbeBw => _mode is BbrMode.ProbeBwDown or BbrMode.ProbeBwCruise or BbrMode.ProbeBwRefill or BbrMode.ProbeBwUp;

    /// <summary>BBR.send_quantum (4.6.3): a millisecond's worth of data, to cover delays in both hosts; two segments at least.</summary>
    private long Quantum => Math.Max(2L * _segmentSize, Math.Min(MaxQuantum, (long)(_pacingRate / 1000)));

    public override CongestionAlgorithm Algorithm => CongestionAlgorithm.Bbr;

    public override bool UsesProportionalRateReduction => false;

    public override int BurstSegments => 2;

    public override bool LeavesInBatches => false;

    public override long PacingRate(TimeSpan smoothed) => (long)_pacingRate;

    /// <summary>Its measurements are never fresh.</summary>
    public override bool IsFresh(long initialWindow) => false;

    public override void Begin(int segmentSize, bool synLost, TimeSpan roundTrip, Instant now)
    {
        _segmentSize = segmentSize;
        Window = InitialWindow(segmentSize);
        SlowStartThreshold = long.MaxValue;
        _roundTrip.Begin(roundTrip, now);
        _aggregation.Restart(now);
        _bounds.Begin();
        EnterStartup();
        var seconds = roundTrip > TimeSpan.Zero ? roundTrip.TotalSeconds : 0.001;
        _pacingRate = StartupPacingGain * Window / seconds;
    }

    public override void Acknowledged(in AckReport report, bool isRecovering)
    {
        _segmentSize = report.SegmentSize;
        UpdateRound(report);
        UpdateModel(report);
        UpdateMinRtt(report);
        CheckProbeRtt(report);
        AdvanceLatestSignals(report);
        _bandwidth = Math.Min(MaxBandwidth, _bounds.Bandwidth);
        SetPacingRate(_pacingGain);
        SetWindow(report);
    }

    public override void LossDetected(int inFlight, int segmentSize, Instant now)
    {
        _bounds.Remember();
        SaveWindow();
        _recovering = true;
        // 4.6.4.3: for one round trip no more leaves than is delivered. Losses below the threshold do not stop the window's growth.
        if (!IsInflightTooHigh(_totalLost - _lostAtRoundStart, inFlight))
            return;
        _conservation = true;
        _conservationEnd = _totalDelivered;
        Window = Math.Max(inFlight, segmentSize);
        _awaitsPipe = true;
    }

    public override void Recovered()
    {
        _recovering = false;
        _conservation = false;
        RestoreWindow();
    }

    public override void TimedOut(int inFlight, int segmentSize, bool first, Instant now)
    {
        if (first)
        {
            _bounds.Remember();
            SaveWindow();
        }

        _recovering = true;
        _conservation = false;
        Window = segmentSize;
    }

    public override void Undo()
    {
        _recovering = false;
        _conservation = false;
        RestoreWindow();
        _bounds.Restore();
    }

    public override void Restarted(TimeSpan idle, TimeSpan timeout, int segmentSize, Instant now)
    {
        // 4.4.3: the model still holds after an idle time; the pace keeps the queue empty.
        _idleRestart = true;
        _aggregation.Restart(now);
        if (IsInProbeBw)
            SetPacingRate(1);
        else if (_mode == BbrMode.ProbeRtt)
            CheckProbeRttDone(now);
    }

    private void SetPacingRate(double gain)
    {
        // Before the first sample only the initial window is known. Whatever the model, the pace is at least a segment per second.
        if (_bandwidth == 0)
            return;
        var rate = gain * _bandwidth * PacingMargin;
        if (_fullPipe.WasReached || rate > _pacingRate)
            _pacingRate = Math.Max(rate, _segmentSize);
    }

    // The window (4.6.4)

    /// <summary>The bandwidth-delay product times a gain, in bytes.</summary>
    private long Product(double gain, double bandwidth) =>
        _roundTrip.Least == TimeSpan.Zero || bandwidth == 0 ? InitialWindow(_segmentSize) : (long)(gain * bandwidth * _roundTrip.Least.TotalSeconds);

    /// <summary>Adds room for super-frames in transit through both hosts.</summary>
    private long Quantize(long inflight)
    {
        inflight = Math.Max(Math.Max(inflight, 3 * Quantum), MinPipe);
        return _mode == BbrMode.ProbeBwUp ? inflight + 2 * _segmentSize : inflight;
    }

    private long Inflight(double gain) => Quantize(Product(gain, _bandwidth));

    private void SetWindow(in AckReport report)
    {
        if (_awaitsPipe)
        {
            _awaitsPipe = false;
            Window = report.InFlight + Math.Max(report.Delivered, report.SegmentSize);
        }

        if (_conservation)
            Window = Math.Max(Window, report.InFlight + report.Delivered);
        else
            GrowWindow(report);
        Window = Math.Max(Window, MinPipe);
        if (_mode == BbrMode.ProbeRtt)
            Window = Math.Min(Window, ProbeRttWindow);
        BoundWindow();
    }

    private void GrowWindow(in AckReport report)
    {
        var most = Quantize(Product(_windowGain, _bandwidth) + _aggregation.Most);
        if (_fullPipe.WasReached)
            Window = Math.Min(Window + report.Delivered, most);
        else if (Window < most || report.TotalDelivered < InitialWindow(_segmentSize))
            Window += report.Delivered;
    }

    private void BoundWindow()
    {
        var bound = long.MaxValue;
        if (_mode is BbrMode.ProbeBwDown or BbrMode.ProbeBwRefill or BbrMode.ProbeBwUp)
            bound = _bounds.InflightLongTerm;
        else if (_mode is BbrMode.ProbeRtt or BbrMode.ProbeBwCruise)
            bound = InflightWithHeadroom;
        bound = Math.Max(Math.Min(bound, _bounds.Inflight), MinPipe);
        Window = Math.Min(Window, bound);
    }

    private void SaveWindow() =>
        _savedWindow = !_recovering && _mode != BbrMode.ProbeRtt ? Window : Math.Max(_savedWindow, Window);

    private void RestoreWindow() => Window = Math.Max(Window, _savedWindow);

    // The least round trip (4.3.5)

    private long ProbeRttWindow => Math.Max(Product(ProbeRttWindowGain, _bandwidth), MinPipe);

    private void UpdateMinRtt(in AckReport report)
    {
        if (!_roundTrip.Update(report) || _idleRestart || _mode == BbrMode.ProbeRtt)
            return;
        SaveWindow();
        _mode = BbrMode.ProbeRtt;
        _pacingGain = 1;
        _windowGain = ProbeRttWindowGain;
        _probeRttDoneAt = Instant.Zero;
        _phase = BbrAckPhase.ProbeStopping;
        _rounds.Start(report.TotalDelivered);
    }

    private void CheckProbeRtt(in AckReport report)
    {
        if (_mode == BbrMode.ProbeRtt)
        {
            if (_probeRttDoneAt == Instant.Zero && report.InFlight <= ProbeRttWindow)
            {
                _probeRttDoneAt = report.Now + ProbeRttDuration;
                _probeRttRoundDone = false;
                _rounds.Start(report.TotalDelivered);
            }
            else if (_probeRttDoneAt != Instant.Zero)
            {
                _probeRttRoundDone |= _rounds.IsStart;
                if (_probeRttRoundDone)
                    CheckProbeRttDone(report.Now);
            }
        }

        if (report.Delivered > 0)
            _idleRestart = false;
    }

    private void CheckProbeRttDone(Instant now)
    {
        if (_probeRttDoneAt == Instant.Zero || now <= _probeRttDoneAt)
            return;
        _roundTrip.ProbeRttDone(now);
        RestoreWindow();
        _bounds.ResetShortTerm();
        if (_fullPipe.WasReached)
        {
            StartDown(now);
            StartCruise();
        }
        else
        {
            EnterStartup();
        }
    }
}
