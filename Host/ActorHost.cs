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
/// The generic host that the program's actors run in: their log, their health, and their orderly stop. It reads no configuration of its own, says nothing on
/// standard output, and leaves signals to <see cref="Interrupt"/>.
/// </summary>
internal static class ActorHost
{
    /// <summary>Where an orderly stop belongs: before the actor system ends, for as long as the host was told.</summary>
    public const string StopPhase = CoordinatedShutdown.PhaseServiceUnbind;

    private const string LastPhase = CoordinatedShutdown.PhaseActorSystemTerminate;

    private static readonly TimeSpan Termination = TimeSpan.FromSeconds(10);

    // Every time-out is that much longer than the one within it, so that the innermost tells what hangs, and none cuts short what is in order.
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(5);

    /// <summary>Starts an actor system and its actors.</summary>
    /// <param name="config">The actor system's.</param>
    /// <param name="patience">How long the tasks of <see cref="StopPhase"/> may take.</param>
    /// <param name="interrupt">What stops the host; null if the caller alone does.</param>
    /// <param name="actors">Makes the actors, and enters them in the registry.</param>
    /// <param name="startup">Ends when they can work.</param>
    /// <param name="health">Adds what tells whether they still can.</param>
    /// <exception cref="SettingsException">The runtime's own settings, below <c>akka</c>, are not what the runtime accepts.</exception>
    public static async Task<IHost> StartAsync(string name, Config config, TimeSpan patience, Interrupt? interrupt,
        Action<ActorSystem, IActorRegistry> actors, Func<ActorSystem, IHostApplicationLifetime, Task> startup, Action<AkkaConfigurationBuilder> health)
    {
        // What a starter throws, Akka.Hosting prints with its trace. It is kept here instead, for whoever starts the host.
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

    /// <summary>Ends when the host is asked to stop; it has not stopped then.</summary>
    public static async Task WaitForShutdownAsync(IHost host)
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.Register(asked.SetResult))
            await asked.Task;
    }

    /// <summary>Stops what runs in the host, in order, and then the host.</summary>
    public static async Task StopAsync(IHost host)
    {
        await host.StopAsync();
        await ((IAsyncDisposable)host).DisposeAsync();
    }

    /// <summary>What has failed to start may fail to stop; the first of both is the one to be told.</summary>
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

    /// <summary>Before the host starts, since that would log a failure with its trace. The runtime judges its settings here, each with an exception of its own kind.</summary>
    private static void CreateSystem(IHost host)
    {
        try
        {
            var system = host.Services.GetRequiredService<ActorSystem>();
            // Its phases are settings, too.
            CoordinatedShutdown.Get(system);
        }
        catch (Exception e)
        {
            throw Refused(e);
        }
    }

    private static SettingsException Refused(Exception e) =>
        new($"The actor system does not start: {e.GetBaseException().Message.TrimEnd().TrimEnd('.')}; correct what is set below akka.", e);

    /// <summary>The host alone decides when the actor system stops, and the program when it exits: this goes before what users set.</summary>
    private static Config Shutdown(TimeSpan stop) => ConfigurationFactory.ParseString(string.Create(CultureInfo.InvariantCulture, $$"""
        akka.coordinated-shutdown {
          exit-clr = off
          run-by-clr-shutdown-hook = off
          phases.{{StopPhase}}.timeout = {{stop.TotalMilliseconds:0}}ms
          phases.{{LastPhase}}.timeout = {{Termination.TotalMilliseconds:0}}ms
        }
        """));
}
