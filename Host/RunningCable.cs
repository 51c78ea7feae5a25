using Akka.Actor;
using Akka.Configuration;
using Akka.Hosting;
using Microsoft.Extensions.Hosting;
using Tapwire.Actors;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Wires;

namespace Tapwire.Host;

/// <summary>A cable between two devices, with a host of its own, from start to stop.</summary>
internal sealed class RunningCable : IAsyncDisposable
{
    // Limit of buffers kept for reuse: the frames that 10 Gbit/s has in flight in 100 ms.
    private const int PoolBytes = 256 << 20;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly IHost _host;
    private readonly IActorRef _actor;
    private readonly Cable _cable;

    private readonly bool _isCaptured;

    private RunningCable(IHost host, IActorRef actor, Cable cable, bool isCaptured)
    {
        _isCaptured = isCaptured;
        _host = host;
        _actor = actor;
        _cable = cable;
        Stopping = ActorHost.WaitForShutdownAsync(host);
    }

    /// <summary>Completes when the cable is to stop: on an interrupt, or after a fault has ended it.</summary>
    public Task Stopping { get; }

    /// <summary>Connects the devices. Unless this throws, the cable owns them from now on.</summary>
    /// <param name="capture">Gets all packets, as they come from a device and as they go to one; null: no capture.</param>
    public static async Task<RunningCable> StartAsync(Config config, TapSettings settings, CableOptions options,
        (IWire Wire, Func<IWire> Open) a, (IWire Wire, Func<IWire> Open) b, StartCapture? capture, Interrupt interrupt)
    {
        var cable = new Cable(options, TimeProvider.System);
        IActorRef actor = ActorRefs.Nobody;
        var host = await ActorHost.StartAsync("tapwire", config, Patience, interrupt, Create, WatchAsync, akka => akka.WithLivenessCheck<CableActor>("cable"));
        if (capture is not null)
            await actor.Ask<CaptureAnswer>(capture, Patience);
        return new RunningCable(host, actor, cable, isCaptured: capture is not null);

        void Create(ActorSystem system, IActorRegistry registry)
        {
            var reactor = RunningDriver.ReactorOf(system, RunningDriver.DispatcherId);
            var pool = new BufferPool(MemoryShares.OfProcess.Pool(PoolBytes));
            CablePort Port((IWire Wire, Func<IWire> Open) device, IWire end) => new(device.Wire, device.Open, end, reactor, pool,
                settings.ReadBatch, settings.ReopenMinimum, settings.ReopenMaximum);
            actor = system.ActorOf(CableActor.Props(Port(a, cable.A), Port(b, cable.B), RunningDriver.DispatcherId), "cable");
            registry.Register<CableActor>(actor);
        }

        Task WatchAsync(ActorSystem system, IHostApplicationLifetime application)
        {
            _ = actor.WatchAsync().ContinueWith(_ => application.StopApplication(), TaskScheduler.Default);
            return Task.CompletedTask;
        }
    }

    public async Task<CableReport> ReportAsync()
    {
        var status = await _actor.Ask<CableStatus>(GetStatus.Instance, Patience);
        return new CableReport(_cable.AToB, _cable.BToA, status);
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            // The capture's last packets are written while there are actors.
            if (_isCaptured)
                await _actor.Ask<Stopping>(Messages.Stopping.Instance, Patience);
        }
        catch (AskTimeoutException)
        {
            // The cable has ended by a fault, which the log tells.
        }

        await ActorHost.StopAsync(_host);
    }
}
