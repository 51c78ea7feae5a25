using System.Collections.Concurrent;
using System.Diagnostics;
using System.IO.Pipes;
using Tapwire.Tests.Support;
using Tapwire.Wires;
using Tapwire.Posix;
using Xunit;

namespace Tapwire.Tests.Posix;

public sealed class ReactorSpec : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private const Readiness Speculative = Readiness.Readable | Readiness.Level | Readiness.Speculative;

    private readonly ConcurrentQueue<Exception> _failures = new();
    private readonly Reactor _reactor;

    public ReactorSpec() => _reactor = new Reactor("reactor-spec", _failures.Enqueue);

    public void Dispose() => _reactor.Dispose();

    [Fact]
    public void Work_of_one_thread_runs_in_the_order_of_its_posting()
    {
        var seen = new List<int>();
        for (var i = 0; i < 10_000; i++)
            _reactor.Post(state => seen.Add((int)state!), i);
        Settle();
        Assert.Equal(Enumerable.Range(0, 10_000), seen);
    }

    [Fact]
    public void Work_posted_by_work_runs_after_what_was_posted_before()
    {
        var seen = new List<string>();
        OnLoop(() =>
        {
            _reactor.Post(_ =>
            {
                seen.Add("a");
                _reactor.Post(_ => seen.Add("c"), null);
            }, null);
            _reactor.Post(_ => seen.Add("b"), null);
        });
        Settle();
        Assert.Equal(["a", "b", "c"], seen);
    }

    [Fact]
    public void Only_its_own_thread_is_current()
    {
        var current = false;
        OnLoop(() => current = _reactor.IsCurrent);
        Assert.True(current);
        Assert.False(_reactor.IsCurrent);
    }

    [Fact]
    public void No_post_is_lost_between_looking_and_sleeping()
    {
        // Two threads that each wait for their post before they make the next: a single lost wake-up stops them for good.
        var random = new[] { new Random(1), new Random(2) };
        var threads = random.Select(r => new Thread(() =>
        {
            using var done = new SemaphoreSlim(0);
            for (var i = 0; i < 3000; i++)
            {
                _reactor.Post(static s => ((SemaphoreSlim)s!).Release(), done);
                Assert.True(done.Wait(Patience));
                Thread.SpinWait(r.Next(300));
            }
        })).ToList();
        var finished = 0;
        threads.ForEach(t => t.Start());
        foreach (var thread in threads)
            finished += thread.Join(Patience) ? 1 : 0;
        Assert.Equal(2, finished);
        Assert.True(_reactor.Sleeps > 1, "The loop never slept: nothing was tried.");
    }

    [Fact]
    public void Readiness_is_reported_once_and_again_after_the_next_edge()
    {
        using var descriptor = new EventDescriptor();
        var reports = new List<Readiness>();
        using var registration = _reactor.Register(descriptor.Number, Readiness.Readable, reports.Add);
        descriptor.Signal();
        Settle();
        Settle();
        Assert.Equal([Readiness.Readable], reports);

        descriptor.Drain();
        descriptor.Signal();
        Settle();
        Assert.Equal([Readiness.Readable, Readiness.Readable], reports);
    }

    [Fact]
    public void A_level_triggered_watch_repeats_its_report_for_as_long_as_the_descriptor_is_ready()
    {
        using var descriptor = new EventDescriptor();
        var reports = 0;
        using var again = new ManualResetEventSlim();
        using var registration = _reactor.Register(descriptor.Number, Readiness.Readable | Readiness.Level, _ =>
        {
            if (++reports == 3)
                again.Set();
        });
        descriptor.Signal();
        Assert.True(again.Wait(Patience));

        OnLoop(descriptor.Drain);
        Settle();
        var before = reports;
        Settle();
        Assert.Equal(before, reports);

        OnLoop(() => registration.SetInterest(Readiness.Readable));
        descriptor.Signal();
        Settle();
        Settle();
        Assert.Equal(before + 1, reports);
    }

    [Fact]
    public void A_change_of_interest_reports_what_is_ready_at_that_moment()
    {
        using var descriptor = new EventDescriptor();
        var reports = new List<Readiness>();
        using var registration = _reactor.Register(descriptor.Number, Readiness.None, reports.Add);
        descriptor.Signal();
        Settle();
        Assert.Empty(reports);

        registration.SetInterest(Readiness.Readable);
        Settle();
        registration.SetInterest(Readiness.Readable | Readiness.Writable);
        Settle();
        Assert.Equal([Readiness.Readable, Readiness.Readable | Readiness.Writable], reports);
    }

    [Fact]
    public void A_hang_up_is_reported_whatever_the_interest()
    {
        using var pipe = new AnonymousPipeServerStream(PipeDirection.In);
        var reports = new List<Readiness>();
        using var registration = _reactor.Register((int)pipe.SafePipeHandle.DangerousGetHandle(), Readiness.None, reports.Add);
        pipe.DisposeLocalCopyOfClientHandle();
        Settle();
        Assert.Equal([Readiness.HangUp], reports);
    }

    [Fact]
    public void A_registration_that_ended_earlier_in_the_batch_gets_no_report()
    {
        using var first = new EventDescriptor();
        using var second = new EventDescriptor();
        var reports = 0;
        IRegistration? one = null, other = null;
        one = _reactor.Register(first.Number, Readiness.Readable, _ => { reports++; other!.Dispose(); });
        other = _reactor.Register(second.Number, Readiness.Readable, _ => { reports++; one.Dispose(); });
        OnLoop(() =>
        {
            first.Signal();
            second.Signal();
        });
        Settle();
        Assert.Equal(1, reports);
    }

    [Fact]
    public void A_descriptor_number_used_again_does_not_get_its_predecessors_report()
    {
        var descriptors = new[] { new EventDescriptor(), new EventDescriptor() };
        var registrations = new IRegistration[2];
        EventDescriptor? successor = null;
        var wrong = 0;
        for (var i = 0; i < 2; i++)
        {
            // Whichever comes first replaces the other by a new descriptor with the same number.
            var other = 1 - i;
            registrations[i] = _reactor.Register(descriptors[i].Number, Readiness.Readable, _ =>
            {
                registrations[other].Dispose();
                descriptors[other].Dispose();
                successor = new EventDescriptor();
                _reactor.Register(successor.Number, Readiness.Readable, _ => wrong++);
            });
        }

        OnLoop(() => Array.ForEach(descriptors, d => d.Signal()));
        Settle();
        Assert.NotNull(successor);
        Assert.Equal(0, wrong);
        descriptors[0].Dispose();
        successor.Dispose();
    }

    [Fact]
    public void Busy_work_does_not_starve_descriptors()
    {
        using var descriptor = new EventDescriptor();
        const int Signalled = 1000;
        var ran = 0;
        var ranAtReport = 0;
        using var stopped = new ManualResetEventSlim();
        using var registration = _reactor.Register(descriptor.Number, Readiness.Readable, _ =>
        {
            ranAtReport = ran;
            stopped.Set();
        });
        void Work(object? _)
        {
            if (++ran == Signalled)
                descriptor.Signal();
            if (!stopped.IsSet)
                _reactor.Post(Work, null);
        }

        _reactor.Post(Work, null);
        Assert.True(stopped.Wait(Patience));
        Settle();
        Assert.InRange(ranAtReport, Signalled, Signalled + 256);
    }

    [Fact]
    public void Busy_descriptors_do_not_starve_work()
    {
        using var descriptor = new EventDescriptor();
        var reports = 0;
        var quiet = false;
        using var registration = _reactor.Register(descriptor.Number, Readiness.Readable, _ =>
        {
            reports++;
            if (!quiet)
                descriptor.Signal();
        });
        descriptor.Signal();
        Settle();
        OnLoop(() => quiet = true);
        Settle();
        Assert.True(reports > 0);
    }

    [Fact]
    public void What_work_or_a_handler_throws_is_reported_and_the_loop_goes_on()
    {
        using var descriptor = new EventDescriptor();
        using var registration = _reactor.Register(descriptor.Number, Readiness.Readable, _ => throw new FormatException("handler"));
        _reactor.Post(_ => throw new FormatException("work"), null);
        Settle();
        descriptor.Signal();
        Settle();
        Assert.Equal(["work", "handler"], _failures.Select(e => e.Message));
    }

    [Fact]
    public void Dispose_waits_for_posted_work_and_for_what_that_posts()
    {
        using var hold = new ManualResetEventSlim();
        var ran = new List<int>();
        _reactor.Post(_ => hold.Wait(), null);
        _reactor.Post(_ => _reactor.Post(_ => ran.Add(2), null), null);
        _reactor.Post(_ => ran.Add(1), null);
        var disposal = new Thread(_reactor.Dispose);
        disposal.Start();
        hold.Set();
        Assert.True(disposal.Join(Patience));
        Assert.Equal([1, 2], ran);
    }

    [Fact]
    public void Dispose_works_on_the_loop_itself()
    {
        using var after = new ManualResetEventSlim();
        _reactor.Post(_ =>
        {
            _reactor.Dispose();
            _reactor.Post(_ => after.Set(), null);
        }, null);
        Assert.True(after.Wait(Patience));
        _reactor.Dispose();
        Assert.Throws<ObjectDisposedException>(() => _reactor.Post(_ => { }, null));
    }

    [Fact]
    public void After_the_end_registering_fails_and_ending_a_registration_does_not()
    {
        using var descriptor = new EventDescriptor();
        var registration = _reactor.Register(descriptor.Number, Readiness.Readable, _ => { });
        _reactor.Dispose();
        registration.Dispose();
        Assert.Throws<ObjectDisposedException>(() => _reactor.Register(descriptor.Number, Readiness.Readable, _ => { }));
    }

    [Fact]
    public void A_descriptor_that_cannot_be_watched_is_an_error_that_names_it()
    {
        using var descriptor = new EventDescriptor();
        using var registration = _reactor.Register(descriptor.Number, Readiness.Readable, _ => { });
        var twice = Assert.Throws<PosixException>(() => _reactor.Register(descriptor.Number, Readiness.Readable, _ => { }));
        Assert.Equal($"watching descriptor {descriptor.Number}: File exists (errno 17)", twice.Message);
        Assert.Equal(Errors.EBADF, Assert.Throws<PosixException>(() => _reactor.Register(1 << 20, Readiness.Readable, _ => { })).Errno);
        Assert.Throws<ArgumentException>(() => registration.SetInterest(Readiness.HangUp));
    }

    [Fact]
    public void More_registrations_than_slots_are_each_reported_to_their_own_handler()
    {
        var descriptors = Enumerable.Range(0, 100).Select(_ => new EventDescriptor()).ToArray();
        var reported = new int[descriptors.Length];
        var registrations = descriptors.Select((d, i) => _reactor.Register(d.Number, Readiness.Readable, _ => reported[i]++)).ToArray();
        for (var i = 0; i < descriptors.Length; i += 3)
            descriptors[i].Signal();
        Settle();
        Assert.Equal(Enumerable.Range(0, 100).Select(i => i % 3 == 0 ? 1 : 0), reported);
        Array.ForEach(registrations, r => r.Dispose());
        Array.ForEach(descriptors, d => d.Dispose());
    }

    [Fact]
    public void Registrations_come_and_go_on_another_thread_while_the_loop_reports()
    {
        using var descriptor = new EventDescriptor();
        using var other = new EventDescriptor();
        using var busy = _reactor.Register(other.Number, Readiness.Readable, _ => { });
        for (var i = 0; i < 2000; i++)
        {
            using var registration = _reactor.Register(descriptor.Number, Readiness.Readable, _ => { });
            descriptor.Signal();
            other.Signal();
        }

        Settle();
        Assert.Empty(_failures);
    }

    [Fact]
    public void Posting_allocates_nothing()
    {
        const int Posts = 50;
        Assert.Equal(0, Allocated.Least(() =>
        {
            var posted = Allocated.By(PostAll);
            Settle();
            return posted;
        }));
        Assert.Equal(0, Allocated.Least(() =>
        {
            var posted = 0L;
            OnLoop(() => posted = Allocated.By(PostAll));
            Settle();
            return posted;
        }));

        void PostAll()
        {
            for (var i = 0; i < Posts; i++)
                _reactor.Post(static _ => { }, this);
        }
    }

    [Fact]
    public void While_it_looks_for_work_it_has_those_try_whose_work_is_its_own()
    {
        using var reactor = new Reactor("trying", _failures.Enqueue, TimeSpan.FromMilliseconds(1));
        using var device = new EventDescriptor();
        using var other = new EventDescriptor();
        var trials = 0;
        var elsewhere = 0;
        using var ours = reactor.Register(device.Number, Speculative, readiness =>
        {
            Assert.Equal(Readiness.Readable | Readiness.Speculative, readiness);
            reactor.Post(_ => trials++, null);
        });
        using var theirs = reactor.Register(other.Number, Speculative, _ => elsewhere++);
        UntilItLooks(reactor, () => Volatile.Read(ref trials) >= 100);
        Assert.Equal(1, Volatile.Read(ref elsewhere));
        Assert.Empty(_failures);
    }

    [Fact]
    public void Trials_that_always_find_something_do_not_starve_descriptors()
    {
        using var reactor = new Reactor("finding", _failures.Enqueue, TimeSpan.FromMilliseconds(1));
        using var device = new EventDescriptor();
        using var other = new EventDescriptor();
        using var reported = new ManualResetEventSlim();
        var found = 0;
        using var ours = reactor.Register(device.Number, Speculative, _ => reactor.Post(_ => reactor.Post(_ => found++, null), null));
        using var theirs = reactor.Register(other.Number, Readiness.Readable, _ => reported.Set());
        UntilItLooks(reactor, () => Volatile.Read(ref found) >= 100);
        other.Signal();
        Assert.True(reported.Wait(Patience));
    }

    [Fact]
    public void A_spinning_reactor_sees_posts_and_descriptors()
    {
        using var reactor = new Reactor("spinning", _failures.Enqueue, TimeSpan.FromMicroseconds(100));
        using var descriptor = new EventDescriptor();
        using var seen = new SemaphoreSlim(0);
        using var registration = reactor.Register(descriptor.Number, Readiness.Readable, _ => seen.Release());
        for (var i = 0; i < 100; i++)
        {
            descriptor.Signal();
            Assert.True(seen.Wait(Patience));
            reactor.Post(_ => seen.Release(), null);
            Assert.True(seen.Wait(Patience));
        }
    }

    /// <summary>Runs something on the loop and waits for it.</summary>
    private void OnLoop(Action action)
    {
        using var done = new ManualResetEventSlim();
        _reactor.Post(_ =>
        {
            action();
            done.Set();
        }, null);
        Assert.True(done.Wait(Patience));
    }

    /// <summary>Waits until all that was posted and all descriptors that were ready at the call have been dealt with.</summary>
    private void Settle()
    {
        using var barrier = new EventDescriptor();
        using var reported = new ManualResetEventSlim();
        OnLoop(() => { });
        using var registration = _reactor.Register(barrier.Number, Readiness.Readable, _ => reported.Set());
        barrier.Signal();
        Assert.True(reported.Wait(Patience));
        OnLoop(() => { });
    }

    /// <summary>Has a reactor sleep for so short a time, again and again, that it comes to look for work instead.</summary>
    private static void UntilItLooks(Reactor reactor, Func<bool> looked)
    {
        var clock = Stopwatch.StartNew();
        using var done = new ManualResetEventSlim();
        while (!looked())
        {
            Assert.True(clock.Elapsed < Patience, "It never looks.");
            done.Reset();
            reactor.Post(_ => done.Set(), null);
            Assert.True(done.Wait(Patience));
        }
    }
}
