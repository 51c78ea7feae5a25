using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Multicast;

/// <summary>Sends what there is to report on one interface by IGMP or MLD.</summary>
internal sealed class GroupSender(NetworkInterface owner, bool isV6, BufferPool pool, StackCounters counters)
{
    /// <summary>224.0.0.2.</summary>
    private static readonly IpAddress RoutersV4 = IpAddress.FromV4(0xE000_0002);

    /// <summary>224.0.0.22.</summary>
    private static readonly IpAddress RoutersV3 = IpAddress.FromV4(0xE000_0016);

    /// <summary>ff02::16.</summary>
    private static readonly IpAddress RoutersMld = IpAddress.FromHalves(0xFF02_0000_0000_0000, 0x16);

    /// <summary>A report of an older version, which goes to the group itself.</summary>
    /// <param name="oldest">IGMPv1's.</param>
    public void SendOlder(IpAddress group, bool oldest) => Send(GroupReport.MakeOlder(pool, Source(), group, oldest), group);

    /// <summary>The older versions' message that the host is no more in a group.</summary>
    public void SendLeave(IpAddress group) => Send(GroupReport.MakeLeave(pool, Source(), group), isV6 ? IpAddress.AllRouters : RoutersV4);

    /// <summary>Sends records, as many in a packet as fit.</summary>
    public void Send(List<GroupRecord> records)
    {
        var room = owner.Mtu - (isV6 ? GroupReport.HeadersV6 : GroupReport.HeadersV4) - GroupReport.Length;
        var packet = new List<GroupRecord>();
        var left = room;
        foreach (var record in records.SelectMany(record => Split(record, room)))
        {
            if (record.Length > left)
                Flush();
            packet.Add(record);
            left -= record.Length;
        }

        if (packet.Count != 0)
            Flush();

        void Flush()
        {
            Send(GroupReport.Make(pool, Source(), packet), isV6 ? RoutersMld : RoutersV3);
            packet.Clear();
            left = room;
        }
    }

    /// <summary>RFC 3376, 4.2.16: of sources that do not fit a packet, those of an EXCLUDE list are left out, so that more is let through; others go in several records.</summary>
    private static IEnumerable<GroupRecord> Split(GroupRecord record, int room)
    {
        var most = Math.Max(1, (room - GroupRecord.HeaderLength(record.Group)) / record.Group.Length);
        if (record.Sources.Count <= most)
            return [record];
        var isExclude = record.Type is GroupRecordType.ModeIsExclude or GroupRecordType.ChangeToExclude;
        return record.Sources.Chunk(most).Take(isExclude ? 1 : int.MaxValue).Select(part => record with { Sources = part });
    }

    private void Send(PacketBuffer packet, IpAddress destination)
    {
        counters.MulticastOutReports++;
        owner.Framing.Send(packet, destination, AddressKind.Multicast, default);
    }

    /// <summary>IPv6: the link-local address, once it is known to be no other station's (RFC 3590).</summary>
    private IpAddress Source()
    {
        if (!isV6)
            return owner.Own.SourceTowards(RoutersV3);
        foreach (var prefix in owner.Addresses)
        {
            if (prefix.Address.IsLinkLocal && (owner.Own.FlagsOf(prefix.Address) & AddressFlags.Optimistic) == 0)
                return prefix.Address;
        }

        return IpAddress.Unspecified;
    }
}
