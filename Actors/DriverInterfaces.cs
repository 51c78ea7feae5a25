using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Wires;

namespace Tapwire.Actors;

/// <summary>The tap actors of a driver by interface, one for each shard. Used by the driver's actor only.</summary>
/// <param name="start">Makes an actor with that name on a shard's thread, and watches it.</param>
/// <param name="captures">The captures of what goes by the interfaces.</param>
internal sealed class DriverInterfaces(DriverContext driver, Func<Props, string, DriverShard, IActorRef> start, DriverCaptures captures)
{
    // In the order of the settings, with a tap for each shard.
    private readonly List<(string Name, List<IActorRef> Taps)> _all = [];
    private int _started;

    /// <summary>The taps of each interface.</summary>
    public IReadOnlyList<InterfaceTaps> Taps => [.. _all.Select(static each => new InterfaceTaps(each.Name, [.. each.Taps]))];

    public bool IsEmpty => _all.TrueForAll(static each => each.Taps.Count == 0);

    /// <summary>Makes one shard's taps for the wires that the driver starts with.</summary>
    public IReadOnlyList<WireTap> Start(int shard)
    {
        var taps = new List<WireTap>();
        foreach (var (settings, wire) in driver.Settings.AllInterfaces.Zip(driver.Shards[shard].Wires))
            taps.Add(Add(settings.Name, wire, shard, isFirst: taps.Count == 0));
        return taps;
    }

    /// <summary>Opens the wire of an interface and makes its taps. Each tap opens its queue when its stack asks for it.</summary>
    /// <returns>The question for each shard's stack.</returns>
    /// <exception cref="WireException">The wire does not open.</exception>
    public IReadOnlyList<AttachInterface> Open(InterfaceSettings settings)
    {
        if (driver.OpenWires is not { } open)
            throw new WireException("No wire can be added to this driver.");
        var wires = open(settings);
        var hardware = DriverEngines.HardwareOf(settings, wires[0].Wire);
        return [.. wires.Select((wire, shard) =>
        {
            var options = DriverEngines.InterfaceOf(driver.Settings, settings, wire.Wire, hardware, driver.HostKey);
            var tap = Add(settings.Name, wire, shard, isFirst: false);
            return new AttachInterface(options, settings.Addresses, settings.AllRoutes, tap.Tap) { CutsSuperFrames = tap.CutsSuperFrames };
        })];
    }

    /// <inheritdoc cref="Open"/>
    /// <exception cref="CommandRefusedException">The wire does not open.</exception>
    public IReadOnlyList<AttachInterface> OpenByCommand(InterfaceSettings settings)
    {
        try
        {
            return Open(settings);
        }
        catch (WireException e)
        {
            throw new CommandRefusedException(LinkErrno.NoDevice, e.Message);
        }
    }

    /// <summary>Removes an interface and returns its taps, which the caller ends; empty if there is no interface with that name.</summary>
    public IReadOnlyList<IActorRef> Take(string name)
    {
        var index = _all.FindIndex(each => each.Name == name);
        if (index < 0)
            return [];
        var taps = _all[index].Taps;
        _all.RemoveAt(index);
        return taps;
    }

    /// <summary>Has wires that have a configuration of their own read it again.</summary>
    public void Reread()
    {
        foreach (var tap in _all.SelectMany(static each => each.Taps))
            tap.Tell(RereadWire.Instance);
    }

    /// <summary>Ends all taps by a poison pill, which queues behind the stacks' last frames, so that these still go out.</summary>
    public void Stop()
    {
        foreach (var tap in _all.SelectMany(static each => each.Taps))
            tap.Tell(PoisonPill.Instance);
    }

    /// <summary>Begins the capture that the driver starts with, if there is one.</summary>
    public void BeginCapture()
    {
        if (driver.Capture is { } first)
            Capture(first);
    }

    public CaptureAnswer Capture(StartCapture wanted) => captures.Start(wanted, [.. _all.Select(static each => each.Name)], _all.SelectMany(static each => each.Taps));

    /// <summary>Has an actor that comes later give its packets to the captures that there are.</summary>
    /// <returns>The same actor.</returns>
    public IActorRef JoinCaptures(IActorRef point)
    {
        captures.Join(point);
        return point;
    }

    public IReadOnlyList<CaptureStatus> Captures => captures.Describe();

    /// <summary>Ends all captures. They end last: they have the last frames, too.</summary>
    /// <returns>True: none is left.</returns>
    public bool EndCaptures() => captures.End();

    /// <summary>Removes an actor that has ended.</summary>
    public void Forget(IActorRef gone)
    {
        captures.Forget(gone, _all.SelectMany(static each => each.Taps));
        foreach (var (_, taps) in _all)
            taps.Remove(gone);
    }

    private WireTap Add(string name, DriverWire wire, int shard, bool isFirst)
    {
        var tap = driver.Settings.Tap;
        var place = driver.Shards[shard];
        // An actor's name is free only when the actor has ended. An interface may be added again before its previous tap has, so every tap gets a new name.
        var actor = start(
            TapActor.Props(new TapContext(wire.Wire, wire.Reopen, place.Reactor, driver.Pool, driver.Clock, tap.ReadBatch, tap.QueueFrames, tap.ReopenMinimum, tap.ReopenMaximum) { Interface = name }),
            DriverNames.Of(isFirst ? "tap" : $"tap-{++_started}", shard), place);
        captures.Join(actor);
        if (_all.FindIndex(each => each.Name == name) is var index and >= 0)
            _all[index].Taps.Add(actor);
        else
            _all.Add((name, [actor]));
        return new WireTap(actor, EgressCost.Cuts(wire.Wire));
    }
}

/// <summary>The tap actors of an interface, one for each shard.</summary>
internal sealed record InterfaceTaps(string Name, IReadOnlyList<IActorRef> Taps);
