using System.Security.Cryptography;
using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Actors.Dispatch;
using Tapwire.Actors.Proxy;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;
using Tapwire.Links;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Wires;
using Tapwire.Wires.Offload;

namespace Tapwire;

/// <summary>Opens what a driver has, and makes its actors in an actor system.</summary>
internal static class DriverStart
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <exception cref="TapwireException">A wire does not open, a port is taken, or the stack refuses a setting.</exception>
    public static async Task<(IActorRef Driver, DriverReady Ready)> RunAsync(ActorSystem system, string name, DriverSettings settings, TapwireOptions options, CancellationToken cancellationToken)
    {
        if (MemoryShares.OfProcess.Problem is { } problem)
            throw new TapwireException(problem);
        var pool = new BufferPool(MemoryShares.OfProcess.Pool());
        var wires = new List<IReadOnlyList<IWire>>();
        LinkListener? link = null;
        IReadOnlyList<HostPort> ports = [];
        IActorRef? driver = null;
        try
        {
            foreach (var each in settings.AllInterfaces)
            {
                var queues = new List<IWire>();
                wires.Add(queues);
                while (queues.Count < settings.Shards)
                    queues.Add(Opened(each));
            }

            if (!settings.Link.IsOff)
                link = LinkListener.Listen(settings.Link.Path, []);
            ports = HostPort.Open(settings);
            var memory = MemoryLimit.OfProcess;
            var context = new DriverContext(settings, [.. Enumerable.Range(0, settings.Shards).Select(ShardOf)], link, pool, TimeProvider.System, RandomNumberGenerator.GetBytes(32))
            {
                HostPorts = ports,
                HostKey = HostKey.Read() ?? RandomNumberGenerator.GetBytes(DriverContext.HostKeyLength),
                OpenWires = added => [.. Enumerable.Range(0, settings.Shards).Select(_ => QueueOf(Opened(added), added))],
                Memory = new MemoryWatch(memory.Left, memory.Bytes),
            };
            driver = system.ActorOf(DriverGuardian.Props(DriverActor.Props(context)), name);
        }
        catch (Exception e) when (driver is null)
        {
            foreach (var wire in wires.SelectMany(static queues => queues))
                wire.Dispose();
            link?.Dispose();
            foreach (var port in ports)
                port.Dispose();
            if (e is SettingsException or WireException or PosixException or IOException or InvalidActorNameException)
                throw new TapwireException(e.Message, e);
            throw;
        }

        return (driver, await ReadyAsync(driver, cancellationToken).ConfigureAwait(false));

        DriverShard ShardOf(int index)
        {
            var dispatcher = ShardDispatchers.Of(index);
            var reactor = ShardDispatchers.ReactorOf(system, dispatcher) ?? throw new SettingsException($"The actor system has a dispatcher {dispatcher} of another type.");
            return new DriverShard([.. wires.Zip(settings.AllInterfaces, (queues, of) => QueueOf(queues[index], of))], reactor, dispatcher);
        }

        IWire Opened(InterfaceSettings each) => options.OpenWithin is { } within ? within(() => Open(settings, each, pool)) : Open(settings, each, pool);

        DriverWire QueueOf(IWire queue, InterfaceSettings of) => new(queue, () => Opened(of));
    }

    private static async Task<DriverReady> ReadyAsync(IActorRef driver, CancellationToken cancellationToken)
    {
        object answer;
        try
        {
            answer = await driver.Ask<object>(WhenReady.Instance, Patience, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is AskTimeoutException or OperationCanceledException)
        {
            driver.Tell(StopDriver.Instance);
            if (e is OperationCanceledException)
                throw;
            throw new TapwireException("The driver does not come up; its log says why.", e);
        }

        return answer is DriverReady ready ? ready : throw new TapwireException(answer is DriverFailed failed ? failed.Reason : $"Unexpected answer {answer}.");
    }

    private static IWire Open(DriverSettings settings, InterfaceSettings each, BufferPool pool)
    {
        var device = settings.OpenWire(each);
        return settings.Tap.SoftwareOffload ? SoftwareOffloadWire.Over(device, pool) : device;
    }
}

/// <summary>Keeps a driver in an actor system of any settings: one that fails has used up its devices, so it ends and is not made again.</summary>
internal sealed class DriverGuardian : UntypedActor
{
    private readonly IActorRef _driver;

    public DriverGuardian(Props driver) => _driver = Context.Watch(Context.ActorOf(driver, "driver"));

    public static Props Props(Props driver) => Akka.Actor.Props.Create(() => new DriverGuardian(driver));

    /// <inheritdoc/>
    protected override SupervisorStrategy SupervisorStrategy() => Akka.Actor.SupervisorStrategy.StoppingStrategy;

    /// <inheritdoc/>
    protected override void OnReceive(object message)
    {
        if (message is Terminated)
            Context.Stop(Self);
        else
            _driver.Forward(message);
    }
}
