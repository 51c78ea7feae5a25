using System.Diagnostics;
using Akka.Actor.Internal;
using Akka.Actor.Setup;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Event;

namespace Akka.Actor;

/// <summary>A tree of actors with what they share: dispatchers, scheduler, event stream, settings. One per application, as a rule.</summary>
public abstract class ActorSystem : IActorRefFactory, IDisposable
{
    private readonly long _created = Stopwatch.GetTimestamp();

    public abstract string Name { get; }

    public abstract Settings Settings { get; }

    public abstract ILoggingAdapter Log { get; }

    public abstract EventStream EventStream { get; }

    public abstract IActorRef DeadLetters { get; }

    /// <summary>Takes every message and does nothing.</summary>
    public abstract IActorRef IgnoreRef { get; }

    public abstract Dispatchers Dispatchers { get; }

    public abstract Mailboxes Mailboxes { get; }

    public abstract IScheduler Scheduler { get; }

    /// <summary>Done once the system has stopped and what was registered for that has run.</summary>
    public abstract Task WhenTerminated { get; }

    /// <summary>When the system started, as time since 1970 in UTC.</summary>
    public TimeSpan StartTime { get; } = TimeSpan.FromMilliseconds(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());

    public TimeSpan Uptime => Stopwatch.GetElapsedTime(_created);

    public static ActorSystem Create(string name, Config config) => Start(name, config, ActorSystemSetup.Empty);

    public static ActorSystem Create(string name, BootstrapSetup setup) => Create(name, ActorSystemSetup.Create(setup));

    public static ActorSystem Create(string name, ActorSystemSetup setup)
    {
        var bootstrap = setup.Get<BootstrapSetup>();
        var config = bootstrap.FlatSelect(static b => b.Config).GetOrElse(null) ?? ConfigurationFactory.Load();
        return Start(name, config, setup);
    }

    public static ActorSystem Create(string name) => Create(name, ActorSystemSetup.Empty);

    public abstract object GetExtension(IExtensionId extensionId);

    public abstract T GetExtension<T>() where T : class, IExtension;

    public abstract bool HasExtension(Type type);

    public abstract bool HasExtension<T>() where T : class, IExtension;

    public abstract bool TryGetExtension(Type extensionType, out object extension);

    public abstract bool TryGetExtension<T>(out T extension) where T : class, IExtension;

    public abstract object RegisterExtension(IExtensionId extension);

    /// <summary>Runs code after all actors have stopped; what was registered last runs first.</summary>
    /// <exception cref="Exception">The system has stopped already.</exception>
    public abstract void RegisterOnTermination(Action code);

    /// <summary>Stops the system, by a coordinated shutdown unless that is switched off.</summary>
    /// <returns><see cref="WhenTerminated"/>.</returns>
    public abstract Task Terminate();

    public abstract void Stop(IActorRef actor);

    public abstract IActorRef ActorOf(Props props, string name = null);

    public abstract ActorSelection ActorSelection(ActorPath actorPath);

    public abstract ActorSelection ActorSelection(string actorPath);

    /// <summary>Begins to stop the system; does not wait.</summary>
    public void Dispose()
    {
        Terminate();
        GC.SuppressFinalize(this);
    }

    private static ActorSystem Start(string name, Config config, ActorSystemSetup setup)
    {
        var system = new ActorSystemImpl(name, config, setup);
        system.Start();
        return system;
    }
}

/// <summary>An actor system as extensions see it.</summary>
public abstract class ExtendedActorSystem : ActorSystem
{
    public abstract IActorRefProvider Provider { get; }

    /// <summary>/user</summary>
    public abstract IInternalActorRef Guardian { get; }

    /// <summary>/system</summary>
    public abstract IInternalActorRef SystemGuardian { get; }

    /// <summary>Where relative selections of the system begin.</summary>
    public abstract IInternalActorRef LookupRoot { get; }

    public abstract IActorRef SystemActorOf(Props props, string name = null);

    public abstract IActorRef SystemActorOf<TActor>(string name = null) where TActor : ActorBase, new();

    /// <summary>Stops the system at once, without coordinated shutdown.</summary>
    public abstract void Abort();

    /// <summary>The tree of actors as text.</summary>
    public abstract string PrintTree();
}
