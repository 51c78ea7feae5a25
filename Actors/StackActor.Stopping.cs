using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors;

/// <summary>DriverActor and StackActor → themselves while they stop: the time is up, and whatever has not ended by itself is ended now.</summary>
internal sealed class PatienceIsOver : IDeadLetterSuppression
{
    public static readonly PatienceIsOver Instance = new();
}

// The stop. TCP has time for its FINs and their acknowledgements; then the remaining connections are reset. The frames of both reach the wire first.
public sealed partial class StackActor
{
    /// <summary>
    /// How long the last frames may wait for a wire that takes none, and how long a reset peer may answer. A peer that has missed the bytes before the reset
    /// does not accept it, and sends a challenge ACK (RFC 5961, 3.2); the reset that answers it ends the peer's side.
    /// </summary>
    internal static readonly TimeSpan LastWords = TimeSpan.FromMilliseconds(100);

    private bool _stopping;
    private bool _resets;

    // Connections when the driver's stop began, and the resets until then; null: it has not begun.
    private int? _open;
    private long _resetBefore;
    private int _reset;
    private long _unacknowledged;

    private bool HandleStop(object message)
    {
        switch (message)
        {
            case Stopping:
                NoteStop();
                return true;
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
        NoteStop();
        _stack.StopAdvertising();
        Timers.StartSingleTimer(PatienceIsOver.Instance, PatienceIsOver.Instance, patience);
        _desk.PostPoll();
    }

    /// <summary>What ends from now on ends by the stop, also where services and programs end it before this actor's turn.</summary>
    private void NoteStop()
    {
        if (_open is not null)
            return;
        (_open, _resetBefore) = (_stack.Tcp.Count, Resets);
    }

    /// <summary>Connections that have ended by a reset, of either side, so far.</summary>
    private long Resets => _stack.Counters.Tcp.TcpEstabResets + _stack.Counters.Tcp.TcpExtTCPAbortOnData + _stack.Counters.Tcp.TcpExtTCPAbortOnClose + _stack.Counters.Tcp.TcpExtTCPAbortOnLinger;

    private void LosePatience()
    {
        if (_resets)
        {
            EndStop();
            return;
        }

        _resets = true;
        Timers.StartSingleTimer(PatienceIsOver.Instance, PatienceIsOver.Instance, LastWords);
        _desk.PostPoll();
    }

    /// <summary>Called after each poll. Stops when no connection and no frame is left.</summary>
    private void StopWhenDone()
    {
        if (_stopping && !_resets && _stack.Tcp.Count == 0 && !_wires.HaveFrames)
            EndStop();
    }

    /// <summary>Says what has become of the connections that were there when the stop began, and stops.</summary>
    private void EndStop()
    {
        var reset = _reset + Resets - _resetBefore;
        _log.Info("The stack has stopped: {Closed} connections ended in order, {Reset} were reset, with {Bytes} bytes that their peers had not acknowledged", Math.Max(0, (_open ?? 0) - reset), reset, _unacknowledged);
        Context.Stop(Self);
    }

    /// <summary>
    /// Resets as many connections as the wire has room for, before other frames fill it. The polls caused by its credit continue.
    /// </summary>
    private void ResetConnections(Instant now)
    {
        _wires.SendQueued();
        foreach (var entry in _desk.Sockets.All())
        {
            if (entry.Socket is not TcpSocket socket || !_stack.HasRoomFor(socket))
                continue;
            _reset++;
            _unacknowledged += socket.QueuedBytes;
            socket.Abort(now);
        }

        TellEvents();
    }
}
