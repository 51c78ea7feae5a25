using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <summary>
/// Sends new data: when windows, pace and Nagle's algorithm allow it, and in segments of which size (RFC 9293, 3.7.4, 3.8.6.2.1; RFC 1122, 4.2.3.4).
/// </summary>
internal sealed class NewData(SenderState state)
{
    /// <summary>End of the last segment sent that was not full-sized (RFC 9293, 3.7.4, in Minshall's variant). It follows SND.UNA, because a number 2 GiB
    /// behind would seem to lie ahead.</summary>
    private uint _lastSmall;

    /// <summary>Data below this may leave in small segments: a cork was taken out behind it (TCP_NAGLE_PUSH in Linux).</summary>
    private uint _pushedTo;

    /// <summary>What keeps small segments back under TCP_CORK.</summary>
    private Cork _cork = new();

    /// <summary>Largest flight of this round, in bytes, and the end of the round.</summary>
    private int _largestFlight;
    private uint _roundEnd;

    /// <summary>Bytes below this were in flight when the congestion window limited the sender.</summary>
    private uint _congestionLimitedTo;

    /// <summary>When new data was last sent, or the window was last reduced for idle time. A fresh state has always been idle.</summary>
    private Instant _idleSince;

    /// <summary>The peer's window keeps the next segment back.</summary>
    public bool IsPeerLimited { get; private set; }

    /// <summary>The congestion window has limited the sender, not the application or the peer. In slow start a flight of more than half the window counts,
    /// until all of it is acknowledged, because the window is to double (tcp_is_cwnd_limited).</summary>
    public bool IsCongestionLimited =>
        Seq.Gt(_congestionLimitedTo, Sender.SndUna) || state.Recovery.State == LossState.Loss
        || (state.Congestion.IsInSlowStart && 2L * _largestFlight > state.Congestion.Window);

    /// <summary>When corked data is to leave; Never without any.</summary>
    public Instant UncorkAt => _cork.EndsAt;

    private TcpSender Sender => state.Sender;

    /// <summary>Nagle's algorithm, in Minshall's variant as in Linux: a small segment waits while another small one is unacknowledged. A cork is stronger: it waits for the end
    /// of the cork.</summary>
    private bool MaySendSmall(Instant now)
    {
        ref readonly var options = ref Sender.Connection.Options;
        if (Sender.IsShutDown || Sender.IsUrgent || Seq.Gt(_pushedTo, Sender.SndNxt))
            return true;
        return options.Cork ? _cork.HasEnded(now) : options.NoDelay || Seq.Le(_lastSmall, Sender.SndUna);
    }

    /// <summary>The cork is taken out: all that is written by now may leave.</summary>
    public void Push()
    {
        _pushedTo = state.Queue.End;
        _cork.Clear();
    }

    /// <summary>Begins with everything below <paramref name="sndUna"/> acknowledged.</summary>
    public void Begin(uint sndUna)
    {
        _lastSmall = sndUna;
        _congestionLimitedTo = sndUna;
        _roundEnd = sndUna;
        _pushedTo = sndUna;
    }

    /// <summary>Restarts the idle time of the congestion window.</summary>
    public void RestartIdleTime(Instant now) => _idleSince = now;

    /// <summary>Everything below <paramref name="ack"/> is acknowledged.</summary>
    public void Acknowledged(uint ack)
    {
        _lastSmall = Seq.Max(_lastSmall, ack);
        _congestionLimitedTo = Seq.Max(_congestionLimitedTo, ack);
        _roundEnd = Seq.Max(_roundEnd, ack);
        _pushedTo = Seq.Max(_pushedTo, ack);
    }

    /// <summary>Payload of the largest packet that the device cuts into whole segments.</summary>
    /// <param name="full">Payload of one segment.</param>
    public int MaxPayload(int full)
    {
        var sender = Sender;
        // A device would repeat the urgent pointer in each segment, where it would be wrong.
        if (sender.Path.SuperFrame == 0 || sender.IsUrgent)
            return full;
        var room = Math.Min(sender.Path.SuperFrame, ushort.MaxValue) - SynOptions.IpHeaderLength(sender.Connection.RemoteAddress) - TcpHeader.MaxLength;
        room = (int)Math.Min(room, state.Pacer.Burst);
        return Math.Max(full, room - room % full);
    }

    /// <summary>Sends new data, or the FIN.</summary>
    /// <returns>False if nothing may leave now.</returns>
    public bool Send(Instant now)
    {
        var sender = Sender;
        IsPeerLimited = false;
        if (!sender.HasUnsent)
        {
            LimitedByOthers();
            return false;
        }

        if (state.MtuProbe.IsWaiting)
            return false;
        if (sender.SndNxt == sender.SndUna)
            RestartAfterIdle(now);

        // The FIN takes a sequence number in the peer's window, but no room in the congestion window.
        var unsent = sender.Unsent;
        var window = sender.UsableWindow;
        if (unsent == 0)
        {
            IsPeerLimited = window < 1;
            return !IsPeerLimited && Emit(0, now);
        }

        var allowed = (int)Math.Min(window, state.Recovery.Window - sender.Pipe);
        var full = sender.CurrentSegmentSize;
        if (Math.Min(unsent, full) <= allowed && !state.Pacer.Allows(now))
            return false;
        var length = Math.Min(unsent, Math.Min(allowed, MaxPayload(full)));
        if (length >= full)
        {
            // Whole segments; a small rest goes with them only if it could be sent by itself.
            var rest = length % full;
            if (rest > 0 && (length < unsent || !MaySendSmall(now)))
                length -= rest;
            return Emit(length, now);
        }

        if (length == unsent && MaySendSmall(now))
            return Emit(length, now);
        if (length < unsent && window <= allowed && length > 0 && length >= sender.LargestWindow / 2)
            return Emit(length, now);
        IsPeerLimited = window < unsent && window < full;
        if (allowed < window && allowed < full)
            _congestionLimitedTo = sender.SndNxt;
        else if (IsPeerLimited)
            LimitedByOthers();
        return false;
    }

    /// <summary>Sends bytes for the first time, and the FIN with the last of them.</summary>
    /// <param name="length">Bytes, not more than are unsent.</param>
    /// <param name="isMtuProbe">A path-MTU probe: one packet, however large.</param>
    /// <returns>True.</returns>
    public bool Emit(int length, Instant now, bool isMtuProbe = false)
    {
        var sender = Sender;
        var sequence = sender.SndNxt;
        var pipe = sender.Pipe;
        var end = sequence + (uint)length;
        var flags = TcpFlags.Ack;
        if (length > 0 && end == state.Queue.End)
            flags |= TcpFlags.Psh;
        if (sender.IsShutDown && end == state.Queue.End && Seq.Lt(end, sender.SndUna + sender.SndWnd))
            flags |= TcpFlags.Fin;
        var full = sender.CurrentSegmentSize;
        if (length % full != 0 && !isMtuProbe)
            _lastSmall = end;
        _cork.Clear();
        if (sequence == sender.SndUna)
            sender.Connection.UserTimeout.Restart(now);
        sender.Connection.Receiver.DataSent(now);
        state.Recovery.Sent(length);
        sender.MoveNext((flags & TcpFlags.Fin) != 0 ? end + 1 : end);
        MeasureFlight();
        state.Board.Sent(sequence, pipe, full, isMtuProbe, now);
        state.Pacer.Sent(length, now);
        sender.Emit(new SegmentSpan(sequence, length, flags, Again: false, isMtuProbe), now);
        _idleSince = now;
        if (!sender.Connection.IsInHandshake)
            state.Timer.DataSent(isSecond: sequence != sender.SndUna && (int)(sequence - sender.SndUna) <= sender.SegmentSize, now);
        return true;
    }

    public void Clear()
    {
        _idleSince = default;
        _cork.Clear();
        _largestFlight = 0;
        IsPeerLimited = false;
    }

    /// <summary>New data has left. A round ends when everything in flight at its largest flight is acknowledged.</summary>
    private void MeasureFlight()
    {
        var flight = Sender.Flight;
        if (flight <= _largestFlight && Seq.Gt(_roundEnd, Sender.SndUna))
            return;
        _largestFlight = flight;
        _roundEnd = Sender.SndNxt;
    }

    /// <summary>Sending begins with nothing in flight. The window shrinks once per time-out that has passed, however often the sender tries while the peer's
    /// window is closed.</summary>
    private void RestartAfterIdle(Instant now)
    {
        var idle = now - _idleSince;
        var timeout = Sender.Connection.CurrentRto;
        state.Congestion.Restarted(idle, timeout, Sender.SegmentSize, now);
        if (idle >= timeout)
            _idleSince = now;
    }

    /// <summary>The application, or the peer's window, limits the data in flight, not the network.</summary>
    private void LimitedByOthers()
    {
        if (state.Board.Log is { LostBytes: 0 } && Sender.Pipe < state.Recovery.Window)
            Sender.Rate.ApplicationHasNothing(Sender.Pipe);
    }
}
