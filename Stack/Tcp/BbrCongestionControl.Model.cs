namespace Tapwire.Stack.Tcp;

/// <content>The model of the path (4.3.1, 4.5).</content>
internal sealed partial class BbrCongestionControl
{
    /// <summary>BBRStartupFullLossCnt.</summary>
    private const int StartupLossBursts = 6;
    private const int ExtraFilterRounds = 10;

    /// <summary>Most rounds between bandwidth probes. The draft takes as many as Reno needs between two losses (4.3.3.5.1), up to 63. Linux's version 1 probes
    /// every eighth round; a flow that shares a path with it, or that has left startup too early, has to come near that.</summary>
    private const int MaxRounds = 12;

    /// <summary>A bandwidth probe that raised the bandwidth by this factor is followed by another after <see cref="RoundsAfterSuccess"/>.</summary>
    private const double ProbeBwSuccess = 1.1;
    private const int RoundsAfterSuccess = 4;

    private BbrAckPhase _phase;

    private BbrFullPipe _fullPipe;
    private BbrBounds _bounds;
    private BbrPathLoss _pathLoss;
    private BbrAggregation _aggregation;

    // Losses of the round
    private int _lossBursts;
    private long _lossRoundDelivered;
    private bool _lossRoundStart;
    private long _lostAtRoundStart;
    private long _deliveredAtRoundStart;
    private long _totalDelivered;
    private long _totalLost;
    private bool _awaitsPipe;

    // The cycle (4.3.3)
    private Instant _cycleAt;
    private TimeSpan _probeBwWait;
    private long _roundsSinceProbeBw;
    private double _bandwidthBeforeProbeBw;
    private long _lostAtProbeBw;
    private long _deliveredAtProbeBw;
    private int _feedbackRounds;
    private BbrInflightUpwardProbe _upward;
    private bool _samplesProbeBw;

    public override void Lost(Transmission entry, in AckReport report, long totalLost)
    {
        _lossBursts++;
        _totalLost = totalLost;
        if (!_samplesProbeBw)
            return;
        long inFlight = entry.InFlight;
        var lost = totalLost - entry.Lost;
        if (!IsInflightTooHigh(lost, inFlight))
            return;
        HandleInflightTooHigh(_pathLoss.InflightAtLoss(inFlight, lost, entry.Length), entry.IsApplicationLimited, report.Now);
    }

    private bool IsInflightTooHigh(long lost, long inFlight) => _pathLoss.IsExceeded(lost, inFlight, _segmentSize);

    /// <summary>Learns the path's own losses, in rounds that send no more than the path delivers.</summary>
    private void LearnPathLoss(in AckReport report)
    {
        if (_lossRoundStart && _mode == BbrMode.ProbeBwCruise)
            _pathLoss.Learn(report.TotalLost - _lostAtRoundStart, report.TotalDelivered - _deliveredAtRoundStart);
    }

    private long InflightWithHeadroom
    {
        get
        {
            if (_bounds.InflightLongTerm == long.MaxValue)
                return long.MaxValue;
            var headroom = Math.Max(_segmentSize, (long)(Headroom * _bounds.InflightLongTerm));
            return Math.Max(_bounds.InflightLongTerm - headroom, MinPipe);
        }
    }

    private long TargetInflight => Math.Min(Product(1, _bandwidth), Window);

    private void UpdateRound(in AckReport report)
    {
        _totalDelivered = report.TotalDelivered;
        _rounds.Update(report);
        if (_conservation && report.HasRate && report.PriorDelivered >= _conservationEnd)
            _conservation = false;
        if (_rounds.IsStart)
            _roundsSinceProbeBw++;
    }

    private void UpdateModel(in AckReport report)
    {
        UpdateLatestSignals(report);
        var rate = report.DeliveryRate;
        if (rate > 0 && (rate >= MaxBandwidth || !report.IsApplicationLimited))
            _maxBandwidthNow = Math.Max(_maxBandwidthNow, rate);
        if (_lossRoundStart && IsInflightTooHigh(report.TotalLost - _lostAtRoundStart, report.InFlightWhenSent))
            AdaptLowerBounds();
        LearnPathLoss(report);

        _bandwidth = Math.Min(MaxBandwidth, _bounds.Bandwidth);
        _aggregation.Update(report, _bandwidth, Window, _rounds.Count, _fullPipe.WasReached ? ExtraFilterRounds / 2 : 1);
        _fullPipe.Update(report, _rounds.IsStart);
        CheckStartup(report);
        if (_mode == BbrMode.Drain && report.InFlight <= Inflight(1))
            StartDown(report.Now);
        if (_fullPipe.WasReached)
            UpdateCycle(report);
    }

    private void UpdateLatestSignals(in AckReport report)
    {
        _bounds.UpdateLatest(report);
        _lossRoundStart = report.HasRate && report.PriorDelivered >= _lossRoundDelivered;
        if (_lossRoundStart)
            _lossRoundDelivered = report.TotalDelivered;
    }

    private void AdvanceLatestSignals(in AckReport report)
    {
        if (!_lossRoundStart)
            return;
        _bounds.AdvanceLatest(report);
        _lostAtRoundStart = report.TotalLost;
        _deliveredAtRoundStart = report.TotalDelivered;
        _lossBursts = 0;
    }

    /// <summary>Outside of probes for more, a loss lowers the short-term bounds to what was delivered, by 30 % at most (4.5.7).</summary>
    private void AdaptLowerBounds()
    {
        if (_mode is BbrMode.Startup or BbrMode.ProbeBwRefill or BbrMode.ProbeBwUp || MaxBandwidth == 0)
            return;
        _bounds.Lower(MaxBandwidth, Window);
    }

    private void EnterStartup()
    {
        _mode = BbrMode.Startup;
        _pacingGain = StartupPacingGain;
        _windowGain = DefaultWindowGain;
    }

    private void CheckStartup(in AckReport report)
    {
        if (_mode != BbrMode.Startup)
            return;
        // 4.3.1.3: a round with many scattered losses shows a full pipe, too.
        if (!_fullPipe.WasReached && _lossRoundStart && _lossBursts >= StartupLossBursts
            && IsInflightTooHigh(report.TotalLost - _lostAtRoundStart, report.InFlightWhenSent))
        {
            _fullPipe.Reach();
            _bounds.InflightLongTerm = Math.Max(Product(1, MaxBandwidth), _bounds.InflightLatest);
        }

        if (!_fullPipe.WasReached)
            return;
        _mode = BbrMode.Drain;
        _pacingGain = DrainPacingGain;
        _windowGain = DefaultWindowGain;
    }
}
