namespace Tapwire.Stack.Tcp;

/// <content>The memory of all connections together (tcp_mem).</content>
/// <remarks>
/// Above a quarter of <see cref="TcpOptions.Memory"/> send buffers no longer grow, and each connection may hold no more of what comes than a share of the rest: who has much waits,
/// so that whoever comes has something (the dynamic thresholds of Choudhury and Hahne, 1998, for queues that share a memory). Above three quarters there is pressure: no buffer
/// grows, and new connections begin with small ones. Above all of it new connections are refused, what came out of order is dropped, and what arrives is not taken, but for the
/// little that lets each connection end. What was acknowledged is never dropped, and no window that was announced is taken back.
/// </remarks>
public sealed partial class TcpLayer
{
    /// <summary>What is left is divided by so many, and again after each that has taken its share: three hundred who take all they can leave the last a tenth of it.</summary>
    private const int Shares = 128;

    /// <summary>As much of what is left may be waiting to be sent. Each connection begins with its part, and those that came first had more to divide: together it is three times this.</summary>
    private const int SendShares = 8;

    /// <summary>As much of what is left may one connection's receive buffer grow to.</summary>
    private const int GrowthShares = 16;

    /// <summary>Bytes to send with which any connection may begin, however many there are.</summary>
    private const int LeastSendBuffer = 16 << 10;

    private bool _isUnderPressure;
    private MemoryLevel _memoryLevel;

    /// <summary>Bytes that connections hold: received and not consumed, arrived ahead of a gap, written and not acknowledged, with the unused rest of the buffers
    /// that it is in.</summary>
    public long MemoryHeld { get; private set; }

    /// <summary>Connections that hold some of it.</summary>
    internal int MemoryHolders { get; private set; }

    /// <summary>How much memory there is left where the stack runs: it counts as if connections held so much.</summary>
    public MemoryLevel MemoryLevel
    {
        get => _memoryLevel;
        internal set
        {
            _memoryLevel = value;
            Divide();
        }
    }

    /// <summary>Bytes that a connection may hold of what comes, beyond a few segments; the largest number while memory is plenty.</summary>
    internal int ReceiveShare { get; private set; } = int.MaxValue;

    /// <summary>What a receive buffer may grow to.</summary>
    internal int GrowthShare => IsUnderPressure ? 0 : (int)Math.Min(Rest / GrowthShares, int.MaxValue);

    /// <summary>What a new connection may send ahead: an eighth of what is left, if all connections did the same. Many may come at once, and hold nothing yet.</summary>
    internal int FirstSendShare => SendShare(Count);

    /// <summary>What a send buffer may grow to: the same, among those who hold something.</summary>
    internal int LaterSendShare => SendShare(MemoryHolders);

    internal bool IsUnderPressure => _isUnderPressure || MemoryLevel != MemoryLevel.Ample;

    /// <summary>The first of three limits, as in tcp_mem: what is held serves the connections that there are; more would only wait.</summary>
    internal bool IsWellUsed => MemoryHeld >= Options.Memory / 4 || MemoryLevel != MemoryLevel.Ample;

    internal bool IsOutOfMemory => MemoryHeld >= Options.Memory || MemoryLevel == MemoryLevel.Exhausted;

    private int SendShare(int others) => (int)Math.Clamp(Rest / SendShares / (others + 1), LeastSendBuffer, int.MaxValue);

    private long Rest => Math.Max(Options.Memory - MemoryHeld, 0);

    /// <param name="bytes">More than before, or less.</param>
    /// <param name="holders">1: the connection had nothing; -1: it has nothing any more.</param>
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

    /// <summary>No memory for one more connection.</summary>
    internal bool RefusesMore()
    {
        if (!IsOutOfMemory)
            return false;
        Counters.TcpMemoryRefused++;
        return true;
    }
}
