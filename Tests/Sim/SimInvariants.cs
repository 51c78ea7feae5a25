using Tapwire.Posix;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Sim;

/// <summary>What holds of every socket after every step; what can be seen on the wire is <see cref="SimFlowSide"/>'s to judge.</summary>
internal static class SimInvariants
{
    /// <summary>Memory may be more than bytes, for small segments lie in larger buffers; but within a bound.</summary>
    private static long MemoryLimit(TcpSocket socket) => 4L * socket.BufferLimit + (256 << 10);

    public static void Check(TcpSocket socket)
    {
        if (Seq.Gt(socket.SndUna, socket.SndNxt))
            throw new InvalidOperationException("SND.UNA is beyond SND.NXT.");
        if (socket.State is TcpState.Closed or TcpState.TimeWait or TcpState.SynSent)
            return;
        // A FIN takes a number, but no room.
        if (Seq.Gt(socket.Connection.Receiver.RcvNxt, socket.Connection.Receiver.RcvAdv + 1))
            throw new InvalidOperationException("RCV.NXT is beyond RCV.ADV.");
        if (socket.Available > socket.BufferLimit)
            throw new InvalidOperationException($"{socket.Available} bytes are in a buffer of {socket.BufferLimit}.");
        if (socket.MemoryHeld > MemoryLimit(socket))
            throw new InvalidOperationException($"{socket.MemoryHeld} bytes of memory are held for a buffer of {socket.BufferLimit}.");
        if (socket.SendRoom > socket.SendBuffer)
            throw new InvalidOperationException("There is more room to send than buffer.");
    }
}
