namespace Tapwire.Stack.Tcp;

/// <content>The model of the path (4.3.1, 4.5).</content>
internal sealed partial class BbrCongestionControl
{
    private const double FullBandwidthGrowth = 1.25;
    private const int FullBandwidthRounds = 3;

    /// <summary>BBRStartupFullLossCnt.</summary>
    private const int StartupLossBursts = 6;
    private const int ExtraFilterRounds = 10;

    /// <summary>Rounds between probes, at most. Reno would need as many to lose once (4.3.3.5.1), up to 63; Linux's version 1 probes each eighth, and whoever
    /// shares a path with it, or has left startup too early, has to come near that.</summary>
    private const int MaxRounds = 12;

    /// <summary>The draft's threshold: with it a probe that finds nothing ends early.</summary>
    private const double ProbeLoss = 0.02;

    /// <summary>Rounds of cruising over which the path's own losses are averaged, and before which nothing is known of them.</summary>
    private const int PathLossRounds = 16;
    private const int LeastCruiseRounds = 4;

    /// <summary>A probe that has raised the bandwidth by so much is followed by another after so many rounds.</summary>
    private const double ProbeSuccess = 1.1;
    private const int RoundsAfterSuccess = 4;

    private enum AckPhase : byte
    {
        Init,
        Refilling,
        ProbeStarting,
        ProbeFeedback,
        ProbeStopping,
    }

    private AckPhase _phase;

    // Whether the path is full (4.3.1.2)
    private double _fullBandwidth;
    private int _fullCount;
    private bool _fullNow;
    private bool _fullReached;
    private int _lossBursts;

    // Bounds of the model (4.5.6, 4.5.7)
    private double _bandwidthShortTerm;
    private long _inflightShortTerm;
    private long _inflightLongTerm;
    private double _bandwidthLatest;
    private long _inflightLatest;
    private long _lossRoundDelivered;
    private bool _lossRoundStart;
    private long _lostAtRoundStart;
    private long _deliveredAtRoundStart;
    private double _pathLoss;
    private int _cruiseRounds;
    private long _totalDelivered;
    private long _totalLost;
    private bool _awaitsPipe;

    // As they were before the last reduction, for a loss that was none
    private double _priorBandwidthShortTerm;
    private long _priorInflightShortTerm;
    private long _priorInflightLongTerm;

    // The cycle (4.3.3)
    private Instant _cycleAt;
    private TimeSpan _probeWait;
    private long _roundsSinceProbe;
    private double _bandwidthBeforeProbe;
    private long _lostAtProbe;
    private long _deliveredAtProbe;
    private int _feedbackRounds;
    private long _upAcked;
    private long _upPerSegment;
    private int _upRounds;
    private bool _samplesProbe;

    // How much more arrives at once than the bandwidth explains (4.5.5)
    private Instant _extraSince;
    private long _extraDelivered;
    private long _extraNow;
    private long _extraBefore;
    private long _extraRound;

    public override void Lost(Transmission entry, in AckReport report, long totalLost)
    {
        _lossBursts++;
        _totalLost = totalLost;
        if (!_samplesProbe)
            return;
        long inFlight = entry.InFlight;
        var lost = totalLost - entry.Lost;
        if (!IsMuch(lost, inFlight))
            return;
        // 4.5.6.2: where between the transmissions the share was passed.
        var size = entry.Length;
        var before = Math.Max(0, inFlight - size);
        var prefix = (LossThreshold * before - (lost - size)) / (1 - LossThreshold);
        InflightTooHigh(before + (long)Math.Max(0, prefix), entry.IsApplicationLimited, report.Now);
    }

    private bool IsMuch(long lost, long inFlight) => lost >= LeastLosses * _segmentSize && lost > inFlight * HeededLoss;

    /// <summary>The share of losses that is heeded: the draft's and what the path loses anyway, however little is sent, twice; as long as that is not known, more than any
    /// path should.</summary>
    private double HeededLoss => _cruiseRounds < LeastCruiseRounds ? LossThreshold : Math.Min(LossThreshold, ProbeLoss + 2 * _pathLoss);

    /// <summary>While no more is sent than the path delivers, what is lost is the path's own.</summary>
    private void LearnPathLoss(in AckReport report)
    {
        var lost = report.TotalLost - _lostAtRoundStart;
        var delivered = report.TotalDelivered - _deliveredAtRoundStart;
        if (!_lossRoundStart || _mode != Mode.ProbeCruise || delivered <= 0)
            return;
        _cruiseRounds = Math.Min(_cruiseRounds + 1, PathLossRounds);
        _pathLoss += ((double)lost / (lost + delivered) - _pathLoss) / _cruiseRounds;
    }

    private long MaxExtra => Math.Max(_extraNow, _extraBefore);

    private long InflightWithHeadroom
    {
        get
        {
            if (_inflightLongTerm == long.MaxValue)
                return long.MaxValue;
            var headroom = Math.Max(_segmentSize, (long)(Headroom * _inflightLongTerm));
            return Math.Max(_inflightLongTerm - headroom, MinPipe);
        }
    }

    private long TargetInflight => Math.Min(Product(1, _bandwidth), Window);

    private void UpdateRound(in AckReport report)
    {
        _totalDelivered = report.TotalDelivered;
        _roundStart = report.HasRate && report.PriorDelivered >= _nextRoundDelivered;
        if (_conservation && report.HasRate && report.PriorDelivered >= _conservationEnd)
            _conservation = false;
        if (!_roundStart)
            return;
        StartRound(report.TotalDelivered);
        _rounds++;
        _roundsSinceProbe++;
    }

    private void StartRound(long delivered) => _nextRoundDelivered = delivered;

    private void UpdateModel(in AckReport report)
    {
        UpdateLatestSignals(report);
        var rate = report.DeliveryRate;
        if (rate > 0 && (rate >= MaxBandwidth || !report.IsApplicationLimited))
            _maxBandwidthNow = Math.Max(_maxBandwidthNow, rate);
        if (_lossRoundStart && IsMuch(report.TotalLost - _lostAtRoundStart, report.InFlightWhenSent))
            AdaptLowerBounds();
        LearnPathLoss(report);

        _bandwidth = Math.Min(MaxBandwidth, _bandwidthShortTerm);
        UpdateAggregation(report);
        CheckFull(report);
        CheckStartup(report);
        if (_mode == Mode.Drain && report.InFlight <= Inflight(1))
            StartDown(report.Now);
        if (_fullReached)
            UpdateCycle(report);
    }

    private void UpdateLatestSignals(in AckReport report)
    {
        _bandwidthLatest = Math.Max(_bandwidthLatest, report.DeliveryRate);
        if (report.HasRate)
            _inflightLatest = Math.Max(_inflightLatest, report.DeliveredInInterval);
        _lossRoundStart = report.HasRate && report.PriorDelivered >= _lossRoundDelivered;
        if (_lossRoundStart)
            _lossRoundDelivered = report.TotalDelivered;
    }

    private void AdvanceLatestSignals(in AckReport report)
    {
        if (!_lossRoundStart)
            return;
        _bandwidthLatest = report.DeliveryRate;
        _inflightLatest = report.DeliveredInInterval;
        _lostAtRoundStart = report.TotalLost;
        _deliveredAtRoundStart = report.TotalDelivered;
        _lossBursts = 0;
    }

    /// <summary>While it does not probe for more, a loss lowers the bounds to what was delivered, at most by 30 % (4.5.7).</summary>
    private void AdaptLowerBounds()
    {
        if (_mode is Mode.Startup or Mode.ProbeRefill or Mode.ProbeUp || MaxBandwidth == 0)
            return;
        if (double.IsPositiveInfinity(_bandwidthShortTerm))
            _bandwidthShortTerm = MaxBandwidth;
        if (_inflightShortTerm == long.MaxValue)
            _inflightShortTerm = Window;
        _bandwidthShortTerm = Math.Max(_bandwidthLatest, Beta * _bandwidthShortTerm);
        _inflightShortTerm = Math.Max(_inflightLatest, (long)(Beta * _inflightShortTerm));
    }

    private void ResetLowerBounds()
    {
        _bandwidthShortTerm = double.PositiveInfinity;
        _inflightShortTerm = long.MaxValue;
    }

    private void RememberModel()
    {
        _priorBandwidthShortTerm = _bandwidthShortTerm;
        _priorInflightShortTerm = _inflightShortTerm;
        _priorInflightLongTerm = _inflightLongTerm;
    }

    private void RestoreModel()
    {
        _bandwidthShortTerm = Math.Max(_bandwidthShortTerm, _priorBandwidthShortTerm);
        _inflightShortTerm = Math.Max(_inflightShortTerm, _priorInflightShortTerm);
        _inflightLongTerm = Math.Max(_inflightLongTerm, _priorInflightLongTerm);
    }

    private void UpdateAggregation(in AckReport report)
    {
        var expected = (long)(_bandwidth * (report.Now - _extraSince).TotalSeconds);
        if (_extraDelivered <= expected)
        {
            _extraDelivered = 0;
            _extraSince = report.Now;
            expected = 0;
        }

        _extraDelivered += report.Delivered;
        if (_rounds - _extraRound >= (_fullReached ? ExtraFilterRounds / 2 : 1))
        {
            _extraRound = _rounds;
            _extraBefore = _extraNow;
            _extraNow = 0;
        }

        _extraNow = Math.Max(_extraNow, Math.Min(_extraDelivered - expected, Window));
    }

    private void CheckFull(in AckReport report)
    {
        if (_fullNow || report.IsApplicationLimited || report.DeliveryRate == 0)
            return;
        if (report.DeliveryRate >= _fullBandwidth * FullBandwidthGrowth)
        {
            ResetFull();
            _fullBandwidth = report.DeliveryRate;
            return;
        }

        if (!_roundStart)
            return;
        _fullNow = ++_fullCount >= FullBandwidthRounds;
        _fullReached |= _fullNow;
    }

    private void ResetFull()
    {
        _fullBandwidth = 0;
        _fullCount = 0;
        _fullNow = false;
    }

    private void EnterStartup()
    {
        _mode = Mode.Startup;
        _pacingGain = StartupPacingGain;
        _windowGain = DefaultWindowGain;
    }

    private void CheckStartup(in AckReport report)
    {
        if (_mode != Mode.Startup)
            return;
        // 4.3.1.3: a round with many and scattered losses means full, too.
        if (!_fullReached && _lossRoundStart && _lossBursts >= StartupLossBursts
            && IsMuch(report.TotalLost - _lostAtRoundStart, report.InFlightWhenSent))
        {
            _fullReached = true;
            _inflightLongTerm = Math.Max(Product(1, MaxBandwidth), _inflightLatest);
        }

        if (!_fullReached)
            return;
        _mode = Mode.Drain;
        _pacingGain = DrainPacingGain;
        _windowGain = DefaultWindowGain;
    }
}
