using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>What seemed lost and was not is taken back: told by timestamps (RFC 3522), by reported duplicates (RFC 3708), or by what arrives after a time-out
/// (RFC 5682).</content>
public sealed partial class TcpSocket
{
    /// <summary>Where a time-out's verification stands (RFC 5682, 3.1).</summary>
    private enum ForwardRecovery : byte
    {
        Off,

        /// <summary>The first segment has been sent again; the first acknowledgement is awaited.</summary>
        FirstAwaited,

        /// <summary>New data has been sent instead of more repetitions; the second acknowledgement decides.</summary>
        SecondAwaited,
    }

    // What the recovery has sent again, to find out whether it was needed at all.
    private uint _undoFrom;
    private uint _undoUntil;
    private int _undoBytes;
    private uint _firstRepeatedAt;
    private bool _mayUndo;
    private bool _hasRepeated;
    private ForwardRecovery _forward;

    private void BeginUndo()
    {
        _mayUndo = true;
        _undoFrom = SndUna;
        _undoBytes = _log?.RepeatedBytes ?? 0;
        // What is still under way for the second time answers to the first time that anything was sent again.
        _hasRepeated &= _undoBytes > 0;
    }

    /// <summary>
    /// What was sent again had arrived the first time: the acknowledgement answers the first copy (RFC 3522), or each copy was reported as a duplicate
    /// (RFC 3708).
    /// </summary>
    private void TryUndo(in TcpHeader segment, in AckReport report)
    {
        if (!_mayUndo || !_hasRepeated)
            return;
        if (_lossState == LossState.Open && Seq.Gt(SndUna, _undoUntil))
        {
            _mayUndo = false;
            return;
        }

        var isAnswered = _lossState != LossState.Open && report.Acknowledged > 0 && AnswersBefore(segment, _firstRepeatedAt);
        var areDuplicates = report.HasDuplicate && _undoBytes <= 0;
        if (isAnswered || areDuplicates)
            Undo(report.Now, isReported: report.HasDuplicate);
    }

    /// <param name="isReported">A duplicate that the peer has reported has widened the reordering window already.</param>
    private void Undo(Instant now, bool isReported)
    {
        if (_lossState == LossState.Loss)
            _layer.Counters.TcpExtTCPSpuriousRTOs++;
        else
            _layer.Counters.TcpExtTCPFullUndo++;
        _mayUndo = false;
        if (!isReported)
            _rack.DuplicateReported(SndUna, SndNxt);
        _congestion.Undo();
        if (_lossState == LossState.Open)
            return;
        _log?.ForgetLosses();
        Reopen();
        if (_log?.Oldest is { } oldest)
        {
            _rackAt = _rack.LostAt(oldest, _rack.ReorderingWindow(_minRoundTrip, _rtt.Smoothed, isCertain: false));
            RestartRetransmissionTimer(now);
        }
    }

    /// <summary>After a time-out: has it been one (RFC 5682, 3.1)?</summary>
    private void VerifyTimeout(ref AckReport report)
    {
        if (_forward == ForwardRecovery.SecondAwaited)
        {
            if (report.OriginalArrived)
            {
                Undo(report.Now, isReported: false);
                return;
            }

            _forward = ForwardRecovery.Off;
        }
        else if (_forward == ForwardRecovery.FirstAwaited)
        {
            var canSendNew = HasUnsent && Unsent > 0 && UsableWindow > 0;
            _forward = report.Acknowledged > 0 && canSendNew ? ForwardRecovery.SecondAwaited : ForwardRecovery.Off;
        }

        if (report.Acknowledged > 0 && Seq.Ge(SndUna, _recover))
            LeaveRecovery();
        else if (!_selectiveAck && report.Acknowledged > 0)
            _renoBytes = 0;
    }
}
