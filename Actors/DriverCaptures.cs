using Akka.Actor;
using Tapwire.Actors.Capture;
using Tapwire.Actors.Guests;
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
    private readonly Dictionary<IActorRef, (CaptureFeed Feed, string Name)> _all = [];
    private long _started;

    /// <summary>Who captures what, and how much of it.</summary>
    public IReadOnlyList<CaptureStatus> Describe() => [.. _all.Values.Select(static each => new CaptureStatus(each.Name, each.Feed.Received, each.Feed.Dropped)
    {
        Interface = each.Feed.Options.Interface,
        Outer = each.Feed.Options.Outer,
        Host = each.Feed.Options.Host,
        Port = each.Feed.Options.Port,
        SnapLength = each.Feed.Options.SnapLength,
        Count = each.Feed.Options.Count,
    })];

    /// <summary>Begins a capture.</summary>
    /// <param name="interfaces">The names of the driver's interfaces.</param>
    /// <param name="taps">The actors of their wires.</param>
    public CaptureAnswer Start(StartCapture wanted, IReadOnlyList<string> interfaces, IEnumerable<IActorRef> taps)
    {
        var most = driver.Settings.Capture.MaxCaptures;
        if (_all.Count >= most)
            return wanted.Refuse(LinkErrno.Busy, $"The driver has {most} captures already; end one, or raise tapwire.capture.max-captures.");
        // A guest may come later.
        if (wanted.Options.Interface is { Length: > 0 } name && !interfaces.Contains(name) && !GuestActor.IsInterface(name))
            return wanted.Refuse(LinkErrno.NoInterface, $"The driver has no interface {name}; it has {string.Join(", ", interfaces)}.");
        var feed = new CaptureFeed(wanted.Options with { Memory = driver.Settings.Capture.Memory });
        var writer = context.Watch(context.ActorOf(CaptureActor.Props(feed, wanted, driver.Clock).WithDispatcher(driver.CaptureDispatcher), $"capture-{++_started}"));
        _all.Add(writer, (feed, wanted.Name));
        retired.Add(writer);
        foreach (var point in stacks.Concat(taps).Append(Guests))
            point.Tell(new JoinCapture(feed, writer));
        return CaptureAnswer.Begun;
    }

    /// <summary>Has a new interface's actor give its packets to all captures.</summary>
    public void Join(IActorRef point)
    {
        foreach (var (writer, each) in _all)
            point.Tell(new JoinCapture(each.Feed, writer));
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
        if (!_all.Remove(gone, out var ended))
            return;
        foreach (var point in stacks.Concat(taps).Append(Guests))
            point.Tell(new LeaveCapture(ended.Feed));
    }

    /// <summary>The actor of the guests, which passes captures on to theirs; nobody until it is there.</summary>
    private IActorRef Guests => context.Child("guests");
}
