namespace Tapwire.Stack.Tcp;

/// <content>
/// How much a connection may hold: buffers that grow with what the path and the application make of them (as Linux's tcp_rcv_space_adjust and
/// tcp_sndbuf_expand), and its part in the account of the whole layer.
/// </content>
public sealed partial class TcpSocket
{
    /// <summary>What a connection that begins under memory pressure has to begin with.</summary>
    private const int PressedBuffer = 64 << 10;

    /// <summary>So many segments may always be received, however little memory is left, or connections would never end.</summary>
    private const int LeastSegments = 4;

    private int _receiveBuffer;
    private int _receiveBufferMaximum;
    private int _sendBuffer;
    private int _sendBufferMaximum;

    /// <summary>Bytes that the layer's account has of this socket.</summary>
    private long _charged;

    // What the application has taken in this round trip, and at most in an earlier one.
    private int _taken;
    private int _takenBefore;
    private Instant _takenSince;

    /// <summary>Round trip as a receiver sees it: from an acknowledgement to what it lets out.</summary>
    private TimeSpan _peerRoundTrip;
    private uint _lastEcho;

    private void SetBuffers(in TcpSocketOptions options)
    {
        var stack = _layer.Options;
        var initial = _layer.IsUnderPressure ? PressedBuffer : int.MaxValue;
        Set(ref _receiveBuffer, ref _receiveBufferMaximum, options.ReceiveBuffer, stack.ReceiveBuffer, stack.MaxReceiveBuffer, initial);
        Set(ref _sendBuffer, ref _sendBufferMaximum, options.SendBuffer, stack.SendBuffer, stack.MaxSendBuffer, initial);
    }

    /// <summary>A size that the application names stays; otherwise the buffer begins with the stack's and may grow.</summary>
    private static void Set(ref int size, ref int maximum, int named, int initial, int most, int bound)
    {
        if (named > 0)
        {
            size = named;
            maximum = named;
            return;
        }

        maximum = Math.Max(initial, most);
        size = Math.Min(Math.Max(size, Math.Min(initial, bound)), maximum);
    }

    /// <summary>What the first round trip brings in any case: measured by less, the growth of the second would seem huge (TCP_INIT_CWND).</summary>
    private int InitialFlight => 10 * _rcvMss;

    /// <summary>The application takes what arrives: in a round trip twice as much must fit as it took in the last, or the window holds the sender
    /// back while it still grows.</summary>
    private void Taken(int bytes, Instant now)
    {
        _taken += bytes;
        var round = _peerRoundTrip > TimeSpan.Zero ? _peerRoundTrip : _rtt.Smoothed;
        if (now - _takenSince < round)
            return;
        _takenBefore = Math.Max(_takenBefore, InitialFlight);
        if (_taken > _takenBefore && _receiveBuffer < _receiveBufferMaximum && !_layer.IsUnderPressure)
        {
            var wanted = 2L * _taken + 16 * _rcvMss;
            wanted += 2 * wanted * (_taken - _takenBefore) / _takenBefore;
            _receiveBuffer = (int)Math.Clamp(wanted, _receiveBuffer, _receiveBufferMaximum);
        }

        _takenBefore = Math.Max(_takenBefore, _taken);
        _taken = 0;
        _takenSince = now;
    }

    private void MeasurePeer(uint echo, Instant now)
    {
        if (echo == _lastEcho || _receiveBuffer == _receiveBufferMaximum)
            return;
        _lastEcho = echo;
        var elapsed = Age(echo, now);
        if (elapsed > 60_000)
            return;
        var sample = TimeSpan.FromMilliseconds(Math.Max(1, elapsed));
        _peerRoundTrip = _peerRoundTrip == TimeSpan.Zero || sample < _peerRoundTrip ? sample : (7 * _peerRoundTrip + sample) / 8;
    }

    /// <summary>Twice the congestion window: what is in flight, and as much again to follow while it is acknowledged. What is added is the
    /// writer's credit at once. Many writers do not grow as one does, lest all memory be full of what waits for a wire that they share.</summary>
    private void GrowSendBuffer()
    {
        if (_sendBuffer >= _sendBufferMaximum || _layer.IsWellUsed || _finQueued)
            return;
        var wanted = (int)Math.Min(2 * OwnWindow, _sendBufferMaximum);
        if (wanted <= _sendBuffer)
            return;
        _acknowledgedCredit += wanted - _sendBuffer;
        _sendBuffer = wanted;
    }

    /// <summary>Memory is used up: what comes is not taken, and not acknowledged, until some is free again; the sender will repeat it.</summary>
    private bool MustRefuse(int length)
    {
        if (length == 0 || !_layer.IsOutOfMemory || _received.Bytes + _lent + _ahead.Memory < LeastSegments * _rcvMss)
            return false;
        while (!_ahead.IsEmpty)
        {
            _layer.Counters.TcpExtOfoPruned++;
            _ahead.DropLast(_layer.Ranges);
        }

        Charge();
        return _layer.IsOutOfMemory;
    }

    /// <summary>Brings the layer's account up to date.</summary>
    private void Charge()
    {
        var held = (long)_received.Memory;
        if (_state is not (TcpState.Closed or TcpState.TimeWait))
            held += _lent + _ahead.Memory + _send.Bytes;
        if (held == _charged)
            return;
        _layer.Charge(held - _charged);
        _charged = held;
    }
}
