using Tapwire.Stack.Tcp.Connection;

namespace Tapwire.Stack.Tcp;

/// <content>The ends of a connection (RFC 9293, 3.6, 3.10.4, 3.10.5), and what leads to one that nobody has asked for.</content>
internal sealed partial class TcpConnection
{
    /// <summary>SHUT_WR (RFC 9293, 3.10.4): a FIN follows what has been written.</summary>
    public void ShutDownSend()
    {
        if (Sender.IsShutDown || State is TcpState.Closed or TcpState.TimeWait)
            return;
        Sender.ShutDown();
        State = State switch
        {
            TcpState.Established => TcpState.FinWait1,
            TcpState.CloseWait => TcpState.LastAck,
            _ => State,
        };
        WantOutput();
    }

    /// <summary>The owner closes (RFC 9293, 3.10.4; RFC 2525, 2.17).</summary>
    public void Close(Instant now)
    {
        if (IsClosedByOwner)
            return;
        IsClosedByOwner = true;
        var unread = Receiver.Close();
        Charge();
        switch (State)
        {
            case TcpState.Closed or TcpState.TimeWait:
                return;
            case TcpState.SynSent when _handshake is not { IsAnnounced: true } || !Sender.HasUnsent || Options.ResetOnClose:
                Layer.Counters.TcpAttemptFails++;
                End(StackError.ConnectionAborted);
                return;
        }

        if (unread || Options.ResetOnClose)
        {
            if (unread)
                Layer.Counters.TcpExtTCPAbortOnClose++;
            else
                Layer.Counters.TcpExtTCPAbortOnLinger++;
            if (unread || ResetTells)
                SegmentWriter.Reset(this, Sender.SndNxt, now);
            End(StackError.ConnectionAborted);
            return;
        }

        ShutDownSend();
        if (State == TcpState.FinWait2)
            WaitForFin(now);
    }

    /// <summary>Resets the connection and forgets everything, read or unread (RFC 9293, 3.10.5).</summary>
    public void Abort(Instant now)
    {
        IsClosedByOwner = true;
        Receiver.Close();
        Charge();
        if (State is TcpState.Closed or TcpState.TimeWait)
            return;
        try
        {
            if (ResetTells)
                SegmentWriter.Reset(this, Sender.SndNxt, now);
        }
        finally
        {
            // Without memory for the reset, too: the peer gets one when it sends the next time.
            End(StackError.ConnectionAborted);
        }
    }

    /// <summary>The local address is taken away, or an operator ends the connection: its owner gets ECONNABORTED.</summary>
    public void Kill(bool tellsPeer, Instant now)
    {
        if (tellsPeer && State is not (TcpState.Closed or TcpState.TimeWait) && ResetTells)
            SegmentWriter.Reset(this, Sender.SndNxt, now);
        End(StackError.ConnectionAborted);
    }

    /// <summary>Once both FINs are sent, the peer has all that a reset would tell it (RFC 9293, 3.10.5; Linux does the same).</summary>
    private bool ResetTells => State switch
    {
        TcpState.SynSent => false,
        TcpState.Closing or TcpState.LastAck => !Sender.FinSent,
        _ => true,
    };

    /// <summary>ICMP or the neighbour table says that the peer cannot be reached (RFC 5927, 6: hard only before the connection stands).</summary>
    public void Unreachable(StackError error, Instant now)
    {
        if (State is TcpState.SynSent)
            _handshake!.Fail(error, now);
        else
            SoftErrors.Report(this, error);
    }

    /// <summary>The connection has ended, for whatever reason.</summary>
    public void End(StackError error)
    {
        if (State == TcpState.Closed)
            return;
        Error = error;
        State = TcpState.Closed;
        EndHandshake();
        Layer.Remove(this);
        FreeQueues();
        if (Receiver.HasUnreadEnd && !IsClosedByOwner)
            Raise(SocketEvents.Readable);
        Socket.RaiseClosed();
    }

    /// <summary>The connection is reset, for a reason of our own.</summary>
    public void Reset(StackError reason, Instant now)
    {
        SegmentWriter.Reset(this, Sender.SndNxt, now);
        End(reason);
    }

    /// <summary>The eighth check (RFC 9293, 3.10.7.4): the peer has sent its last byte.</summary>
    public void FinArrived(Instant now)
    {
        switch (State)
        {
            case TcpState.Established:
                State = TcpState.CloseWait;
                break;
            case TcpState.FinWait1:
                State = TcpState.Closing;
                break;
            default:
                EnterTimeWait(now);
                break;
        }
    }

    /// <summary>The peer has all that was written, and the FIN.</summary>
    public void FinAcknowledged(Instant now)
    {
        switch (State)
        {
            case TcpState.FinWait1:
                State = TcpState.FinWait2;
                if (IsClosedByOwner)
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

    /// <summary>Nobody reads any more: the peer's FIN is not waited for for ever, as in Linux (tcp_fin_timeout, TCP_LINGER2).</summary>
    private void WaitForFin(Instant now)
    {
        _finWait2At = now + Options.FinWait2Or(Layer.Options.FinWait2);
        WantOutput();
    }

    /// <summary>Both FINs are exchanged. A record takes this socket's place; what is left to it is to send the acknowledgement that is due.</summary>
    private void EnterTimeWait(Instant now)
    {
        var record = TcpTimeWait.Of(this);
        State = TcpState.TimeWait;
        Layer.EnterTimeWait(this, record, now);
        FreeQueues();
        Socket.RaiseClosed();
    }

    private void FreeQueues()
    {
        Receiver.End();
        Sender.End();
        Charge();
    }

    /// <summary>The retransmission time-out after so many doublings.</summary>
    public TimeSpan Timeout(int backoff) => Sender.RoundTrips.Timeout(Layer.Options, InitialRto, backoff);

    /// <summary>Something was heard of the peer not long ago, for one that may answer probes as seldom as they come.</summary>
    public bool IsPeerHeard(Instant now) => now - _keepAlive.LastHeard < 2 * Layer.Options.MaxRto;

    /// <summary>New data is acknowledged.</summary>
    public void ProgressMade(Instant now)
    {
        SoftErrors.Clear();
        UserTimeout.Restart(now);
        if (Reachability.IsNews(ref _confirmedSecond, now))
            Layer.Ip.ConfirmReachable(RemoteAddress, LocalAddress, now);
    }

    /// <summary>The peer does not answer, or not in time.</summary>
    public void GiveUp()
    {
        Layer.Counters.TcpExtTCPAbortOnTimeout++;
        End(SoftErrors.ReasonForTimeout);
    }
}
