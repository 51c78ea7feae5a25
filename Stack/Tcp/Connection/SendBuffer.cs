namespace Tapwire.Stack.Tcp.Connection;

/// <summary>The size of the send buffer, and how much of it has become free since the writer was told.</summary>
internal struct SendBuffer
{
    private BufferSize _size;

    public readonly int Size => _size.Current;

    public readonly int Maximum => _size.Maximum;

    /// <summary>Bytes by which the writer's room has grown since it was last told.</summary>
    public int Credit { get; private set; }

    public void Set(int named, TcpOptions stack, bool isUnderPressure, int share) => _size.Set(named, stack.SendBuffer, stack.MaxSendBuffer, isUnderPressure, share);

    /// <summary>Bytes have been acknowledged.</summary>
    public void Free(int bytes) => Credit += bytes;

    /// <summary>Grows to twice the congestion window (tcp_sndbuf_expand): what is in flight, and as much again to follow while it is acknowledged.</summary>
    /// <param name="share">As much of the memory as the connection may have.</param>
    public void Grow(long congestionWindow, int share)
    {
        var size = _size.Current;
        _size.GrowTo(Math.Min(2 * congestionWindow, share));
        Credit += _size.Current - size;
    }

    /// <summary>Says whether the writer is to be woken: not for every acknowledgement, but when it pays, or when there is nothing left to wait for.</summary>
    /// <param name="queued">Bytes still in the send queue.</param>
    public readonly bool IsWorthWaking(int queued) => Credit > 0 && (Credit >= Size / 8 || queued == 0);

    /// <summary>The writer has heard of its room.</summary>
    public int TakeCredit()
    {
        var bytes = Credit;
        Credit = 0;
        return bytes;
    }
}
