using Akka.Actor;
using Akka.Configuration;
using Tapwire.Actors;
using Tapwire.Actors.Dispatch;
using Tapwire.Actors.Settings;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Wires;

namespace Tapwire.Host;

/// <summary>A cable between two devices, in an actor system of its own, from its start to its end.</summary>
internal sealed class RunningCable : IAsyncDisposable
{
    // Frames under way are kept for reuse up to this much: 100 ms of 10 Gbit/s.
    private const int PoolBytes = 256 << 20;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly ActorSystem _system;
    private readonly IActorRef _actor;
    private readonly Cable _cable;

    private RunningCable(ActorSystem system, IActorRef actor, Cable cable)
    {
        _system = system;
        _actor = actor;
        _cable = cable;
        Ended = actor.WatchAsync();
    }

    /// <summary>Ends when the cable has, which by itself it does only after a fault.</summary>
    public Task Ended { get; }

    /// <summary>Plugs in the devices, which are the cable's own from now on, unless this throws.</summary>
    public static async Task<RunningCable> StartAsync(Config config, TapSettings settings, CableOptions options,
        (IWire Wire, Func<IWire> Open) a, (IWire Wire, Func<IWire> Open) b)
    {
        var system = RunningDriver.CreateSystem("tapwire", config);
        if (system.Dispatchers.Lookup(RunningDriver.DispatcherId) is not ReactorDispatcher dispatcher)
        {
            await system.Terminate();
            throw new SettingsException($"{RunningDriver.DispatcherId}.type must be \"Tapwire.Actors.Dispatch.ReactorDispatcherConfigurator, Tapwire.Actors\".");
        }

        var cable = new Cable(options, TimeProvider.System);
        var pool = new BufferPool(PoolBytes);
        CablePort Port((IWire Wire, Func<IWire> Open) device, IWire end) => new(device.Wire, device.Open, end, dispatcher.Reactor, pool,
            settings.ReadBatch, settings.ReopenMinimum, settings.ReopenMaximum);
        var actor = system.ActorOf(CableActor.Props(Port(a, cable.A), Port(b, cable.B), RunningDriver.DispatcherId), "cable");
        return new RunningCable(system, actor, cable);
    }

    public async Task<CableReport> ReportAsync()
    {
        var status = await _actor.Ask<CableStatus>(GetStatus.Instance, Patience);
        return new CableReport(_cable.AToB, _cable.BToA, status);
    }

    public async ValueTask DisposeAsync() => await _system.Terminate();
}
