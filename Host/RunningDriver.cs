using System.Security.Cryptography;
using Akka;
using Akka.Actor;
using Akka.Configuration;
using Akka.Event;
using Akka.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Tapwire.Actors;
using Tapwire.Actors.Dispatch;
using Tapwire.Actors.Proxy;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Wires;
using Tapwire.Wires.Offload;
using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>One driver in a host of its own, from its start to its orderly stop.</summary>
internal sealed class RunningDriver : IAsyncDisposable
{
    public const string DispatcherId = $"{Root}.{DispatcherKey}";

    private const string Root = "tapwire";
    private const string DispatcherKey = "dispatcher";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    // Its parts have their own, one after the other.
    private static readonly TimeSpan LongestChange = TimeSpan.FromMinutes(2);

    private readonly IHost _host;
    private readonly IActorRef _driver;
    private readonly StopPatience _patience;
    private Task? _stopped;

    private RunningDriver(IHost host, IActorRef driver, DriverReady ready, StopPatience patience)
    {
        _patience = patience;
        _host = host;
        _driver = driver;
        Ready = ready;
        Ended = driver.WatchAsync();
    }

    /// <summary>The host's: actor system, registry of actors, health checks.</summary>
    public IServiceProvider Services => _host.Services;

    public ActorSystem System => Services.GetRequiredService<ActorSystem>();

    public DriverReady Ready { get; }

    /// <summary>Ends when the driver has: by <see cref="StopAsync"/>, or because it failed.</summary>
    public Task Ended { get; }

    /// <summary>Starts a driver. Wires, link and ports are its own from now on, also when it does not start. What the wires' device does not offload is done in
    /// software, if the settings have it so.</summary>
    /// <param name="wires">Of each of <see cref="DriverSettings.AllInterfaces"/>, in that order, the queues of its wire, as many as the settings have shards.</param>
    /// <param name="open">Opens a queue of an interface's wire: again, or of one that comes while the driver runs.</param>
    /// <param name="interrupt">What asks it to stop; null if the caller alone does. See <see cref="WaitForShutdownAsync"/>.</param>
    /// <exception cref="CommandFailedException">It does not come up, and why.</exception>
    public static async Task<RunningDriver> StartAsync(string name, Config config, DriverSettings settings, IReadOnlyList<IReadOnlyList<IWire>> wires, Func<InterfaceSettings, IWire> open,
        LinkListener? link,
        BufferPool pool, byte[]? secret = null, IReadOnlyList<HostPort>? hostPorts = null, Interrupt? interrupt = null)
    {
        hostPorts ??= [];
        var queues = wires.Zip(settings.AllInterfaces, (wire, of) => wire.Select(queue => QueueOf(queue, of)).ToList()).ToList();
        var patience = new StopPatience(settings.ShutdownTimeout);
        IActorRef driver = ActorRefs.Nobody;
        DriverReady? ready = null;
        try
        {
            var host = await ActorHost.StartAsync(name, WithDispatchers(config, settings.Shards), StopPatience.Longest, interrupt, Create, WaitUntilReadyAsync,
                akka => akka.WithLivenessCheck<DriverActor>("driver").WithDriverReadinessCheck());
            return new RunningDriver(host, driver, ready!, patience);
        }
        catch
        {
            foreach (var queue in queues.SelectMany(static wire => wire))
                queue.Wire.Dispose();
            link?.Dispose();
            foreach (var port in hostPorts)
                port.Dispose();
            throw;
        }

        IWire Offloading(IWire device) => settings.Tap.SoftwareOffload ? SoftwareOffloadWire.Over(device, pool) : device;

        DriverWire QueueOf(IWire queue, InterfaceSettings of) => new(Offloading(queue), () => Offloading(open(of)));

        void Create(ActorSystem system, IActorRegistry registry)
        {
            var shards = Enumerable.Range(0, settings.Shards).Select(i =>
                new DriverShard([.. queues.Select(wire => wire[i])], ReactorOf(system, DispatcherOf(i)), DispatcherOf(i)));
            var context = new DriverContext(settings, [.. shards], link, pool, TimeProvider.System, secret ?? RandomNumberGenerator.GetBytes(32))
            {
                HostPorts = hostPorts,
                OpenWires = added => [.. OpenAll(settings.Shards, () => open(added)).Select(queue => QueueOf(queue, added))],
                Descriptors = DescriptorsLeft(),
                Memory = new MemoryWatch(new HeapLimit(MemoryLimit.OfProcess, pool).Left, MemoryLimit.OfProcess.Bytes),
            };
            driver = system.ActorOf(DriverActor.Props(context), "driver");
            registry.Register<DriverActor>(driver);
        }

        async Task WaitUntilReadyAsync(ActorSystem system, IHostApplicationLifetime application)
        {
            var ended = driver.WatchAsync();
            ready = await ReadyAsync(driver, ended);
            CoordinatedShutdown.Get(system).AddTask(ActorHost.StopPhase, "stop-driver", () => StopInOrderAsync(system, driver, patience));
            _ = ended.ContinueWith(_ => application.StopApplication(), TaskScheduler.Default);
        }
    }

    public Task<T> AskStack<T>(object question) => Ready.Stack.Ask<T>(question, Patience);

    /// <summary>How the driver is.</summary>
    /// <exception cref="CommandFailedException">It stops, or does not answer.</exception>
    public Task<DriverStatus> StatusAsync(CancellationToken cancel = default) => AskAsync<DriverStatus>(GetStatus.Instance, Patience, cancel);

    /// <summary>Whether the driver, with all the actors that it asks, still answers.</summary>
    public async Task<bool> AnswersAsync(CancellationToken cancel)
    {
        try
        {
            await StatusAsync(cancel);
            return true;
        }
        catch (Exception e) when (e is CommandFailedException or OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Gives a driver that runs other settings. One that is told so before the last has been done refuses.</summary>
    /// <param name="users">The ids of the users that the settings name.</param>
    /// <exception cref="CommandFailedException">It stops, is busy, or does not answer.</exception>
    public async Task<Reconfigured> ReconfigureAsync(DriverSettings settings, IReadOnlyCollection<uint> users, CancellationToken cancel = default)
    {
        var done = await AskAsync<Reconfigured>(new Reconfigure(settings, users), LongestChange, cancel);
        _patience.ShutdownTimeout = done.Settings.ShutdownTimeout;
        return done;
    }

    /// <summary>Ends when the driver is to stop: somebody interrupts it, or it has ended by itself.</summary>
    public Task WaitForShutdownAsync() => ActorHost.WaitForShutdownAsync(_host);

    /// <summary>Applications see the end of their streams, TCP gets FIN or RST, the wire closes last.</summary>
    public Task StopAsync() => _stopped ??= ActorHost.StopAsync(_host);

    public async ValueTask DisposeAsync() => await StopAsync();

    /// <summary>Opens that many queues of a wire, or none.</summary>
    /// <exception cref="WireException">One does not open.</exception>
    internal static IReadOnlyList<IWire> OpenAll(int count, Func<IWire> open)
    {
        var wires = new List<IWire>();
        try
        {
            while (wires.Count < count)
                wires.Add(open());
            return wires;
        }
        catch
        {
            foreach (var wire in wires)
                wire.Dispose();
            throw;
        }
    }

    /// <exception cref="SettingsException">The dispatcher is not one that has a reactor.</exception>
    internal static IReactor ReactorOf(ActorSystem system, string dispatcher) => system.Dispatchers.Lookup(dispatcher) is ReactorDispatcher found
        ? found.Reactor
        : throw new SettingsException($"{DispatcherId}.type must be \"Tapwire.Actors.Dispatch.ReactorDispatcherConfigurator, Tapwire.Actors\".");

    private static DescriptorRoom DescriptorsLeft()
    {
        var limit = OpenFileLimit.OfProcess;
        return new DescriptorRoom(Math.Max(limit.Ceiling - OpenFileLimit.Used(), 0), limit.Limit);
    }

    /// <summary>The first shard's dispatcher is the one that is set; each further one has one of its own like it.</summary>
    private static string DispatcherOf(int shard) => shard == 0 ? DispatcherId : $"{DispatcherId}-shard{shard}";

    private static Config WithDispatchers(Config config, int shards)
    {
        for (var i = 1; i < shards; i++)
            config = config.WithFallback(config.GetValue(DispatcherId).AtKey($"{DispatcherKey}-shard{i}").Root.AtKey(Root));
        return config;
    }

    private static async Task<DriverReady> ReadyAsync(IActorRef driver, Task ended)
    {
        const string NoAnswer = "The driver does not come up; the log says why.";
        var answer = driver.Ask<object>(WhenReady.Instance, Patience);
        // An actor that has ended answers nothing; why, it has said before.
        if (await Task.WhenAny(answer, ended) == ended && !answer.IsCompleted)
            throw new CommandFailedException(NoAnswer);
        try
        {
            return await answer switch
            {
                DriverReady ready => ready,
                DriverFailed failed => throw new CommandFailedException(failed.Reason),
                var other => throw new CommandFailedException($"Unexpected answer {other}."),
            };
        }
        catch (AskTimeoutException e)
        {
            throw new CommandFailedException(NoAnswer, e);
        }
    }

    private async Task<T> AskAsync<T>(object question, TimeSpan patience, CancellationToken cancel)
    {
        try
        {
            return await _driver.Ask<T>(question, patience, cancel);
        }
        catch (Exception e) when (e is AskTimeoutException or InvalidOperationException)
        {
            throw new CommandFailedException(e is AskTimeoutException ? "The driver does not answer." : e.Message, e);
        }
    }

    private static async Task<Done> StopInOrderAsync(ActorSystem system, IActorRef driver, StopPatience patience)
    {
        if (!await driver.GracefulStop(patience.Now, StopDriver.Instance))
            system.Log.Warning("The driver did not stop in order within {Patience}", patience.Now);
        return Done.Instance;
    }

    /// <summary>How long a stop may take: the driver's own patience, which changes with its settings, and time enough for last words and for closing everything.</summary>
    private sealed class StopPatience(TimeSpan shutdownTimeout)
    {
        /// <summary>What the host, whose patience does not change, has to allow.</summary>
        public static TimeSpan Longest => DriverSettings.LongestShutdownTimeout + Patience;

        public TimeSpan ShutdownTimeout { get; set; } = shutdownTimeout;

        public TimeSpan Now => ShutdownTimeout + Patience;
    }
}
