using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <summary>
/// The receiving half of a connection: the sixth to eighth check of RFC 9293, 3.10.7.4 (URG, segment text, FIN), the window, and what an acknowledgement says.
/// </summary>
/// <remarks>
/// Data flows from <see cref="Receive"/> into the receive queue, or into the reassembly if it arrives ahead of a gap, and leaves by <see cref="Read"/>. Read
/// data counts against the window until <see cref="Consumed"/> is called for it.
/// </remarks>
internal sealed partial class TcpReceiver(TcpConnection connection)
{
    /// <summary>Segments that may always be received, however little memory is left, or connections would never end.</summary>
    private const int LeastSegments = 4;

    /// <summary>State of the end of the peer's stream.</summary>
    private enum StreamEnd : byte
    {
        Unknown,

        /// <summary>The FIN has arrived, but not all data before it.</summary>
        Announced,

        /// <summary>The FIN and everything before it have arrived.</summary>
        Arrived,

        /// <summary>The application has been told.</summary>
        Read,
    }

    private ReceiveQueue _received;
    private Reassembly _ahead;
    private ReceiveBuffer _buffer;
    private AcknowledgmentSchedule _acknowledgment = new();
    private UrgentReceiver _urgent;

    /// <summary>A duplicate that is not reported yet (RFC 2883).</summary>
    private SackBlock _duplicate;

    /// <summary>Sequence number of the peer's FIN. Means nothing while the end is <see cref="StreamEnd.Unknown"/>.</summary>
    private uint _peerFin;

    /// <summary>Bytes given away by Read and not yet consumed.</summary>
    private int _lent;

    /// <summary>Capacity of the buffers of the lent bytes. It shrinks in proportion as they are consumed.</summary>
    private int _lentMemory;

    /// <summary>The peer's segment size as observed, for "every second full-sized segment".</summary>
    private ushort _segmentSize;
    private byte _windowShift;
    private StreamEnd _end;
    private bool _isShutDown;

    /// <summary>A marked packet has come, and the peer has not confirmed it by CWR: every acknowledgement carries ECE (RFC 3168, 6.1.3).</summary>
    private bool _echoesMark;

    /// <summary>RCV.NXT.</summary>
    public uint RcvNxt { get; private set; }

    /// <summary>RCV.ADV: the right edge of the announced window. Data left of it is accepted; it never moves left.</summary>
    public uint RcvAdv { get; private set; }

    /// <summary>RCV.WND as announced.</summary>
    public int Window => Math.Max(0, (int)(RcvAdv - RcvNxt));

    /// <summary>Bytes that have come in order since the connection began.</summary>
    public long TotalBytes { get; private set; }

    /// <summary>Bytes that <see cref="Read"/> would return.</summary>
    public int Available => _received.Bytes;

    /// <summary>Bytes that the receive buffer may hold.</summary>
    public int BufferLimit => _buffer.Size;

    /// <summary>Memory of the buffers in the receive queue.</summary>
    public int QueueMemory => _received.Memory;

    /// <summary>Memory of all buffers that are held.</summary>
    public long Memory => _received.Memory + _ahead.Memory;

    /// <summary>Memory of data that arrived ahead of a gap.</summary>
    public long AheadMemory => _ahead.Memory;

    /// <summary>Memory of data given away by <see cref="Read"/> and not <see cref="Consumed"/>.</summary>
    public int LentMemory => _lentMemory;

    /// <summary>The peer's FIN has arrived, and everything before it.</summary>
    public bool HasEnded => _end >= StreamEnd.Arrived;

    /// <summary>The end of the stream has arrived and has not been read.</summary>
    public bool HasUnreadEnd => _end == StreamEnd.Arrived;

    /// <summary>RCV.NXT as last acknowledged.</summary>
    public uint LastAckSent { get; private set; }

    /// <summary>When a delayed acknowledgement is due.</summary>
    public Instant AcknowledgeAt => _acknowledgment.DelayedUntil;

    /// <summary>Bytes from the next one to be read to the end of the peer's urgent data; 0: none is outstanding.</summary>
    public int UrgentMark => _urgent.Mark(NextToRead);

    /// <summary>RCV.WIND.SHIFT; 0 without window scaling (RFC 7323, 2.3).</summary>
    public byte WindowShift => _windowShift;

    /// <summary>The shift that a SYN offers.</summary>
    public byte OfferedWindowShift => SynOptions.WindowScaleFor(_buffer.Maximum);

    /// <summary>The window field of a SYN, which is never scaled (RFC 7323, 2.2).</summary>
    public ushort SynWindow => (ushort)Math.Min(Free, ushort.MaxValue);

    /// <summary>The window field for a record in TIME-WAIT.</summary>
    public ushort LastWindow => (ushort)Math.Min(Free >> _windowShift, ushort.MaxValue);

    /// <summary>Bytes that the SACK option of the next segment takes.</summary>
    public int SackOptionLength =>
        (_ahead.IsEmpty && _duplicate.IsEmpty) || !connection.UsesSelectiveAck ? 0 : 4 + 8 * Math.Min(_ahead.Ranges + (_duplicate.IsEmpty ? 0 : 1), SackRoom);

    private TcpLayer Layer => connection.Layer;

    /// <summary>Room in the receive buffer, as far as a window field can express it.</summary>
    private int Free
    {
        get
        {
            var free = Math.Clamp(Math.Min(_buffer.Size - _received.Bytes - _lent, Capacity), 0, ushort.MaxValue << _windowShift);
            return _buffer.Size <= Layer.ReceiveShare ? free : Math.Min(free, FreeShare);
        }
    }

    /// <summary>The largest window: the buffer's size, or less by TCP_WINDOW_CLAMP.</summary>
    private int Capacity => connection.Options.WindowClamp is > 0 and var clamp && clamp < _buffer.Size ? clamp : _buffer.Size;

    /// <summary>Room while memory is short: this connection's share, but not less than the announced window, which is not taken back (RFC 9293,
    /// 3.8.6).</summary>
    private int FreeShare => Math.Max(Window, Math.Max(Layer.ReceiveShare - _received.Memory - _lentMemory, LeastSegments * _segmentSize - _received.Bytes - _lent));

    /// <summary>The application is gone, or has shut both directions down. As in Linux, data then causes a reset (RFC 9293, 3.6.1; RFC 1122,
    /// 4.2.2.13).</summary>
    private bool HasNoReader => connection.IsClosedByOwner || (_isShutDown && connection.Sender.IsShutDown);

    /// <summary>The window does not open by less than this (RFC 9293, 3.8.6.2.2).</summary>
    private int WindowStep => Math.Min(_segmentSize, Capacity / 2);

    /// <summary>The peer can hardly send more within the announced window, and a wider one could be announced.</summary>
    private bool IsWindowNarrow => Window < 2 * _segmentSize && Free - Window >= WindowStep;

    /// <summary>Number of SACK blocks that fit an acknowledgement.</summary>
    private int SackRoom => connection.Timestamps.AreUsed ? 3 : 4;

    /// <summary>Sequence number of the byte that Read returns next.</summary>
    private uint NextToRead => RcvNxt - (HasEnded ? 1u : 0) - (uint)_received.Bytes;

    public void SetBuffer(in TcpSocketOptions options) => _buffer.Set(options.ReceiveBuffer, Layer.Options, Layer.IsUnderPressure);

    /// <summary>The connection begins; nothing is known of the peer.</summary>
    /// <param name="segmentSize">Assumed size of the peer's segments until larger ones come.</param>
    public void Begin(ushort segmentSize) => _segmentSize = segmentSize;

    /// <summary>The peer's SYN has arrived.</summary>
    public void TakeSyn(uint irs, bool scalesWindows)
    {
        RcvNxt = irs + 1;
        LastAckSent = RcvNxt;
        if (scalesWindows)
            _windowShift = OfferedWindowShift;
        RcvAdv = RcvNxt + (uint)Math.Min(Capacity, ushort.MaxValue);
    }

    /// <summary>A SYN-ACK leaves with an unscaled window.</summary>
    public void SynAckSent(ushort window)
    {
        RcvAdv = Seq.Max(RcvAdv, RcvNxt + window);
        AcknowledgmentSent();
    }

    /// <summary>The connection stands.</summary>
    public void Established() => _acknowledgment.BeginQuick();

    /// <summary>Gives the received bytes to the caller.</summary>
    public PacketBuffer? Read(out int bytes, out bool endOfStream)
    {
        bytes = _received.Bytes;
        _lent += bytes;
        _lentMemory += _received.Memory;
        endOfStream = HasUnreadEnd;
        if (endOfStream)
            _end = StreamEnd.Read;
        var chain = _received.Take();
        PassUrgent();
        return chain;
    }

    /// <summary>The application has consumed bytes that <see cref="Read"/> gave away, and the window opens by them.</summary>
    public void Consumed(int bytes, Instant now)
    {
        if (_isShutDown)
            return;
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)bytes, (uint)_lent, nameof(bytes));
        _lentMemory = _lent == bytes ? 0 : (int)((long)_lentMemory * (_lent - bytes) / _lent);
        _lent -= bytes;
        _buffer.ApplicationRead(bytes, connection.Sender.RoundTrips.Smoothed, _segmentSize, Layer.GrowthShare, now);
        connection.Charge();
        OpenWindow();
    }

    /// <summary>SHUT_RD: received data, and data that arrives later, is acknowledged and thrown away, as in Linux.</summary>
    public void ShutDown()
    {
        if (_isShutDown)
            return;
        _isShutDown = true;
        DiscardReceived();
        _urgent.Forget();

        // No application will consume the lent bytes: they must not keep the window closed.
        _lent = _lentMemory = 0;
        connection.Charge();
        OpenWindow();
    }

    /// <summary>The owner closes: the application will read no more.</summary>
    /// <returns>True if bytes were unread, or given away and not consumed.</returns>
    public bool Close()
    {
        var hadUnread = _received.Bytes + _lent > 0;
        _received.Clear();
        return hadUnread;
    }

    /// <summary>The connection has ended: what was received in order can still be read.</summary>
    public void End() => _ahead.Clear(Layer.Ranges);

    /// <summary>False while acknowledgements wait for data to carry them (TCP_QUICKACK).</summary>
    public bool AcknowledgesQuickly => _acknowledgment.IsQuick;

    /// <summary>TCP_QUICKACK.</summary>
    public void AcknowledgeQuickly(int value)
    {
        if (_acknowledgment.SetQuick(value))
            connection.WantOutput();
    }

    /// <summary>Requests that a segment leave at once, for its acknowledgement.</summary>
    public void DemandAcknowledgment() => _acknowledgment.Demand();

    /// <summary>A segment must leave only for its acknowledgement.</summary>
    public bool MustAcknowledge(Instant now)
    {
        if (_acknowledgment.DelayIsOver(now))
            Layer.Counters.TcpExtDelayedACKs++;
        return _acknowledgment.IsDue;
    }

    /// <summary>New data leaves.</summary>
    public void DataSent(Instant now) => _acknowledgment.DataSent(Layer.Options.DelayedAck, now);

    /// <summary>Writes the acknowledgement number, window, ECE and SACK blocks of a segment that leaves now.</summary>
    public void PutAcknowledgment(ref TcpHeader header)
    {
        header.Acknowledgment = RcvNxt;
        header.Window = SelectWindow();
        if (_echoesMark && connection.UsesEcn)
            header.Flags |= TcpFlags.Ece;
        PutSacks(ref header);
        AcknowledgmentSent();
    }

    /// <summary>Records duplicate bytes for a report in the next acknowledgement (RFC 2883).</summary>
    public void ReportDuplicate(uint start, uint end, Instant now)
    {
        if (connection.UsesSelectiveAck && !_duplicate.IsEmpty)
            AcknowledgeAtOnce(now);
        Layer.Counters.TcpInDuplicateBytes += (int)(end - start);
        _duplicate = new SackBlock(start, end);
    }

    private void AcknowledgmentSent()
    {
        LastAckSent = RcvNxt;
        _acknowledgment.Sent();
    }

    /// <summary>Bytes were read, or the stream has ended: the urgent mark may lie behind.</summary>
    private void PassUrgent()
    {
        if (_end != StreamEnd.Unknown)
            _urgent.EndAt(_peerFin);
        _urgent.Pass(NextToRead);
    }

    private void DiscardReceived()
    {
        Layer.Counters.TcpInDiscarded += _received.Bytes;
        _received.Clear();
    }

    /// <summary>Bytes have left the buffer. As in Linux, the peer is told at once if the announced window was small and has at least doubled; otherwise the
    /// next acknowledgement tells it.</summary>
    private void OpenWindow()
    {
        if (!connection.IsSynchronized || HasEnded)
            return;
        var window = Window;
        var free = Free;
        if (2L * window > Capacity || free < 2L * window || free - window < WindowStep)
            return;
        Layer.Counters.TcpInWindowUpdates++;
        _acknowledgment.Demand();
        connection.WantOutput();
    }

    /// <summary>The window field for a segment that leaves now; moves <see cref="RcvAdv"/>. It is rounded down, so that the buffer is never exceeded. The edge
    /// that the peer sees may then be short of <see cref="RcvAdv"/>, up to which data is still accepted (RFC 7323, 2.4).</summary>
    private ushort SelectWindow()
    {
        var window = Window;
        var free = Free;
        if (free - window >= WindowStep)
            window = free;
        var field = (uint)Math.Min(window >> _windowShift, ushort.MaxValue);
        RcvAdv = Seq.Max(RcvAdv, RcvNxt + (field << _windowShift));
        return (ushort)field;
    }

    /// <summary>Writes the SACK blocks of an acknowledgement, a duplicate first (RFC 2018, 4; RFC 2883, 4).</summary>
    private void PutSacks(ref TcpHeader header)
    {
        if (!connection.UsesSelectiveAck)
            return;
        var count = 0;
        if (!_duplicate.IsEmpty)
        {
            header.Sacks[count++] = _duplicate;
            _duplicate = default;
            Layer.Counters.TcpExtTCPDSACKOldSent++;
        }

        if (!_ahead.IsEmpty)
            count += _ahead.Report(ref header.Sacks, count, SackRoom - count);
        header.SackCount = (byte)count;
    }

    /// <summary>One acknowledgement answers a batch, unless it cannot report everything: the sender takes unreported data for lost.</summary>
    private void AcknowledgeAtOnce(Instant now)
    {
        if (Layer.Ip.HasRoom(connection.Interface))
            connection.Sender.SendAcknowledgment(now);
    }
}
