namespace Tapwire.Tests.Actors.Support;

/// <summary>
/// The actor system of specs that are not live: time moves by the spec's hand (<see cref="VirtualScheduler"/>), every actor runs on the spec's own thread in the
/// order in which it got something to do (<see cref="SpecDispatcher"/>), and log events go to the spec's event filters.
/// </summary>
internal static class VirtualTime
{
    /// <summary>The id of the dispatcher to give to actors that need one; it shares its turns with all others of the system.</summary>
    public const string Dispatcher = "akka.actor.default-dispatcher";

    public const string Config = """
        akka {
          scheduler.implementation = "Tapwire.Tests.Actors.Support.VirtualScheduler, Tapwire.Tests"
          loglevel = WARNING
          loggers = ["Akka.TestKit.TestEventListener, Akka.TestKit"]
          logger-formatter = "Akka.Logger.Serilog.SerilogLogMessageFormatter, Akka.Logger.Serilog"
          actor {
            guardian-supervisor-strategy = "Akka.Actor.StoppingSupervisorStrategy"
            default-dispatcher.type = "Tapwire.Tests.Actors.Support.SpecDispatcherConfigurator, Tapwire.Tests"
            internal-dispatcher.type = "Tapwire.Tests.Actors.Support.SpecDispatcherConfigurator, Tapwire.Tests"
            default-mailbox.mailbox-type = "Tapwire.Actors.Dispatch.RingMailbox, Tapwire.Actors"
            mailbox.unbounded-deque-based.mailbox-type = "Tapwire.Actors.Dispatch.RingMailbox, Tapwire.Actors"
          }
          test.test-actor.dispatcher.type = "Tapwire.Tests.Actors.Support.SpecDispatcherConfigurator, Tapwire.Tests"
        }
        """;
}
