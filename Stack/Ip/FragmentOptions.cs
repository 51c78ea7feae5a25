namespace Tapwire.Stack.Ip;

/// <summary>Limits of reassembly. Whatever arrives, no more memory is held than these allow.</summary>
public sealed record FragmentOptions
{
    /// <summary>Bytes of memory that fragments may hold, buffers counted whole, 512 KiB..1 GiB; the oldest datagram gives way (net.ipv4.ipfrag_high_thresh).</summary>
    public int Memory { get; init; } = 4 << 20;

    /// <summary>Those that the fragments of one sender may hold, 512 KiB..1 GiB; that sender's oldest datagram gives way.</summary>
    public int MemoryPerSource { get; init; } = 1 << 20;

    /// <summary>Datagrams of which parts have arrived, 1..65536; the oldest gives way.</summary>
    public int Datagrams { get; init; } = 1024;

    /// <summary>Fragments of one datagram, 2..8192; with one more it is dropped. 128 are enough for the longest datagram where packets have 552 bytes or more.</summary>
    public int PerDatagram { get; init; } = 128;

    /// <summary>How long the parts of a datagram are kept from the arrival of the first one on, 1 s..2 min. RFC 1122, 3.3.2, asks for a minute; Linux keeps them for half of
    /// one (net.ipv4.ipfrag_time).</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    internal void Validate()
    {
        Ranges.Memory.Check(Memory, nameof(Memory));
        Ranges.MemoryPerSource.Check(MemoryPerSource, nameof(MemoryPerSource));
        Ranges.Datagrams.Check(Datagrams, nameof(Datagrams));
        Ranges.PerDatagram.Check(PerDatagram, nameof(PerDatagram));
        Ranges.Timeout.Check(Timeout, nameof(Timeout));
    }

    /// <summary>What each option may be.</summary>
    public static class Ranges
    {
        // The longest datagram fits in any case, even if its fragments are as short as the default of PerDatagram allows.
        public static ValueRange<int> Memory { get; } = new(512 << 10, 1 << 30);

        public static ValueRange<int> MemoryPerSource { get; } = new(512 << 10, 1 << 30);

        public static ValueRange<int> Datagrams { get; } = new(1, 65536);

        public static ValueRange<int> PerDatagram { get; } = new(2, 8192);

        public static ValueRange<TimeSpan> Timeout { get; } = new(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(2));
    }
}
