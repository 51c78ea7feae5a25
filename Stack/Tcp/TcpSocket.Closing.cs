using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>The ends of a connection (RFC 9293, 3.6, 3.10.4, 3.10.5).</content>
public sealed partial class TcpSocket
{
    /// <summary>SHUT_WR: a FIN follows what has been written. Reading goes on.</summary>
    public void ShutdownSend(Instant now)
    {
        if (_finQueued || _state is TcpState.Closed or TcpState.TimeWait)
            return;
        _finQueued = true;
        _state = _state switch
        {
            TcpState.Established => TcpState.FinWait1,
            TcpState.CloseWait => TcpState.LastAck,
            _ => _state,
        };
        WantOutput();
    }

    /// <summary>
    /// The application is gone. What it has written is sent, with a FIN behind; what the peer sends from now on is answered with a reset. Bytes
    /// that are unread, or given away and not <see cref="Consumed"/>, or <see cref="TcpSocketOptions.ResetOnClose"/>, reset the connection at once
    /// (RFC 2525, 2.17). The event Closed comes when it is over.
    /// </summary>
    public void Close(Instant now)
    {
        if (_closedByOwner)
            return;
        _closedByOwner = true;
        var unread = _received.Bytes + _lent > 0;
        _received.Clear();
        Charge();
        switch (_state)
        {
            case TcpState.Closed or TcpState.TimeWait:
                return;
            case TcpState.SynSent when !IsAnnounced || !HasUnsent || _options.Value.ResetOnClose:
                _layer.Counters.TcpAttemptFails++;
                End(StackError.ConnectionAborted);
                return;
        }

        if (unread || _options.Value.ResetOnClose)
        {
            if (unread)
                _layer.Counters.TcpExtTCPAbortOnClose++;
            else
                _layer.Counters.TcpExtTCPAbortOnLinger++;
            if (unread || ResetTells)
                SendReset(SndNxt, now);
            End(StackError.ConnectionAborted);
            return;
        }

        ShutdownSend(now);
        if (_state == TcpState.FinWait2)
            WaitForFin(now);
    }

    /// <summary>Resets the connection and forgets everything, read or unread (RFC 9293, 3.10.5).</summary>
    public void Abort(Instant now)
    {
        _closedByOwner = true;
        _received.Clear();
        Charge();
        if (_state is TcpState.Closed or TcpState.TimeWait)
            return;
        if (ResetTells)
            SendReset(SndNxt, now);
        End(StackError.ConnectionAborted);
    }

    /// <summary>Once both FINs are sent, the peer has all that a reset would tell it (RFC 9293, 3.10.5; Linux does the same).</summary>
    private bool ResetTells => _state switch
    {
        TcpState.SynSent => false,
        TcpState.Closing or TcpState.LastAck => !FinSent,
        _ => true,
    };

    /// <summary>ICMP or the neighbour table says that the peer cannot be reached (RFC 5927, 6: hard only before the connection stands).</summary>
    internal void Unreachable(StackError error, Instant now)
    {
        if (_state is TcpState.SynSent)
        {
            _layer.Counters.TcpAttemptFails++;
            FastOpenFailed(error, now);
            End(error);
        }
        else
        {
            ReportError(error);
        }
    }

    /// <summary>RFC 9293, 3.9.1.8: the application learns of it, and it names the reason if the connection times out.</summary>
    private void ReportError(StackError error)
    {
        _softError = error;
        Raise(SocketEvents.ErrorReported);
    }

    /// <summary>The connection has ended, for whatever reason.</summary>
    internal void End(StackError error)
    {
        if (_state == TcpState.Closed)
            return;
        _error = error;
        _state = TcpState.Closed;
        LeaveFastOpen();
        _layer.Remove(_entry);
        FreeQueues();
        if (_finReceived && !_endDelivered && !_closedByOwner)
            Raise(SocketEvents.Readable);
        RaiseClosed();
    }

    private void FinAcknowledged(Instant now)
    {
        switch (_state)
        {
            case TcpState.FinWait1:
                _state = TcpState.FinWait2;
                if (_closedByOwner)
                    WaitForFin(now);
                break;
            case TcpState.Closing:
                EnterTimeWait(now);
                break;
            case TcpState.LastAck:
                End(StackError.None);
                break;
        }
    }

    /// <summary>Nobody reads any more: the peer's FIN is not waited for for ever, as in Linux (tcp_fin_timeout).</summary>
    private void WaitForFin(Instant now)
    {
        _finWait2At = now + _layer.Options.FinWait2;
        WantOutput();
    }

    /// <summary>Both FINs are exchanged. A record takes this socket's place; what is left to it is to send the acknowledgement that is due.</summary>
    private void EnterTimeWait(Instant now)
    {
        var record = new TcpTimeWait(_layer, _entry.Pair, _entry.Hash)
        {
            SndNxt = SndNxt,
            RcvNxt = RcvNxt,
            TsRecent = _tsRecent,
            Timestamps = _timestamps,
            HopLimit = _options.Value.HopLimit,
            TrafficClass = _options.Value.TrafficClass,
            Window = (ushort)Math.Min(FreeReceiveBuffer >> _rcvWindShift, ushort.MaxValue),
        };
        _state = TcpState.TimeWait;
        _layer.EnterTimeWait(_entry, record, now);
        FreeQueues();
        RaiseClosed();
    }

    private void FreeQueues()
    {
        _send.Clear();
        _ahead.Clear(_layer.Ranges);
        EndSending();
        Charge();
    }
}
