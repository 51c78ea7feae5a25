using System.Globalization;
using Akka.Actor;
using Akka.Configuration;
using Akka.Event;

namespace Tapwire;

/// <summary>The actor system of a lab: its actors run on the lab's loop, and its scheduler is the lab's time.</summary>
internal static class LabSystem
{
    /// <summary>All dispatchers are the loop; this is the one that is named.</summary>
    public const string Dispatcher = "akka.actor.default-dispatcher";

    private static readonly Config Config = ConfigurationFactory.ParseString("""
        akka {
          scheduler.implementation = "Tapwire.LabScheduler, Tapwire.Lab"
          loggers = []
          loglevel = WARNING
          stdout-loglevel = OFF
          log-config-on-start = off
          log-dead-letters = off
          log-dead-letters-during-shutdown = off
          coordinated-shutdown { exit-clr = off, run-by-clr-shutdown-hook = off, run-by-actor-system-terminate = off }
          actor {
            guardian-supervisor-strategy = "Akka.Actor.StoppingSupervisorStrategy"
            default-dispatcher.type = "Tapwire.LabDispatcherConfigurator, Tapwire.Lab"
            internal-dispatcher.type = "Tapwire.LabDispatcherConfigurator, Tapwire.Lab"
            default-mailbox.mailbox-type = "Tapwire.Actors.Dispatch.RingMailbox, Tapwire.Actors"
            mailbox.unbounded-deque-based.mailbox-type = "Tapwire.Actors.Dispatch.RingMailbox, Tapwire.Actors"
          }
        }
        """);

    public static ActorSystem Create(LabLoop loop, Action<string>? log)
    {
        LabScheduler.LoopOfNext = loop;
        try
        {
            var system = ActorSystem.Create("lab", Config);
            if (log is not null)
                system.EventStream.Subscribe(system.ActorOf(Props.Create(() => new LogActor(log, loop.Timers)), "log"), typeof(LogEvent));
            return system;
        }
        finally
        {
            LabScheduler.LoopOfNext = null;
        }
    }

    private sealed class LogActor(Action<string> log, LabTimers timers) : UntypedActor
    {
        protected override void OnReceive(object message)
        {
            if (message is LogEvent logged)
                log(string.Create(CultureInfo.InvariantCulture, $"{timers.Elapsed.TotalSeconds:0.000000} {logged.LogLevel()} {logged.LogSource}: {logged.Message}{(logged.Cause is { } cause ? $" {cause.Message}" : "")}"));
        }
    }
}
