using Tapwire.Stack.Tcp;

namespace Tapwire.Stack;

/// <summary>
/// Tells why a stack has dropped, or not used, the frame that it has just received: the name of the counter that has gone up. For those who look at single packets; it costs some hundred comparisons a frame.
/// </summary>
/// <remarks>A frame may be part of more than one event, as the last fragment of a datagram whose checksum is wrong; the first counter in the order of the layers is named.</remarks>
public sealed class InputDrops(StackCounters counters)
{
    private static readonly (string Name, Func<StackCounters, long> Read)[] Counters =
    [
        (nameof(StackCounters.InNoInterface), static each => each.InNoInterface),
        (nameof(StackCounters.EthernetTooShort), static each => each.EthernetTooShort),
        (nameof(StackCounters.EthernetOtherHost), static each => each.EthernetOtherHost),
        (nameof(StackCounters.EthernetBadSource), static each => each.EthernetBadSource),
        (nameof(StackCounters.EthernetVlanTagged), static each => each.EthernetVlanTagged),
        (nameof(StackCounters.EthernetUnknownType), static each => each.EthernetUnknownType),
        (nameof(StackCounters.ArpTooShort), static each => each.ArpTooShort),
        (nameof(StackCounters.ArpBadFormat), static each => each.ArpBadFormat),
        (nameof(StackCounters.ArpBadOperation), static each => each.ArpBadOperation),
        (nameof(StackCounters.ArpBadSender), static each => each.ArpBadSender),
        (nameof(StackCounters.ArpOwnSender), static each => each.ArpOwnSender),
        (nameof(StackCounters.ArpNotForUs), static each => each.ArpNotForUs),
        (nameof(StackCounters.ArpUnsolicited), static each => each.ArpUnsolicited),
        (nameof(StackCounters.ArpMovesRefused), static each => each.ArpMovesRefused),
        (nameof(StackCounters.IpInTruncated), static each => each.IpInTruncated),
        (nameof(StackCounters.IpInBadVersion), static each => each.IpInBadVersion),
        (nameof(StackCounters.IpInBadHeaderLength), static each => each.IpInBadHeaderLength),
        (nameof(StackCounters.IpInBadLength), static each => each.IpInBadLength),
        (nameof(StackCounters.IpInBadChecksum), static each => each.IpInBadChecksum),
        (nameof(StackCounters.IpInBadOptions), static each => each.IpInBadOptions),
        (nameof(StackCounters.IpInSourceRoute), static each => each.IpInSourceRoute),
        (nameof(StackCounters.IpInMartianSource), static each => each.IpInMartianSource),
        (nameof(StackCounters.IpInMartianDestination), static each => each.IpInMartianDestination),
        (nameof(StackCounters.IpInOwnSource), static each => each.IpInOwnSource),
        (nameof(StackCounters.IpInAddrErrors), static each => each.IpInAddrErrors),
        (nameof(StackCounters.IpInOtherInterface), static each => each.IpInOtherInterface),
        (nameof(StackCounters.IpInLinkBroadcast), static each => each.IpInLinkBroadcast),
        (nameof(StackCounters.IpInUnknownProtos), static each => each.IpInUnknownProtos),
        (nameof(StackCounters.Ip6InBadChain), static each => each.Ip6InBadChain),
        (nameof(StackCounters.Ip6InHdrErrors), static each => each.Ip6InHdrErrors),
        (nameof(StackCounters.IpReasmOverlaps), static each => each.IpReasmOverlaps),
        (nameof(StackCounters.IpReasmDuplicates), static each => each.IpReasmDuplicates),
        (nameof(StackCounters.IpReasmMalformed), static each => each.IpReasmMalformed),
        (nameof(StackCounters.IpReasmTooMany), static each => each.IpReasmTooMany),
        (nameof(StackCounters.IpReasmBadEcn), static each => each.IpReasmBadEcn),
        (nameof(StackCounters.IpReasmMemErrors), static each => each.IpReasmMemErrors),
        (nameof(StackCounters.NdpBadHopLimit), static each => each.NdpBadHopLimit),
        (nameof(StackCounters.NdpBadFormat), static each => each.NdpBadFormat),
        (nameof(StackCounters.NdpNotForUs), static each => each.NdpNotForUs),
        (nameof(StackCounters.NdpUnsolicited), static each => each.NdpUnsolicited),
        (nameof(StackCounters.NdpInRoutersIgnored), static each => each.NdpInRoutersIgnored),
        (nameof(StackCounters.NdpInRedirectsIgnored), static each => each.NdpInRedirectsIgnored),
        (nameof(StackCounters.IcmpInTruncated), static each => each.IcmpInTruncated),
        (nameof(StackCounters.IcmpInCsumErrors), static each => each.IcmpInCsumErrors),
        (nameof(StackCounters.IcmpInRedirectsIgnored), static each => each.IcmpInRedirectsIgnored),
        (nameof(StackCounters.IcmpInUnknownTypes), static each => each.IcmpInUnknownTypes),
        (nameof(StackCounters.IcmpInGroupIgnored), static each => each.IcmpInGroupIgnored),
        (nameof(StackCounters.IcmpInForwardOverflow), static each => each.IcmpInForwardOverflow),
        (nameof(StackCounters.IcmpInBadQuotes), static each => each.IcmpInBadQuotes),
        (nameof(StackCounters.IcmpInBadMtu), static each => each.IcmpInBadMtu),
        (nameof(StackCounters.IcmpInEchoRepsUnmatched), static each => each.IcmpInEchoRepsUnmatched),
        (nameof(StackCounters.MulticastInMalformed), static each => each.MulticastInMalformed),
        (nameof(StackCounters.MulticastInUnknownTypes), static each => each.MulticastInUnknownTypes),
        (nameof(StackCounters.UdpInTruncated), static each => each.UdpInTruncated),
        (nameof(StackCounters.UdpInBadLength), static each => each.UdpInBadLength),
        (nameof(StackCounters.UdpInCsumErrors), static each => each.UdpInCsumErrors),
        (nameof(StackCounters.UdpInBadPort), static each => each.UdpInBadPort),
        (nameof(StackCounters.UdpNoPorts), static each => each.UdpNoPorts),
        (nameof(StackCounters.UdpGroupFiltered), static each => each.UdpGroupFiltered),
        (nameof(StackCounters.UdpRcvbufErrors), static each => each.UdpRcvbufErrors),
        (nameof(StackCounters.UdpMemErrors), static each => each.UdpMemErrors),
        (nameof(TcpCounters.TcpInTruncated), static each => each.Tcp.TcpInTruncated),
        (nameof(TcpCounters.TcpInBadOffset), static each => each.Tcp.TcpInBadOffset),
        (nameof(TcpCounters.TcpInCsumErrors), static each => each.Tcp.TcpInCsumErrors),
        (nameof(TcpCounters.TcpInBadOptions), static each => each.Tcp.TcpInBadOptions),
        (nameof(TcpCounters.TcpInToGroup), static each => each.Tcp.TcpInToGroup),
        (nameof(TcpCounters.TcpInBadAddress), static each => each.Tcp.TcpInBadAddress),
        (nameof(TcpCounters.TcpInBadFlags), static each => each.Tcp.TcpInBadFlags),
        (nameof(TcpCounters.TcpExtListenOverflows), static each => each.Tcp.TcpExtListenOverflows),
        (nameof(TcpCounters.TcpExtListenDrops), static each => each.Tcp.TcpExtListenDrops),
        (nameof(TcpCounters.TcpExtTCPReqQFullDrop), static each => each.Tcp.TcpExtTCPReqQFullDrop),
        (nameof(TcpCounters.TcpExtTCPDeferAcceptDrop), static each => each.Tcp.TcpExtTCPDeferAcceptDrop),
        (nameof(TcpCounters.TcpInAheadOfCookie), static each => each.Tcp.TcpInAheadOfCookie),
        (nameof(TcpCounters.TcpExtSyncookiesFailed), static each => each.Tcp.TcpExtSyncookiesFailed),
        (nameof(TcpCounters.TcpSocketsRefused), static each => each.Tcp.TcpSocketsRefused),
        (nameof(TcpCounters.TcpMemoryRefused), static each => each.Tcp.TcpMemoryRefused),
        (nameof(TcpCounters.TcpExtPAWSEstab), static each => each.Tcp.TcpExtPAWSEstab),
        (nameof(TcpCounters.TcpInOutOfWindow), static each => each.Tcp.TcpInOutOfWindow),
        (nameof(TcpCounters.TcpInBadAck), static each => each.Tcp.TcpInBadAck),
        (nameof(TcpCounters.TcpExtTCPRcvQDrop), static each => each.Tcp.TcpExtTCPRcvQDrop),
        (nameof(TcpCounters.TcpInBeyondWindow), static each => each.Tcp.TcpInBeyondWindow),
        (nameof(TcpCounters.TcpInErrs), static each => each.Tcp.TcpInErrs),
    ];

    private readonly long[] _before = new long[Counters.Length];

    /// <summary>Notes the counters before a frame is received.</summary>
    public void Note()
    {
        for (var i = 0; i < Counters.Length; i++)
            _before[i] = Counters[i].Read(counters);
    }

    /// <returns>The first counter that has gone up since <see cref="Note"/>; null: none has.</returns>
    public string? Find()
    {
        for (var i = 0; i < Counters.Length; i++)
        {
            if (Counters[i].Read(counters) > _before[i])
                return Counters[i].Name;
        }

        return null;
    }
}
