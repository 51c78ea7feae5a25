using System.Security.Cryptography;
using Akka.Actor;
using Akka.Configuration;
using Akka.Event;
using Tapwire.Actors;
using Tapwire.Actors.Dispatch;
using Tapwire.Actors.Proxy;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Wires;
using Tapwire.Wires.Offload;

namespace Tapwire.Host;

/// <summary>One driver in an actor system of its own, from its start to its orderly stop.</summary>
internal sealed class RunningDriver : IAsyncDisposable
{
    public const string DispatcherId = $"{Root}.{DispatcherKey}";

    private const string Root = "tapwire";
    private const string DispatcherKey = "dispatcher";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ActorSystem _system;
    private readonly IActorRef _driver;
    private Task? _stopped;

    private RunningDriver(ActorSystem system, IActorRef driver, DriverReady ready)
    {
        _system = system;
        _driver = driver;
        Ready = ready;
        Ended = driver.WatchAsync();
    }

    public ActorSystem System => _system;

    public DriverReady Ready { get; }

    /// <summary>Ends when the driver has: by <see cref="StopAsync"/>, or because it failed.</summary>
    public Task Ended { get; }

    /// <summary>Starts a driver. Wires, link and ports are its own from now on, also when it does not start. What the wires' device does not offload is done in
    /// software, if the settings have it so.</summary>
    /// <param name="wires">The queues of one wire, as many as the settings have shards.</param>
    /// <param name="reopen">Opens a queue again.</param>
    /// <exception cref="CommandFailedException">It does not come up, and why.</exception>
    public static async Task<RunningDriver> StartAsync(string name, Config config, DriverSettings settings, IReadOnlyList<IWire> wires, Func<IWire> reopen, LinkListener? link,
        BufferPool pool, byte[]? secret = null, IReadOnlyList<HostPort>? hostPorts = null)
    {
        hostPorts ??= [];
        wires = [.. wires.Select(Offloading)];
        ActorSystem? system = null;
        try
        {
            system = CreateSystem(name, WithDispatchers(config, wires.Count));
            var shards = wires.Select((wire, index) => Shard(system, wire, index, () => Offloading(reopen()))).ToArray();
            var context = new DriverContext(settings, shards, link, pool, TimeProvider.System, secret ?? RandomNumberGenerator.GetBytes(32))
            {
                HostPorts = hostPorts,
            };
            var driver = system.ActorOf(DriverActor.Props(context), "driver");
            var answer = await driver.Ask<object>(WhenReady.Instance, Patience);
            return answer is DriverReady ready
                ? new RunningDriver(system, driver, ready)
                : throw new CommandFailedException(answer is DriverFailed failed ? failed.Reason : $"Unexpected answer {answer}.");
        }
        catch (Exception e)
        {
            if (system is not null)
                await system.Terminate();
            foreach (var wire in wires)
                wire.Dispose();
            link?.Dispose();
            foreach (var port in hostPorts)
                port.Dispose();
            if (e is AskTimeoutException)
                throw new CommandFailedException("The driver does not come up; the log says why.", e);
            throw;
        }

        IWire Offloading(IWire device) => settings.Tap.SoftwareOffload ? SoftwareOffloadWire.Over(device, pool) : device;
    }

    public Task<T> AskStack<T>(object question) => Ready.Stack.Ask<T>(question, Patience);

    /// <summary>Applications see the end of their streams, TCP gets FIN or RST, the wire closes last.</summary>
    public Task StopAsync() => _stopped ??= StopOnceAsync();

    public async ValueTask DisposeAsync() => await StopAsync();

    /// <summary>Most values below <c>akka</c> are judged by the runtime alone; whatever it throws here, it throws over one of them.</summary>
    internal static ActorSystem CreateSystem(string name, Config config)
    {
        try
        {
            return ActorSystem.Create(name, config);
        }
        catch (Exception e)
        {
            throw new SettingsException($"The actor system does not start: {e.GetBaseException().Message}", e);
        }
    }

    /// <summary>The first shard's dispatcher is the one that is set; each further one has one of its own like it.</summary>
    private static string DispatcherOf(int shard) => shard == 0 ? DispatcherId : $"{DispatcherId}-shard{shard}";

    private static Config WithDispatchers(Config config, int shards)
    {
        for (var i = 1; i < shards; i++)
            config = config.WithFallback(config.GetValue(DispatcherId).AtKey($"{DispatcherKey}-shard{i}").Root.AtKey(Root));
        return config;
    }

    private static DriverShard Shard(ActorSystem system, IWire wire, int index, Func<IWire> reopen)
    {
        var id = DispatcherOf(index);
        return system.Dispatchers.Lookup(id) is ReactorDispatcher dispatcher
            ? new DriverShard(wire, reopen, dispatcher.Reactor, id)
            : throw new SettingsException($"{DispatcherId}.type must be \"Tapwire.Actors.Dispatch.ReactorDispatcherConfigurator, Tapwire.Actors\".");
    }

    private async Task StopOnceAsync()
    {
        try
        {
            await _driver.GracefulStop(Patience, StopDriver.Instance);
        }
        catch (TaskCanceledException)
        {
            _system.Log.Warning("The driver did not stop in order within {Patience}", Patience);
        }

        await _system.Terminate();
    }
}
