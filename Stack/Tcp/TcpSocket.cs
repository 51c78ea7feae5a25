using System.Runtime.CompilerServices;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp.Connection;

namespace Tapwire.Stack.Tcp;

/// <summary>A TCP connection as its owner sees it. The protocol is in <see cref="TcpConnection"/> and its parts.</summary>
/// <remarks>
/// Receiving: <see cref="Read"/> gives bytes away, which count against the window until <see cref="Consumed"/> is called for them. Sending: <see cref="Write"/>
/// takes buffers within <see cref="SendRoom"/>; <see cref="TakeAcknowledged"/> says how much of that has become free again. The event Closed comes exactly
/// once.
/// </remarks>
public sealed class TcpSocket : StackSocket
{
    internal TcpSocket? NextOutput;
    internal TcpSocket? NextAccept;
    internal bool IsInOutput;

    private readonly TcpConnection _connection;
    private bool _waitsForAccept;
    private bool _closedRaised;

    internal TcpSocket(TcpLayer layer, TcpConnection connection, StrongBox<TcpSocketOptions> options)
    {
        _connection = connection;
        connection.Attach(layer, this, options);
    }

    public TcpState State => _connection.State;

    /// <inheritdoc cref="TcpConnection.IsEarly"/>
    public bool IsEarly => _connection.IsEarly;

    public IpEndpoint Local => _connection.Pair.Local;

    public IpEndpoint Remote => _connection.Pair.Remote;

    /// <summary>Why the connection has ended; None while it lives, and after both FINs were exchanged.</summary>
    public StackError Error => _connection.Error;

    /// <summary>The socket's options.</summary>
    public TcpSocketOptions Options => _connection.Options;

    /// <summary>The index of the interface by which segments leave, or <see cref="Interfaces.InterfaceTable.Loopback"/>.</summary>
    public byte Interface => _connection.Interface;

    /// <summary>Bytes that <see cref="Read"/> would give.</summary>
    public int Available => Receiver.Available;

    /// <summary>Bytes that <see cref="Write"/> takes now, 0..the send buffer.</summary>
    public int SendRoom => Math.Max(0, SendBuffer - Sender.QueuedBytes);

    /// <summary>Bytes that the send queue may hold.</summary>
    public int SendBuffer => Sender.BufferLimit;

    /// <summary>Bytes that are written and were never sent (SIOCOUTQNSD).</summary>
    public int UnsentBytes => Math.Max(0, Sender.Unsent);

    /// <summary>Bytes that are written and not acknowledged (SIOCOUTQ).</summary>
    public int QueuedBytes => Sender.QueuedBytes;

    /// <summary>The largest packet that the path takes, in bytes (IP_MTU).</summary>
    public int PathMtu => Sender.Path.Mtu;

    /// <summary>TCP_QUICKACK: whether acknowledgements leave without waiting for data.</summary>
    public bool AcknowledgesQuickly => Receiver.AcknowledgesQuickly;

    /// <summary>TCP_QUICKACK as in Linux: an odd value sends an acknowledgement that waits; an even one lets later ones wait for data, after that if it is not 0.</summary>
    public void AcknowledgeQuickly(int value) => Receiver.AcknowledgeQuickly(value);

    /// <summary>What keeps it from sending more at this moment.</summary>
    public SenderLimit Limit => _connection.IsInHandshake ? SenderLimit.Handshake : Sender.LimitOf(IsInOutput);

    public TcpInfo Info => new()
    {
        State = State,
        SegmentSize = Sender.SegmentSize,
        Rto = _connection.CurrentRto,
        RoundTrip = Sender.RoundTrips.Smoothed,
        RoundTripVariation = Sender.RoundTrips.Variation,
        CongestionWindow = Sender.CongestionWindow,
        SlowStartThreshold = Sender.SlowStartThreshold,
        SendWindow = Sender.SndWnd,
        ReceiveWindow = Receiver.Window,
        BytesInFlight = Sender.Flight,
        SendQueue = Sender.QueuedBytes,
        ReceiveQueue = Receiver.Available,
        Retransmits = Sender.Retransmits,
        Backoff = _connection.Backoff,
        Timeouts = _connection.Timeouts,
        Timestamps = _connection.Timestamps.AreUsed,
        SelectiveAck = _connection.UsesSelectiveAck,
        Ecn = _connection.UsesEcn,
        CongestionControl = Sender.Algorithm,
        PacingRate = Sender.PacingRate,
        MinRoundTrip = Sender.RoundTrips.Min,
        BytesLost = Sender.Rate.Lost,
        BytesDelivered = Sender.Rate.Delivered,
        BytesReceived = Receiver.TotalBytes,
        Limit = Limit,
        ReorderingSeen = Sender.IsReorderingSeen,
        UrgentMark = Receiver.UrgentMark,
        SoftError = _connection.SoftErrors.Last,
    };

    /// <summary>Sets options on a living connection. A changed buffer, NoDelay, keepalive or user time-out takes effect at once. ReuseAddress, MaxSegment,
    /// SynRetries and DeferAccept have no effect after the handshake. Taking a cork out sends what it has kept back.</summary>
    public void SetOptions(in TcpSocketOptions options, Instant now) => _connection.SetOptions(options, now);

    /// <summary>Gives the received bytes to the caller, as a chain linked by <see cref="PacketBuffer.Next"/>.</summary>
    /// <param name="bytes">Bytes in the chain; they count against the window until <see cref="Consumed"/>.</param>
    /// <param name="endOfStream">True once, with the last bytes, or without bytes.</param>
    /// <returns>Null if there are none.</returns>
    public PacketBuffer? Read(out int bytes, out bool endOfStream)
    {
        var chain = Receiver.Read(out bytes, out endOfStream);
        _connection.Charge();
        return chain;
    }

    /// <summary>The application has consumed bytes that <see cref="Read"/> gave away, and the window opens by them.</summary>
    /// <exception cref="ArgumentOutOfRangeException">More than were given away.</exception>
    public void Consumed(int bytes, Instant now) => Receiver.Consumed(bytes, now);

    /// <summary>SHUT_RD: received data, and data that arrives later, is acknowledged and thrown away, as in Linux.</summary>
    public void ShutdownReceive(Instant now) => Receiver.ShutDown();

    /// <summary>Takes a buffer with bytes to send, without fragments or a chain. The socket takes it over, also on failure.</summary>
    /// <param name="urgent">The last byte ends urgent data: the peer is notified at once (RFC 9293, 3.8.5). New applications should not use that.</param>
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
        Sender.Write(data, urgent);
        _connection.Charge();
        _connection.WantOutput();
        return StackError.None;
    }

    /// <summary>The number that <see cref="TakeAcknowledged"/> would return now.</summary>
    public int Acknowledged => Sender.WriterCredit;

    /// <summary>Bytes that the peer has acknowledged since the last call, and that may be written again.</summary>
    public int TakeAcknowledged() => Sender.TakeWriterCredit();

    /// <summary>The ICMP error since data was last acknowledged, or since the last call: SO_ERROR of a living connection in Linux.</summary>
    public StackError TakeSoftError() => _connection.SoftErrors.Take();

    /// <summary>
    /// Bytes from the next one that <see cref="Read"/> returns to the end of the peer's urgent data; 0: none is outstanding. It may exceed
    /// <see cref="Available"/>, if the data is announced but has not arrived. Asked before Read, it gives the end of the urgent data in the chain (RFC 9293,
    /// 3.9.1.3).
    /// </summary>
    public int UrgentMark => Receiver.UrgentMark;

    /// <summary>SHUT_WR: a FIN follows the written data. Reading goes on.</summary>
    public void ShutdownSend(Instant now) => _connection.ShutDownSend();

    /// <summary>
    /// The application is gone. Written data is sent, followed by a FIN; data that the peer sends from now on is answered with a reset. Bytes that are unread,
    /// or given away and not <see cref="Consumed"/>, or <see cref="TcpSocketOptions.ResetOnClose"/>, reset the connection at once (RFC 2525, 2.17). The event
    /// Closed comes at the end.
    /// </summary>
    public void Close(Instant now) => _connection.Close(now);

    /// <summary>Resets the connection and discards all data, read or unread (RFC 9293, 3.10.5).</summary>
    public void Abort(Instant now) => _connection.Abort(now);

    /// <summary>Ends the connection for both sides, as ss -K does: the peer gets a reset, the owner the event Closed with ConnectionAborted.</summary>
    public void Kill(Instant now) => _connection.Kill(tellsPeer: true, now);

    internal TcpConnection Connection => _connection;

    /// <summary>Bytes that the receive side may hold.</summary>
    internal int BufferLimit => Receiver.BufferLimit;

    /// <summary>Memory of the buffers that the receive side holds.</summary>
    internal long MemoryHeld => Receiver.Memory;

    /// <summary>Largest <see cref="SendBuffer"/> that it grows to.</summary>
    internal int SendBufferMaximum => Sender.BufferMaximum;

    internal uint SndUna => Sender.SndUna;

    internal uint SndNxt => Sender.SndNxt;

    private TcpReceiver Receiver => _connection.Receiver;

    private TcpSender Sender => _connection.Sender;

    internal void SegmentArrives(ref TcpHeader segment, PacketBuffer payload, Instant now) => _connection.SegmentArrives(ref segment, payload, now);

    internal bool Output(Instant now) => _connection.Output(now);

    internal void BeginActive(uint iss, in IpRoute route, Instant now) => _connection.BeginActive(iss, route, now);

    internal void BeginFastOpen(TcpListener listener, in TcpHeader syn, PacketBuffer payload, uint iss, in IpRoute route, Instant now)
    {
        _waitsForAccept = true;
        _connection.BeginFastOpen(listener, syn, payload, iss, route, now);
    }

    internal void BeginPassive(TcpEmbryo embryo, in TcpHeader ack, Instant now)
    {
        _waitsForAccept = true;
        _connection.BeginPassive(embryo, ack, now);
    }

    internal void PathMtuReduced(int mtu, Instant now)
    {
        if (_connection.IsSynchronized)
            Sender.PathMtuReduced(mtu, now);
    }

    internal void Unreachable(StackError error, Instant now) => _connection.Unreachable(error, now);

    internal void End(StackError error) => _connection.End(error);

    internal void Accepted()
    {
        _waitsForAccept = false;
        if (Available > 0 || Receiver.HasEnded)
            Raise(SocketEvents.Readable);
        if (UrgentMark > 0)
            Raise(SocketEvents.Urgent);
        if (_closedRaised)
            Raise(SocketEvents.Closed);
    }

    private StackError CanWrite(int length)
    {
        if (Sender.IsShutDown || State is TcpState.Closed or TcpState.TimeWait)
            return StackError.BrokenPipe;
        return length > SendRoom ? StackError.NoBufferSpace : StackError.None;
    }

    internal void Raise(SocketEvents events)
    {
        if (!_waitsForAccept)
            _connection.Layer.Events.Raise(this, events);
    }

    internal void RaiseClosed()
    {
        if (_closedRaised)
            return;
        _closedRaised = true;
        Raise(SocketEvents.Closed);
    }
}
