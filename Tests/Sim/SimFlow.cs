using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Sim;

/// <summary>A connection as somebody sees it who watches the path: two directions.</summary>
/// <param name="number">For traces: the first connection is 1.</param>
internal sealed class SimFlow(int number)
{
    public int Number => number;

    public SimFlowSide Left { get; private set; } = new();

    public SimFlowSide Right { get; private set; } = new();

    /// <summary>Notes a segment that leaves a host, and whether it may.</summary>
    /// <param name="again">All or part of it was sent before.</param>
    /// <param name="needless">All of that will have arrived without it.</param>
    /// <returns>What is wrong with it; null if nothing is.</returns>
    public string? Leaves(bool fromLeft, in TcpHeader segment, int length, out bool again, out bool needless)
    {
        again = false;
        needless = false;
        if (segment.Has(TcpFlags.Rst))
            return null;
        var sender = fromLeft ? Left : Right;
        var receiver = fromLeft ? Right : Left;
        if (segment.Has(TcpFlags.Syn) && !sender.Began(segment.Sequence))
        {
            // A second connection on the same ports, or a SYN-ACK made anew because the first was forgotten.
            var isNew = sender.Known && !segment.Has(TcpFlags.Ack);
            sender = new SimFlowSide();
            if (isNew)
                receiver = new SimFlowSide();
            (Left, Right) = fromLeft ? (sender, receiver) : (receiver, sender);
            sender.Begin(segment);
        }

        if (!sender.Known)
            return null;
        return sender.SendsPayload(segment, length, out again, out needless) ?? sender.Acknowledges(segment, receiver) ?? sender.Stamps(segment, receiver);
    }

    /// <summary>Notes that a segment will not be lost.</summary>
    public void Survives(bool fromLeft, in TcpHeader segment, int length)
    {
        if (!segment.Has(TcpFlags.Rst))
            (fromLeft ? Left : Right).Survives(segment, length);
    }

    /// <summary>Notes that a segment has reached the other host.</summary>
    public void Arrives(in SimMark mark)
    {
        if (mark.IsReset || mark.Sender is null)
            return;
        mark.Sender.Arrives(mark);
        mark.Receiver!.MayFill(mark);
    }

    public SimMark MarkOf(bool fromLeft, in TcpHeader segment, int length)
    {
        var (sender, receiver) = fromLeft ? (Left, Right) : (Right, Left);
        return new SimMark
        {
            Sender = sender.Known ? sender : null,
            Receiver = receiver,
            IsReset = segment.Has(TcpFlags.Rst),
            Start = segment.Sequence,
            End = SimFlowSide.EndOf(segment, length),
            HasEdge = segment.Has(TcpFlags.Ack),
            Edge = sender.EdgeOf(segment, receiver),
        };
    }
}

/// <summary>What of a segment on its way matters to those who watch.</summary>
internal struct SimMark
{
    public SimFlowSide? Sender;
    public SimFlowSide? Receiver;
    public bool IsReset;
    public bool HasEdge;
    public uint Start;
    public uint End;

    /// <summary>The right edge of the window that it announces.</summary>
    public uint Edge;
}
