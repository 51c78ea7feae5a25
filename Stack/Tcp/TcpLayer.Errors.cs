using System.Buffers.Binary;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

/// <content>Errors from ICMP and the IP layer (RFC 9293, 3.9.2.2; RFC 5927).</content>
public sealed partial class TcpLayer
{
    /// <summary>An ICMP error about a packet of ours.</summary>
    /// <param name="quoted">The addresses in the quoted packet, whose source is ours.</param>
    /// <param name="quotedHeader">The quoted packet from its TCP header on, at least 8 bytes.</param>
    /// <param name="mtu">For PacketTooBig: the MTU reported.</param>
    internal void ErrorReceived(in IpReceiveInfo quoted, ReadOnlySpan<byte> quotedHeader, IcmpErrorKind kind, int mtu, Instant now)
    {
        if (quotedHeader.Length < 8)
        {
            Counters.TcpInIcmpIgnored++;
            return;
        }

        var pair = new TcpPair(
            new IpEndpoint(quoted.Source, BinaryPrimitives.ReadUInt16BigEndian(quotedHeader)),
            new IpEndpoint(quoted.Destination, BinaryPrimitives.ReadUInt16BigEndian(quotedHeader[2..])));
        var sequence = BinaryPrimitives.ReadUInt32BigEndian(quotedHeader[4..]);
        // RFC 5927, 4.1: only a segment in flight can have caused an error.
        if (Table.Find(pair) is not TcpConnection { Socket: var socket } || Seq.Lt(sequence, socket.SndUna) || Seq.Ge(sequence, socket.SndNxt))
        {
            Counters.TcpInIcmpIgnored++;
            return;
        }

        if (kind == IcmpErrorKind.PacketTooBig)
            socket.PathMtuReduced(Math.Max(mtu, PathMtuCache.LeastTo(pair.Remote.Address)), now);
        else
            socket.Unreachable(kind.ToStackError(), now);
    }

    /// <summary>Neighbours have changed their hardware address, as in a fail-over: what was in flight to them is lost, and is sent again at once. A time-out may have
    /// been doubled several times by then.</summary>
    /// <param name="interfaceIndex">The neighbours' interface.</param>
    internal void NeighborsMoved(byte interfaceIndex, HashSet<IpAddress> neighbors, Instant now)
    {
        foreach (var entry in Table.Snapshot())
        {
            if (entry is TcpConnection connection && connection.Interface == interfaceIndex
                && Ip.NextHop(connection.RemoteAddress, connection.LocalAddress) is { } hop && neighbors.Contains(hop))
                connection.PathRepaired(now);
        }
    }

    /// <summary>An address is no longer ours: everything bound to it ends.</summary>
    /// <param name="tellsPeers">The address goes with its interface, and no other host takes it over: peers are sent a reset.</param>
    internal void AddressRemoved(IpAddress address, bool tellsPeers, Instant now)
    {
        foreach (var entry in Table.Snapshot())
        {
            if (entry.LocalAddress != address)
                continue;
            switch (entry)
            {
                case TcpConnection connection:
                    connection.Kill(tellsPeers, now);
                    break;
                case TcpEmbryo embryo:
                    SynCache.Remove(embryo);
                    break;
                case TcpTimeWait timeWait:
                    TimeWaits.Remove(timeWait);
                    break;
            }
        }
    }
}
