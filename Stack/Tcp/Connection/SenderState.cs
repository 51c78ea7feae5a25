namespace Tapwire.Stack.Tcp.Connection;

/// <summary>
/// The state that a sender needs only while data is under way, or after it has learnt about the path. A connection without either has none: of a million
/// connections most are idle, so the memory of an idle one decides the total.
/// </summary>
/// <remarks>Each part has its own fields, which no other part writes.</remarks>
internal sealed class SenderState
{
    public readonly Scoreboard Board;
    public readonly NewData NewData;
    public readonly LossRecovery Recovery;
    public readonly SpuriousLoss Undo;
    public readonly TailLossProbe TailLossProbe;
    public readonly MtuProbe MtuProbe;
    public readonly Pacer Pacer;
    public readonly RetransmissionTimer Timer;
    public readonly PersistTimer Persist;

    /// <summary>Data that is written and not acknowledged.</summary>
    public SendQueue Queue;
    public SendPlaces Places;

    public UrgentSender Urgent;

    /// <summary>The next free state in the pool.</summary>
    public SenderState? NextFree;

    private TcpSender? _sender;
    private CongestionControl? _congestion;

    /// <summary>The window was reduced: the next new data carries CWR (RFC 3168, 6.1.2).</summary>
    private bool _owesCwr;

    public SenderState()
    {
        Board = new Scoreboard(this);
        NewData = new NewData(this);
        Recovery = new LossRecovery(this);
        Undo = new SpuriousLoss(this);
        TailLossProbe = new TailLossProbe(this);
        MtuProbe = new MtuProbe(this);
        Pacer = new Pacer(this);
        Timer = new RetransmissionTimer(this);
        Persist = new PersistTimer(this);
    }

    /// <summary>The owner of the state.</summary>
    public TcpSender Sender => _sender!;

    public CongestionControl Congestion => _congestion!;

    /// <summary>Gets a congestion control of that algorithm: one left from an earlier connection, or a new one.</summary>
    public void ReserveCongestion(CongestionAlgorithm algorithm, TcpLayer layer)
    {
        if (_congestion is null || _congestion.Algorithm != algorithm)
            ReplaceCongestion(algorithm, layer);
    }

    public void ReplaceCongestion(CongestionAlgorithm algorithm, TcpLayer layer) => _congestion = CongestionControl.Create(algorithm, layer);

    /// <summary>The congestion window was reduced. With ECN the peer is told (RFC 3168, 6.1.2).</summary>
    public void WindowReduced() => _owesCwr = Sender.Connection.UsesEcn;

    /// <summary>Takes the CWR flag for new data, once per reduction.</summary>
    public bool TakeCwr()
    {
        var owesCwr = _owesCwr;
        _owesCwr = false;
        return owesCwr;
    }

    /// <summary>A connection begins to send.</summary>
    /// <param name="next">Sequence number of the next byte to be written.</param>
    public void Begin(TcpSender sender, uint next)
    {
        _sender = sender;
        // Everything below SND.UNA has arrived.
        Recovery.Begin(sender.SndUna);
        Board.Begin(sender.SndUna);
        Queue.Start = next;
        NewData.Begin(sender.SndUna);
    }

    /// <summary>Nothing is under way, and nothing has been learnt: a fresh state from the pool would behave the same.</summary>
    /// <param name="initialWindow">The congestion window with which the connection began.</param>
    public bool IsDispensable(long initialWindow, Instant now) =>
        Queue.Bytes == 0 && Board.Log is null && Recovery.IsIdle && !Undo.IsPossible && TailLossProbe.IsIdle && Timer.Backoff == 0 && !MtuProbe.IsUnderWay
        && !Pacer.IsAhead(now) && Congestion.IsFresh(initialWindow);

    /// <summary>When the next timer runs out.</summary>
    public Instant NextTimeout => Instant.Min(Instant.Min(Timer.At, Persist.At), Instant.Min(Recovery.ReorderingTimeoutAt, Instant.Min(Pacer.WakeAt, NewData.UncorkAt)));

    /// <summary>Runs the due timers. One of them may end the connection; then none follows, because cleared timers are never due.</summary>
    public void TimerFired(Instant now)
    {
        if (Timer.At <= now)
            Timer.TimedOut(now);
        if (Recovery.ReorderingTimeoutAt <= now)
            Recovery.ReorderingTimedOut(now);
        if (Persist.At <= now)
            Persist.TimedOut(now);
    }

    /// <inheritdoc cref="TcpSender.PathRepaired"/>
    public bool PathRepaired(Instant now)
    {
        if (Persist.At != Instant.Never)
        {
            Sender.ElicitAcknowledgment();
            Sender.Connection.WantOutput();
        }

        return Timer.PathRepaired(now);
    }

    /// <summary>Clears the state. The next connection may use its congestion control if that is as at the beginning.</summary>
    public void Clear(bool keepsCongestion)
    {
        Queue.Clear();
        Board.Drop();
        if (!keepsCongestion)
            _congestion = null;
        Places = default;
        Urgent = default;
        _owesCwr = false;
        NewData.Clear();
        Recovery.Clear();
        Undo.Clear();
        TailLossProbe.Clear();
        MtuProbe.Clear();
        Pacer.Clear();
        Timer.Clear();
        Persist.Clear();
        _sender = null;
    }
}

/// <summary>Unused sender states, shared by the connections of a layer, so that a request and its answer on an idle connection allocate nothing.</summary>
internal sealed class SenderStatePool(TcpLayer layer)
{
    private const int Limit = 4096;

    private SenderState? _free;
    private int _count;

    public SenderState Rent(CongestionAlgorithm algorithm)
    {
        var state = _free;
        if (state is null)
        {
            state = new SenderState();
        }
        else
        {
            _free = state.NextFree;
            state.NextFree = null;
            _count--;
        }

        state.ReserveCongestion(algorithm, layer);
        return state;
    }

    /// <param name="keepsCongestion">Its congestion control is fresh (<see cref="CongestionControl.IsFresh"/>).</param>
    public void Return(SenderState state, bool keepsCongestion)
    {
        state.Clear(keepsCongestion);
        if (_count == Limit)
            return;
        state.NextFree = _free;
        _free = state;
        _count++;
    }
}
