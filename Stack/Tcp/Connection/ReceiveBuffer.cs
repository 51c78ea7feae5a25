namespace Tapwire.Stack.Tcp.Connection;

/// <summary>
/// The size of the receive buffer. It grows with what the application reads per round trip, as in Linux (tcp_rcv_space_adjust). It must hold twice what was
/// read in the last round trip, or the window would limit a sender whose own window still grows.
/// </summary>
internal struct ReceiveBuffer
{
    /// <summary>Segments that the first round trip brings in any case (TCP_INIT_CWND). With a smaller number the growth in the second round trip would seem
    /// huge.</summary>
    private const int InitialSegments = 10;

    /// <summary>An echoed timestamp measures no round trip beyond this, in milliseconds.</summary>
    private const uint LongestRoundTrip = 60_000;

    private BufferSize _size;

    /// <summary>Bytes that the application has read in this round trip.</summary>
    private int _bytesRead;

    /// <summary>Most bytes that it has read in an earlier one.</summary>
    private int _bytesReadBefore;
    private Instant _readSince;

    /// <summary>The receiver's measure of the round trip: from an acknowledgement to the segment that it lets out.</summary>
    private TimeSpan _roundTrip;
    private uint _lastEcho;

    public readonly int Size => _size.Current;

    public readonly int Maximum => _size.Maximum;

    public void Set(int named, TcpOptions stack, bool isUnderPressure) => _size.Set(named, stack.ReceiveBuffer, stack.MaxReceiveBuffer, isUnderPressure);

    /// <summary>The application has read bytes.</summary>
    /// <param name="smoothed">The sender's measure of the round trip, for use while the receiver has none.</param>
    /// <param name="segmentSize">The peer's segment size.</param>
    /// <param name="share">The share of the memory to which the buffer may grow.</param>
    public void ApplicationRead(int bytes, TimeSpan smoothed, int segmentSize, int share, Instant now)
    {
        _bytesRead += bytes;
        if (now - _readSince < (_roundTrip > TimeSpan.Zero ? _roundTrip : smoothed))
            return;
        _bytesReadBefore = Math.Max(_bytesReadBefore, InitialSegments * segmentSize);
        if (_bytesRead > _bytesReadBefore && _size.MayGrow)
        {
            var wanted = 2L * _bytesRead + 16 * segmentSize;
            wanted += 2 * wanted * (_bytesRead - _bytesReadBefore) / _bytesReadBefore;
            _size.GrowTo(Math.Min(wanted, share));
        }

        _bytesReadBefore = Math.Max(_bytesReadBefore, _bytesRead);
        _bytesRead = 0;
        _readSince = now;
    }

    /// <summary>An echoed timestamp would give a useful measure of the round trip.</summary>
    public bool Measures(uint echo)
    {
        if (echo == _lastEcho || !_size.MayGrow)
            return false;
        _lastEcho = echo;
        return true;
    }

    /// <summary>Takes the milliseconds between an acknowledgement and a full-sized segment that it has let out.</summary>
    public void Measured(uint elapsed)
    {
        if (elapsed > LongestRoundTrip)
            return;
        var sample = TimeSpan.FromMilliseconds(Math.Max(1, elapsed));
        _roundTrip = _roundTrip == TimeSpan.Zero || sample < _roundTrip ? sample : (7 * _roundTrip + sample) / 8;
    }
}
