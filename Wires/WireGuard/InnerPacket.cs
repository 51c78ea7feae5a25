using System.Buffers.Binary;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Wires.WireGuard;

/// <summary>The addresses of the packets within data messages, which decide on the peer.</summary>
internal static class InnerPacket
{
    private const int V6Length = 40;
    private const int V6PayloadLengthAt = 4;
    private const int V6SourceAt = 8;
    private const int V6DestinationAt = 24;

    public static bool TryGetDestination(ReadOnlySpan<byte> packet, out IpAddress destination)
    {
        destination = VersionOf(packet) switch
        {
            4 => IpAddress.FromBytes(packet.Slice(Ipv4Field.Destination, 4)),
            6 => IpAddress.FromBytes(packet.Slice(V6DestinationAt, 16)),
            _ => default,
        };
        return destination != default;
    }

    /// <param name="length">The packet's own length: padding follows it.</param>
    /// <returns>False: no IP packet, or a longer one than is there.</returns>
    public static bool TryGetSource(ReadOnlySpan<byte> packet, out IpAddress source, out int length)
    {
        switch (VersionOf(packet))
        {
            case 4:
                source = IpAddress.FromBytes(packet.Slice(Ipv4Field.Source, 4));
                length = BinaryPrimitives.ReadUInt16BigEndian(packet[Ipv4Field.TotalLength..]);
                return length >= Ipv4Header.Length && length <= packet.Length;
            case 6:
                source = IpAddress.FromBytes(packet.Slice(V6SourceAt, 16));
                length = V6Length + BinaryPrimitives.ReadUInt16BigEndian(packet[V6PayloadLengthAt..]);
                return length <= packet.Length;
            default:
                (source, length) = (default, 0);
                return false;
        }
    }

    /// <summary>4 or 6 if there is a whole header of that version; otherwise 0.</summary>
    private static int VersionOf(ReadOnlySpan<byte> packet) => packet.Length >= Ipv4Header.Length
        ? (packet[0] >> 4) switch { 4 => 4, 6 when packet.Length >= V6Length => 6, _ => 0 }
        : 0;
}
