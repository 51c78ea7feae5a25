using Akka.Actor;
using Akka.Hosting;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Tapwire.Actors;
using Tapwire.Messages;
using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>Health checks for the host's <see cref="HealthCheckService"/>. The check of the actor system itself also has the tag <see cref="Liveness"/>.</summary>
internal static class ActorHealth
{
    /// <summary>The tag of checks whose failure only a restart repairs.</summary>
    public const string Liveness = "liveness";

    /// <summary>The tag of checks that tell whether applications are served.</summary>
    public const string Readiness = "readiness";

    // An actor answers within microseconds. One that takes this long is stuck.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Healthy while the actor with the registry's key exists and handles messages.</summary>
    public static AkkaConfigurationBuilder WithLivenessCheck<TKey>(this AkkaConfigurationBuilder builder, string name) =>
        builder.WithHealthCheck($"tapwire.{name}.liveness", (system, registry, cancel) => LivenessAsync<TKey>(name, system, registry, cancel), tags: [Liveness]);

    /// <summary>Healthy while the driver reports that wire, stacks, link and services are up.</summary>
    public static AkkaConfigurationBuilder WithDriverReadinessCheck(this AkkaConfigurationBuilder builder) =>
        builder.WithHealthCheck("tapwire.driver.readiness", ReadinessAsync, tags: [Readiness]);

    private static async Task<HealthCheckResult> LivenessAsync<TKey>(string name, ActorSystem system, IActorRegistry registry, CancellationToken cancel) =>
        await AskAsync<TKey, ActorIdentity>(new Identify(null), system, registry, cancel) switch
        {
            null => HealthCheckResult.Unhealthy($"The {name} actor does not answer."),
            { Subject: null } => HealthCheckResult.Unhealthy($"The {name} actor has ended."),
            _ => HealthCheckResult.Healthy($"The {name} actor runs."),
        };

    private static async Task<HealthCheckResult> ReadinessAsync(ActorSystem system, ActorRegistry registry, CancellationToken cancel)
    {
        // A dead actor would not answer the question below, which would then wait for its whole time-out.
        var alive = await LivenessAsync<DriverActor>("driver", system, registry, cancel);
        if (alive.Status != HealthStatus.Healthy)
            return alive;
        return await AskAsync<DriverActor, object>(WhenReady.Instance, system, registry, cancel) switch
        {
            DriverReady => HealthCheckResult.Healthy("The driver is ready."),
            DriverFailed failed => HealthCheckResult.Unhealthy(failed.Reason),
            _ => HealthCheckResult.Unhealthy("The driver is not ready yet."),
        };
    }

    /// <summary>Asks an actor; null if it does not answer in time.</summary>
    private static async Task<TAnswer?> AskAsync<TKey, TAnswer>(object question, ActorSystem system, IActorRegistry registry, CancellationToken cancel)
        where TAnswer : class
    {
        if (system.WhenTerminated.IsCompleted || !registry.TryGet<TKey>(out var actor))
            return null;
        try
        {
            return await actor.Ask<TAnswer>(question, Patience, cancel);
        }
        catch (AskTimeoutException)
        {
            return null;
        }
    }
}
