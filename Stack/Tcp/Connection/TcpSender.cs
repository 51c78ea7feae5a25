using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <summary>
/// The sending half of a connection: the SND variables of RFC 9293, 3.3.1, the data that the owner has written, and the congestion control. The other two parts
/// of this class process acknowledgements and choose what to send next.
/// </summary>
/// <remarks>State that is needed only while data is under way is in a <see cref="SenderState"/>.</remarks>
internal sealed partial class TcpSender(TcpConnection connection)
{
    /// <summary>The delivery rate.</summary>
    public DeliveryRate Rate;

    public RoundTrips RoundTrips;

    /// <summary>The path MTU, and the segment size that follows from it.</summary>
    public PathMtuDiscovery Path;

    private SenderState? _state;
    private SendBuffer _buffer;
    private SendWindow _window;

    /// <summary>The initial congestion window; 0 before it is known.</summary>
    private int _initialWindow;

    /// <summary>Bytes sent again, less those reported as duplicates, since the connection began.</summary>
    private long _unreportedRepeats;

    /// <summary>A FIN follows the written data.</summary>
    private bool _finQueued;

    /// <summary>A segment that elicits an acknowledgement is to be sent: a zero-window or keep-alive probe.</summary>
    private bool _elicitsAcknowledgment;

    public TcpConnection Connection => connection;

    public TcpLayer Layer => connection.Layer;

    /// <summary>SND.UNA.</summary>
    public uint SndUna { get; private set; }

    /// <summary>SND.NXT. It never moves back; retransmissions are below it.</summary>
    public uint SndNxt { get; private set; }

    /// <summary>SND.WND in bytes.</summary>
    public uint SndWnd => _window.SndWnd;

    /// <summary>SND.WIND.SHIFT; 0 without window scaling (RFC 7323, 2.3).</summary>
    public byte WindowShift { get; private set; }

    /// <summary>The largest SND.WND that the peer has announced.</summary>
    public uint LargestWindow => _window.Largest;

    /// <summary>Bytes between SND.UNA and SND.NXT.</summary>
    public int Flight => (int)(SndNxt - SndUna);

    /// <summary>RFC 6675's pipe: bytes in the network as far as is known.</summary>
    public int Pipe => _state is null ? Flight : Flight - AlreadyArrived - _state.Board.LostBytes;

    /// <summary>Bytes in flight that have arrived, by SACK or by the number of duplicate acknowledgements.</summary>
    public int AlreadyArrived => _state is null ? 0 : _state.Board.ArrivedBytes + _state.Recovery.RenoBytes;

    /// <summary>Bytes that fit the peer's window; negative after it has shrunk.</summary>
    public int UsableWindow => (int)(SndUna + SndWnd - SndNxt);

    /// <summary>Bytes written and never sent; -1 once the FIN is sent.</summary>
    public int Unsent => _state is null ? 0 : (int)(_state.Queue.End - SndNxt);

    /// <summary>Data, or the end of it, is written and was never sent.</summary>
    public bool HasUnsent => _state is not null && (_finQueued ? !FinSent : Unsent > 0);

    /// <summary>Something is in flight, or waits to be sent.</summary>
    public bool HasWork => SndNxt != SndUna || HasUnsent;

    public bool FinSent => _finQueued && (_state is null || SndNxt == _state.Queue.End + 1);

    public bool IsShutDown => _finQueued;

    /// <summary>Urgent data is written and not acknowledged.</summary>
    public bool IsUrgent => _state is not null && _state.Urgent.IsOutstanding(SndUna);

    /// <summary>Bytes written and not acknowledged.</summary>
    public int QueuedBytes => _state?.Queue.Bytes ?? 0;

    /// <summary>Memory of the buffers that hold them.</summary>
    public int QueuedMemory => _state?.Queue.Memory ?? 0;

    /// <summary>Bytes that the send queue may hold.</summary>
    public int BufferLimit => _buffer.Size;

    public int BufferMaximum => _buffer.Maximum;

    /// <summary>Room in bytes that has become free since the writer was last told.</summary>
    public int WriterCredit => _buffer.Credit;

    /// <summary>Number of segments sent again since the connection began.</summary>
    public int Retransmits { get; private set; }

    /// <summary>Number of doublings of the retransmission time-out.</summary>
    public byte Backoff => _state?.Timer.Backoff ?? 0;

    /// <summary>Number of time-outs in a row.</summary>
    public byte Timeouts => _state?.Timer.Timeouts ?? 0;

    public long SlowStartThreshold => _state?.Congestion.SlowStartThreshold ?? long.MaxValue;

    /// <summary>Bytes per second; 0: as fast as the window allows.</summary>
    public long PacingRate =>
        _state?.Pacer.Rate ?? CongestionControl.PaceOf(_initialWindow, doubles: true, RoundTrips.Smoothed);

    public bool IsReorderingSeen => _state is { Recovery.IsReorderingSeen: true };

    /// <summary>cwnd, or the window of a recovery.</summary>
    public long CongestionWindow => _state?.Recovery.Window ?? _initialWindow;

    /// <summary>Payload of a full-sized segment without SACK blocks.</summary>
    public int SegmentSize => Path.SegmentSize;

    /// <summary>Payload of a full-sized segment now, less the room of SACK blocks.</summary>
    public int CurrentSegmentSize => Path.SegmentSize - connection.Receiver.SackOptionLength;

    public CongestionAlgorithm Algorithm => CongestionControl.Choose(connection.Options.CongestionControl, Layer.Options.CongestionControl);

    /// <summary>What keeps the sender from sending more, after the handshake.</summary>
    /// <param name="waitsForTurn">The socket is in the line for its interface.</param>
    public SenderLimit LimitOf(bool waitsForTurn)
    {
        if (_state is not { } state)
            return SenderLimit.Application;
        // On a path that loses many, one time-out is a loss like the others.
        var isLossy = state.Recovery.IsPathLossy;
        if (Timeouts > (isLossy ? 1 : 0) && !state.NewData.IsPeerLimited)
            return SenderLimit.Timeout;
        if (state.Recovery.State is LossState.Recovery or LossState.Loss)
            return isLossy ? SenderLimit.Loss : SenderLimit.Recovery;
        if (!HasUnsent)
            return SenderLimit.Application;
        if (state.NewData.IsPeerLimited)
            return SenderLimit.ReceiverWindow;
        if (waitsForTurn)
            return SenderLimit.Wire;
        if (state.Pacer.WakeAt != Instant.Never)
            return isLossy && !state.Pacer.IsBounded ? SenderLimit.Loss : SenderLimit.Pacing;
        var allowed = state.Recovery.Window - Pipe;
        if (Math.Min(Unsent, CurrentSegmentSize) <= Math.Min(UsableWindow, allowed))
            return SenderLimit.SmallSegment;
        if (UsableWindow <= allowed)
            return SenderLimit.ReceiverWindow;
        return isLossy ? SenderLimit.Loss : SenderLimit.CongestionWindow;
    }

    private SenderState State => _state ?? BeginSending();

    public void SetBuffer(in TcpSocketOptions options) =>
        _buffer.Set(options.SendBuffer, Layer.Options, Layer.IsUnderPressure, Layer.FirstSendShare);

    /// <summary>The connection begins; nothing is known of the peer.</summary>
    /// <param name="sndUna">The SYN's sequence number; or the next one if the connection's state accounts for the SYN.</param>
    public void Begin(uint iss, uint sndUna, in IpRoute route, int segmentSize, Instant now)
    {
        SndUna = sndUna;
        SndNxt = iss + 1;
        Path.Begin(connection, route.Mtu, route.SuperFrame, segmentSize, now);
        if (!CongestionControl.CanBeginLater(Algorithm))
            BeginSending();
    }

    /// <summary>Puts the options that both SYNs have offered into use.</summary>
    public void TakeSyn(in SynOptions agreed)
    {
        if (agreed.WindowScaling)
            WindowShift = Math.Min(agreed.PeerWindowScale, SynOptions.MaxWindowScale);
        Path.SetPeerMss(connection, agreed.PeerMss == 0 ? SynOptions.DefaultMss(connection.RemoteAddress) : Math.Max((int)agreed.PeerMss, SynOptions.MinMss));
    }

    /// <summary>Takes an acknowledgement of the SYN, and of the data in it.</summary>
    public void SynAcknowledged(uint ack)
    {
        var data = (int)(ack - SndNxt);
        SndUna = ack;
        SndNxt = ack;
        if (data == 0)
            return;
        ReleaseAcknowledged(data);
        CreditWriter(data);
    }

    /// <summary>Data may be sent: the handshake is done, or need not be waited for.</summary>
    /// <param name="segment">The segment that sets the window.</param>
    /// <param name="roundTrip">The handshake's round trip; zero: not measured.</param>
    public void Open(in TcpHeader segment, bool synLost, TimeSpan roundTrip, Instant now)
    {
        _window.Open(segment, WindowShift);
        BeginCongestionControl(synLost, roundTrip, now);
    }

    /// <summary>The connection is established.</summary>
    public void Established(in TcpHeader segment, bool synLost, Instant now)
    {
        Open(segment, synLost, RoundTrips.Smoothed, now);
        RoundTrips.Established(now);
        if (_state is null)
            return;
        _state.NewData.RestartIdleTime(now);
        if (SndUna != SndNxt)
            _state.Timer.Restart(now);
    }

    /// <summary>Copies data for a SYN from the beginning of the stream. It stays in the send queue.</summary>
    public PacketBuffer? FirstData(int most, out int length)
    {
        length = Math.Min(most, QueuedBytes);
        return length == 0 ? null : State.Queue.Segment(Layer.Ip.Pool, SndNxt, length, ref State.Places.Next);
    }

    /// <summary>Takes over a buffer with bytes to send.</summary>
    /// <param name="urgent">The last byte ends urgent data.</param>
    public void Write(PacketBuffer data, bool urgent)
    {
        State.Queue.Append(data, Layer.Ip.Pool);
        if (urgent)
            State.Urgent.Mark(State.Queue.End);
    }

    /// <summary>Ends the stream: a FIN follows the written data.</summary>
    public void ShutDown()
    {
        if (_state is null)
            BeginSending();
        _finQueued = true;
    }

    /// <summary>The socket is about to have other options. If its cork is taken out, what is written by now leaves in segments of any size.</summary>
    public void OptionsChange(in TcpSocketOptions to)
    {
        if (connection.Options.Cork && !to.Cork)
            _state?.NewData.Push();
    }

    /// <summary>Takes the credit, to tell it to the writer.</summary>
    public int TakeWriterCredit() => _buffer.TakeCredit();

    /// <summary>Requests a segment that elicits an acknowledgement: a zero-window or keep-alive probe.</summary>
    public void ElicitAcknowledgment() => _elicitsAcknowledgment = true;

    /// <summary>A SYN, or a SYN-ACK, leaves.</summary>
    public void SynSent(Instant now)
    {
        if (_state is not null)
            _state.NewData.RestartIdleTime(now);
    }

    /// <summary>Counts a SYN, or a SYN-ACK, that is sent again.</summary>
    public void CountRetransmit()
    {
        Retransmits++;
        Layer.Counters.TcpRetransSegs++;
    }

    /// <summary>A router reports that a packet was too big: segments become smaller, and everything in flight is sent again (RFC 1191, 6).</summary>
    public void PathMtuReduced(int mtu, Instant now)
    {
        if (!Path.Reduce(connection, mtu, now) || SndUna == SndNxt)
            return;
        State.Recovery.SendAllAgain(now);
        connection.WantOutput();
    }

    /// <summary>Replaces the congestion control by another, which begins as on a new connection.</summary>
    public void ChangeCongestionControl(Instant now)
    {
        if (_state is not null)
            _state.ReplaceCongestion(Algorithm, Layer);
        else if (!CongestionControl.CanBeginLater(Algorithm))
            BeginSending();
        if (connection.IsSynchronized)
            BeginCongestionControl(synLost: false, RoundTrips.Min, now);
    }

    /// <summary>When the sender's next timer runs out.</summary>
    public Instant NextTimeout => _state?.NextTimeout ?? Instant.Never;

    /// <summary>Runs the timers that are due.</summary>
    public void TimerFired(Instant now) => _state?.TimerFired(now);

    /// <summary>Brings the next retransmission forward, or sends a window probe.</summary>
    /// <returns>The retransmission timer is due now.</returns>
    public bool PathRepaired(Instant now) => _state?.PathRepaired(now) == true;

    /// <summary>Moves SND.NXT to <paramref name="next"/>, because new data leaves.</summary>
    public void MoveNext(uint next) => SndNxt = next;

    /// <summary>The connection has ended.</summary>
    public void End()
    {
        if (_state is null)
            return;
        Layer.Senders.Return(_state, _state.Congestion.IsFresh(_initialWindow));
        _state = null;
    }

    /// <summary>Gets the state for sending.</summary>
    /// <remarks>After the FIN is acknowledged the owner writes no more. The FIN has taken the number before SND.NXT.</remarks>
    private SenderState BeginSending()
    {
        _state = Layer.Senders.Rent(Algorithm);
        _state.Congestion.Begin(_initialWindow);
        _state.Begin(this, _finQueued ? SndNxt - 1 : SndNxt);
        return _state;
    }

    /// <summary>Returns the state to the pool after a turn, if nothing is under way any more and a fresh state would behave the same.</summary>
    private void LeaveSending(Instant now)
    {
        if (_state is null || SndUna != SndNxt || HasUnsent || !_state.IsDispensable(_initialWindow, now))
            return;
        Layer.Senders.Return(_state, keepsCongestion: true);
        _state = null;
    }

    private void BeginCongestionControl(bool synLost, TimeSpan roundTrip, Instant now)
    {
        if (_state is null)
        {
            _initialWindow = CongestionControl.FirstWindow(SegmentSize, synLost);
            return;
        }

        _state.Congestion.Begin(SegmentSize, synLost, roundTrip, now);
        _initialWindow = (int)_state.Congestion.Window;
    }
}
