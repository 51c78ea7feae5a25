using System.Globalization;
using System.Text;
using Tapwire.Messages;
using Tapwire.Wires;

namespace Tapwire.Host;

/// <summary>The counters of a cable, in both directions.</summary>
internal sealed record CableReport(CableCounters AToB, CableCounters BToA, CableStatus Ports)
{
    /// <summary>Formats a table with the same lines every time, so that a program can parse it, too.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{"",-12}{"a to b",16}{"b to a",16}");
        Line("frames", AToB.Frames, BToA.Frames);
        Line("bytes", AToB.Bytes, BToA.Bytes);
        Line("lost", AToB.Lost, BToA.Lost);
        Line("queue full", AToB.QueueFull, BToA.QueueFull);
        Line("reordered", AToB.Reordered, BToA.Reordered);
        Line("duplicated", AToB.Duplicated, BToA.Duplicated);
        Line("corrupted", AToB.Corrupted, BToA.Corrupted);
        Line("no device", Ports.B.FramesDropped, Ports.A.FramesDropped);
        text.Append(CultureInfo.InvariantCulture, $"{"refused",-12}{$"at a: {Ports.A.FramesRefused}",16}{$"at b: {Ports.B.FramesRefused}",16}");
        return text.ToString();

        void Line(string name, long aToB, long bToA) => text.AppendLine(CultureInfo.InvariantCulture, $"{name,-12}{aToB,16}{bToA,16}");
    }
}
