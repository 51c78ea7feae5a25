using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace Akka.Dispatch;

/// <summary>
/// A fixed number of threads on one queue. A thread that runs out of work looks a little longer before it sleeps, because being woken costs
/// more than that; nobody is woken while a thread is awake to take the work.
/// </summary>
internal sealed class DedicatedThreadPool : ExecutorService
{
    /// <summary>In ticks of the stopwatch: some 40 µs, a little less than it takes to be woken.</summary>
    private static readonly long SearchTime = Environment.ProcessorCount > 1 ? Stopwatch.Frequency / 25_000 : 0;

    private readonly ConcurrentQueue<IRunnable> _work = new();
    private readonly object _sleep = new();
    private readonly Thread[] _threads;
    private int _sleepers;
    private int _searchers;
    private volatile bool _shutDown;

    public DedicatedThreadPool(string id, int threads, bool background) : base(id)
    {
        _threads = new Thread[threads];
        for (var i = 0; i < threads; i++)
        {
            _threads[i] = new Thread(Work)
            {
                IsBackground = background,
                Name = string.Create(CultureInfo.InvariantCulture, $"{id}_{i + 1}"),
            };
            _threads[i].UnsafeStart();
        }
    }

    public override void Execute(IRunnable run)
    {
        if (_shutDown)
            throw new RejectedExecutionException("ExecutorService is shutting down");
        _work.Enqueue(run);
        Interlocked.MemoryBarrier(); // the queue is written before the sleepers are counted; a thread that goes to sleep does it the other way round
        if (Volatile.Read(ref _sleepers) > 0 && Volatile.Read(ref _searchers) == 0)
            Wake();
    }

    /// <summary>Takes no more work; what is queued is still done.</summary>
    public override void Shutdown()
    {
        _shutDown = true;
        lock (_sleep)
            Monitor.PulseAll(_sleep);
    }

    private void Wake()
    {
        lock (_sleep)
            Monitor.Pulse(_sleep);
    }

    private void Work()
    {
        while (Next(out var run))
        {
            try
            {
                run.Run();
            }
            catch (Exception e)
            {
                // A mailbox lets nothing through; work of a user's that fails must not end the thread of everybody else.
                Console.Error.WriteLine($"[{Id}] {e}");
            }
        }
    }

    private bool Next(out IRunnable run)
    {
        if (_work.TryDequeue(out run))
            return true;
        Interlocked.Increment(ref _searchers);
        for (var began = Stopwatch.GetTimestamp(); Stopwatch.GetTimestamp() - began < SearchTime; Thread.SpinWait(4))
        {
            if (!_work.IsEmpty && _work.TryDequeue(out run))
            {
                StopSearching();
                return true;
            }
        }

        Interlocked.Decrement(ref _searchers);
        lock (_sleep)
        {
            Interlocked.Increment(ref _sleepers);
            try
            {
                while (!_work.TryDequeue(out run))
                {
                    if (_shutDown)
                        return false;
                    Monitor.Wait(_sleep);
                }

                return true;
            }
            finally
            {
                Interlocked.Decrement(ref _sleepers);
            }
        }
    }

    /// <summary>The last thread that was looking wakes another if there is more to find, as those who queued it relied on this one.</summary>
    private void StopSearching()
    {
        if (Interlocked.Decrement(ref _searchers) == 0 && Volatile.Read(ref _sleepers) > 0 && !_work.IsEmpty)
            Wake();
    }
}
