using System.Globalization;
using System.Reflection;
using System.Runtime.ExceptionServices;
using Akka.Actor;
using Akka.Configuration;
using Akka.Hosting;
using Akka.Logger.Serilog;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Serilog;
using Tapwire.Actors.Settings;

namespace Tapwire.Host;

/// <summary>
/// The generic host of the program's actors: their log, health and orderly stop. It reads no configuration of its own, prints nothing on standard output, and
/// leaves signals to <see cref="Interrupt"/>.
/// </summary>
internal static class ActorHost
{
    /// <summary>The shutdown phase for tasks of an orderly stop. It runs before the actor system ends, and lasts no longer than the patience given to the host.</summary>
    public const string StopPhase = CoordinatedShutdown.PhaseServiceUnbind;

    private const string LastPhase = CoordinatedShutdown.PhaseActorSystemTerminate;

    private static readonly TimeSpan Termination = TimeSpan.FromSeconds(10);

    // Each time-out exceeds the one within it by this margin, so that the innermost one expires first and names what hangs, and no outer one cuts an orderly step short.
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(5);

    /// <summary>Starts an actor system and its actors.</summary>
    /// <param name="config">The actor system's configuration.</param>
    /// <param name="patience">Longest duration of the tasks of <see cref="StopPhase"/>.</param>
    /// <param name="interrupt">Stops the host; null if only the caller does.</param>
    /// <param name="actors">Makes the actors and registers them.</param>
    /// <param name="startup">Completes when the actors are ready.</param>
    /// <param name="health">Adds health checks.</param>
    /// <exception cref="SettingsException">The actor system refuses its own settings, those below <c>akka</c>.</exception>
    public static async Task<IHost> StartAsync(string name, Config config, TimeSpan patience, Interrupt? interrupt,
        Action<ActorSystem, IActorRegistry> actors, Func<ActorSystem, IHostApplicationLifetime, Task> startup, Action<AkkaConfigurationBuilder> health)
    {
        // Akka.Hosting prints an exception of a starter with its stack trace. The exception is kept here instead, for the caller that starts the host.
        Exception? failure = null;
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true, ApplicationName = name });
        builder.Services.AddSerilog();
        builder.Services.AddHealthChecks();
        builder.Services.AddSingleton<IHostLifetime>(services => new HostLifetime(services.GetRequiredService<IHostApplicationLifetime>(), interrupt));
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = patience + Margin + Termination + Margin);
        builder.Services.AddAkka(name, (akka, services) =>
        {
            akka.ConfigureLoggers(loggers => loggers.AddSerilogLogging())
                .AddHocon(config, HoconAddMode.Prepend)
                .AddHocon(Shutdown(patience + Margin), HoconAddMode.Prepend)
                .WithActors((system, registry) => Try(() =>
                {
                    actors(system, registry);
                    return Task.CompletedTask;
                }))
                .AddStartup((system, _) => Try(() => startup(system, services.GetRequiredService<IHostApplicationLifetime>())))
                .WithActorSystemLivenessCheck();
            health(akka);
        });

        var host = builder.Build();
        try
        {
            CreateSystem(host);
            await host.StartAsync();
        }
        catch (Exception e)
        {
            failure = e;
        }

        if (failure is not null)
        {
            await StopQuietlyAsync(host);
            if (failure is ConfigurationException or FormatException or TargetInvocationException)
                throw Refused(failure);
            ExceptionDispatchInfo.Throw(failure);
        }

        return host;

        async Task Try(Func<Task> step)
        {
            try
            {
                if (failure is null)
                    await step();
            }
            catch (Exception e)
            {
                failure = e;
            }
        }
    }

    /// <summary>Completes when the host is asked to stop, before it has stopped.</summary>
    public static async Task WaitForShutdownAsync(IHost host)
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.Register(asked.SetResult))
            await asked.Task;
    }

    /// <summary>Stops everything in the host, in order, and then the host.</summary>
    public static async Task StopAsync(IHost host)
    {
        await host.StopAsync();
        await ((IAsyncDisposable)host).DisposeAsync();
    }

    /// <summary>Stops a host that has failed to start. A failure of the stop is dropped, because the first failure is the one to report.</summary>
    private static async Task StopQuietlyAsync(IHost host)
    {
        try
        {
            await StopAsync(host);
        }
        catch (Exception e)
        {
            Log.Debug(e, "What did not start did not stop in order, either");
        }
    }

    /// <summary>
    /// Makes the actor system before the host starts, because the host would log a failure with its stack trace. The actor system checks its settings here, and throws
    /// a different type of exception for each problem.
    /// </summary>
    private static void CreateSystem(IHost host)
    {
        try
        {
            var system = host.Services.GetRequiredService<ActorSystem>();
            // Constructing the extension checks the settings of its phases, too.
            CoordinatedShutdown.Get(system);
        }
        catch (Exception e)
        {
            throw Refused(e);
        }
    }

    private static SettingsException Refused(Exception e) =>
        new($"The actor system does not start: {e.GetBaseException().Message.TrimEnd().TrimEnd('.')}; correct what is set below akka.", e);

    /// <summary>
    /// Settings that take precedence over the user's: only the host decides when the actor system stops, and only the program when the process exits.
    /// </summary>
    private static Config Shutdown(TimeSpan stop) => ConfigurationFactory.ParseString(string.Create(CultureInfo.InvariantCulture, $$"""
        akka.coordinated-shutdown {
          exit-clr = off
          run-by-clr-shutdown-hook = off
          phases.{{StopPhase}}.timeout = {{stop.TotalMilliseconds:0}}ms
          phases.{{LastPhase}}.timeout = {{Termination.TotalMilliseconds:0}}ms
        }
        """));
}
