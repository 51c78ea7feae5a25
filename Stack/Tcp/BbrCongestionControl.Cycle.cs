namespace Tapwire.Stack.Tcp;

/// <content>The cycle in which the path is probed for more (4.3.3).</content>
internal sealed partial class BbrCongestionControl
{
    private void UpdateCycle(in AckReport report)
    {
        AdaptLongTerm(report);
        switch (_mode)
        {
            case BbrMode.ProbeDown:
                if (!CheckTimeToProbe(report) && report.InFlight <= InflightWithHeadroom && report.InFlight <= Inflight(1))
                    StartCruise();
                break;
            case BbrMode.ProbeCruise:
                CheckTimeToProbe(report);
                break;
            case BbrMode.ProbeRefill when _rounds.IsStart:
                // One round has filled the pipe: what is lost from now on tells about more than that.
                _samplesProbe = true;
                StartUp(report);
                break;
            case BbrMode.ProbeUp when IsTimeToGoDown(report):
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
            _samplesProbe = false;
            _phase = BbrAckPhase.Init;
            if (IsInProbeBandwidth && !report.IsApplicationLimited)
                AdvanceBandwidthFilter();
        }

        if (report.HasRate && IsMuch(report.TotalLost - report.PriorLost, report.InFlightWhenSent))
        {
            if (_samplesProbe)
                InflightTooHigh(report.InFlightWhenSent, report.IsApplicationLimited, report.Now);
            return;
        }

        if (_bounds.InflightLongTerm == long.MaxValue)
            return;
        if (report.HasRate)
            _bounds.InflightLongTerm = Math.Max(_bounds.InflightLongTerm, report.InFlightWhenSent);
        if (_mode == BbrMode.ProbeUp)
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
            _bounds.InflightLongTerm = Math.Max(inFlight, (long)(BbrBounds.Beta * TargetInflight));
        if (_mode == BbrMode.ProbeUp)
            StartDown(now);
    }

    private void ProbeUpward(in AckReport report)
    {
        if (!report.IsWindowLimited || Window < _bounds.InflightLongTerm)
            return;
        _bounds.InflightLongTerm += _upward.Acknowledged(report.Delivered, _segmentSize);
        if (_rounds.IsStart)
            _upward.Steepen(Window, _segmentSize);
    }

    private bool CheckTimeToProbe(in AckReport report)
    {
        // What the last probe, or startup, has found is far more than was known before: the next one may find more again. Otherwise the draft's times.
        var found = MaxBandwidth > ProbeSuccess * _bandwidthBeforeProbe;
        var renoRounds = found ? RoundsAfterSuccess : Math.Min(MaxRounds, TargetInflight / _segmentSize);
        if (report.Now <= _cycleAt + _probeWait && _roundsSinceProbe < renoRounds)
            return false;
        _bounds.ResetShortTerm();
        _bandwidthBeforeProbe = MaxBandwidth;
        _upward.Reset();
        _phase = BbrAckPhase.Refilling;
        _rounds.Start(report.TotalDelivered);
        _mode = BbrMode.ProbeRefill;
        _pacingGain = 1;
        _windowGain = DefaultWindowGain;
        return true;
    }

    private bool IsTimeToGoDown(in AckReport report)
    {
        if (report.IsWindowLimited && Window >= _bounds.InflightLongTerm)
        {
            // What holds it back is its own bound, which is being raised.
            _fullPipe.Reset(report.DeliveryRate);
            return false;
        }

        if (_rounds.IsStart && _phase == BbrAckPhase.ProbeFeedback)
            _feedbackRounds++;
        var isVain = _rounds.IsStart && _feedbackRounds > 1 && MaxBandwidth < ProbeSuccess * _bandwidthBeforeProbe
            && report.TotalLost - _lostAtProbe > BbrPathLoss.DraftThreshold * (report.TotalDelivered - _deliveredAtProbe);
        return _fullPipe.IsNow || isVain;
    }

    private void StartDown(Instant now)
    {
        _bounds.ResetLatest();
        _upward.Stop();
        // 4.3.3.5: 2 to 3 seconds, at random, so that flows do not probe together.
        _roundsSinceProbe = random.Next(2);
        _probeWait = TimeSpan.FromMilliseconds(2000 + random.Next(1001));
        _cycleAt = now;
        _phase = BbrAckPhase.ProbeStopping;
        _rounds.Start(_totalDelivered);
        _mode = BbrMode.ProbeDown;
        _pacingGain = 0.9;
        _windowGain = DefaultWindowGain;
    }

    private void StartCruise()
    {
        _mode = BbrMode.ProbeCruise;
        _pacingGain = 1;
        _windowGain = DefaultWindowGain;
    }

    private void StartUp(in AckReport report)
    {
        _phase = BbrAckPhase.ProbeStarting;
        _feedbackRounds = 0;
        _lostAtProbe = report.TotalLost;
        _deliveredAtProbe = report.TotalDelivered;
        _rounds.Start(report.TotalDelivered);
        _fullPipe.Reset(report.DeliveryRate);
        _cycleAt = report.Now;
        _mode = BbrMode.ProbeUp;
        _pacingGain = 1.25;
        _windowGain = 2.25;
        _upward.Steepen(Window, _segmentSize);
    }
}
