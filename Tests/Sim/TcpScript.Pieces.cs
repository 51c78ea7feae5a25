using System.Text;

namespace Tapwire.Tests.Sim;

/// <content>Pieces that scripts are made of.</content>
internal sealed partial class TcpScript
{
    /// <summary>Ten segments of 1460 bytes are written and leave.</summary>
    public static string TenSegments => "+0 write 14600\n" + Burst(1, 10);

    /// <summary>So many full segments leave now, the last one with PSH.</summary>
    /// <param name="flags">Of all of them.</param>
    /// <param name="suffix">Follows each line.</param>
    public static string Burst(int from, int count, int size = 1460, bool push = true, string flags = ".", string suffix = "")
    {
        var lines = new StringBuilder();
        for (var i = 1; i <= count; i++, from += size)
            lines.AppendLine($"+0 > {(push && i == count ? "P" : "")}{flags} {from}:{from + size}({size}) ack 1{suffix}");
        return lines.ToString();
    }
}
