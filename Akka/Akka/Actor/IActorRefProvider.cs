using Akka.Actor.Internal;
using Akka.Annotations;

namespace Akka.Actor;

/// <summary>Makes and finds the handles of an actor system.</summary>
public interface IActorRefProvider
{
    /// <summary>The root of the tree.</summary>
    IInternalActorRef RootGuardian { get; }

    /// <summary>/user</summary>
    LocalActorRef Guardian { get; }

    /// <summary>/system</summary>
    LocalActorRef SystemGuardian { get; }

    IActorRef DeadLetters { get; }

    IActorRef IgnoreRef { get; }

    ActorPath RootPath { get; }

    Settings Settings { get; }

    Deployer Deployer { get; }

    /// <summary>/temp</summary>
    IInternalActorRef TempContainer { get; }

    /// <summary>Done once the root guardian has stopped.</summary>
    Task TerminationTask { get; }

    Address DefaultAddress { get; }

    void Init(ActorSystemImpl system);

    /// <summary>A new path below /temp.</summary>
    ActorPath TempPath();

    IActorRef RootGuardianAt(Address address);

    void RegisterTempActor(IInternalActorRef actorRef, ActorPath path);

    void UnregisterTempActor(ActorPath path);

    /// <summary>Makes an actor; it has not started yet.</summary>
    IInternalActorRef ActorOf(
        ActorSystemImpl system,
        Props props,
        IInternalActorRef supervisor,
        ActorPath path,
        bool systemService,
        Deploy deploy,
        bool lookupDeploy,
        bool async);

    /// <summary>The actor at a path, or one that is not there.</summary>
    IActorRef ResolveActorRef(string path);

    /// <inheritdoc cref="ResolveActorRef(string)"/>
    IActorRef ResolveActorRef(ActorPath actorPath);

    Address GetExternalAddressFor(Address address);

    [InternalApi]
    FutureActorRef<T> CreateFutureRef<T>(TaskCompletionSource<T> tcs);
}
