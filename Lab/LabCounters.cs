namespace Tapwire;

/// <summary>What has become of frames, each counted once for each host that it was sent to; a frame to all is one for each other host.</summary>
public readonly record struct LabCounters
{
    /// <summary>Frames that have arrived, duplicates among them.</summary>
    public long Arrived { get; init; }

    /// <summary>Bytes of the frames that have arrived, from the Ethernet header on.</summary>
    public long ArrivedBytes { get; init; }

    /// <summary>Dropped at random: <see cref="LabConditions.Loss"/>.</summary>
    public long Lost { get; init; }

    /// <summary>Dropped by a partition.</summary>
    public long Partitioned { get; init; }

    /// <summary>Dropped because the queue before the line was full.</summary>
    public long QueueFull { get; init; }

    /// <summary>Dropped because the device of the receiver had failed, or because the receiver had not taken what came before: it holds 65,536 frames.</summary>
    public long NotReceived { get; init; }

    /// <summary>Arrived with one bit changed.</summary>
    public long Corrupted { get; init; }

    /// <summary>Sent once and under way twice.</summary>
    public long Duplicated { get; init; }

    /// <summary>Delayed, so that later ones have overtaken them.</summary>
    public long Reordered { get; init; }

    /// <summary>All frames that have been dropped.</summary>
    public long Dropped => Lost + Partitioned + QueueFull + NotReceived;

    /// <summary>In one line, as in "120 frames arrived; dropped: 6 lost, 3 partitioned".</summary>
    public override string ToString()
    {
        (long Count, string Word)[] dropped = [(Lost, "lost"), (Partitioned, "partitioned"), (QueueFull, "for a full queue"), (NotReceived, "not received")];
        (long Count, string Word)[] changed = [(Corrupted, "corrupted"), (Duplicated, "duplicated"), (Reordered, "reordered")];
        return FormattableString.Invariant($"{Arrived} frames arrived{Listed("; dropped", dropped)}{Listed("; of all", changed)}");
    }

    internal static LabCounters Sum(in LabCounters a, in LabCounters b) => new()
    {
        Arrived = a.Arrived + b.Arrived,
        ArrivedBytes = a.ArrivedBytes + b.ArrivedBytes,
        Lost = a.Lost + b.Lost,
        Partitioned = a.Partitioned + b.Partitioned,
        QueueFull = a.QueueFull + b.QueueFull,
        NotReceived = a.NotReceived + b.NotReceived,
        Corrupted = a.Corrupted + b.Corrupted,
        Duplicated = a.Duplicated + b.Duplicated,
        Reordered = a.Reordered + b.Reordered,
    };

    private static string Listed(string title, IEnumerable<(long Count, string Word)> all)
    {
        var some = all.Where(static each => each.Count > 0).Select(static each => FormattableString.Invariant($"{each.Count} {each.Word}")).ToList();
        return some.Count == 0 ? "" : $"{title}: {string.Join(", ", some)}";
    }
}
