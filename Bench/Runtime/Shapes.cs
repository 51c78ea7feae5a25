using System.Diagnostics;
using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;

namespace Tapwire.Bench.Runtime;

/// <summary>What is measured: a name, the unit, and the measurement, which gives one figure or several.</summary>
internal static class Shapes
{
    private const string Hocon = """
        akka {
          loglevel = WARNING
          log-dead-letters = off
          pinned { type = PinnedDispatcher, executor = fork-join-executor, throughput = 30 }
          two-threads { type = ForkJoinDispatcher, throughput = 30, dedicated-thread-pool { thread-count = 2 } }
        }
        """;

    private const string PreciseHocon = "akka.scheduler.implementation = \"Tapwire.Scheduling.PreciseScheduler, Tapwire.Scheduling\"";

    public static readonly (string Name, string Unit, Func<double[]> Measure)[] All =
    [
        ("tell, default dispatcher (same message / a new one each)", "M/s", () => Tell(Dispatchers.DefaultDispatcherId)),
        ("tell, PinnedDispatcher", "M/s", () => Tell("akka.pinned")),
        ("tell, ForkJoinDispatcher of 2 threads", "M/s", () => Tell("akka.two-threads")),
        ("tell, four producers, default dispatcher", "M/s", () => [TellFromMany(4)]),
        ("ping-pong, default dispatcher", "M round trips/s", () => [PingPong(Dispatchers.DefaultDispatcherId)]),
        ("ping-pong, PinnedDispatcher", "M round trips/s", () => [PingPong("akka.pinned")]),
        ("ping-pong, ForkJoinDispatcher of 2 threads", "M round trips/s", () => [PingPong("akka.two-threads")]),
        ("ask, one after another (rate / bytes each)", "M/s / B", Ask),
        ("100,000 actors (spawn / stop)", "s", Spawn),
        ("live bytes per idle actor", "B", () => [BytesPerActor()]),
        ("timer every 1 ms (real interval p50 / p99)", "ms", () => Timer(1, "")),
        ("timer every 10 ms (real interval p50 / p99)", "ms", () => Timer(10, "")),
        ("the same 1 ms on PreciseScheduler (p50 / p99)", "ms", () => Timer(1, PreciseHocon)),
        ("schedule and cancel (rate / bytes left each)", "M/s / B", ScheduleAndCancel),
        ("CPU of an idle system", "% of a core", () => [IdleCpu()]),
    ];

    private static ActorSystem Start(string more = "") => ActorSystem.Create("bench", ConfigurationFactory.ParseString(Hocon + "\n" + more));

    private static T With<T>(Func<ActorSystem, T> measure, string more = "")
    {
        var system = Start(more);
        try
        {
            return measure(system);
        }
        finally
        {
            system.Terminate().Wait();
        }
    }

    private static double[] Tell(string dispatcher) => With(system =>
    {
        const int Messages = 5_000_000;
        return new[] { Rate(_ => Tick.Same), Rate(n => new Tick(n)) };

        double Rate(Func<int, Tick> message)
        {
            using var done = new ManualResetEventSlim();
            var counter = system.ActorOf(Props.Create<Counter>(Messages, done).WithDispatcher(dispatcher));
            var clock = Stopwatch.StartNew();
            for (var i = 0; i < Messages; i++)
                counter.Tell(message(i), ActorRefs.NoSender);
            done.Wait();
            return Messages / clock.Elapsed.TotalSeconds / 1e6;
        }
    });

    private static double TellFromMany(int producers) => With(system =>
    {
        const int Messages = 1_000_000;
        using var done = new ManualResetEventSlim();
        var counter = system.ActorOf(Props.Create<Counter>(Messages * producers, done));
        var clock = Stopwatch.StartNew();
        var threads = Enumerable.Range(0, producers).Select(_ => new Thread(() =>
        {
            for (var i = 0; i < Messages; i++)
                counter.Tell(Tick.Same, ActorRefs.NoSender);
        })).ToArray();
        foreach (var thread in threads)
            thread.Start();
        done.Wait();
        return Messages * producers / clock.Elapsed.TotalSeconds / 1e6;
    });

    private static double PingPong(string dispatcher) => With(system =>
    {
        const int RoundTrips = 500_000;
        using var done = new ManualResetEventSlim();
        var pong = system.ActorOf(Props.Create<Pong>().WithDispatcher(dispatcher));
        var ping = system.ActorOf(Props.Create<Ping>(pong, RoundTrips, done).WithDispatcher(dispatcher));
        var clock = Stopwatch.StartNew();
        ping.Tell("go", ActorRefs.NoSender);
        done.Wait();
        return RoundTrips / clock.Elapsed.TotalSeconds / 1e6;
    });

    private static double[] Ask() => With(system =>
    {
        const int Questions = 300_000;
        var pong = system.ActorOf(Props.Create<Pong>());
        var clock = Stopwatch.StartNew();
        var before = GC.GetTotalAllocatedBytes();
        Run().Wait();
        return new[] { Questions / clock.Elapsed.TotalSeconds / 1e6, (GC.GetTotalAllocatedBytes() - before) / (double)Questions };

        async Task Run()
        {
            for (var i = 0; i < Questions; i++)
                await pong.Ask<Tick>(Tick.Same, TimeSpan.FromSeconds(10)).ConfigureAwait(false);
        }
    });

    private static double[] Spawn() => With(system =>
    {
        const int Children = 100_000;
        var parent = system.ActorOf(Props.Create<Parent>());
        var clock = Stopwatch.StartNew();
        parent.Ask<string>(new Parent.Spawn(Children)).Wait();
        var spawned = clock.Elapsed.TotalSeconds;
        clock.Restart();
        parent.GracefulStop(TimeSpan.FromSeconds(30)).Wait();
        return new[] { spawned, clock.Elapsed.TotalSeconds };
    });

    private static double BytesPerActor() => With(system =>
    {
        const int Children = 100_000;
        var parent = system.ActorOf(Props.Create<Parent>());
        var before = GC.GetTotalMemory(forceFullCollection: true);
        parent.Ask<string>(new Parent.Spawn(Children)).Wait();
        return (GC.GetTotalMemory(forceFullCollection: true) - before) / (double)Children;
    });

    private static double[] Timer(int milliseconds, string more) => With(
        system =>
        {
            var samples = 1000 / milliseconds;
            using var done = new ManualResetEventSlim();
            var times = new List<long>();
            var actor = system.ActorOf(Props.Create<Clocked>(times, samples, done));
            var interval = TimeSpan.FromMilliseconds(milliseconds);
            var cancelable = system.Scheduler.ScheduleTellRepeatedlyCancelable(interval, interval, actor, Tick.Same, ActorRefs.NoSender);
            done.Wait();
            cancelable.Cancel();
            var gaps = times.Zip(times.Skip(1), static (a, b) => Stopwatch.GetElapsedTime(a, b).TotalMilliseconds).Order().ToArray();
            return new[] { gaps[gaps.Length / 2], gaps[gaps.Length * 99 / 100] };
        },
        more);

    private static double[] ScheduleAndCancel() => With(system =>
    {
        const int Timers = 1_000_000;
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < Timers; i++)
            system.Scheduler.ScheduleTellOnceCancelable(TimeSpan.FromMinutes(1), system.DeadLetters, Tick.Same, ActorRefs.NoSender).Cancel();
        var rate = Timers / clock.Elapsed.TotalSeconds / 1e6;
        return new[] { rate, Math.Max(0, GC.GetTotalMemory(forceFullCollection: true) - before) / (double)Timers };
    });

    private static double IdleCpu() => With(system =>
    {
        var process = Process.GetCurrentProcess();
        Thread.Sleep(500);
        process.Refresh();
        var before = process.TotalProcessorTime;
        var clock = Stopwatch.StartNew();
        Thread.Sleep(2000);
        process.Refresh();
        return (process.TotalProcessorTime - before) / clock.Elapsed * 100;
    });
}
