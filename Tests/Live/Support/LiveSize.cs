using Tapwire.Configuration;

namespace Tapwire.Tests.Live.Support;

/// <summary>
/// How much the live specs move. Small by default, so that all of them together take little more than a minute; TAPWIRE_LIVE_BULK=1GiB makes
/// the bulk ones that large and the long-running ones as long as the claims that they are to show.
/// </summary>
internal static class LiveSize
{
    private const long ByDefault = 32 << 20;
    private const long SlowestBytesPerSecond = 2 << 20;

    private static readonly TimeSpan LeastPatience = TimeSpan.FromSeconds(60);

    /// <summary>Bytes of one bulk transfer.</summary>
    public static long Bulk { get; } = ByteSize.TryParse(Environment.GetEnvironmentVariable("TAPWIRE_LIVE_BULK"), out var bytes) ? bytes : ByDefault;

    /// <summary>Datagrams of every length are sent, not of some: for an hour or so.</summary>
    public static bool HasAllLengths { get; } = Environment.GetEnvironmentVariable("TAPWIRE_LIVE_LENGTHS") == "all";

    public static bool IsFull => Bulk > ByDefault;

    /// <summary>How long a transfer of that size may take before it counts as hanging; a busy machine is no fault.</summary>
    public static TimeSpan PatienceFor(long bytes) => LeastPatience + TimeSpan.FromSeconds(bytes / (double)SlowestBytesPerSecond);
}
