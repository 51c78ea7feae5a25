namespace Tapwire.Stack.Tcp;

/// <content>The ProbeBW cycle, which probes the path for more bandwidth (4.3.3).</content>
internal sealed partial class BbrCongestionControl
{
    private void UpdateCycle(in AckReport report)
    {
        AdaptLongTerm(report);
        switch (_mode)
        {
            case BbrMode.ProbeBwDown:
                if (!CheckTimeToProbeBw(report) && report.InFlight <= InflightWithHeadroom && report.InFlight <= Inflight(1))
                    StartCruise();
                break;
            case BbrMode.ProbeBwCruise:
                CheckTimeToProbeBw(report);
                break;
            case BbrMode.ProbeBwRefill when _rounds.IsStart:
                // One round has filled the pipe: losses from now on show the effect of the probe.
                _samplesProbeBw = true;
                StartUp(report);
                break;
            case BbrMode.ProbeBwUp when IsTimeToGoDown(report):
                StartDown(report.Now);
                break;
        }
    }

    private void AdaptLongTerm(in AckReport report)
    {
        if (_phase == BbrAckPhase.ProbeStarting && _rounds.IsStart)
            _phase = BbrAckPhase.ProbeFeedback;
        if (_phase == BbrAckPhase.ProbeStopping && _rounds.IsStart)
        {
            _samplesProbeBw = false;
            _phase = BbrAckPhase.Init;
            if (IsInProbeBw && !report.IsApplicationLimited)
                AdvanceBandwidthFilter();
        }

        if (report.HasRate && IsInflightTooHigh(report.TotalLost - report.PriorLost, report.InFlightWhenSent))
        {
            if (_samplesProbeBw)
                HandleInflightTooHigh(report.InFlightWhenSent, report.IsApplicationLimited, report.Now);
            return;
        }

        if (_bounds.InflightLongTerm == long.MaxValue)
            return;
        if (report.HasRate)
            _bounds.InflightLongTerm = Math.Max(_bounds.InflightLongTerm, report.InFlightWhenSent);
        if (_mode == BbrMode.ProbeBwUp)
            ProbeInflightLongTermUpward(report);
    }

    private void AdvanceBandwidthFilter()
    {
        if (_maxBandwidthNow == 0)
            return;
        _maxBandwidthBefore = _maxBandwidthNow;
        _maxBandwidthNow = 0;
    }

    private void HandleInflightTooHigh(long inFlight, bool applicationLimited, Instant now)
    {
        _samplesProbeBw = false;
        if (!applicationLimited)
            _bounds.InflightLongTerm = Math.Max(inFlight, (long)(BbrBounds.Beta * TargetInflight));
        if (_mode == BbrMode.ProbeBwUp)
            StartDown(now);
    }

    private void ProbeInflightLongTermUpward(in AckReport report)
    {
        if (!report.IsWindowLimited || Window < _bounds.InflightLongTerm)
            return;
        _bounds.InflightLongTerm += _upward.Acknowledged(report.Delivered, _segmentSize);
        if (_rounds.IsStart)
            _upward.Steepen(Window, _segmentSize);
    }

    private bool CheckTimeToProbeBw(in AckReport report)
    {
        // If the last probe, or startup, found far more than was known before, the next one may find more again. Otherwise the draft's times apply.
        var found = MaxBandwidth > ProbeBwSuccess * _bandwidthBeforeProbeBw;
        var renoRounds = found ? RoundsAfterSuccess : Math.Min(MaxRounds, TargetInflight / _segmentSize);
        if (report.Now <= _cycleAt + _probeBwWait && _roundsSinceProbeBw < renoRounds)
            return false;
        _bounds.ResetShortTerm();
        _bandwidthBeforeProbeBw = MaxBandwidth;
        _upward.Reset();
        _phase = BbrAckPhase.Refilling;
        _rounds.Start(report.TotalDelivered);
        _mode = BbrMode.ProbeBwRefill;
        _pacingGain = 1;
        _windowGain = DefaultWindowGain;
        return true;
    }

    private bool IsTimeToGoDown(in AckReport report)
    {
        if (report.IsWindowLimited && Window >= _bounds.InflightLongTerm)
        {
            // The sender is limited by its own bound, which is being raised.
            _fullPipe.Reset(report.DeliveryRate);
            return false;
        }

        if (_rounds.IsStart && _phase == BbrAckPhase.ProbeFeedback)
            _feedbackRounds++;
        var isVain = _rounds.IsStart && _feedbackRounds > 1 && MaxBandwidth < ProbeBwSuccess * _bandwidthBeforeProbeBw
            && report.TotalLost - _lostAtProbeBw > BbrPathLoss.LossThreshold * (report.TotalDelivered - _deliveredAtProbeBw);
        return _fullPipe.IsNow || isVain;
    }

    private void StartDown(Instant now)
    {
        _bounds.ResetLatest();
        _upward.Stop();
        // 4.3.3.5: 2 to 3 seconds at random, so that flows do not probe together.
        _roundsSinceProbeBw = random.Next(2);
        _probeBwWait = TimeSpan.FromMilliseconds(2000 + random.Next(1001));
        _cycleAt = now;
        _phase = BbrAckPhase.ProbeStopping;
        _rounds.Start(_totalDelivered);
        _mode = BbrMode.ProbeBwDown;
        _pacingGain = 0.9;
        _windowGain = DefaultWindowGain;
    }

    private void StartCruise()
    {
        _mode = BbrMode.ProbeBwCruise;
        _pacingGain = 1;
        _windowGain = DefaultWindowGain;
    }

    private void StartUp(in AckReport report)
    {
        _phase = BbrAckPhase.ProbeStarting;
        _feedbackRounds = 0;
        _lostAtProbeBw = report.TotalLost;
        _deliveredAtProbeBw = report.TotalDelivered;
        _rounds.Start(report.TotalDelivered);
        _fullPipe.Reset(report.DeliveryRate);
        _cycleAt = report.Now;
        _mode = BbrMode.ProbeBwUp;
        _pacingGain = 1.25;
        _windowGain = 2.25;
        _upward.Steepen(Window, _segmentSize);
    }
}
