using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Link;

/// <summary>A medium whose frames are IP packets: there is one other end, and it takes everything.</summary>
internal sealed class RawIpLink(EgressQueue egress, StackCounters counters) : LinkLayer
{
    public override int HeaderLength => 0;

    public override LinkDelivery Receive(PacketBuffer frame, Instant now)
    {
        if (frame.Length > 0 && frame.Span[0] >> 4 == 4)
            return LinkDelivery.Ipv4;
        if (frame.Length == 0)
            counters.IpInTruncated++;
        else if (frame.Span[0] >> 4 == 6)
            counters.Ip6InUnsupported++;
        else
            counters.IpInBadVersion++;
        frame.Release();
        return LinkDelivery.Consumed;
    }

    public override void Send(PacketBuffer packet, IpAddress nextHop, AddressKind destination, Instant now) => egress.Enqueue(packet);
}
