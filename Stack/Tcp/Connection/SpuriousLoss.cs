using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <summary>State of the verification of a time-out, F-RTO (RFC 5682, 3.1).</summary>
internal enum ForwardRecovery : byte
{
    Off,

    /// <summary>The first segment was sent again, and the first acknowledgement is awaited.</summary>
    FirstAwaited,

    /// <summary>New data was sent instead of more retransmissions, and the second acknowledgement decides.</summary>
    SecondAwaited,
}

/// <summary>Undoes the reaction to spurious losses. They are detected by timestamps (RFC 3522), by reported duplicates (RFC 3708), or by what arrives after a
/// time-out (RFC 5682).</summary>
internal sealed class SpuriousLoss(SenderState state)
{
    /// <summary>SND.UNA when the recovery began.</summary>
    private uint _from;

    /// <summary>SND.NXT when the recovery ended: once that is acknowledged as well, nothing more can be learnt.</summary>
    private uint _until;

    /// <summary>Bytes sent again in this recovery, less those reported as duplicates.</summary>
    private int _bytes;

    /// <summary>When the first of them was sent again, on the timestamp clock.</summary>
    private uint _firstRepeatedAt;
    private bool _hasRepeated;
    private ForwardRecovery _forward;

    /// <summary>The window was reduced for losses, and that may be undone.</summary>
    public bool IsPossible { get; private set; }

    /// <summary>After a time-out new data is sent instead of more retransmissions.</summary>
    public bool AwaitsNewData => _forward == ForwardRecovery.SecondAwaited;

    /// <summary>A recovery begins.</summary>
    public void Begin()
    {
        IsPossible = true;
        _from = state.Sender.SndUna;
        _bytes = state.Board.Log?.RepeatedBytes ?? 0;
        // If retransmissions of an earlier recovery are still under way, the time of the first of them stays.
        _hasRepeated &= _bytes > 0;
    }

    /// <summary>The window was reduced for a valid reason.</summary>
    public void Rule() => IsPossible = false;

    /// <summary>A recovery has ended.</summary>
    public void RecoveryEnded()
    {
        _forward = ForwardRecovery.Off;
        _until = state.Sender.SndNxt;
    }

    /// <summary>The timer has run out.</summary>
    /// <param name="mayVerify">It is the first time-out, and nothing was known to be lost.</param>
    public void BeginVerification(bool mayVerify) => _forward = mayVerify ? ForwardRecovery.FirstAwaited : ForwardRecovery.Off;

    public void StopVerification() => _forward = ForwardRecovery.Off;

    /// <summary>Bytes are sent again.</summary>
    public void Repeated(int bytes, Instant now)
    {
        if (!_hasRepeated)
        {
            _hasRepeated = true;
            _firstRepeatedAt = TcpLayer.TimestampClock(now);
        }

        _bytes += bytes;
    }

    /// <summary>The peer has reported a duplicate.</summary>
    public void DuplicateReported(SackBlock block)
    {
        if (IsPossible && Seq.Ge(block.Start, _from))
            _bytes -= (int)(block.End - block.Start);
    }

    /// <summary>
    /// Undoes the recovery if the retransmitted data had arrived the first time: the acknowledgement answers the first copy (RFC 3522), or each copy was
    /// reported as a duplicate (RFC 3708).
    /// </summary>
    public void Try(in TcpHeader segment, in AckReport report)
    {
        if (!IsPossible || !_hasRepeated)
            return;
        if (state.Recovery.State == LossState.Open && Seq.Gt(state.Sender.SndUna, _until))
        {
            IsPossible = false;
            return;
        }

        var isAnswered = state.Recovery.State != LossState.Open && report.Acknowledged > 0 && state.Sender.AnswersBefore(segment, _firstRepeatedAt);
        var areDuplicates = report.HasDuplicate && _bytes <= 0;
        if (isAnswered || areDuplicates)
            Undo(report.Now, isReported: report.HasDuplicate);
    }

    /// <summary>Decides from an acknowledgement whether the time-out was genuine (RFC 5682, 3.1).</summary>
    /// <returns>False if it was spurious, and has been undone.</returns>
    public bool IsTimeoutConfirmed(in AckReport report)
    {
        if (_forward == ForwardRecovery.SecondAwaited)
        {
            if (report.OriginalArrived)
            {
                Undo(report.Now, isReported: false);
                return false;
            }

            _forward = ForwardRecovery.Off;
        }
        else if (_forward == ForwardRecovery.FirstAwaited)
        {
            var sender = state.Sender;
            // SACK reports alone do not end the first step (RFC 5682, 3.1, step 2).
            if (report.Acknowledged == 0 && sender.Connection.UsesSelectiveAck)
                return true;
            var canSendNew = sender.HasUnsent && sender.Unsent > 0 && sender.UsableWindow > 0;
            _forward = report.Acknowledged > 0 && canSendNew ? ForwardRecovery.SecondAwaited : ForwardRecovery.Off;
        }

        return true;
    }

    public void Clear()
    {
        IsPossible = false;
        _hasRepeated = false;
        _forward = ForwardRecovery.Off;
    }

    /// <param name="isReported">The peer has reported a duplicate, which has already widened the reordering window.</param>
    private void Undo(Instant now, bool isReported)
    {
        if (state.Recovery.State == LossState.Loss)
            state.Sender.Layer.Counters.TcpExtTCPSpuriousRTOs++;
        else
            state.Sender.Layer.Counters.TcpExtTCPFullUndo++;
        IsPossible = false;
        state.Recovery.Undo(isReported, now);
    }
}
