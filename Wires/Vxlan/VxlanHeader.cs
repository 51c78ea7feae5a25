using System.Buffers.Binary;
using System.Numerics;
using Tapwire.Stack.Packets;

namespace Tapwire.Wires.Vxlan;

/// <summary>The header before each frame (RFC 7348, 5): flags, 24 reserved bits, the network's identifier, 8 reserved bits. Reserved bits are zero when sent, and ignored when received.</summary>
internal static class VxlanHeader
{
    public const int Length = 8;

    /// <summary>The largest identifier of a network.</summary>
    public const int MaxVni = (1 << 24) - 1;

    /// <summary>The I flag: the identifier is valid.</summary>
    private const uint Valid = 0x0800_0000;

    public static void Write(Span<byte> bytes, int vni)
    {
        BinaryPrimitives.WriteUInt32BigEndian(bytes, Valid);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], (uint)vni << 8);
    }

    /// <param name="datagram">At least <see cref="Length"/> bytes.</param>
    /// <returns>The identifier of the network; -1: the I flag is not set.</returns>
    public static int ReadVni(ReadOnlySpan<byte> datagram) => (BinaryPrimitives.ReadUInt32BigEndian(datagram) & Valid) == 0 ? -1 : (int)(BinaryPrimitives.ReadUInt32BigEndian(datagram[4..]) >> 8);

    /// <summary>A number that the frames of one inner flow have in common: of its addresses and ports, or of the Ethernet addresses of what is no IP packet.</summary>
    /// <param name="frame">The frame's headers, at least <see cref="EthernetHeader.Length"/> bytes.</param>
    public static uint FlowOf(ReadOnlySpan<byte> frame)
    {
        const int Ip = EthernetHeader.Length;
        var type = BinaryPrimitives.ReadUInt16BigEndian(frame[12..]);
        ReadOnlySpan<byte> flow;
        if (type == EtherType.Ipv4 && frame.Length >= Ip + 24)
        {
            // Fragments stay together: those after the first have no ports.
            var hasPorts = frame[Ip] == 0x45 && (BinaryPrimitives.ReadUInt16BigEndian(frame[(Ip + 6)..]) & 0x3FFF) == 0;
            flow = frame.Slice(Ip + 12, hasPorts ? 12 : 8);
        }
        else if (type == EtherType.Ipv6 && frame.Length >= Ip + 44)
        {
            flow = frame.Slice(Ip + 8, frame[Ip + 6] is IpProtocol.Tcp or IpProtocol.Udp ? 36 : 32);
        }
        else
        {
            flow = frame[..12];
        }

        var hash = 0u;
        for (; flow.Length >= sizeof(uint); flow = flow[sizeof(uint)..])
            hash = BitOperations.RotateLeft((hash ^ BinaryPrimitives.ReadUInt32LittleEndian(flow)) * 0x9E37_79B1, 15);
        return hash ^ (hash >> 16);
    }
}
