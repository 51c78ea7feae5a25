namespace Tapwire.Stack.Tcp;

/// <summary>Detects a full pipe: the delivery rate has not grown by a quarter for three rounds (draft-ietf-ccwg-bbr, 4.3.1.2).</summary>
internal struct BbrFullPipe
{
    private const double Growth = 1.25;
    private const int Rounds = 3;

    private double _bandwidth;
    private int _count;

    /// <summary>BBR.full_bw_now: the pipe is full since the last <see cref="Reset"/>.</summary>
    public bool IsNow { get; private set; }

    /// <summary>BBR.full_bw_reached: the pipe has been full at some time.</summary>
    public bool WasReached { get; private set; }

    /// <summary>Losses, not the rate, show that the pipe is full.</summary>
    public void Reach() => WasReached = true;

    /// <summary>Starts over, looking for growth beyond <paramref name="bandwidth"/>.</summary>
    /// <param name="bandwidth">Bytes per second.</param>
    public void Reset(double bandwidth)
    {
        _bandwidth = bandwidth;
        _count = 0;
        IsNow = false;
    }

    public void Update(in AckReport report, bool isRoundStart)
    {
        if (IsNow || report.IsApplicationLimited || report.DeliveryRate == 0)
            return;
        if (report.DeliveryRate >= _bandwidth * Growth)
        {
            Reset(report.DeliveryRate);
            return;
        }

        if (!isRoundStart)
            return;
        IsNow = ++_count >= Rounds;
        WasReached |= IsNow;
    }
}
