namespace Tapwire.Stack.Tcp.Connection;

/// <summary>The end of the peer's urgent data (RFC 9293, 3.8.5; RFC 6093): a mark in the stream, not a stream of its own.</summary>
internal struct UrgentReceiver
{
    /// <summary>RCV.UP: the sequence number after the last urgent byte. Means nothing unless <see cref="_isSet"/>.</summary>
    private uint _rcvUp;
    private bool _isSet;

    /// <summary>Bytes from the next one to be read to the end of urgent data; 0: none is outstanding.</summary>
    public readonly int Mark(uint nextToRead) => _isSet ? Math.Max(0, (int)(_rcvUp - nextToRead)) : 0;

    /// <summary>The peer announces where its urgent data ends.</summary>
    /// <returns>True if the end is later than was known, and ahead of the reader.</returns>
    public bool Announced(uint end, uint nextToRead)
    {
        if (Seq.Le(end, nextToRead) || (_isSet && Seq.Le(end, _rcvUp)))
            return false;
        _isSet = true;
        _rcvUp = end;
        return true;
    }

    /// <summary>Nothing follows the peer's FIN.</summary>
    public void EndAt(uint fin) => _rcvUp = Seq.Min(_rcvUp, fin);

    /// <summary>Bytes were read. A mark behind the reader is removed, before sequence numbers wrap around to it.</summary>
    public void Pass(uint nextToRead) => _isSet = _isSet && Seq.Gt(_rcvUp, nextToRead);

    public void Forget() => _isSet = false;
}
