namespace Tapwire.Stack.Tcp.Connection;

/// <summary>The size of the send buffer, and the room that has become free since the writer was told.</summary>
internal struct SendBuffer
{
    private BufferSize _size;

    public readonly int Size => _size.Current;

    public readonly int Maximum => _size.Maximum;

    /// <summary>Room in bytes that has become free since the writer was last told.</summary>
    public int Credit { get; private set; }

    public void Set(int named, TcpOptions stack, bool isUnderPressure, int share) => _size.Set(named, stack.SendBuffer, stack.MaxSendBuffer, isUnderPressure, share);

    /// <summary>Bytes have been acknowledged.</summary>
    public void Free(int bytes) => Credit += bytes;

    /// <summary>Grows to twice the congestion window (tcp_sndbuf_expand): for the data in flight, and as much again to follow while it is
    /// acknowledged.</summary>
    /// <param name="share">The connection's share of the memory.</param>
    public void Grow(long congestionWindow, int share)
    {
        var size = _size.Current;
        _size.GrowTo(Math.Min(2 * congestionWindow, share));
        Credit += _size.Current - size;
    }

    /// <summary>The writer should be woken: not for every acknowledgement, but for an eighth of the buffer, or when there is nothing left to wait
    /// for.</summary>
    /// <param name="queued">Bytes still in the send queue.</param>
    public readonly bool IsWorthWaking(int queued) => Credit > 0 && (Credit >= Size / 8 || queued == 0);

    /// <summary>Takes the credit, to tell it to the writer.</summary>
    public int TakeCredit()
    {
        var bytes = Credit;
        Credit = 0;
        return bytes;
    }
}
