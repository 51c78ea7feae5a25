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
using Tapwire.Actors.Guests;
using Tapwire.Actors.Proxy;
using Tapwire.Actors.Services.Page;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Wires;
using Tapwire.Wires.Offload;
using Tapwire.Posix;
using Tapwire.Stack.Forwarding;

namespace Tapwire.Host;

/// <summary>One driver, with a host of its own, from its start to its orderly stop.</summary>
internal sealed class RunningDriver : IAsyncDisposable
{
    public const string DispatcherId = ShardDispatchers.First;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan FiguresPatience = TimeSpan.FromSeconds(2);

    // Somebody who looks into the log has to find there what it is, within a minute.
    private static readonly TimeSpan WatchEvery = TimeSpan.FromSeconds(5);

    // The parts of a driver have time-outs of their own, which add up.
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

    /// <summary>The host's services: actor system, actor registry, health checks.</summary>
    public IServiceProvider Services => _host.Services;

    public ActorSystem System => Services.GetRequiredService<ActorSystem>();

    public DriverReady Ready { get; }

    /// <summary>Completes when the driver has ended: by <see cref="StopAsync"/>, or by a failure.</summary>
    public Task Ended { get; }

    /// <summary>
    /// Starts a driver, which owns wires, link and ports from now on, even if the start fails. If the settings say so, offloads that a
    /// wire's device lacks are done in software.
    /// </summary>
    /// <param name="wires">For each of <see cref="DriverSettings.AllInterfaces"/>, in the same order, the queues of its wire, one for each shard.</param>
    /// <param name="open">Opens a queue of an interface's wire, to reopen it or for an interface that is added later.</param>
    /// <param name="interrupt">Asks the driver to stop; null if only the caller does. See <see cref="WaitForShutdownAsync"/>.</param>
    /// <param name="capture">A capture that begins with the driver; null: none.</param>
    /// <param name="operate">What it does when an operator asks over the link; null: it refuses.</param>
    /// <param name="pageToken"><inheritdoc cref="DriverContext.PageToken" path="/summary"/></param>
    /// <exception cref="CommandFailedException">The driver does not come up; the message says why.</exception>
    public static async Task<RunningDriver> StartAsync(string name, Config config, DriverSettings settings, IReadOnlyList<IReadOnlyList<IWire>> wires, Func<InterfaceSettings, IWire> open,
        LinkListener? link,
        BufferPool pool, byte[]? secret = null, IReadOnlyList<HostPort>? hostPorts = null, Interrupt? interrupt = null, StartCapture? capture = null, Action<DriverOperation>? operate = null,
        PageToken? pageToken = null)
    {
        hostPorts ??= [];
        var queues = wires.Zip(settings.AllInterfaces, (wire, of) => wire.Select(queue => QueueOf(queue, of)).ToList()).ToList();
        var patience = new StopPatience(settings.ShutdownTimeout);
        IActorRef driver = ActorRefs.Nobody;
        DriverReady? ready = null;
        try
        {
            var host = await ActorHost.StartAsync(name, ShardDispatchers.With(config, settings.Shards), StopPatience.Longest, interrupt, Create, WaitUntilReadyAsync,
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
            capture?.Output.Dispose();
            throw;
        }

        IWire Offloading(IWire device) => settings.Tap.SoftwareOffload ? SoftwareOffloadWire.Over(device, pool) : device;

        DriverWire QueueOf(IWire queue, InterfaceSettings of) => new(Offloading(queue), () => Offloading(open(of)));

        void Create(ActorSystem system, IActorRegistry registry)
        {
            var shards = Enumerable.Range(0, settings.Shards).Select(i =>
                new DriverShard([.. queues.Select(wire => wire[i])], ReactorOf(system, ShardDispatchers.Of(i)), ShardDispatchers.Of(i)));
            var context = new DriverContext(settings, [.. shards], link, pool, TimeProvider.System, secret ?? RandomNumberGenerator.GetBytes(32))
            {
                HostPorts = hostPorts,
                Capture = capture,
                Operate = operate,
                PageToken = pageToken,
                HostKey = HostKey.Read() ?? RandomNumberGenerator.GetBytes(DriverContext.HostKeyLength),
                OpenWires = added => [.. OpenAll(settings.Shards, () => open(added)).Select(queue => QueueOf(queue, added))],
                Descriptors = DescriptorsLeft(),
                Refusals = static () => new DescriptorRefusals(OpenFileLimit.OfProcess.Refused, OpenFileLimit.OfProcess.SinceRefusal, OpenFileLimit.OfProcess.Limit),
                WatchEvery = WatchEvery,
                Memory = new MemoryWatch(new HeapLimit(MemoryLimit.OfProcess, pool).Left, MemoryLimit.OfProcess.Bytes),
            };
            driver = system.ActorOf(DriverActor.Props(context), "driver");
            registry.Register<DriverActor>(driver);
        }

        async Task WaitUntilReadyAsync(ActorSystem system, IHostApplicationLifetime application)
        {
            var ended = driver.WatchAsync();
            ready = await ReadyAsync(driver, ended);
            Logging.GetLogger(system, typeof(RunningDriver)).Info("The driver is up: {Interfaces}", settings.InterfaceSummary);
            CoordinatedShutdown.Get(system).AddTask(ActorHost.StopPhase, "stop-driver", () => StopInOrderAsync(system, driver, patience));
            _ = ended.ContinueWith(_ => application.StopApplication(), TaskScheduler.Default);
        }
    }

    public Task<T> AskStack<T>(object question) => Ready.Stack.Ask<T>(question, Patience);

    /// <summary>The driver's status.</summary>
    /// <exception cref="CommandFailedException">The driver is stopping, or does not answer.</exception>
    public Task<DriverStatus> StatusAsync(CancellationToken cancel = default) => AskAsync<DriverStatus>(GetStatus.Instance, Patience, cancel);

    /// <summary>The driver's status without its sockets, for a collector: its thread has nothing else to do than to wait for a short time.</summary>
    /// <returns>Null: the driver is stopping, or does not answer.</returns>
    public DriverStatus? Figures()
    {
        try
        {
            return AskAsync<DriverStatus>(GetStatus.Figures, FiguresPatience, CancellationToken.None).GetAwaiter().GetResult();
        }
        catch (CommandFailedException)
        {
            return null;
        }
    }

    /// <summary>True if the driver and all actors that it asks for their status answer.</summary>
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

    /// <summary>Gives a running driver other settings. The driver refuses while a previous change is in progress.</summary>
    /// <param name="users">Ids of the users that the settings name.</param>
    /// <exception cref="CommandFailedException">The driver is stopping, is busy, or does not answer.</exception>
    public async Task<Reconfigured> ReconfigureAsync(DriverSettings settings, IReadOnlyCollection<uint> users, CancellationToken cancel = default)
    {
        var done = await AskAsync<Reconfigured>(new Reconfigure(settings, users), LongestChange, cancel);
        _patience.ShutdownTimeout = done.Settings.ShutdownTimeout;
        return done;
    }

    /// <summary>Has the driver serve a host at the other end of a wire, until one of both ends.</summary>
    /// <param name="wire">A raw IP wire; the driver's from now on.</param>
    /// <exception cref="CommandFailedException">The driver refuses, or does not answer.</exception>
    public async Task AddGuestAsync(IWire wire, GuestAddresses addresses)
    {
        var answer = await AskAsync<GuestAnswer>(new AddGuest(wire, addresses, ActorRefs.Nobody, Environment.ProcessId), Patience, CancellationToken.None);
        if (answer.Error != 0)
            throw new CommandFailedException(answer.Reason);
    }

    /// <summary>Has a port of the driver's lead to the guest that was added last.</summary>
    /// <exception cref="CommandFailedException">The driver refuses, or does not answer.</exception>
    public async Task PublishAsync(PublishSpec spec)
    {
        var answer = await AskAsync<GuestAnswer>(new PublishPort(spec, ActorRefs.Nobody), Patience, CancellationToken.None);
        if (answer.Error != 0)
            throw new CommandFailedException(answer.Reason);
    }

    /// <summary>Completes when the driver is to stop: on an interrupt, or after it has ended by itself.</summary>
    public Task WaitForShutdownAsync() => ActorHost.WaitForShutdownAsync(_host);

    /// <summary>Stops in order: applications see the end of their streams, TCP sends FIN or RST, and the wire closes last.</summary>
    public Task StopAsync() => _stopped ??= ActorHost.StopAsync(_host);

    public async ValueTask DisposeAsync() => await StopAsync();

    /// <summary>Opens the given number of queues of a wire, or none.</summary>
    /// <exception cref="WireException">A queue does not open.</exception>
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

    /// <exception cref="SettingsException">The dispatcher has no reactor.</exception>
    internal static IReactor ReactorOf(ActorSystem system, string dispatcher) => ShardDispatchers.ReactorOf(system, dispatcher)
        ?? throw new SettingsException($"{DispatcherId}.type must be \"Tapwire.Actors.Dispatch.ReactorDispatcherConfigurator, Tapwire.Actors\".");

    private static DescriptorRoom DescriptorsLeft()
    {
        var limit = OpenFileLimit.OfProcess;
        return new DescriptorRoom(Math.Max(limit.Ceiling - OpenFileLimit.Used(), 0), limit.Limit);
    }

    private static async Task<DriverReady> ReadyAsync(IActorRef driver, Task ended)
    {
        const string NoAnswer = "The driver does not come up; the log says why.";
        var answer = driver.Ask<object>(WhenReady.Instance, Patience);
        // An actor that has ended does not answer. It has logged the reason.
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

    /// <summary>The time-out of a stop: the driver's shutdown time-out, which changes with its settings, and a margin for final frames and closing.</summary>
    private sealed class StopPatience(TimeSpan shutdownTimeout)
    {
        /// <summary>The longest possible time-out. The host needs it, because the host's own time-out does not change.</summary>
        public static TimeSpan Longest => DriverSettings.LongestShutdownTimeout + Patience;

        public TimeSpan ShutdownTimeout { get; set; } = shutdownTimeout;

        public TimeSpan Now => ShutdownTimeout + Patience;
    }
}
