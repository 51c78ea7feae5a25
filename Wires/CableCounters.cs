namespace Tapwire.Wires;

/// <summary>Counters of one direction of a <see cref="Cable"/>.</summary>
public readonly record struct CableCounters
{
    /// <summary>Frames that have arrived, and their bytes.</summary>
    public long Frames { get; init; }

    /// <inheritdoc cref="Frames"/>
    public long Bytes { get; init; }

    /// <summary>Frames dropped at random.</summary>
    public long Lost { get; init; }

    /// <summary>Frames dropped because the queue before the line was full.</summary>
    public long QueueFull { get; init; }

    /// <summary>Frames dropped because the receiver was gone.</summary>
    public long Disconnected { get; init; }

    public long Duplicated { get; init; }

    public long Corrupted { get; init; }

    public long Reordered { get; init; }
}
