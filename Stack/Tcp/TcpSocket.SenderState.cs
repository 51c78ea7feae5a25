namespace Tapwire.Stack.Tcp;

/// <content>The sender's state, which is there while something is under way, or has been learnt that must not be forgotten.</content>
public sealed partial class TcpSocket
{
    private SenderState? _sender;

    /// <summary>The congestion window at the beginning; 0 before.</summary>
    private int _initialWindow;

    private SenderState Sender => _sender ?? BeginSending();

    private TransmissionLog? Log => _sender?.Log;

    private LossState LossState => _sender?.LossState ?? LossState.Open;

    /// <summary>As congestion control has it, whatever a recovery makes of it.</summary>
    private long OwnWindow => _sender?.Congestion.Window ?? _initialWindow;

    private SenderState BeginSending()
    {
        _sender = _layer.Senders.Rent(Algorithm);
        _sender.Congestion.Begin(_initialWindow);
        // All that lies below has arrived.
        _sender.Rack.Begin(SndUna);
        return _sender;
    }

    /// <summary>The handshake is done, or need not be waited for.</summary>
    private void BeginCongestionControl(bool synLost, TimeSpan roundTrip, Instant now)
    {
        if (_sender is null)
        {
            _initialWindow = CongestionControl.FirstWindow(_segmentSize, synLost);
            return;
        }

        _sender.Congestion.Begin(_segmentSize, synLost, roundTrip, now);
        _initialWindow = (int)_sender.Congestion.Window;
    }

    /// <summary>Another control begins as on a new connection.</summary>
    private void ChangeCongestionControl(Instant now)
    {
        if (_sender is not null)
            _sender.Congestion = CongestionControl.Create(Algorithm, _layer);
        else if (!CongestionControl.CanBeginLater(Algorithm))
            BeginSending();
        if (IsSynchronized)
            BeginCongestionControl(synLost: false, _minRoundTrip, now);
    }

    /// <summary>After each turn: nothing is under way any more, and what remains is as at the beginning.</summary>
    private void LeaveSending()
    {
        if (_sender is null || SndUna != SndNxt || HasUnsent || _send.Bytes > 0 || !_sender.IsDispensable(_initialWindow))
            return;
        _layer.Senders.Return(_sender, keepsCongestion: true);
        _sender = null;
    }

    /// <summary>The connection has ended.</summary>
    private void EndSending()
    {
        if (_sender is null)
            return;
        DropLog();
        _layer.Senders.Return(_sender, _sender.Congestion.IsFresh(_initialWindow));
        _sender = null;
    }
}
