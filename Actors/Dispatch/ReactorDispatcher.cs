using Akka.Configuration;
using Akka.Dispatch;
using Akka.Event;
using Tapwire.Actors.Settings;
using Tapwire.Posix;

namespace Tapwire.Actors.Dispatch;

/// <summary>
/// A dispatcher whose one thread is an epoll loop: it runs mailboxes, and descriptors report to the same thread. A frame that makes a wire readable goes
/// through tap, stack and connection actors to the application's descriptor without waking another thread; an idle driver sleeps in epoll_wait. Named in
/// <c>akka.hocon</c>: <c>type = "Tapwire.Actors.Dispatch.ReactorDispatcherConfigurator, Tapwire.Actors"</c>.
/// </summary>
public sealed class ReactorDispatcher : OrderedDispatcher
{
    private static readonly Action<object?> RunMailbox = static run => ((IRunnable)run!).Run();

    internal ReactorDispatcher(MessageDispatcherConfigurator configurator, Reactor reactor)
        : base(configurator)
    {
        Reactor = reactor;
        Throughput = configurator.Config.GetInt("throughput", 64);
    }

    /// <summary>The loop, for actors that watch descriptors. It ends with the actor system.</summary>
    public Reactor Reactor { get; }

    /// <inheritdoc/>
    public override void Post(Action<object?> work, object? state) => Reactor.TryPost(work, state);

    /// <summary>Posts a mailbox to the loop. After the loop has ended, with the actor system, nothing runs any more.</summary>
    protected override void ExecuteTask(IRunnable run) => Reactor.TryPost(RunMailbox, run);

    /// <summary>The last actor has gone; the loop stays idle for the next one.</summary>
    protected override void Shutdown()
    {
    }
}

/// <summary>
/// Makes the one <see cref="ReactorDispatcher"/> of a configuration section. Keys: <c>throughput</c> (messages an actor handles before another has its turn),
/// <c>spin</c> (how long the idle loop looks for work before it sleeps; 0 sleeps at once).
/// </summary>
public sealed class ReactorDispatcherConfigurator : MessageDispatcherConfigurator
{
    private readonly ReactorDispatcher _dispatcher;

    public ReactorDispatcherConfigurator(Config config, IDispatcherPrerequisites prerequisites)
        : base(config, prerequisites)
    {
        var system = prerequisites.Settings.System;
        var id = config.GetString("id", "reactor");
        var log = Logging.GetLogger(system, typeof(ReactorDispatcher));
        // Akka.NET's own durations have no unit "us".
        if (!Duration.TryParse(config.GetString("spin", "0"), out var spin))
            throw new ConfigurationException($"{id}.spin is \"{config.GetString("spin")}\"; it must be a time, as in 30us.");
        var reactor = new Reactor($"{system.Name}-{id}", cause => log.Error(cause, "Work on the reactor {DispatcherId} failed", id), spin);
        _dispatcher = new ReactorDispatcher(this, reactor);
        system.RegisterOnTermination(reactor.Dispose);
    }

    public override MessageDispatcher Dispatcher() => _dispatcher;
}
