namespace Tapwire.Tests.Support;

/// <summary>Counts what code allocates on the heap of the runtime.</summary>
public static class Allocated
{
    private const int Runs = 10;

    /// <summary>What one run of <paramref name="action"/> allocates on this thread, in bytes.</summary>
    public static long By(Action action)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    /// <summary>The least that one of several runs allocates on this thread, in bytes.</summary>
    public static long Least(Action action) => Least(() => By(action));

    /// <summary>
    /// The least that <paramref name="run"/> has counted in several runs. Code that allocates does so in every run. The runtime, too, allocates on whatever thread
    /// needs it first, for what it compiles or initializes, and queues and pools come to their size; neither repeats itself.
    /// </summary>
    public static long Least(Func<long> run)
    {
        var least = long.MaxValue;
        for (var i = 0; i < Runs && least > 0; i++)
            least = Math.Min(least, run());
        return least;
    }
}
