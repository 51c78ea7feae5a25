using Akka.Actor;
using Tapwire.Actors.Dispatch;

namespace Tapwire;

/// <summary>Where drivers are started.</summary>
public static class TapwireStart
{
    extension(TapwireNetwork)
    {
        /// <summary>Starts a driver in this process, in an actor system of its own.</summary>
        /// <inheritdoc cref="TapwireDriver.StartAsync(TapwireOptions, CancellationToken)"/>
        public static Task<TapwireDriver> StartAsync(TapwireOptions options, CancellationToken cancellationToken = default) => TapwireDriver.StartAsync(options, cancellationToken);
    }

    /// <summary>Tapwire in an actor system of the program's own.</summary>
    public static TapwireExtension Tapwire(this ActorSystem system)
    {
        ArgumentNullException.ThrowIfNull(system);
        return system.WithExtension<TapwireExtension, TapwireExtensionProvider>();
    }
}

/// <summary>Tapwire in an actor system of the program's own: <c>system.Tapwire().StartAsync(...)</c>. The system's own scheduler times the stack; the one of <c>akka.hocon</c> keeps a millisecond, Akka.NET's
/// default ten.</summary>
public sealed class TapwireExtension : IExtension
{
    private readonly ExtendedActorSystem _system;
    private readonly Lock _gate = new();
    private int _shards;

    internal TapwireExtension(ExtendedActorSystem system) => _system = system;

    /// <summary>Starts a driver in this actor system. Dispose it before the system ends, so that its connections end in order.</summary>
    /// <exception cref="TapwireException">It does not come up. The message says why, in one line.</exception>
    public async Task<TapwireDriver> StartAsync(TapwireOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var (config, settings) = OptionSettings.Of(options);
        lock (_gate)
        {
            // Only the driver's own section: what is below akka is the program's.
            if (settings.Shards > _shards)
                _system.Settings.InjectTopLevelFallback(ShardDispatchers.With(config, settings.Shards).GetValue("tapwire").AtKey("tapwire"));
            _shards = Math.Max(_shards, settings.Shards);
        }

        var (driver, ready) = await DriverStart.RunAsync(_system, options.Name, settings, options, cancellationToken).ConfigureAwait(false);
        return new TapwireDriver(_system, ownsSystem: false, driver, ready, settings.ShutdownTimeout);
    }
}

/// <summary>Makes the <see cref="TapwireExtension"/> of an actor system.</summary>
public sealed class TapwireExtensionProvider : ExtensionIdProvider<TapwireExtension>
{
    /// <inheritdoc/>
    public override TapwireExtension CreateExtension(ExtendedActorSystem system) => new(system);
}
