using System.Runtime.CompilerServices;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

/// <summary>
/// A TCP connection: what its owner sees of it. The protocol stands in the other parts of this class, one file per role; variables have their names
/// from RFC 9293, 3.3.1.
/// </summary>
/// <remarks>
/// Receiving: <see cref="Read"/> gives bytes away, which count against the window until <see cref="Consumed"/> is told of them. Sending:
/// <see cref="Write"/> takes buffers within <see cref="SendRoom"/>; <see cref="TakeAcknowledged"/> says how much of that has become free again. The
/// event Closed comes exactly once.
/// </remarks>
public sealed partial class TcpSocket : StackSocket
{
    internal TcpSocket? NextOutput;
    internal TcpSocket? NextAccept;
    internal bool IsInOutput;

    private readonly TcpLayer _layer;
    private readonly TcpConnection _entry;
    private StrongBox<TcpSocketOptions> _options;
    private TcpState _state;
    private StackError _error;

    /// <summary>What ICMP has said; it names the reason if the connection times out (RFC 9293, 3.9.2.2).</summary>
    private StackError _softError;

    private bool _waitsForAccept;
    private bool _closedByOwner;
    private bool _closedRaised;

    internal TcpSocket(TcpLayer layer, TcpConnection entry, StrongBox<TcpSocketOptions> options)
    {
        _layer = layer;
        _entry = entry;
        entry.Socket = this;
        _options = options;
        SetBuffers(options.Value);
        if (!CongestionControl.CanBeginLater(Algorithm))
            BeginSending();
    }

    public TcpState State => _state;

    public IpEndpoint Local => _entry.Pair.Local;

    public IpEndpoint Remote => _entry.Pair.Remote;

    /// <summary>Why the connection has ended; None while it lives, and after both FINs were exchanged.</summary>
    public StackError Error => _error;

    /// <summary>What is set on this socket.</summary>
    public TcpSocketOptions Options => _options.Value;

    /// <summary>Bytes that <see cref="Read"/> would give.</summary>
    public int Available => _received.Bytes;

    /// <summary>Bytes that <see cref="Write"/> takes at this moment, 0..the send buffer.</summary>
    public int SendRoom => Math.Max(0, _sendBuffer - _send.Bytes);

    /// <summary>Bytes that the send queue may hold.</summary>
    public int SendBuffer => _sendBuffer;

    public TcpInfo Info => new()
    {
        State = _state,
        SegmentSize = _segmentSize,
        Rto = CurrentRto,
        RoundTrip = _rtt.Smoothed,
        RoundTripVariation = _rtt.Variation,
        CongestionWindow = CongestionWindow,
        SlowStartThreshold = _sender?.Congestion.SlowStartThreshold ?? long.MaxValue,
        SendWindow = SndWnd,
        ReceiveWindow = ReceiveWindow,
        BytesInFlight = Flight,
        SendQueue = _send.Bytes,
        ReceiveQueue = _received.Bytes,
        Retransmits = _retransmits,
        Backoff = _backoff,
        Timestamps = _timestamps,
        SelectiveAck = _selectiveAck,
        Ecn = _ecn,
        CongestionControl = Algorithm,
        PacingRate = _sender?.Congestion.PacingRate(_rtt.Smoothed) ?? CongestionControl.PaceOf(_initialWindow, doubles: true, _rtt.Smoothed),
        MinRoundTrip = _minRoundTrip,
        BytesLost = _rate.Lost,
        BytesDelivered = _rate.Delivered,
        ReorderingSeen = _sender is { Rack.IsReordering: true },
        UrgentMark = UrgentMark,
        SoftError = _softError,
    };

    /// <summary>Sets options on a living connection. A changed buffer, NoDelay, keepalive or user time-out takes effect at once;
    /// ReuseAddress and MaxSegment are of no use after the handshake.</summary>
    public void SetOptions(in TcpSocketOptions options, Instant now)
    {
        var algorithm = Algorithm;
        _options = _layer.Shared(options);
        if (algorithm != Algorithm)
            ChangeCongestionControl(now);
        SetBuffers(options);
        if (IsSynchronized)
            ArmKeepAlive(now);
        WantOutput();
    }

    /// <summary>Gives the received bytes away, as a chain linked by <see cref="PacketBuffer.Next"/> which then belongs to the caller.</summary>
    /// <param name="bytes">Bytes in the chain; they take up window until <see cref="Consumed"/>.</param>
    /// <param name="endOfStream">True once: these are the last bytes, there may be none.</param>
    /// <returns>Null if there are none.</returns>
    public PacketBuffer? Read(out int bytes, out bool endOfStream)
    {
        bytes = _received.Bytes;
        _lent += bytes;
        endOfStream = _finReceived && !_endDelivered;
        _endDelivered |= endOfStream;
        var chain = _received.Take();
        PassUrgent();
        Charge();
        return chain;
    }

    /// <summary>The application has taken bytes that <see cref="Read"/> gave away: the window opens by them.</summary>
    /// <exception cref="ArgumentOutOfRangeException">More than were given away.</exception>
    public void Consumed(int bytes, Instant now)
    {
        if (_receiveShutdown)
            return;
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)bytes, (uint)_lent, nameof(bytes));
        _lent -= bytes;
        Taken(bytes, now);
        Charge();
        WindowOpened();
    }

    /// <summary>SHUT_RD: what is there, and what comes, is acknowledged and thrown away, as Linux does.</summary>
    public void ShutdownReceive(Instant now)
    {
        if (_receiveShutdown)
            return;
        _receiveShutdown = true;
        _layer.Counters.TcpInDiscarded += _received.Bytes;
        _received.Clear();
        _hearsUrgent = false;

        // Nobody will take what was given away: it must not keep the window closed.
        _lent = 0;
        Charge();
        WindowOpened();
    }

    /// <summary>Takes a buffer with bytes to send; no fragments, no chain. It belongs to the socket from now on, also if the call fails.</summary>
    /// <param name="urgent">The last byte ends urgent data: the peer is told at once that it is on its way (RFC 9293, 3.8.5). New applications should
    /// not use that.</param>
    /// <returns>None; BrokenPipe: the sending side is shut down, or the connection has ended; NoBufferSpace: more than
    /// <see cref="SendRoom"/>.</returns>
    public StackError Write(PacketBuffer data, Instant now, bool urgent = false)
    {
        var error = CanWrite(data.Length);
        if (error != StackError.None || data.Length == 0)
        {
            data.Release();
            return error;
        }

        data.Next = null;
        _send.Append(data);
        if (urgent)
            MarkUrgent();
        Charge();
        WantOutput();
        return StackError.None;
    }

    /// <summary>What <see cref="TakeAcknowledged"/> would give now.</summary>
    public int Acknowledged => _acknowledgedCredit;

    /// <summary>Bytes that the peer has acknowledged since the last call: so much more may be written.</summary>
    public int TakeAcknowledged()
    {
        var bytes = _acknowledgedCredit;
        _acknowledgedCredit = 0;
        return bytes;
    }

    /// <summary>What ICMP has said since data was last acknowledged, or since the last call: as SO_ERROR tells it in Linux while a connection lives.</summary>
    public StackError TakeSoftError()
    {
        var error = _softError == StackError.TimedOut ? StackError.None : _softError;
        if (error != StackError.None)
            _softError = StackError.None;
        return error;
    }

    internal void Accepted()
    {
        _waitsForAccept = false;
        if (_received.Bytes > 0 || _finReceived)
            Raise(SocketEvents.Readable);
        if (UrgentMark > 0)
            Raise(SocketEvents.Urgent);
        if (_closedRaised)
            Raise(SocketEvents.Closed);
    }

    /// <summary>Bytes that the receive side may hold.</summary>
    internal int BufferLimit => _receiveBuffer;

    /// <summary>Memory of the buffers that the receive side holds.</summary>
    internal long MemoryHeld => _received.Memory + _ahead.Memory;

    /// <summary>Largest <see cref="SendBuffer"/> that it grows to.</summary>
    internal int SendBufferMaximum => _sendBufferMaximum;

    private bool IsSynchronized => _state is not (TcpState.Closed or TcpState.SynSent or TcpState.TimeWait);

    private StackError CanWrite(int length)
    {
        if (_finQueued || _state is TcpState.Closed or TcpState.TimeWait)
            return StackError.BrokenPipe;
        return length > SendRoom ? StackError.NoBufferSpace : StackError.None;
    }

    private void Raise(SocketEvents events)
    {
        if (!_waitsForAccept)
            _layer.Events.Raise(this, events);
    }

    private void RaiseClosed()
    {
        if (_closedRaised)
            return;
        _closedRaised = true;
        Raise(SocketEvents.Closed);
    }

    private void WantOutput() => _layer.WantOutput(this);
}
