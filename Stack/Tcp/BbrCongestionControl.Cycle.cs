namespace Tapwire.Stack.Tcp;

/// <content>The cycle in which the path is probed for more (4.3.3).</content>
internal sealed partial class BbrCongestionControl
{
    private void UpdateCycle(in AckReport report)
    {
        AdaptLongTerm(report);
        switch (_mode)
        {
            case Mode.ProbeDown:
                if (!CheckTimeToProbe(report) && report.InFlight <= InflightWithHeadroom && report.InFlight <= Inflight(1))
                    StartCruise();
                break;
            case Mode.ProbeCruise:
                CheckTimeToProbe(report);
                break;
            case Mode.ProbeRefill when _roundStart:
                // One round has filled the pipe: what is lost from now on tells about more than that.
                _samplesProbe = true;
                StartUp(report);
                break;
            case Mode.ProbeUp when IsTimeToGoDown(report):
                StartDown(report.Now);
                break;
        }
    }

    private void AdaptLongTerm(in AckReport report)
    {
        if (_phase == AckPhase.ProbeStarting && _roundStart)
            _phase = AckPhase.ProbeFeedback;
        if (_phase == AckPhase.ProbeStopping && _roundStart)
        {
            _samplesProbe = false;
            _phase = AckPhase.Init;
            if (IsInProbeBandwidth && !report.IsApplicationLimited)
                AdvanceBandwidthFilter();
        }

        if (report.HasRate && IsMuch(report.TotalLost - report.PriorLost, report.InFlightWhenSent))
        {
            if (_samplesProbe)
                InflightTooHigh(report.InFlightWhenSent, report.IsApplicationLimited, report.Now);
            return;
        }

        if (_inflightLongTerm == long.MaxValue)
            return;
        if (report.HasRate)
            _inflightLongTerm = Math.Max(_inflightLongTerm, report.InFlightWhenSent);
        if (_mode == Mode.ProbeUp)
            ProbeUpward(report);
    }

    private void AdvanceBandwidthFilter()
    {
        if (_maxBandwidthNow == 0)
            return;
        _maxBandwidthBefore = _maxBandwidthNow;
        _maxBandwidthNow = 0;
    }

    private void InflightTooHigh(long inFlight, bool applicationLimited, Instant now)
    {
        _samplesProbe = false;
        if (!applicationLimited)
            _inflightLongTerm = Math.Max(inFlight, (long)(Beta * TargetInflight));
        if (_mode == Mode.ProbeUp)
            StartDown(now);
    }

    private void ProbeUpward(in AckReport report)
    {
        if (!report.IsWindowLimited || Window < _inflightLongTerm)
            return;
        _upAcked += report.Delivered;
        if (_upAcked >= _upPerSegment)
        {
            var segments = _upAcked / _upPerSegment;
            _upAcked -= segments * _upPerSegment;
            _inflightLongTerm += segments * _segmentSize;
        }

        if (_roundStart)
            RaiseSlope();
    }

    /// <summary>Twice as many segments per round trip with each round (4.3.3.5.2).</summary>
    private void RaiseSlope()
    {
        var growth = 1L << _upRounds;
        _upRounds = Math.Min(_upRounds + 1, 30);
        _upPerSegment = Math.Max(Window / growth, _segmentSize);
    }

    private bool CheckTimeToProbe(in AckReport report)
    {
        // What the last probe, or startup, has found is far more than was known before: the next one may find more again. Otherwise the draft's times.
        var found = MaxBandwidth > ProbeSuccess * _bandwidthBeforeProbe;
        var renoRounds = found ? RoundsAfterSuccess : Math.Min(MaxRounds, TargetInflight / _segmentSize);
        if (report.Now <= _cycleAt + _probeWait && _roundsSinceProbe < renoRounds)
            return false;
        ResetLowerBounds();
        _bandwidthBeforeProbe = MaxBandwidth;
        _upRounds = 0;
        _upAcked = 0;
        _phase = AckPhase.Refilling;
        StartRound(report.TotalDelivered);
        _mode = Mode.ProbeRefill;
        _pacingGain = 1;
        _windowGain = DefaultWindowGain;
        return true;
    }

    private bool IsTimeToGoDown(in AckReport report)
    {
        if (report.IsWindowLimited && Window >= _inflightLongTerm)
        {
            // What holds it back is its own bound, which is being raised.
            ResetFull();
            _fullBandwidth = report.DeliveryRate;
            return false;
        }

        if (_roundStart && _phase == AckPhase.ProbeFeedback)
            _feedbackRounds++;
        var isVain = _roundStart && _feedbackRounds > 1 && MaxBandwidth < ProbeSuccess * _bandwidthBeforeProbe
            && report.TotalLost - _lostAtProbe > ProbeLoss * (report.TotalDelivered - _deliveredAtProbe);
        return _fullNow || isVain;
    }

    private void StartDown(Instant now)
    {
        _bandwidthLatest = 0;
        _inflightLatest = 0;
        _upPerSegment = long.MaxValue;
        // 4.3.3.5: 2 to 3 seconds, at random, so that flows do not probe together.
        _roundsSinceProbe = random.Next(2);
        _probeWait = TimeSpan.FromMilliseconds(2000 + random.Next(1001));
        _cycleAt = now;
        _phase = AckPhase.ProbeStopping;
        StartRound(_totalDelivered);
        _mode = Mode.ProbeDown;
        _pacingGain = 0.9;
        _windowGain = DefaultWindowGain;
    }

    private void StartCruise()
    {
        _mode = Mode.ProbeCruise;
        _pacingGain = 1;
        _windowGain = DefaultWindowGain;
    }

    private void StartUp(in AckReport report)
    {
        _phase = AckPhase.ProbeStarting;
        _feedbackRounds = 0;
        _lostAtProbe = report.TotalLost;
        _deliveredAtProbe = report.TotalDelivered;
        StartRound(report.TotalDelivered);
        ResetFull();
        _fullBandwidth = report.DeliveryRate;
        _cycleAt = report.Now;
        _mode = Mode.ProbeUp;
        _pacingGain = 1.25;
        _windowGain = 2.25;
        RaiseSlope();
    }
}
