namespace Tapwire.Stack.Tcp;

/// <summary>Counts round trips by delivered bytes (draft-ietf-ccwg-bbr, 4.5.1): a round ends when something that was sent after its beginning is
/// acknowledged.</summary>
internal struct BbrRounds
{
    private long _next;

    /// <summary>Number of rounds so far.</summary>
    public long Count { get; private set; }

    /// <summary>The latest acknowledgement has begun a round.</summary>
    public bool IsStart { get; private set; }

    /// <param name="delivered">Bytes delivered so far.</param>
    public void Start(long delivered) => _next = delivered;

    public void Update(in AckReport report)
    {
        IsStart = report.HasRate && report.PriorDelivered >= _next;
        if (!IsStart)
            return;
        Start(report.TotalDelivered);
        Count++;
    }
}
