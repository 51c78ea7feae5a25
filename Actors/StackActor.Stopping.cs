using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors;

/// <summary>DriverActor and StackActor → themselves, while they stop: what has not ended by now is ended.</summary>
internal sealed class PatienceIsOver : IDeadLetterSuppression
{
    public static readonly PatienceIsOver Instance = new();
}

// The end: TCP gets its FINs and their acknowledgements while there is patience, then RST. What is said so far reaches the wire first.
public sealed partial class StackActor
{
    /// <summary>
    /// How long the last frames may wait for a wire that does not take them, and how long a peer that has been reset may ask back. One that has missed the
    /// bytes before the reset does not believe it, and asks by a challenge ACK (RFC 5961, 3.2); the answer to that is what ends its side.
    /// </summary>
    internal static readonly TimeSpan LastWords = TimeSpan.FromMilliseconds(100);

    private bool _stopping;
    private bool _resets;

    private bool HandleStop(object message)
    {
        switch (message)
        {
            case StopStack stop:
                Stop(stop.Patience);
                return true;
            case PatienceIsOver:
                LosePatience();
                return true;
            default:
                return false;
        }
    }

    private void Stop(TimeSpan patience)
    {
        _stopping = true;
        Timers.StartSingleTimer(PatienceIsOver.Instance, PatienceIsOver.Instance, patience);
        _desk.PostPoll();
    }

    private void LosePatience()
    {
        if (_resets)
        {
            Context.Stop(Self);
            return;
        }

        _resets = true;
        Timers.StartSingleTimer(PatienceIsOver.Instance, PatienceIsOver.Instance, LastWords);
        _desk.PostPoll();
    }

    /// <summary>After each poll: nothing left to finish, and nothing to be said.</summary>
    private void StopWhenDone()
    {
        if (_stopping && !_resets && _stack.Tcp.Count == 0 && !_wires.HaveFrames)
            Context.Stop(Self);
    }

    /// <summary>
    /// Resets connections, before others fill the room that the wire has made: as many as it can be told of. The polls that its credit brings go on.
    /// </summary>
    private void ResetConnections(Instant now)
    {
        _wires.SendQueued();
        foreach (var entry in _desk.Sockets.All())
        {
            if (entry.Socket is TcpSocket socket && _stack.HasRoomFor(socket))
                socket.Abort(now);
        }

        TellEvents();
    }
}
