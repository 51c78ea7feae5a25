using System.Collections.Concurrent;
using Akka.Actor;
using Akka.Configuration;
using Xunit;

namespace Akka.Tests.Actor;

public class CoordinatedShutdownSpec
{
    private readonly ConcurrentQueue<string> _order = new();

    [Fact]
    public async Task Phases_run_in_the_order_of_their_dependencies()
    {
        var system = Start();
        var shutdown = CoordinatedShutdown.Get(system);
        Add(shutdown, CoordinatedShutdown.PhaseBeforeActorSystemTerminate, "last");
        Add(shutdown, CoordinatedShutdown.PhaseServiceStop, "middle");
        Add(shutdown, CoordinatedShutdown.PhaseBeforeServiceUnbind, "first");
        await shutdown.Run(CoordinatedShutdown.UnknownReason.Instance);
        Assert.Equal(["first", "middle", "last"], _order);
        Assert.True(system.WhenTerminated.IsCompleted);
        Assert.Same(CoordinatedShutdown.UnknownReason.Instance, shutdown.ShutdownReason);
    }

    [Fact]
    public async Task It_runs_once()
    {
        var shutdown = CoordinatedShutdown.Get(Start());
        Add(shutdown, CoordinatedShutdown.PhaseServiceStop, "once");
        await Task.WhenAll(
            shutdown.Run(CoordinatedShutdown.UnknownReason.Instance),
            shutdown.Run(CoordinatedShutdown.ClrExitReason.Instance));
        Assert.Equal(["once"], _order);
    }

    [Fact]
    public async Task Terminate_runs_it()
    {
        var system = Start();
        var shutdown = CoordinatedShutdown.Get(system);
        Add(shutdown, CoordinatedShutdown.PhaseServiceStop, "task");
        await system.Terminate();
        Assert.Equal(["task"], _order);
        Assert.Same(CoordinatedShutdown.ActorSystemTerminateReason.Instance, shutdown.ShutdownReason);
    }

    [Fact]
    public async Task Terminate_does_not_run_it_where_that_is_switched_off()
    {
        var system = Start("akka.coordinated-shutdown.run-by-actor-system-terminate = off");
        Add(CoordinatedShutdown.Get(system), CoordinatedShutdown.PhaseServiceStop, "task");
        await system.Terminate();
        Assert.Empty(_order);
    }

    [Fact]
    public async Task A_failed_task_does_not_hold_up_the_rest()
    {
        var shutdown = CoordinatedShutdown.Get(Start());
        shutdown.AddTask(CoordinatedShutdown.PhaseServiceUnbind, "fails", () => throw new ApplicationException("bang"));
        Add(shutdown, CoordinatedShutdown.PhaseServiceStop, "later");
        await shutdown.Run(CoordinatedShutdown.UnknownReason.Instance);
        Assert.Equal(["later"], _order);
    }

    [Fact]
    public async Task A_failed_task_ends_the_run_where_recovery_is_off()
    {
        var system = Start("akka.coordinated-shutdown.phases.service-unbind.recover = off");
        var shutdown = CoordinatedShutdown.Get(system);
        shutdown.AddTask(CoordinatedShutdown.PhaseServiceUnbind, "fails", () => throw new ArithmeticException("bang"));
        Add(shutdown, CoordinatedShutdown.PhaseServiceStop, "later");
        await Assert.ThrowsAnyAsync<Exception>(() => shutdown.Run(CoordinatedShutdown.UnknownReason.Instance));
        Assert.Empty(_order);
    }

    [Fact]
    public async Task A_task_that_takes_too_long_is_left_behind()
    {
        var shutdown = CoordinatedShutdown.Get(Start("akka.coordinated-shutdown.phases.service-unbind.timeout = 10ms"));
        shutdown.AddTask(CoordinatedShutdown.PhaseServiceUnbind, "never", () => new TaskCompletionSource<Done>().Task);
        Add(shutdown, CoordinatedShutdown.PhaseServiceStop, "later");
        await shutdown.Run(CoordinatedShutdown.UnknownReason.Instance);
        Assert.Equal(["later"], _order);
    }

    [Fact]
    public async Task It_can_begin_in_the_middle()
    {
        var shutdown = CoordinatedShutdown.Get(Start());
        Add(shutdown, CoordinatedShutdown.PhaseBeforeServiceUnbind, "skipped");
        Add(shutdown, CoordinatedShutdown.PhaseServiceStop, "run");
        await shutdown.Run(CoordinatedShutdown.UnknownReason.Instance, CoordinatedShutdown.PhaseServiceStop);
        Assert.Equal(["run"], _order);
    }

    [Fact]
    public async Task A_disabled_phase_is_left_out()
    {
        var shutdown = CoordinatedShutdown.Get(Start("akka.coordinated-shutdown.phases.service-stop.enabled = off"));
        Add(shutdown, CoordinatedShutdown.PhaseServiceStop, "disabled");
        Add(shutdown, CoordinatedShutdown.PhaseBeforeActorSystemTerminate, "run");
        await shutdown.Run(CoordinatedShutdown.UnknownReason.Instance);
        Assert.Equal(["run"], _order);
    }

    [Fact]
    public async Task An_unknown_phase_is_refused()
    {
        var system = Start();
        Assert.Throws<ConfigurationException>(() => Add(CoordinatedShutdown.Get(system), "no-such-phase", "task"));
        await system.Terminate();
    }

    [Fact]
    public void Running_on_terminate_without_terminating_is_refused() =>
        Assert.Throws<ConfigurationException>(() => Start("akka.coordinated-shutdown.terminate-actor-system = off"));

    private static ActorSystem Start(string config = "") =>
        ActorSystem.Create("sys", ConfigurationFactory.ParseString("akka.loglevel = ERROR\n" + config));

    private void Add(CoordinatedShutdown shutdown, string phase, string name) => shutdown.AddTask(phase, name, () =>
    {
        _order.Enqueue(name);
        return Task.FromResult(Done.Instance);
    });
}
