using System.Numerics;
using System.Runtime.CompilerServices;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

/// <summary>
/// The sockets that may have something to send, in one queue for each interface. They take turns of a bounded number of segments. An interface that takes no
/// output holds back only its own queue.
/// </summary>
internal sealed class OutputTurns(IIpOutput ip)
{
    private Lines _lines;

    /// <summary>The interfaces with queued sockets, one bit for each index.</summary>
    public ulong Waiting { get; private set; }

    /// <summary>Puts a socket at the end of its interface's queue, unless it is queued already.</summary>
    public void Add(TcpSocket socket)
    {
        if (socket.IsInOutput)
            return;
        socket.IsInOutput = true;
        ref var line = ref _lines[socket.Interface];
        if (line.Last is null)
            line.First = socket;
        else
            line.Last.NextOutput = socket;
        line.Last = socket;
        Waiting |= 1UL << socket.Interface;
    }

    /// <summary>Lets sockets send while their interfaces take output.</summary>
    public void Run(Instant now)
    {
        for (var left = Waiting; left != 0; left &= left - 1)
            Run(BitOperations.TrailingZeroCount(left), now);
    }

    private void Run(int interfaceIndex, Instant now)
    {
        while (_lines[interfaceIndex].First is { } socket && ip.TakesOutput(interfaceIndex))
        {
            Leave(ref _lines[interfaceIndex], socket);
            if (_lines[interfaceIndex].First is null)
                Waiting &= ~(1UL << interfaceIndex);
            if (socket.Output(now))
                Add(socket);
        }
    }

    private static void Leave(ref Line line, TcpSocket first)
    {
        line.First = first.NextOutput;
        if (line.First is null)
            line.Last = null;
        first.NextOutput = null;
        first.IsInOutput = false;
    }

    private struct Line
    {
        public TcpSocket? First;
        public TcpSocket? Last;
    }

    /// <summary>A queue for each interface, and one for the stack itself.</summary>
    [InlineArray(InterfaceTable.Capacity + 1)]
    private struct Lines
    {
        private Line _first;
    }
}
