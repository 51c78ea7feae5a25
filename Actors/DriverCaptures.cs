using Akka.Actor;
using Tapwire.Actors.Capture;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Wires.Capture;

namespace Tapwire.Actors;

/// <summary>The captures of a driver. Used by the driver's actor only.</summary>
/// <param name="context">That of the driver's actor, whose children captures are.</param>
/// <param name="stacks">The driver's stacks, as they come and go.</param>
/// <param name="retired">Whom the driver expects to end, as captures do.</param>
internal sealed class DriverCaptures(IActorContext context, DriverContext driver, IReadOnlyCollection<IActorRef> stacks, HashSet<IActorRef> retired)
{
    private readonly Dictionary<IActorRef, CaptureFeed> _all = [];
    private long _started;

    /// <summary>Begins a capture.</summary>
    /// <param name="interfaces">The names of the driver's interfaces.</param>
    /// <param name="taps">The actors of their wires.</param>
    public CaptureAnswer Start(StartCapture wanted, IReadOnlyList<string> interfaces, IEnumerable<IActorRef> taps)
    {
        var most = driver.Settings.Capture.MaxCaptures;
        if (_all.Count >= most)
            return wanted.Refuse(LinkErrno.Busy, $"The driver has {most} captures already; end one, or raise tapwire.capture.max-captures.");
        if (wanted.Options.Interface is { Length: > 0 } name && !interfaces.Contains(name))
            return wanted.Refuse(LinkErrno.NoInterface, $"The driver has no interface {name}; it has {string.Join(", ", interfaces)}.");
        var feed = new CaptureFeed(wanted.Options with { Memory = driver.Settings.Capture.Memory });
        var writer = context.Watch(context.ActorOf(CaptureActor.Props(feed, wanted, driver.Clock).WithDispatcher(driver.CaptureDispatcher), $"capture-{++_started}"));
        _all.Add(writer, feed);
        retired.Add(writer);
        foreach (var point in stacks.Concat(taps))
            point.Tell(new JoinCapture(feed, writer));
        return CaptureAnswer.Begun;
    }

    /// <summary>Has a new interface's actor give its packets to all captures.</summary>
    public void Join(IActorRef point)
    {
        foreach (var (writer, feed) in _all)
            point.Tell(new JoinCapture(feed, writer));
    }

    /// <summary>Ends all captures.</summary>
    /// <returns>True: none is left.</returns>
    public bool End()
    {
        foreach (var writer in _all.Keys)
            writer.Tell(Stopping.Instance);
        return _all.Count == 0;
    }

    /// <summary>An actor has ended: if it was a capture, nobody gives packets to it any more.</summary>
    /// <param name="taps">The actors of the wires.</param>
    public void Forget(IActorRef gone, IEnumerable<IActorRef> taps)
    {
        if (!_all.Remove(gone, out var feed))
            return;
        foreach (var point in stacks.Concat(taps))
            point.Tell(new LeaveCapture(feed));
    }
}
