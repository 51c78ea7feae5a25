using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Wires.Capture;

namespace Tapwire.Actors.Capture;

/// <summary>An interface as a capture knows it.</summary>
/// <param name="Mtu">In bytes.</param>
/// <param name="IsOuter">Its tunnel's datagrams, which only captures of those have, and nothing else.</param>
internal readonly record struct CapturePlace(string Name, Medium Medium, int Mtu, bool IsOuter = false)
{
    public static CapturePlace Of(NetworkInterface each) => new(each.Options.Name, each.Options.Medium, each.Options.Mtu);
}

/// <summary>
/// The captures that one actor gives its packets to. The actor has no such object while there is no capture, so that a packet then costs the look whether there is one.
/// </summary>
/// <param name="drops">Tells why a frame that has come was dropped; null for an actor that only sends.</param>
internal sealed class Captures(BufferPool pool, TimeProvider clock, InputDrops? drops)
{
    private readonly WallClock _wall = new(clock);
    private readonly List<CapturePoint> _points = [];
    private readonly List<(CapturePoint Point, PacketBuffer Block)> _arriving = [];

    // The number that an interface has in each capture.
    private readonly Dictionary<(CaptureFeed Feed, CapturePlace On), CapturedInterface?> _numbers = [];

    /// <summary>Joins or leaves a capture, and answers its writer.</summary>
    /// <param name="captures">The actor's captures; null: none.</param>
    /// <param name="places">Interfaces that the capture describes at once.</param>
    public static void Handle(object message, ref Captures? captures, Func<Captures> make, IEnumerable<CapturePlace> places, IActorRef self)
    {
        switch (message)
        {
            case JoinCapture join:
                captures ??= make();
                captures.Join(join, places);
                join.Writer.Tell(CaptureJoined.Instance, self);
                break;
            case LeaveCapture leave:
                var writer = captures?.Leave(leave.Feed);
                if (captures?._points.Count == 0)
                    captures = null;
                writer?.Tell(CaptureLeft.Instance, self);
                break;
        }
    }

    /// <summary>Some of them are of tunnels' datagrams.</summary>
    public bool WantsOuter => _points.Exists(static each => each.Feed.Options.Outer);

    /// <summary>A frame is about to be received. Its bytes are copied before the stack takes them.</summary>
    public void Arrives(PacketBuffer frame, CapturePlace? on)
    {
        if (on is not { } place)
            return;
        foreach (var point in _points)
        {
            if (NumberOf(point.Feed, place) is { } number && point.Copy(frame, number, frame.ReceivedAt == 0 ? clock.GetTimestamp() : frame.ReceivedAt) is { } block)
                _arriving.Add((point, block));
        }

        // This reads some hundred counters, which a frame that nobody wants must not cost.
        if (_arriving.Count > 0)
            drops?.Note();
    }

    /// <summary>The frame has been received.</summary>
    /// <param name="isFault">The engine's code has failed on it.</param>
    public void HasArrived(bool isFault)
    {
        if (_arriving.Count == 0)
            return;
        var drop = isFault ? "EngineFaults" : drops?.Find();
        foreach (var (point, block) in _arriving)
            point.Add(block, CaptureDirection.Inbound, drop);
        _arriving.Clear();
    }

    /// <summary>A frame leaves for its wire, or is dropped in either direction.</summary>
    /// <param name="drop">The counter that counts it; null: it is not dropped.</param>
    public void Add(PacketBuffer frame, CapturePlace on, CaptureDirection direction, string? drop = null)
    {
        foreach (var point in _points)
        {
            if (NumberOf(point.Feed, on) is { } number && point.Copy(frame, number, clock.GetTimestamp()) is { } block)
                point.Add(block, direction, drop);
        }
    }

    /// <summary>Gives all writers what has come since the last call.</summary>
    public void Flush()
    {
        foreach (var point in _points)
            point.Flush();
    }

    private void Join(JoinCapture join, IEnumerable<CapturePlace> places)
    {
        _points.Add(new CapturePoint(join.Feed, join.Writer, pool, _wall));
        foreach (var each in places)
            NumberOf(join.Feed, each);
    }

    /// <returns>The writer.</returns>
    private IActorRef? Leave(CaptureFeed feed)
    {
        if (_points.Find(each => each.Feed == feed) is not { } point)
            return null;
        point.Flush();
        _points.Remove(point);
        foreach (var key in _numbers.Keys.Where(key => key.Feed == feed).ToList())
            _numbers.Remove(key);
        return point.Writer;
    }

    private CapturedInterface? NumberOf(CaptureFeed feed, CapturePlace on)
    {
        if (!_numbers.TryGetValue((feed, on), out var number))
            _numbers[(feed, on)] = number = feed.Options.Outer == on.IsOuter ? feed.InterfaceOf(on.Name, on.Medium, on.Mtu) : null;
        return number;
    }
}
