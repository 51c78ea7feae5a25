namespace Tapwire.Stack.Tcp.Connection;

/// <summary>Where the peer's urgent data ends (RFC 9293, 3.8.5; RFC 6093): a mark in the stream, no stream of its own.</summary>
internal struct UrgentReceiver
{
    /// <summary>RCV.UP: the sequence number after the last urgent byte. Means nothing unless <see cref="_isSet"/>.</summary>
    private uint _rcvUp;
    private bool _isSet;

    /// <summary>Bytes from the next one that is read to the end of urgent data; 0: none is outstanding.</summary>
    public readonly int Mark(uint nextToRead) => _isSet ? Math.Max(0, (int)(_rcvUp - nextToRead)) : 0;

    /// <summary>The peer says where its urgent data ends.</summary>
    /// <returns>True if it ends later than was known, and ahead of the reader.</returns>
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

    /// <summary>Bytes were read. A mark that lies behind must not stay until sequence numbers come round.</summary>
    public void Pass(uint nextToRead) => _isSet = _isSet && Seq.Gt(_rcvUp, nextToRead);

    public void Forget() => _isSet = false;
}
