using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>What seemed lost and was not is taken back: told by timestamps (RFC 3522), by reported duplicates (RFC 3708), or by what arrives after a time-out
/// (RFC 5682).</content>
public sealed partial class TcpSocket
{
    private void BeginUndo()
    {
        Sender.MayUndo = true;
        Sender.UndoFrom = SndUna;
        Sender.UndoBytes = Log?.RepeatedBytes ?? 0;
        // What is still under way for the second time answers to the first time that anything was sent again.
        Sender.HasRepeated &= Sender.UndoBytes > 0;
    }

    /// <summary>
    /// What was sent again had arrived the first time: the acknowledgement answers the first copy (RFC 3522), or each copy was reported as a duplicate
    /// (RFC 3708).
    /// </summary>
    private void TryUndo(in TcpHeader segment, in AckReport report)
    {
        if (!Sender.MayUndo || !Sender.HasRepeated)
            return;
        if (Sender.LossState == LossState.Open && Seq.Gt(SndUna, Sender.UndoUntil))
        {
            Sender.MayUndo = false;
            return;
        }

        var isAnswered = Sender.LossState != LossState.Open && report.Acknowledged > 0 && AnswersBefore(segment, Sender.FirstRepeatedAt);
        var areDuplicates = report.HasDuplicate && Sender.UndoBytes <= 0;
        if (isAnswered || areDuplicates)
            Undo(report.Now, isReported: report.HasDuplicate);
    }

    /// <param name="isReported">A duplicate that the peer has reported has widened the reordering window already.</param>
    private void Undo(Instant now, bool isReported)
    {
        if (Sender.LossState == LossState.Loss)
            _layer.Counters.TcpExtTCPSpuriousRTOs++;
        else
            _layer.Counters.TcpExtTCPFullUndo++;
        Sender.MayUndo = false;
        if (!isReported)
            Sender.Rack.DuplicateReported(SndUna, SndNxt);
        Sender.Congestion.Undo();
        if (Sender.LossState == LossState.Open)
            return;
        Log?.ForgetLosses();
        Reopen();
        if (Log?.Oldest is { } oldest)
        {
            Sender.RackAt = Sender.Rack.LostAt(oldest, Sender.Rack.ReorderingWindow(_minRoundTrip, _rtt.Smoothed, isCertain: false));
            RestartRetransmissionTimer(now);
        }
    }

    /// <summary>After a time-out: has it been one (RFC 5682, 3.1)?</summary>
    private void VerifyTimeout(ref AckReport report)
    {
        if (Sender.Forward == ForwardRecovery.SecondAwaited)
        {
            if (report.OriginalArrived)
            {
                Undo(report.Now, isReported: false);
                return;
            }

            Sender.Forward = ForwardRecovery.Off;
        }
        else if (Sender.Forward == ForwardRecovery.FirstAwaited)
        {
            var canSendNew = HasUnsent && Unsent > 0 && UsableWindow > 0;
            Sender.Forward = report.Acknowledged > 0 && canSendNew ? ForwardRecovery.SecondAwaited : ForwardRecovery.Off;
        }

        if (report.Acknowledged > 0 && Seq.Ge(SndUna, _recover))
            LeaveRecovery();
        else if (!_selectiveAck && report.Acknowledged > 0)
            Sender.RenoBytes = 0;
    }
}
