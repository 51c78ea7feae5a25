using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Wires.WireGuard;
using Tapwire.Wires.Udp;
using Xunit;

namespace Tapwire.Tests.Wires.Udp;

/// <summary>The tables of RFC 6040: 0 is Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE.</summary>
public sealed class TunnelEcnSpec
{
    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 2)]
    public void The_outer_field_is_the_inner_one_but_for_marks(byte inner, byte outer)
    {
        foreach (var packet in Packets(inner))
            Assert.Equal(outer, TunnelEcn.Encapsulate(packet));
    }

    /// <summary>RFC 6040, Figure 4: rows are inner, columns outer; a drop is -1.</summary>
    [Theory]
    [InlineData(0, new[] { 0, 0, 0, -1 })]
    [InlineData(2, new[] { 2, 1, 2, 3 })]
    [InlineData(1, new[] { 1, 1, 1, 3 })]
    [InlineData(3, new[] { 3, 3, 3, 3 })]
    public void A_mark_of_the_way_goes_on_inside_and_the_rest_stays(byte inner, int[] expected)
    {
        for (byte outer = 0; outer < 4; outer++)
        {
            foreach (var packet in Packets(inner))
            {
                // The outer DSCP has no meaning inside.
                var isTaken = TunnelEcn.Decapsulate(packet, (byte)(0xB8 | outer));
                Assert.Equal(expected[outer] >= 0, isTaken);
                Assert.Equal(Packets((byte)(isTaken ? expected[outer] : inner)).Single(each => each[0] >> 4 == packet[0] >> 4), packet);
                if (packet[0] >> 4 == 4)
                    Assert.Equal(0, Checksum.Finish(Checksum.Sum(packet.AsSpan(0, Ipv4Header.Length))));
            }
        }
    }

    [Fact]
    public void What_is_no_IP_packet_is_left_alone()
    {
        foreach (var bytes in (byte[][])[[], [0x45], new byte[19], [0x60, .. new byte[38]], [0x15, .. Enumerable.Repeat((byte)0xFF, 60)]])
        {
            var copy = bytes.ToArray();
            Assert.Equal(0, TunnelEcn.Encapsulate(copy));
            TunnelEcn.Decapsulate(copy, 3);
            Assert.Equal(bytes, copy);
        }
    }

    /// <summary>A packet of each family with DSCP 0x2E and that ECN field.</summary>
    private static byte[][] Packets(byte ecn)
    {
        var v4 = InnerPackets.Make("10.0.0.1", "10.0.0.2", 20);
        v4[1] = (byte)(0xB8 | ecn);
        var sum = Checksum.Finish(Checksum.Sum(v4.AsSpan(0, Ipv4Header.Length)));
        (v4[10], v4[11]) = ((byte)(sum >> 8), (byte)sum);
        var v6 = InnerPackets.Make("fd00::1", "fd00::2", 20);
        (v6[0], v6[1]) = (0x6B, (byte)((8 | ecn) << 4 | 5));
        return [v4, v6];
    }
}
