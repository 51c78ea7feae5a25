using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Interfaces;

/// <summary>Raw IP: a frame is an IP packet without a link header.</summary>
internal sealed class RawIpFraming(EgressQueue egress, StackCounters counters) : Framing
{
    public override int HeaderLength => 0;

    public override FrameDelivery Receive(PacketBuffer frame, Instant now)
    {
        if (frame.Length > 0 && frame.Span[0] >> 4 == 4)
            return FrameDelivery.Ipv4;
        if (frame.Length == 0)
            counters.IpInTruncated++;
        else if (frame.Span[0] >> 4 == 6)
            counters.Ip6InUnsupported++;
        else
            counters.IpInBadVersion++;
        frame.Release();
        return FrameDelivery.Consumed;
    }

    public override void Send(PacketBuffer packet, IpAddress nextHop, AddressKind destination, Instant now) => egress.Enqueue(packet);
}
