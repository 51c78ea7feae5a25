using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Ip;

/// <content>ICMPv6 (RFC 4443): the same of IPv6, and the way to neighbour discovery.</content>
public sealed partial class IcmpLayer
{
    /// <summary>Receives a message and takes it over.</summary>
    /// <param name="hasRouterAlert">The packet has a router alert option (RFC 2711).</param>
    internal void ReceiveV6(PacketBuffer packet, in IpReceiveInfo info, bool hasRouterAlert, Instant now)
    {
        _counters.IcmpInMsgs++;
        if (!Icmpv6View.TryParse(packet.Span, out var header))
        {
            Drop(packet, ref _counters.IcmpInTruncated);
            return;
        }

        if (packet.Offload.Checksum == ChecksumState.None
            && Checksum.Sum(packet.Span, Checksum.PseudoHeader(info.Source, info.Destination, IpProtocol.Icmpv6, packet.Length)) != 0xFFFF)
        {
            Drop(packet, ref _counters.IcmpInCsumErrors);
            return;
        }

        if (Icmpv6Type.IsNeighborDiscovery(header.Type))
        {
            if (_interfaces[info.Interface]?.Framing.ReceiveNeighborDiscovery(packet.Span, info, now) != true)
                _counters.IcmpInUnknownTypes++;
        }
        else if (Icmpv6Type.IsMulticastListenerDiscovery(header.Type))
        {
            _multicast.ReceiveMld(packet.Span, info, hasRouterAlert, now);
        }
        else if (header.Type == Icmpv6Type.EchoRequest)
        {
            _counters.IcmpInEchos++;
            // RFC 4443, 4.2 allows an answer to a group's question; Linux gives one, too, but a flood through a group would be multiplied. Nobody is in the groups of a guest's link.
            if (Forwarder is { } forwarder && !info.ToGroup)
            {
                forwarder.Enqueue(packet, info);
                return;
            }

            if (Forwarder is null && (!info.ToGroup || info.Destination == IpAddress.AllNodes))
            {
                AnswerV6(packet, info, now);
                return;
            }

            _counters.IcmpInGroupIgnored++;
        }
        else if (header.Type == Icmpv6Type.EchoReply)
        {
            ReceiveReply(packet, header.Identifier, header.Sequence, info, now);
            return;
        }
        else
        {
            ReceiveV6(packet.Span, header, info, now);
        }

        packet.Release();
    }

    private void ReceiveV6(ReadOnlySpan<byte> message, in Icmpv6View header, in IpReceiveInfo info, Instant now)
    {
        switch (header.Type)
        {
            case Icmpv6Type.DestinationUnreachable:
                _counters.IcmpInDestUnreachs++;
                if (KindOfV6(header.Code) is { } kind)
                    ReceiveErrorV6(message, header, info, kind, now);
                else
                    _counters.IcmpInUnknownTypes++;
                break;
            case Icmpv6Type.PacketTooBig:
                _counters.IcmpInDestUnreachs++;
                ReceiveErrorV6(message, header, info, IcmpErrorKind.PacketTooBig, now);
                break;
            case Icmpv6Type.TimeExceeded:
                _counters.IcmpInTimeExcds++;
                ReceiveErrorV6(message, header, info, IcmpErrorKind.TimeExceeded, now);
                break;
            case Icmpv6Type.ParameterProblem:
                _counters.IcmpInParmProbs++;
                ReceiveErrorV6(message, header, info, IcmpErrorKind.ParameterProblem, now);
                break;
            default:
                _counters.IcmpInUnknownTypes++;
                break;
        }
    }

    /// <summary>Checks that the quoted packet is one that this stack may have sent, and takes the error to its transport.</summary>
    private void ReceiveErrorV6(ReadOnlySpan<byte> message, in Icmpv6View header, in IpReceiveInfo info, IcmpErrorKind kind, Instant now)
    {
        var quote = message[Icmpv6Header.Length..];
        if (!TryReadQuote(quote, out var sent, out var protocol, out var transport) || !_ip.IsOwnOn(sent.Source, info.Interface))
        {
            _counters.IcmpInBadQuotes++;
            return;
        }

        var mtu = 0;
        if (kind == IcmpErrorKind.PacketTooBig)
        {
            // RFC 8201, 4: every link takes 1,280 bytes.
            if (header.Rest < Ipv6Header.MinimumMtu)
            {
                _counters.IcmpInBadMtu++;
                return;
            }

            mtu = (int)Math.Min(header.Rest, ushort.MaxValue);
        }

        Report(sent, protocol, transport, new IcmpErrorReport(kind, info.Source, header.Type, header.Code, mtu, info.HopLimit, info.TrafficClass), now);
    }

    /// <summary>Reads a packet of ours, of which at least 8 bytes of the transport header are here. The only extension header that this stack sends is a fragment header.</summary>
    private static bool TryReadQuote(ReadOnlySpan<byte> quote, out IpReceiveInfo sent, out byte protocol, out ReadOnlySpan<byte> transport)
    {
        sent = default;
        protocol = 0;
        transport = default;
        if (!Ipv6View.TryParse(quote, out var quoted) || quoted.Version != 6)
            return false;
        transport = quote[Ipv6Header.Length..];
        protocol = quoted.NextHeader;
        if (protocol == Ipv6Extension.Fragment)
        {
            if (!Ipv6FragmentHeader.TryParse(transport, out var fragment) || fragment.Offset != 0)
                return false;
            protocol = fragment.NextHeader;
            transport = transport[Ipv6FragmentHeader.Length..];
        }

        sent = new IpReceiveInfo(quoted.Source, quoted.Destination, quoted.HopLimit, quoted.TrafficClass, false);
        return transport.Length >= 8 && sent.Source.IsV6 && sent.Destination.IsV6;
    }

    private void NextHopUnreachableV6(PacketBuffer packet, Instant now)
    {
        if (Ipv6View.TryParse(packet.Span, out var header) && !_ip.Addresses.IsOwn(header.Source))
        {
            var info = new IpReceiveInfo(header.Source, header.Destination, header.HopLimit, header.TrafficClass, false);
            Undeliverable(packet, info with { HeaderLength = Ipv6Header.Length, IsForwarded = true }, now);
            return;
        }

        var quote = packet.Span[..Math.Min(packet.Length, IcmpErrors.MaxQuoteV6)];
        if (!TryReadQuote(quote, out var sent, out var protocol, out var transport))
            return;
        var report = new IcmpErrorReport(IcmpErrorKind.HostUnreachable, sent.Source, Icmpv6Type.DestinationUnreachable, Icmpv6Unreachable.Address, 0, sent.HopLimit, 0);
        Report(sent, protocol, transport, report, now);
    }

    /// <summary>Turns the request into its answer in place (RFC 4443, 4.2).</summary>
    internal void AnswerV6(PacketBuffer packet, in IpReceiveInfo info, Instant now)
    {
        var source = info.ToGroup ? _ip.SourceOn(info.Interface, info.Source) : info.Destination;
        packet = Writable(packet, IpLayer.HeaderRoomV6);
        var bytes = packet.Span;
        bytes[0] = Icmpv6Type.EchoReply;
        BinaryPrimitives.WriteUInt16BigEndian(bytes[Icmpv6Header.ChecksumOffset..], 0);
        _counters.IcmpOutEchoReps++;
        _ip.Send(
            packet,
            new IpSendInfo
            {
                Source = source,
                Destination = info.Source,
                Protocol = IpProtocol.Icmpv6,
                TrafficClass = info.TrafficClass,
                ChecksumOffset = Icmpv6Header.ChecksumOffset,
                Fragmentation = Fragmentation.Avoided,
                Mtu = MtuTo(info.Source, ushort.MaxValue, now),
            },
            now);
    }

    /// <summary>What Linux makes of it (icmpv6_err_convert).</summary>
    private static IcmpErrorKind? KindOfV6(byte code) => code switch
    {
        Icmpv6Unreachable.NoRoute => IcmpErrorKind.NetworkUnreachable,
        Icmpv6Unreachable.BeyondScope or Icmpv6Unreachable.Address => IcmpErrorKind.HostUnreachable,
        Icmpv6Unreachable.Port => IcmpErrorKind.PortUnreachable,
        Icmpv6Unreachable.Prohibited or Icmpv6Unreachable.PolicyFailed or Icmpv6Unreachable.RejectRoute => IcmpErrorKind.Forbidden,
        _ => null,
    };

    private static void Drop(PacketBuffer packet, ref long counter)
    {
        counter++;
        packet.Release();
    }
}
