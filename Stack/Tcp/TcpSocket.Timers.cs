using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>
/// Timers: each is a deadline; the socket's one place in the wheel has the earliest. A deadline that moves away leaves it where it is: it then fires
/// early, once, and is set anew, which is cheaper than moving it with every segment. Only where none is left it is taken out: an idle connection wakes nobody.
/// </content>
public sealed partial class TcpSocket
{

    /// <summary>R1 of RFC 9293, 3.8.3: so many retransmissions in a row are reported.</summary>
    private const int ReportedRetries = 3;

    private RoundTripTime _rtt;
    private Instant _rtoAt = Instant.Never;
    private Instant _persistAt = Instant.Never;
    private Instant _keepAliveAt = Instant.Never;
    private Instant _finWait2At = Instant.Never;

    /// <summary>When data was last acknowledged, or first sent after that.</summary>
    private Instant _lastProgress;
    private Instant _confirmedAt = new(long.MinValue / 2);
    private byte _backoff;
    private byte _persistBackoff;
    private byte _probesUnanswered;
    private byte _keepAliveProbes;
    private byte _synRetransmits;

    /// <summary>RFC 6298, 2.1; after a lost SYN 3 s (5.7).</summary>
    private TimeSpan InitialRto =>
        IsSynchronized && _state != TcpState.SynReceived && _synRetransmits > 0 ? TimeSpan.FromTicks(Math.Max(3 * TimeSpan.TicksPerSecond, _layer.Options.InitialRto.Ticks)) : _layer.Options.InitialRto;

    private TimeSpan CurrentRto => _rtt.Timeout(_layer.Options, InitialRto, _backoff);

    internal void TimerFired(Instant now)
    {
        if (_rtoAt <= now)
            RetransmissionTimedOut(now);
        if (_sender?.RackAt <= now && _state != TcpState.Closed)
            ReorderingTimedOut(now);
        if (_persistAt <= now && _state != TcpState.Closed)
            PersistTimedOut(now);
        if (_keepAliveAt <= now && _state != TcpState.Closed)
            KeepAliveTimedOut(now);
        if (_finWait2At <= now && _state == TcpState.FinWait2)
            End(StackError.TimedOut);
        if (_state is not (TcpState.Closed or TcpState.TimeWait))
            WantOutput();
    }

    /// <summary>The other half of the decision what to send: when to look again.</summary>
    private void Schedule(Instant now)
    {
        if (_state is TcpState.Closed or TcpState.TimeWait)
            return;
        if (_windowLimited && SndNxt == SndUna)
        {
            if (_persistAt == Instant.Never)
            {
                _lastProgress = now;
                SetPersistTimer(now);
            }
        }
        else
        {
            _persistAt = Instant.Never;
            _persistBackoff = 0;
        }

        var next = Instant.Min(Instant.Min(_rtoAt, _persistAt), Instant.Min(_keepAliveAt, Instant.Min(_finWait2At, _ackAt)));
        if (_sender is not null)
            next = Instant.Min(next, Instant.Min(_sender.RackAt, _sender.IsPaced ? _paceAt : Instant.Never));
        if (next == Instant.Never)
            _layer.Timers.Cancel(_entry);
        else if (next < _entry.Deadline)
            _layer.Timers.Arm(_entry, next);
    }

    private void RestartRetransmissionTimer(Instant now)
    {
        _rtoAt = now + CurrentRto;
        var probeAt = TailProbeAt(now);
        Sender.TimerIsTailProbe = probeAt < _rtoAt;
        if (Sender.TimerIsTailProbe)
            _rtoAt = probeAt;
        if (_options.Value.UserTimeout > TimeSpan.Zero)
            _rtoAt = Instant.Max(now, Instant.Min(_rtoAt, _lastProgress + _options.Value.UserTimeout));
    }

    private void RetransmissionTimedOut(Instant now)
    {
        _rtoAt = Instant.Never;
        if (_state is TcpState.SynSent or TcpState.SynReceived)
        {
            SynTimedOut(now);
            return;
        }

        if (SndUna == SndNxt)
            return;
        if (Sender.TimerIsTailProbe && !UserTimeoutOver(now) && Sender.LossState == LossState.Open)
        {
            TailProbeTimedOut(now);
            return;
        }

        // While the peer is heard and has closed its window over what is in flight, this is a probe: it may go on for ever.
        var probing = SndWnd == 0 && now - _lastHeard < 2 * _layer.Options.MaxRto;
        if ((_backoff >= MaxRetries && !probing) || UserTimeoutOver(now))
        {
            GiveUp();
            return;
        }

        _layer.Counters.TcpExtTCPTimeouts++;
        EnterLoss(now);
        if (_backoff < byte.MaxValue)
            _backoff++;
        SuspectBlackHole();
        if (_backoff == ReportedRetries && _softError == StackError.None)
            ReportError(StackError.TimedOut);
        RestartRetransmissionTimer(now);
    }

    private int MaxRetries => _closedByOwner ? _layer.Options.OrphanRetries : _layer.Options.Retries;

    private bool UserTimeoutOver(Instant now) =>
        _options.Value.UserTimeout > TimeSpan.Zero && now - _lastProgress >= _options.Value.UserTimeout;

    private void GiveUp()
    {
        _layer.Counters.TcpExtTCPAbortOnTimeout++;
        End(_softError == StackError.None ? StackError.TimedOut : _softError);
    }

    /// <summary>RFC 9293, 3.8.6.1: for as long as the peer answers, for ever.</summary>
    private void PersistTimedOut(Instant now)
    {
        if (_probesUnanswered >= MaxRetries || UserTimeoutOver(now))
        {
            GiveUp();
            return;
        }

        _layer.Counters.TcpExtTCPWinProbe++;
        _probesUnanswered++;
        if (_persistBackoff < byte.MaxValue)
            _persistBackoff++;
        _probeDue = true;
        SetPersistTimer(now);
    }

    private void SetPersistTimer(Instant now)
    {
        _persistAt = now + _rtt.Timeout(_layer.Options, InitialRto, _persistBackoff);
        if (_options.Value.UserTimeout > TimeSpan.Zero)
            _persistAt = Instant.Max(now, Instant.Min(_persistAt, _lastProgress + _options.Value.UserTimeout));
    }

    private void ArmKeepAlive(Instant now) => _keepAliveAt = _options.Value.KeepAlive ? now + KeepAliveIdle : Instant.Never;

    private TimeSpan KeepAliveIdle => _options.Value.KeepAliveIdle > TimeSpan.Zero ? _options.Value.KeepAliveIdle : TcpSocketOptions.DefaultKeepAliveIdle;

    /// <summary>RFC 9293, 3.8.4. Data in flight or a closed window have timers of their own.</summary>
    private void KeepAliveTimedOut(Instant now)
    {
        var options = _options.Value;
        var idle = now - _lastHeard;
        if (SndNxt != SndUna || HasUnsent)
        {
            _keepAliveAt = now + KeepAliveIdle;
            return;
        }

        if (idle < KeepAliveIdle)
        {
            _keepAliveAt = _lastHeard + KeepAliveIdle;
            return;
        }

        // A user time-out takes the place of the number of probes, as in Linux.
        var allowed = options.KeepAliveCount > 0 ? options.KeepAliveCount : TcpSocketOptions.DefaultKeepAliveCount;
        if (options.UserTimeout > TimeSpan.Zero ? _keepAliveProbes > 0 && idle >= options.UserTimeout : _keepAliveProbes >= allowed)
        {
            SendReset(SndNxt, now);
            GiveUp();
            return;
        }

        _layer.Counters.TcpExtTCPKeepAlive++;
        _keepAliveProbes++;
        _probeDue = true;
        _keepAliveAt = now + (options.KeepAliveInterval > TimeSpan.Zero ? options.KeepAliveInterval : TcpSocketOptions.DefaultKeepAliveInterval);
    }

    /// <summary>Tells the IP layer that the peer is there, once per second.</summary>
    private void ConfirmReachable(Instant now)
    {
        if (now - _confirmedAt < TimeSpan.FromSeconds(1))
            return;
        _confirmedAt = now;
        _layer.Ip.ConfirmReachable(_entry.RemoteAddress, now);
    }
}
