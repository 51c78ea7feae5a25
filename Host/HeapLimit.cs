using Tapwire.Actors;
using Tapwire.Stack.Buffers;
using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>
/// Measures the memory that is left: the machine's or control group's, and the runtime's heap. The heap is limited to nine tenths of the former
/// (HeapHardLimitPercent in the project file). When it is full, allocations fail, however much of the group's limit is left.
/// </summary>
/// <param name="memory">The limit of the process.</param>
/// <param name="pool">Its free buffers are released when memory is scarce.</param>
internal sealed class HeapLimit(MemoryLimit memory, BufferPool pool)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>The pause after a collection is this many times as long as the collection, which bounds the share of time spent in them.</summary>
    private const int TimesApart = 20;

    private static readonly long Limit = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    private long _mayCollectAt;

    /// <summary>
    /// The free part of all memory, 0 to 1, by the tightest limit. If it is scarce, unused memory is first returned to the system, before anybody is refused for lack of it.
    /// </summary>
    /// <remarks>Not thread-safe.</remarks>
    public double Left()
    {
        var left = Free();
        var now = Environment.TickCount64;
        if (Math.Min(left, LeftToReserve()) >= MemoryWatch.Scarce || now < _mayCollectAt)
            return left;
        pool.Trim();

        // Aggressive, because the kernel counts memory that the heap keeps for later as used.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        var after = Environment.TickCount64;
        _mayCollectAt = after + Math.Max((long)Pause.TotalMilliseconds, TimesApart * (after - now));
        return Free();
    }

    private double Free() => Math.Min(memory.Left(), Part(GC.GetTotalMemory(forceFullCollection: false)));

    /// <summary>
    /// The part of the heap's limit that is not committed. Committed memory includes holes between buffers. It only triggers a collection and refuses nobody, because
    /// a collection does not return all of it.
    /// </summary>
    private static double LeftToReserve() => Part(GC.GetGCMemoryInfo(GCKind.Any).TotalCommittedBytes);

    private static double Part(long used) => Limit <= 0 ? 1 : Math.Max(1 - used / (double)Limit, 0);
}
