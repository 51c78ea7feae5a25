namespace Tapwire.Stack.Tcp;

internal enum LossState : byte
{
    /// <summary>Nothing is known to be lost.</summary>
    Open,

    /// <summary>The window is being reduced because routers have marked packets (RFC 3168); nothing is known to be lost.</summary>
    Reduction,

    /// <summary>Fast recovery: losses are told by acknowledgements.</summary>
    Recovery,

    /// <summary>The timer ran out: everything that has not arrived counts as lost.</summary>
    Loss,
}

/// <summary>Where a time-out's verification stands (RFC 5682, 3.1).</summary>
internal enum ForwardRecovery : byte
{
    Off,

    /// <summary>The first segment has been sent again; the first acknowledgement is awaited.</summary>
    FirstAwaited,

    /// <summary>New data has been sent instead of more repetitions; the second acknowledgement decides.</summary>
    SecondAwaited,
}

/// <summary>
/// What a sender has to know while something of it is under way, and what it has learnt about the path by that. A connection without either has none: of a million
/// connections most are idle, and what they are made of is what a million costs.
/// </summary>
internal sealed class SenderState
{
    /// <summary>Null only while nobody has it.</summary>
    public CongestionControl Congestion = null!;

    /// <summary>What is between SND.UNA and SND.NXT; null: nothing, or only a SYN.</summary>
    public TransmissionLog? Log;
    public SendPlaces Places;
    public RackDetector Rack;
    public Instant RackAt = Instant.Never;
    public RateReduction Reduction;

    /// <summary>The next segment waits for the pace.</summary>
    public bool IsPaced;

    /// <summary>The pace was what held back the last turn, too.</summary>
    public bool IsCatchingUp;

    public LossState LossState;
    public byte DuplicateAcks;

    /// <summary>The window is reduced in this recovery: something was lost for want of room, not for its size.</summary>
    public bool IsReducing;
    public bool RetransmitNow;

    /// <summary>Nothing that counts as lost lies below.</summary>
    public uint RepeatFrom;

    /// <summary>Bytes that duplicate acknowledgements stand for; without SACK only.</summary>
    public int RenoBytes;

    // What the recovery has sent again, to find out whether it was needed at all.
    public uint UndoFrom;
    public uint UndoUntil;
    public int UndoBytes;
    public uint FirstRepeatedAt;
    public bool MayUndo;
    public bool HasRepeated;
    public ForwardRecovery Forward;

    /// <summary>The retransmission timer is set for a tail loss probe.</summary>
    public bool TimerIsTailProbe;

    /// <summary>A tail loss probe is out and no new data has been acknowledged since.</summary>
    public bool TailProbeSent;
    public bool TailProbeRepeats;
    public bool TailProbeDue;
    public uint TailProbeEnd;

    /// <summary>A path-MTU probe is the next to leave, and there is no room for it yet.</summary>
    public bool ProbeWaits;

    /// <summary>All that counts as lost is a path-MTU probe: no sign of congestion (RFC 4821, 7.5).</summary>
    public bool OnlyProbeLost;

    /// <summary>Packet size of the path-MTU probe that is under way; 0: none.</summary>
    public int ProbedMtu;

    /// <summary>The next in the pool.</summary>
    internal SenderState? NextFree;

    /// <summary>Nothing is under way, and nothing has been learnt: another state, fresh from the pool, would do the same.</summary>
    /// <param name="initialWindow">The congestion window with which the connection began.</param>
    public bool IsDispensable(long initialWindow) =>
        Log is null && LossState == LossState.Open && DuplicateAcks == 0 && RenoBytes == 0 && !MayUndo
        && !TailProbeSent && !TailProbeDue && ProbedMtu == 0
        && !Rack.HasLearnt && Congestion.IsFresh(initialWindow);

    /// <summary>Forgets a connection. Its congestion control serves the next one, if it is as it was at the beginning.</summary>
    internal void Clear(bool keepsCongestion)
    {
        if (!keepsCongestion)
            Congestion = null!;
        Log = null;
        Places = default;
        Rack = default;
        RackAt = Instant.Never;
        Reduction = default;
        IsPaced = false;
        IsCatchingUp = false;
        LossState = LossState.Open;
        DuplicateAcks = 0;
        IsReducing = false;
        RetransmitNow = false;
        RenoBytes = 0;
        MayUndo = false;
        HasRepeated = false;
        Forward = ForwardRecovery.Off;
        TimerIsTailProbe = false;
        TailProbeSent = false;
        TailProbeRepeats = false;
        TailProbeDue = false;
        ProbeWaits = false;
        OnlyProbeLost = false;
        ProbedMtu = 0;
    }
}

/// <summary>Sender states that nobody has, shared by the connections of a layer: a request and its answer on an idle connection allocate nothing.</summary>
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

        if (state.Congestion is null || state.Congestion.Algorithm != algorithm)
            state.Congestion = CongestionControl.Create(algorithm, layer);
        return state;
    }

    /// <param name="keepsCongestion">Its congestion control is fresh (<see cref="CongestionControl.IsFresh"/>).</param>
    public void Return(SenderState state, bool keepsCongestion)
    {
        if (_count == Limit)
            return;
        state.Clear(keepsCongestion);
        state.NextFree = _free;
        _free = state;
        _count++;
    }
}
