using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Wires;
using Tapwire.Wires.Capture;

namespace Tapwire.Actors.Capture;

/// <summary>
/// Gives captures the datagrams of a tunnel. The host's kernel writes their real headers; these here say as much of them as is known: addresses, ports, traffic class. An address that the host
/// has chosen is unspecified.
/// </summary>
internal sealed class TunnelCapture(Captures captures, BufferPool pool, CapturePlace place) : ITunnelObserver
{
    private const byte HopLimit = 64;

    public void Passed(IpEndpoint from, IpEndpoint to, byte trafficClass, ReadOnlySpan<byte> bytes, int size, bool isInbound)
    {
        var isV4 = from.Address.IsV4 || to.Address.IsV4;
        for (var at = 0; at < bytes.Length; at += size)
        {
            var datagram = bytes.Slice(at, Math.Min(size, bytes.Length - at));
            var headers = (isV4 ? Ipv4Header.Length : Ipv6Header.Length) + UdpHeader.Length;
            if (datagram.Length > ushort.MaxValue - headers)
                continue;
            PacketBuffer packet;
            try
            {
                packet = pool.Rent(headers + datagram.Length);
            }
            catch (OutOfMemoryException)
            {
                // What is captured is the least that matters then.
                return;
            }

            var made = packet.Append(headers + datagram.Length);
            datagram.CopyTo(made[headers..]);
            if (isV4)
                PutV4(made, Of(from), Of(to), trafficClass);
            else
                PutV6(made, from, to, trafficClass);
            captures.Add(packet, place, isInbound ? CaptureDirection.Inbound : CaptureDirection.Outbound);
            packet.Release();
        }

        captures.Flush();

        static IpEndpoint Of(IpEndpoint end) => end.Address.IsV4 ? end : end with { Address = IpAddress.AnyV4 };
    }

    private static void PutV4(Span<byte> packet, IpEndpoint from, IpEndpoint to, byte trafficClass)
    {
        new Ipv4Header
        {
            Source = from.Address,
            Destination = to.Address,
            Protocol = IpProtocol.Udp,
            HopLimit = HopLimit,
            TrafficClass = trafficClass,
            PayloadLength = (ushort)(packet.Length - Ipv4Header.Length),
        }.Emit(packet);
        // Without a checksum, which IPv4 allows.
        new UdpHeader(from.Port, to.Port, (ushort)(packet.Length - Ipv4Header.Length - UdpHeader.Length)).Emit(packet[Ipv4Header.Length..]);
    }

    private static void PutV6(Span<byte> packet, IpEndpoint from, IpEndpoint to, byte trafficClass)
    {
        var datagram = packet[Ipv6Header.Length..];
        new Ipv6Header
        {
            Source = from.Address,
            Destination = to.Address,
            NextHeader = IpProtocol.Udp,
            HopLimit = HopLimit,
            TrafficClass = trafficClass,
            PayloadLength = (ushort)datagram.Length,
        }.Emit(packet);
        new UdpHeader(from.Port, to.Port, (ushort)(datagram.Length - UdpHeader.Length)).Emit(datagram);
        var checksum = Checksum.Finish(Checksum.Sum(datagram, Checksum.PseudoHeader(from.Address, to.Address, IpProtocol.Udp, datagram.Length)));
        BinaryPrimitives.WriteUInt16BigEndian(datagram[UdpHeader.ChecksumOffset..], checksum == 0 ? (ushort)0xFFFF : checksum);
    }
}
