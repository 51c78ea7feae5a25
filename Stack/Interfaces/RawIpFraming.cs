using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Interfaces;

/// <summary>Raw IP: a frame is an IP packet without a link header.</summary>
internal sealed class RawIpFraming(EgressQueue egress, StackCounters counters) : Framing
{
    public override int HeaderLength => 0;

    public override FrameDelivery Receive(PacketBuffer frame, Instant now)
    {
        var version = frame.Length > 0 ? frame.Span[0] >> 4 : 0;
        if (version == 4)
            return FrameDelivery.Ipv4;
        if (version == 6)
            return FrameDelivery.Ipv6;
        if (frame.Length == 0)
            counters.IpInTruncated++;
        else
            counters.IpInBadVersion++;
        frame.Release();
        return FrameDelivery.Consumed;
    }

    public override void Send(PacketBuffer packet, IpAddress nextHop, AddressKind destination, Instant now) => egress.Enqueue(packet);
}
