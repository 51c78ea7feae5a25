using System.Diagnostics;

namespace Tapwire;

/// <summary>
/// The thread pool during a lab's run. It says when programs have come to rest, which is when nothing is queued there and nothing runs. It also has the pool use one thread for them: what a program does
/// at once in several tasks comes in the same order each time.
/// </summary>
/// <remarks>
/// The pool counts threads that wait within their work as busy: a test runner's, as a rule, which wait for as long as the run takes. So many do not count. A thread that falls asleep within its work later, as of a program that
/// blocks, does not count either, once Linux has said so; then the pool gets one more for the others. The pool's own limits are back after the run.
/// </remarks>
internal sealed class LabThreadPool : IDisposable
{
    /// <summary>How long the pool may take to come to rest before the run.</summary>
    private static readonly TimeSpan SettlePatience = TimeSpan.FromSeconds(1);

    /// <summary>
    /// A thread may be blocked that has ended nothing for so long. On a busy machine one that waits for the just-in-time compiler, which has no thread of the pool, looks the same for a good part of a second.
    /// </summary>
    private static readonly TimeSpan BlockedAfter = TimeSpan.FromMilliseconds(500);

    private readonly LabWorkers _workers = new();
    private readonly TimeSpan _patience;
    private readonly (int Worker, int Io) _least;
    private readonly (int Worker, int Io) _most;

    // Threads that wait within their work.
    private int _waiting;

    /// <param name="patience">How long programs may run without coming to rest, of real time.</param>
    public LabThreadPool(TimeSpan patience)
    {
        _patience = patience;
        ThreadPool.GetMinThreads(out var worker, out var io);
        _least = (worker, io);
        ThreadPool.GetMaxThreads(out worker, out io);
        _most = (worker, io);
        _waiting = Settled();
        Limit();
    }

    private static int Busy
    {
        get
        {
            ThreadPool.GetMaxThreads(out var most, out _);
            ThreadPool.GetAvailableThreads(out var free, out _);
            return most - free;
        }
    }

    /// <summary>No program runs, and none is about to.</summary>
    public bool IsAtRest()
    {
        if (ThreadPool.PendingWorkItemCount != 0)
            return false;
        var busy = Busy;
        if (busy > _waiting || ThreadPool.PendingWorkItemCount != 0)
            return false;
        if (busy < _waiting)
        {
            // One of them has ended its work.
            _waiting = busy;
            Limit();
        }

        return true;
    }

    /// <summary>Waits until no program runs.</summary>
    /// <returns>Null, or why that does not come.</returns>
    public string? WaitForRest()
    {
        if (IsAtRest())
            return null;
        var spinner = new SpinWait();
        var began = Stopwatch.GetTimestamp();
        var (completed, since) = (ThreadPool.CompletedWorkItemCount, began);
        while (!IsAtRest())
        {
            var now = Stopwatch.GetTimestamp();
            var waited = Stopwatch.GetElapsedTime(began, now);
            if (waited < TimeSpan.FromMilliseconds(1))
            {
                spinner.SpinOnce(sleep1Threshold: -1);
                continue;
            }

            Thread.Sleep(waited < TimeSpan.FromMilliseconds(20) ? 0 : 1);
            if (ThreadPool.CompletedWorkItemCount is var count && count != completed)
            {
                (completed, since) = (count, now);
            }
            else if (Stopwatch.GetElapsedTime(since, now) > BlockedAfter && Busy > _waiting && HaveSlept(completed, BlockedAfter))
            {
                _waiting = Busy;
                Limit();
                since = now;
            }

            if (waited > _patience && !Debugger.IsAttached)
                return FormattableString.Invariant($"The thread pool has not come to rest in {_patience.TotalSeconds:0.#} s: {Busy - _waiting} of its threads run, and {ThreadPool.PendingWorkItemCount} things wait for one. A program that computes stops the lab; so do other tests that keep the pool busy: run tests with labs without others beside them.");
        }

        return null;
    }

    /// <summary>Gives the pool its own limits back.</summary>
    public void Dispose()
    {
        ThreadPool.SetMaxThreads(_most.Worker, _most.Io);
        ThreadPool.SetMinThreads(_least.Worker, _least.Io);
        _workers.Dispose();
    }

    /// <summary>Waits until all that the pool has is asleep.</summary>
    /// <returns>The number of threads that are within their work.</returns>
    private int Settled()
    {
        var least = int.MaxValue;
        for (var began = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(began) < SettlePatience; Thread.Sleep(1))
        {
            var busy = Busy;
            if (ThreadPool.PendingWorkItemCount == 0 && (busy == 0 || HaveSlept(ThreadPool.CompletedWorkItemCount, TimeSpan.FromMilliseconds(1))) && Busy == busy)
                return busy;
            least = Math.Min(least, busy);
        }

        return least;
    }

    /// <summary>Whether all threads sleep, and have neither run nor ended anything when that time has passed. (A garbage collection has threads sleep, too.)</summary>
    private bool HaveSlept(long completed, TimeSpan time)
    {
        var collections = GC.CollectionCount(0);
        if (!_workers.AllSleep())
            return false;
        var ran = _workers.RunTime;
        Thread.Sleep(time);
        return _workers.AllSleep() && _workers.RunTime == ran && ThreadPool.CompletedWorkItemCount == completed && GC.CollectionCount(0) == collections;
    }

    private void Limit()
    {
        var threads = Math.Min(_waiting + 1, _most.Worker);
        // First what cannot pass the other limit.
        ThreadPool.SetMinThreads(1, _least.Io);
        ThreadPool.SetMaxThreads(threads, _most.Io);
        ThreadPool.SetMinThreads(threads, _least.Io);
    }
}
