using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Wires.Udp;

/// <summary>
/// Carries the ECN field of a packet through a tunnel, so that a congested router between its ends is heard by the connection within. The rest of the traffic class stays inside: what kind of
/// traffic it is, is nobody's on the way.
/// </summary>
internal static class TunnelEcn
{
    private const int V6Length = 40;

    /// <summary>The outer ECN field for an inner packet. A mark that it has already stays inside: as Linux, it goes as ECT(0) (RFC 3168, 9.1.1, full functionality; RFC 6040's decapsulators take it).</summary>
    /// <param name="packet">Begins with the inner IP header; what is none gives 0.</param>
    public static byte Encapsulate(ReadOnlySpan<byte> packet) => Read(packet) is var inner && inner == EcnField.Experienced ? EcnField.Capable : inner;

    /// <summary>Gives a received packet the mark of its outer header (RFC 6040, Figure 4).</summary>
    /// <param name="packet">Begins with the inner IP header.</param>
    /// <param name="outer">The outer traffic class.</param>
    /// <returns>False: the outer header says congestion of a packet that did not say that it may be marked. RFC 6040 has it dropped.</returns>
    public static bool Decapsulate(Span<byte> packet, byte outer)
    {
        outer = (byte)(outer & EcnField.Mask);
        // The common case costs one look.
        if (outer is 0 or EcnField.Capable)
            return true;
        var inner = Read(packet);
        if (inner == 0)
            return outer != EcnField.Experienced;
        if (inner != EcnField.Experienced && (outer == EcnField.Experienced || inner == EcnField.Capable))
            Write(packet, outer);
        return true;
    }

    /// <summary>0 also if there is no whole header.</summary>
    private static byte Read(ReadOnlySpan<byte> packet) => packet.Length < Ipv4Header.Length
        ? (byte)0
        : (packet[0] >> 4) switch
        {
            4 => (byte)(packet[Ipv4Field.TrafficClass] & EcnField.Mask),
            6 when packet.Length >= V6Length => (byte)((packet[1] >> 4) & EcnField.Mask),
            _ => (byte)0,
        };

    private static void Write(Span<byte> packet, byte ecn)
    {
        if (packet[0] >> 4 == 6)
        {
            packet[1] = (byte)((packet[1] & ~(EcnField.Mask << 4)) | (ecn << 4));
            return;
        }

        var before = BinaryPrimitives.ReadUInt16BigEndian(packet);
        var after = (ushort)((before & ~EcnField.Mask) | ecn);
        BinaryPrimitives.WriteUInt16BigEndian(packet, after);
        var checksum = BinaryPrimitives.ReadUInt16BigEndian(packet[Ipv4Field.Checksum..]);
        BinaryPrimitives.WriteUInt16BigEndian(packet[Ipv4Field.Checksum..], Checksum.Update(checksum, before, after));
    }
}
