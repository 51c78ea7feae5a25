namespace Tapwire.Stack.Tcp;

/// <summary>
/// CUBIC (RFC 9438): after a loss the window returns to its earlier size along a cubic curve of time, which is flat there and steep beyond. The curve's
/// formulas count segments, as in the RFC.
/// </summary>
internal sealed class CubicCongestionControl : CongestionControl
{
    private const double Beta = 0.7;
    private const double C = 0.4;

    /// <summary>alpha_cubic: with it the Reno-friendly window grows on average as fast as that of Reno, which halves its window (RFC 9438, 4.3).</summary>
    private const double FriendlyGrowth = 3 * (1 - Beta) / (1 + Beta);

    /// <summary>What the bits of a cube root have beside a third of the number's bits, so that the largest error is the smallest: two thirds of the exponent's bias, less a little.</summary>
    private const long ThirdOfBias = 0x2A9F_7893_0000_0000;

    private Curve _curve;
    private Curve _prior;
    private SlowStartExit _exit;
    private Instant _lastAcknowledged;

    /// <summary>Growth of less than one byte that is still to be added.</summary>
    private double _fraction;

    public override CongestionAlgorithm Algorithm => CongestionAlgorithm.Cubic;

    public override bool IsFresh(long initialWindow) =>
        base.IsFresh(initialWindow) && !_curve.HasEpoch && _curve.Maximum == 0 && _fraction == 0 && _exit.IsFresh;

    public override void Acknowledged(in AckReport report, bool isRecovering)
    {
        var since = report.Now - _lastAcknowledged;
        _lastAcknowledged = report.Now;
        if (isRecovering || report.Acknowledged == 0)
            return;
        if (!report.IsWindowLimited)
        {
            // RFC 9438, 5.8: time in which the window was not used does not count.
            if (_curve.HasEpoch)
                _curve.Epoch += since;
            return;
        }

        long bytes = report.Growth;
        if (IsInSlowStart)
        {
            if (SlowStartThreshold == long.MaxValue)
            {
                if (_exit.Acknowledged(report, out var growth))
                    SlowStartThreshold = Window;
                bytes = growth;
            }

            bytes = SlowStart(bytes);
        }

        if (bytes > 0 && !IsInSlowStart)
            Avoid(bytes, report);
    }

    public override void LossDetected(int inFlight, int segmentSize, Instant now)
    {
        Reduce(inFlight, segmentSize);
        Window = SlowStartThreshold;
    }

    public override void Recovered() => Window = Math.Min(Window, SlowStartThreshold);

    public override void TimedOut(int inFlight, int segmentSize, bool first, Instant now)
    {
        if (first)
            Reduce(inFlight, segmentSize);
        Window = segmentSize;
        // RFC 9438, 4.8: the curve begins anew where slow start ends, at its inflection.
        _curve.HasEpoch = false;
        _curve.Maximum = 0;
    }

    public override void Restarted(TimeSpan idle, TimeSpan timeout, int segmentSize, Instant now)
    {
        // RFC 9438, 5.8: nor does time with nothing in flight.
        if (_curve.HasEpoch)
            _curve.Epoch += now - _lastAcknowledged;
        _lastAcknowledged = now;
        base.Restarted(idle, timeout, segmentSize, now);
    }

    public override void Undo()
    {
        base.Undo();
        _curve = _prior;
    }

    private void Reduce(int inFlight, int segmentSize)
    {
        Remember();
        _prior = _curve;
        // RFC 9438, 4.6: the window if it was used, otherwise the bytes in flight.
        var basis = Math.Min(Window, 2L * inFlight);
        var size = (double)basis / segmentSize;
        // Fast convergence (RFC 9438, 4.7): a flow that has not regained its window makes room for new flows.
        _curve.Maximum = size < _curve.Maximum ? size * (1 + Beta) / 2 : size;
        _curve.PriorWindow = size;
        _curve.HasEpoch = false;
        SlowStartThreshold = Math.Max((long)(basis * Beta), 2 * segmentSize);
    }

    private void Avoid(long bytes, in AckReport report)
    {
        double segment = report.SegmentSize;
        var window = Window / segment;
        if (!_curve.HasEpoch)
            _curve.Begin(window, report.Now);
        var t = (report.Now - _curve.Epoch).TotalSeconds;
        var acked = bytes / segment;
        // RFC 9438, 4.3: beyond Reno's window before the loss, the estimate grows as Reno does.
        _curve.Friendly += (_curve.Friendly >= _curve.PriorWindow ? 1 : FriendlyGrowth) * acked / window;
        double growth;
        if (_curve.At(t) < _curve.Friendly)
        {
            growth = Math.Max(0, _curve.Friendly - window) * segment;
        }
        else
        {
            var target = Math.Clamp(_curve.At(t + report.SmoothedRoundTrip.TotalSeconds), window, 1.5 * window);
            growth = (target - window) / window * bytes;
        }

        // The growth is never faster than slow start.
        _fraction += Math.Min(growth, bytes);
        var whole = (long)_fraction;
        _fraction -= whole;
        Window += whole;
    }

    private struct Curve
    {
        public bool HasEpoch;
        public Instant Epoch;

        /// <summary>W_max.</summary>
        public double Maximum;

        /// <summary>cwnd_prior.</summary>
        public double PriorWindow;

        /// <summary>W_est.</summary>
        public double Friendly;

        private double _k;
        private double _origin;

        public void Begin(double window, Instant now)
        {
            HasEpoch = true;
            Epoch = now;
            Friendly = window;
            _origin = Math.Max(Maximum, window);
            _k = CubeRoot((_origin - window) / C);
        }

        /// <summary>W_cubic.</summary>
        public readonly double At(double t)
        {
            var x = t - _k;
            return C * x * x * x + _origin;
        }
    }

    /// <summary>The cube root of a number that is not negative. Math.Cbrt is the C library's, whose last bit differs between machines, and what a seed has begun is to be the same on each: these operations
    /// are, by IEEE 754.</summary>
    internal static double CubeRoot(double value)
    {
        if (value == 0)
            return 0;
        // A number with a third of the bits is within 4 %, and a step of Halley's method makes 0.005 % of that, two more leave the last bit.
        var root = BitConverter.Int64BitsToDouble(BitConverter.DoubleToInt64Bits(value) / 3 + ThirdOfBias);
        for (var step = 0; step < 3; step++)
        {
            var cube = root * root * root;
            root *= (cube + 2 * value) / (2 * cube + value);
        }

        return root;
    }
}
