using Tapwire.Actors;
using Tapwire.Stack.Buffers;
using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>
/// What is left of memory: of the machine's or the control group's, and of the runtime's heap. The heap may have nine tenths of these (HeapHardLimitPercent in the
/// program's project): beyond, nothing can be had any more, however much of the group's own limit is left.
/// </summary>
/// <param name="memory">The process's.</param>
/// <param name="pool">What it keeps for reuse is let go where memory is scarce.</param>
internal sealed class HeapLimit(MemoryLimit memory, BufferPool pool)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>A collection may take a part of the time that is left between two, no more.</summary>
    private const int TimesApart = 20;

    private static readonly long Limit = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    private long _mayCollectAt;

    /// <summary>As a part of all, 0 to 1, the least of all limits. Where it would be scarce, what is no longer used goes back to the system before anybody is refused for it.</summary>
    /// <remarks>Not for two threads at once.</remarks>
    public double Left()
    {
        var left = Free();
        var now = Environment.TickCount64;
        if (Math.Min(left, LeftToReserve()) >= MemoryWatch.Scarce || now < _mayCollectAt)
            return left;
        pool.Trim();

        // Aggressive: the kernel counts what the heap keeps for later as used, too.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        var after = Environment.TickCount64;
        _mayCollectAt = after + Math.Max((long)Pause.TotalMilliseconds, TimesApart * (after - now));
        return Free();
    }

    private double Free() => Math.Min(memory.Left(), Part(GC.GetTotalMemory(forceFullCollection: false)));

    /// <summary>What the heap has reserved counts against its limit, with the holes between buffers. Nobody is refused for it, since not all of it comes back.</summary>
    private static double LeftToReserve() => Part(GC.GetGCMemoryInfo(GCKind.Any).TotalCommittedBytes);

    private static double Part(long used) => Limit <= 0 ? 1 : Math.Max(1 - used / (double)Limit, 0);
}
