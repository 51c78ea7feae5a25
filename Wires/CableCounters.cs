namespace Tapwire.Wires;

/// <summary>What has happened in one direction of a <see cref="Cable"/> so far.</summary>
public readonly record struct CableCounters
{
    /// <summary>Frames that have arrived, and their bytes.</summary>
    public long Frames { get; init; }

    /// <inheritdoc cref="Frames"/>
    public long Bytes { get; init; }

    /// <summary>Frames dropped by chance.</summary>
    public long Lost { get; init; }

    /// <summary>Frames dropped because the queue before the line was full.</summary>
    public long QueueFull { get; init; }

    /// <summary>Frames dropped because there was no receiver any more.</summary>
    public long Disconnected { get; init; }

    public long Duplicated { get; init; }

    public long Corrupted { get; init; }

    public long Reordered { get; init; }
}
