namespace Tapwire.Stack.Tcp.Connection;

/// <summary>Bounds how long TCP_CORK keeps a small segment back.</summary>
internal struct Cork
{
    /// <summary>The ceiling that tcp(7) gives.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(200);

    public Cork() => EndsAt = Instant.Never;

    /// <summary>When what is kept back is to leave; Never if nothing is.</summary>
    public Instant EndsAt { get; private set; }

    /// <summary>Something is to leave that the cork keeps back. The first such question begins the time.</summary>
    /// <returns>True: it has been kept long enough.</returns>
    public bool HasEnded(Instant now)
    {
        if (EndsAt == Instant.Never)
            EndsAt = now + Longest;
        return EndsAt <= now;
    }

    /// <summary>Data has left: what follows is kept anew.</summary>
    public void Clear() => EndsAt = Instant.Never;
}
