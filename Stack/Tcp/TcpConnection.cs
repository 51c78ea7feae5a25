using System.Runtime.CompilerServices;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp.Connection;

namespace Tapwire.Stack.Tcp;

/// <summary>
/// A connection: its state, its timer and place in the table, and what joins its parts, each of which has fields of its own: the <see cref="TcpReceiver"/>, the
/// <see cref="TcpSender"/>, and the <see cref="Handshake"/> while there is one. Variables have their names from RFC 9293, 3.3.1.
/// </summary>
/// <remarks>
/// A segment goes through <see cref="SegmentArrives"/>, in the order of RFC 9293, 3.10.7: the checks, <see cref="TcpSender.Acknowledged"/>,
/// <see cref="TcpReceiver.Receive"/>. What follows from it leaves in <see cref="Output"/>.
/// </remarks>
internal sealed partial class TcpConnection(in TcpPair pair, uint hash) : TcpEntry(pair, hash)
{
    public Timestamps Timestamps;
    public UserTimeout UserTimeout;
    public SoftErrors SoftErrors;

    private StrongBox<TcpSocketOptions> _options = null!;
    private Handshake? _handshake;
    private KeepAlive _keepAlive = new();

    /// <summary>When the peer's FIN is waited for no longer.</summary>
    private Instant _finWait2At = Instant.Never;

    private uint _confirmedSecond = uint.MaxValue;

    /// <summary>A <see cref="StackError"/>, all of which fit a byte.</summary>
    private byte _error;

    /// <summary>Bytes that the layer's account has of this connection.</summary>
    private long _charged;

    /// <summary>The SYN, or the SYN-ACK, had to be sent again.</summary>
    private bool _synLost;

    public TcpSocket Socket { get; private set; } = null!;

    public TcpLayer Layer { get; private set; } = null!;

    public TcpReceiver Receiver { get; private set; } = null!;

    public TcpSender Sender { get; private set; } = null!;

    public TcpState State { get; private set; }

    /// <summary>Why the connection has ended; None while it lives, and after both FINs were exchanged.</summary>
    public StackError Error
    {
        get => (StackError)_error;
        private set => _error = (byte)value;
    }

    /// <summary>Of its IPv6 packets.</summary>
    public ushort FlowLabel { get; private set; }

    /// <summary>Nobody reads or writes any more.</summary>
    public bool IsClosedByOwner { get; private set; }

    /// <summary>What is set on the socket.</summary>
    public ref readonly TcpSocketOptions Options => ref _options.Value;

    /// <summary>The index of the interface by which segments leave: that of the local address, which stays the same.</summary>
    public byte Interface { get; private set; }

    /// <summary>MSS that we announced.</summary>
    public ushort OwnMss { get; private set; }

    /// <summary>Selective acknowledgements are in use, both ways (RFC 2018).</summary>
    public bool UsesSelectiveAck { get; private set; }

    /// <summary>Explicit congestion notification is in use, both ways (RFC 3168).</summary>
    public bool UsesEcn { get; private set; }

    /// <summary>SYN-SENT, or SYN-RECEIVED.</summary>
    public bool IsInHandshake => _handshake is not null;

    /// <summary>The owner was told of a connection before the handshake is done: what it writes goes with the SYN (RFC 7413).</summary>
    public bool IsEarly => _handshake is { IsAnnounced: true } && State == TcpState.SynSent;

    public bool IsSynchronized => State is not (TcpState.Closed or TcpState.SynSent or TcpState.TimeWait);

    /// <summary>The retransmission time-out, doubled for each time that it has run out since the last round trip was measured.</summary>
    public TimeSpan CurrentRto => Timeout(Backoff);

    /// <summary>R2 of RFC 9293, 3.8.3, in retransmissions or probes.</summary>
    public int MaxRetries => IsClosedByOwner ? Layer.Options.OrphanRetries : Layer.Options.Retries;

    /// <summary>Doublings of the retransmission time-out.</summary>
    public byte Backoff => _handshake?.Backoff ?? Sender.Backoff;

    /// <summary>Time-outs in a row.</summary>
    public byte Timeouts => _handshake?.Retransmits ?? Sender.Timeouts;

    /// <summary>RFC 6298, 2.1; after a lost SYN 3 s (5.7).</summary>
    private TimeSpan InitialRto => _synLost ? TimeSpan.FromTicks(Math.Max(3 * TimeSpan.TicksPerSecond, Layer.Options.InitialRto.Ticks)) : Layer.Options.InitialRto;

    /// <summary>The socket is made.</summary>
    public void Attach(TcpLayer layer, TcpSocket socket, StrongBox<TcpSocketOptions> options)
    {
        _options = options;
        Layer = layer;
        Socket = socket;
        Receiver = new TcpReceiver(this);
        Sender = new TcpSender(this);
        SetBuffers();
    }

    /// <summary>The socket has other options.</summary>
    public void SetOptions(in TcpSocketOptions options, Instant now)
    {
        var algorithm = Sender.Algorithm;
        Sender.OptionsChange(options);
        _options = Layer.Shared(options);
        if (algorithm != Sender.Algorithm)
            Sender.ChangeCongestionControl(now);
        SetBuffers();
        if (IsSynchronized)
            _keepAlive.Arm(Options, now);
        WantOutput();
    }

    /// <summary>An active open (RFC 9293, 3.10.1).</summary>
    public void BeginActive(uint iss, in IpRoute route, Instant now)
    {
        State = TcpState.SynSent;
        Begin(iss, iss, route, now);
        _handshake = new Handshake(this, iss);
        _handshake.Open(now);
    }

    /// <summary>A SYN with a valid cookie (RFC 7413): the connection is there at once.</summary>
    public void BeginFastOpen(TcpListener listener, in TcpHeader syn, PacketBuffer payload, uint iss, in IpRoute route, Instant now)
    {
        State = TcpState.SynReceived;
        // The state stands for the SYN-ACK; SND.UNA is there for data.
        Begin(iss, iss + 1, route, now);
        var handshake = new Handshake(this, iss);
        _handshake = handshake;
        handshake.OpenFast(listener);
        handshake.TakeSyn(syn, now);
        Sender.Open(syn, synLost: false, TimeSpan.Zero, now);
        var text = syn;
        text.Flags &= ~TcpFlags.Syn;
        text.Sequence++;
        Receiver.Receive(text, payload, now);
        handshake.DemandSyn();
    }

    /// <summary>Takes over from SYN-RECEIVED; the segment that ended it follows as any other.</summary>
    public void BeginPassive(TcpEmbryo embryo, in TcpHeader ack, Instant now)
    {
        Begin(embryo.Iss, embryo.Iss + 1, new IpRoute { Mtu = embryo.Mtu, SuperFrame = embryo.SuperFrame, Interface = embryo.Interface }, now);
        AgreeOn(embryo.Irs, embryo.Agreed, embryo.Since);
        if (embryo.Retries == 0 && !embryo.AnsweredOften)
            Sender.RoundTrips.Measured(now - embryo.Since);
        _keepAlive.Heard(now);
        _synLost = embryo.Retries > 0;
        Established(ack, now);
    }

    /// <summary>The peer's SYN has arrived: what it offers and this end wants too is in use from now on.</summary>
    /// <param name="since">When it arrived.</param>
    public void AgreeOn(uint irs, in SynOptions agreed, Instant since)
    {
        Timestamps.Agree(agreed.Timestamps, agreed.TsRecent, since);
        _keepAlive.Heard(since);
        UsesSelectiveAck = agreed.SelectiveAck;
        UsesEcn = agreed.Ecn;
        Receiver.TakeSyn(irs, agreed.WindowScaling);
        Sender.TakeSyn(agreed);
    }

    /// <summary>Simultaneous open (RFC 9293, 3.5): the peer's SYN has crossed ours.</summary>
    public void SynsCrossed() => State = TcpState.SynReceived;

    /// <summary>Both SYNs are acknowledged.</summary>
    public void Established(in TcpHeader segment, Instant now)
    {
        State = TcpState.Established;
        _synLost |= _handshake is { Retransmits: > 0 };
        EndHandshake();
        UserTimeout.Restart(now);
        Receiver.Established();
        Sender.Established(segment, _synLost, now);
        _keepAlive.Arm(Options, now);
        if (Sender.IsShutDown)
            State = TcpState.FinWait1;
        WantOutput();
    }

    /// <summary>Emits what may be emitted, within one turn, and sets the timer: what to send and when to look again is one decision.</summary>
    /// <returns>True if there may be more to emit.</returns>
    public bool Output(Instant now)
    {
        var more = Sender.Output(now);
        Sender.OutputDone(more, now);
        Schedule(now);
        return more;
    }

    /// <summary>Sends what comes next.</summary>
    /// <returns>False if there is nothing to send now.</returns>
    public bool SendNext(Instant now) => State switch
    {
        TcpState.Closed => false,
        TcpState.SynSent => _handshake!.Send(now),
        TcpState.SynReceived => _handshake!.Send(now) || (_handshake.IsPassive && Sender.SendEarly(now)) || Sender.SendDueAcknowledgment(now),
        TcpState.TimeWait => Sender.SendDueAcknowledgment(now),
        _ => Sender.SendNext(now),
    };

    /// <summary>The place in the wheel has come up.</summary>
    /// <remarks>It has the earliest of all deadlines. One that moves away leaves it where it is: it then fires early, once, and is set anew, which is cheaper than moving it
    /// with every segment. Only where none is left it is taken out: an idle connection wakes nobody.</remarks>
    protected internal override void Fire(Instant now)
    {
        if (_handshake?.TimeoutAt <= now)
            _handshake.TimedOut(now);
        Sender.TimerFired(now);
        if (_keepAlive.At <= now && State != TcpState.Closed)
            _keepAlive.TimedOut(this, now);
        if (_finWait2At <= now && State == TcpState.FinWait2)
            End(StackError.TimedOut);
        if (State is not (TcpState.Closed or TcpState.TimeWait))
            WantOutput();
    }

    /// <summary>Packets get through again: what waits for a time-out is sent at once.</summary>
    public void PathRepaired(Instant now)
    {
        _handshake?.PathRepaired();
        if (Sender.PathRepaired(now))
            Layer.Timers.Arm(this, now);
    }

    public void WantOutput() => Layer.Turns.Add(Socket);

    public void Raise(SocketEvents events) => Socket.Raise(events);

    /// <summary>Brings the layer's account of memory up to date.</summary>
    public void Charge()
    {
        var held = (long)Receiver.QueueMemory;
        if (State is not (TcpState.Closed or TcpState.TimeWait))
            held += Receiver.LentMemory + Receiver.AheadMemory + Sender.QueuedMemory;
        if (held == _charged)
            return;
        Layer.Charge(held - _charged, (held != 0 ? 1 : 0) - (_charged != 0 ? 1 : 0));
        _charged = held;
    }

    private void EndHandshake()
    {
        _handshake?.Leave();
        _handshake = null;
    }

    private void Begin(uint iss, uint sndUna, in IpRoute route, Instant now)
    {
        Interface = route.Interface;
        FlowLabel = SynOptions.FlowLabel(iss);
        var assumedMss = SynOptions.DefaultMss(RemoteAddress);
        OwnMss = SynOptions.AnnouncedMss(route.Mtu, RemoteAddress, Options.MaxSegment);
        var segmentSize = (ushort)Math.Min(assumedMss, OwnMss);
        Receiver.Begin(segmentSize);
        Sender.Begin(iss, sndUna, route, segmentSize, now);
        Timestamps.Begin(Layer.Secrets.TimestampOffset(Pair));
        _keepAlive.Heard(now);
        UserTimeout.Restart(now);
    }

    private void SetBuffers()
    {
        Receiver.SetBuffer(Options);
        Sender.SetBuffer(Options);
    }

    /// <summary>The other half of the decision what to send: when to look again.</summary>
    private void Schedule(Instant now)
    {
        if (State is TcpState.Closed or TcpState.TimeWait)
            return;
        var next = Instant.Min(Instant.Min(Sender.NextTimeout, Receiver.AcknowledgeAt), Instant.Min(_keepAlive.At, _finWait2At));
        if (_handshake is not null)
            next = Instant.Min(next, _handshake.TimeoutAt);
        if (next == Instant.Never)
            Layer.Timers.Cancel(this);
        else if (next < Deadline)
            Layer.Timers.Arm(this, next);
    }
}
