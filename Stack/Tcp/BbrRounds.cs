namespace Tapwire.Stack.Tcp;

/// <summary>Round trips counted by what is delivered (draft-ietf-ccwg-bbr, 4.5.1): one ends with the acknowledgement of something that was sent after it began.</summary>
internal struct BbrRounds
{
    private long _next;

    /// <summary>Rounds so far.</summary>
    public long Count { get; private set; }

    /// <summary>The last acknowledgement has begun a round.</summary>
    public bool IsStart { get; private set; }

    /// <param name="delivered">Bytes that have been delivered so far.</param>
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
