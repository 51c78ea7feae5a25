namespace Tapwire.Stack.Tcp;

/// <content>The memory of all connections together (tcp_mem).</content>
/// <remarks>
/// Above a quarter of <see cref="TcpOptions.Memory"/> send buffers no longer grow. Above three quarters there is pressure: no buffer grows, windows open no
/// further than a few segments beyond what was announced, and new connections begin with small buffers. Above all of it new connections are refused, what
/// came out of order is dropped, and what arrives is not taken, but for the little that lets each connection end. What was acknowledged is never dropped.
/// </remarks>
public sealed partial class TcpLayer
{
    /// <summary>Bytes that connections hold: received and not consumed, arrived ahead of a gap (with the buffers' unused rest), written and not acknowledged.</summary>
    public long MemoryHeld { get; private set; }

    internal bool IsUnderPressure { get; private set; }

    /// <summary>The first of three limits, as in tcp_mem: what is held serves the connections that there are; more would only wait.</summary>
    internal bool IsWellUsed => MemoryHeld >= Options.Memory / 4;

    internal bool IsOutOfMemory => MemoryHeld >= Options.Memory;

    internal void Charge(long bytes)
    {
        MemoryHeld += bytes;
        var pressure = MemoryHeld >= Options.Memory / 4 * 3;
        if (pressure && !IsUnderPressure)
            Counters.TcpExtTCPMemoryPressures++;
        IsUnderPressure = pressure;
    }

    /// <summary>No memory for one more connection.</summary>
    private bool RefusesMore()
    {
        if (!IsOutOfMemory)
            return false;
        Counters.TcpMemoryRefused++;
        return true;
    }
}
