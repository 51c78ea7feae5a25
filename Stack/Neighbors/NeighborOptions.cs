namespace Tapwire.Stack.Neighbors;

/// <summary>Limits and times of the neighbour table (RFC 4861, 10; RFC 1122, 2.3.2).</summary>
public sealed class NeighborOptions
{
    /// <summary>Neighbours known or being asked for, 1..1048576. The table makes room by forgetting the least recently used one.</summary>
    public int Entries { get; init; } = 4096;

    /// <summary>Packets that wait for one neighbour's answer, 1..4096; the oldest gives way.</summary>
    public int QueuedPackets { get; init; } = 64;

    /// <summary>Bytes that wait for one neighbour's answer, 2 KiB..16 MiB; the oldest gives way.</summary>
    public int QueuedBytes { get; init; } = 128 << 10;

    /// <summary>Bytes that wait for the answers of all neighbours together, 64 KiB..1 GiB; the newest is dropped.</summary>
    public int AllQueuedBytes { get; init; } = 4 << 20;

    /// <summary>Requests before a neighbour counts as unreachable, 1..20.</summary>
    public int Solicitations { get; init; } = 3;

    /// <summary>Time between two requests to one neighbour, 10 ms..1 min.</summary>
    public TimeSpan RetransmitTime { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long an answer, or progress of a connection, confirms a neighbour, 1 s..1 day; each entry takes 50..150 % of it at random.</summary>
    public TimeSpan ReachableTime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long an entry that nobody uses is kept, 1 s..1 day.</summary>
    public TimeSpan UnusedTime { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Questions whether another station has a new IPv6 address, 0..20, <see cref="RetransmitTime"/> apart (DupAddrDetectTransmits of RFC 4862, 5.1); 0 does not ask.</summary>
    public int DuplicateProbes { get; init; } = 1;

    internal void Validate()
    {
        Ranges.DuplicateProbes.Check(DuplicateProbes, nameof(DuplicateProbes));
        Ranges.Entries.Check(Entries, nameof(Entries));
        Ranges.QueuedPackets.Check(QueuedPackets, nameof(QueuedPackets));
        Ranges.QueuedBytes.Check(QueuedBytes, nameof(QueuedBytes));
        Ranges.AllQueuedBytes.Check(AllQueuedBytes, nameof(AllQueuedBytes));
        Ranges.Solicitations.Check(Solicitations, nameof(Solicitations));
        Ranges.RetransmitTime.Check(RetransmitTime, nameof(RetransmitTime));
        Ranges.ReachableTime.Check(ReachableTime, nameof(ReachableTime));
        Ranges.UnusedTime.Check(UnusedTime, nameof(UnusedTime));
    }

    /// <summary>What each option may be.</summary>
    public static class Ranges
    {
        public static ValueRange<int> Entries { get; } = new(1, 1 << 20);

        public static ValueRange<int> QueuedPackets { get; } = new(1, 4096);

        public static ValueRange<int> QueuedBytes { get; } = new(2 << 10, 16 << 20);

        public static ValueRange<int> AllQueuedBytes { get; } = new(64 << 10, 1 << 30);

        public static ValueRange<int> Solicitations { get; } = new(1, 20);

        public static ValueRange<TimeSpan> RetransmitTime { get; } = new(TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1));

        public static ValueRange<TimeSpan> ReachableTime { get; } = new(TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));

        public static ValueRange<int> DuplicateProbes { get; } = new(0, 20);

        public static ValueRange<TimeSpan> UnusedTime { get; } = new(TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
    }
}
