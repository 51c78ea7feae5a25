namespace Tapwire.Stack.Tcp;

/// <content>The memory of all connections together (tcp_mem).</content>
/// <remarks>
/// Above a quarter of <see cref="TcpOptions.Memory"/> send buffers no longer grow, and each connection may hold no more received data than a share of the rest.
/// A connection that holds much waits, so that a new one gets something (the dynamic thresholds of Choudhury and Hahne, 1998, for queues that share a memory).
/// Above three quarters there is pressure: no buffer grows, and new connections begin with small ones. Above all of it new connections are refused,
/// out-of-order data is dropped, and arriving data is refused but for the little that lets each connection end. Acknowledged data is never dropped, and no
/// announced window is taken back.
/// </remarks>
public sealed partial class TcpLayer
{
    /// <summary>A connection's share is the rest divided by this, and the rest shrinks with each share taken: three hundred connections that take all they can
    /// leave the last a tenth of it.</summary>
    private const int Shares = 128;

    /// <summary>Send buffers together may take the rest divided by this. Each connection begins with its part, and earlier ones had more to divide: together
    /// they take three times as much.</summary>
    private const int SendShares = 8;

    /// <summary>One connection's receive buffer may grow to the rest divided by this.</summary>
    private const int GrowthShares = 16;

    /// <summary>Least send buffer with which a connection begins, however many there are.</summary>
    private const int LeastSendBuffer = 16 << 10;

    private bool _isUnderPressure;
    private MemoryLevel _memoryLevel;

    /// <summary>Bytes of memory that connections hold: received and not consumed, arrived ahead of a gap, written and not acknowledged. The unused parts of
    /// their buffers count.</summary>
    public long MemoryHeld { get; private set; }

    /// <summary>Number of connections that hold some of it.</summary>
    internal int MemoryHolders { get; private set; }

    /// <summary>How much memory is left on the machine or in the control group. A shortage counts as if connections held that much.</summary>
    public MemoryLevel MemoryLevel
    {
        get => _memoryLevel;
        internal set
        {
            _memoryLevel = value;
            Divide();
        }
    }

    /// <summary>Bytes of received data that a connection may hold beyond a few segments; the largest number while memory is plenty.</summary>
    internal int ReceiveShare { get; private set; } = int.MaxValue;

    /// <summary>The size to which a receive buffer may grow.</summary>
    internal int GrowthShare => IsUnderPressure ? 0 : (int)Math.Min(Rest / GrowthShares, int.MaxValue);

    /// <summary>Send buffer of a new connection: an eighth of the rest, divided among all connections. Many may come at once that hold nothing yet.</summary>
    internal int FirstSendShare => SendShare(Count);

    /// <summary>The size to which a send buffer may grow: an eighth of the rest, divided among the connections that hold memory.</summary>
    internal int LaterSendShare => SendShare(MemoryHolders);

    internal bool IsUnderPressure => _isUnderPressure || MemoryLevel != MemoryLevel.Ample;

    /// <summary>The first of three limits, as in tcp_mem: the memory held is enough for the existing connections, and more would only wait.</summary>
    internal bool IsWellUsed => MemoryHeld >= Options.Memory / 4 || MemoryLevel != MemoryLevel.Ample;

    internal bool IsOutOfMemory => MemoryHeld >= Options.Memory || MemoryLevel == MemoryLevel.Exhausted;

    private int SendShare(int others) => (int)Math.Clamp(Rest / SendShares / (others + 1), LeastSendBuffer, int.MaxValue);

    private long Rest => Math.Max(Options.Memory - MemoryHeld, 0);

    /// <param name="bytes">The change in bytes, positive or negative.</param>
    /// <param name="holders">1: the connection held nothing before; -1: it holds nothing any more; otherwise 0.</param>
    internal void Charge(long bytes, int holders)
    {
        MemoryHeld += bytes;
        MemoryHolders += holders;
        var pressure = MemoryHeld >= Options.Memory / 4 * 3;
        if (pressure && !_isUnderPressure)
            Counters.TcpExtTCPMemoryPressures++;
        _isUnderPressure = pressure;
        Divide();
    }

    private void Divide() =>
        ReceiveShare = !IsWellUsed ? int.MaxValue : MemoryLevel == MemoryLevel.Ample ? (int)Math.Min(Rest / Shares, int.MaxValue) : 0;

    /// <summary>There is no memory for another connection.</summary>
    internal bool RefusesMore()
    {
        if (!IsOutOfMemory)
            return false;
        Counters.TcpMemoryRefused++;
        return true;
    }
}
