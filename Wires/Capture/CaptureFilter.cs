using System.Buffers.Binary;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Wires.Capture;

/// <summary>
/// Tells which frames a capture wants, from their headers alone. A fragment other than the first has no ports, and is judged by its host. ARP has hosts and no ports.
/// </summary>
/// <param name="host">Null: any.</param>
/// <param name="port">0: any.</param>
/// <param name="takesFragments">What a fragment without ports is judged as, where a port is wanted.</param>
internal readonly struct CaptureFilter(IpAddress? host, ushort port, bool takesFragments = true)
{
    /// <summary>Extension headers that are walked to find the ports; a packet with more has none.</summary>
    private const int MostExtensions = 8;

    /// <param name="frame">The frame's first bytes: all headers up to the ports, or as many as there are.</param>
    public bool Matches(ReadOnlySpan<byte> frame, Medium medium)
    {
        if (host is null && port == 0)
            return true;
        if (medium == Medium.Ip)
            return frame.Length > 0 && (frame[0] >> 4 == 4 ? MatchesV4(frame) : frame[0] >> 4 == 6 && MatchesV6(frame));
        if (frame.Length < EthernetHeader.Length)
            return false;
        var (type, at) = (BinaryPrimitives.ReadUInt16BigEndian(frame[12..]), EthernetHeader.Length);
        for (var tags = 0; tags < 2 && type is EtherType.Vlan or EtherType.ServiceVlan && frame.Length >= at + 4; tags++, at += 4)
            type = BinaryPrimitives.ReadUInt16BigEndian(frame[(at + 2)..]);
        return type switch
        {
            EtherType.Ipv4 => MatchesV4(frame[at..]),
            EtherType.Ipv6 => MatchesV6(frame[at..]),
            EtherType.Arp => port == 0 && MatchesArp(frame[at..]),
            _ => false,
        };
    }

    private bool MatchesArp(ReadOnlySpan<byte> arp) => arp.Length >= 28 && arp[5] == 4 && IsHost(arp.Slice(14, 4), arp.Slice(24, 4));

    private bool MatchesV4(ReadOnlySpan<byte> packet)
    {
        if (packet.Length < 20 || !IsHost(packet.Slice(12, 4), packet.Slice(16, 4)))
            return false;
        if (port == 0)
            return true;
        if ((BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & 0x1FFF) != 0)
            return takesFragments;
        var length = (packet[0] & 15) * 4;
        return length <= packet.Length && IsPort(packet[9], packet[length..]);
    }

    private bool MatchesV6(ReadOnlySpan<byte> packet)
    {
        if (packet.Length < 40 || !IsHost(packet.Slice(8, 16), packet.Slice(24, 16)))
            return false;
        if (port == 0)
            return true;
        var (next, at) = (packet[6], 40);
        for (var i = 0; i < MostExtensions; i++)
        {
            if (next is not (0 or 43 or 44 or 51 or 60 or 135))
                return at <= packet.Length && IsPort(next, packet[at..]);
            if (packet.Length < at + 8)
                return false;
            if (next == 44 && (BinaryPrimitives.ReadUInt16BigEndian(packet[(at + 2)..]) & 0xFFF8) != 0)
                return takesFragments;
            var length = next switch
            {
                44 => 8,
                51 => (packet[at + 1] + 2) * 4,
                _ => (packet[at + 1] + 1) * 8,
            };
            next = packet[at];
            at += length;
        }

        return false;
    }

    private bool IsHost(ReadOnlySpan<byte> source, ReadOnlySpan<byte> destination) => host is not { } wanted || Read(source) == wanted || Read(destination) == wanted;

    /// <summary>Reads without the check for mapped addresses, which are no matter of a filter.</summary>
    private static IpAddress Read(ReadOnlySpan<byte> bytes) => bytes.Length == 4
        ? IpAddress.FromV4(BinaryPrimitives.ReadUInt32BigEndian(bytes))
        : IpAddress.FromHalves(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]));

    private bool IsPort(byte protocol, ReadOnlySpan<byte> transport) => protocol is 6 or 17 or 33 or 132 && transport.Length >= 4
        && (BinaryPrimitives.ReadUInt16BigEndian(transport) == port || BinaryPrimitives.ReadUInt16BigEndian(transport[2..]) == port);
}
