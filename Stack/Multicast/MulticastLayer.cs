using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Multicast;

/// <summary>The groups that the stack's sockets are in: what of them is let in, and what the network is told of them.</summary>
internal sealed class MulticastLayer(
    InterfaceTable interfaces, IIpOutput ip, SharedGroups groups, StackShard? shard, BufferPool pool, TimerWheel timers, KeyedRandom random, StackCounters counters)
{
    private readonly Dictionary<(byte Interface, IpAddress Group), GroupMembers> _members = [];
    private readonly GroupReporter?[] _reporters = new GroupReporter?[2 * InterfaceTable.Capacity];

    // Own addresses whose solicited-node groups have been joined.
    private readonly HashSet<IpAddress> _solicited = [];

    // What the host wanted of groups when it was last reported.
    private readonly Dictionary<(byte Interface, IpAddress Group), SourceFilter> _unreported = [];

    /// <summary>There is something for <see cref="Report"/> to do.</summary>
    public bool HasUnreported => _unreported.Count != 0;

    private int Shard => shard?.Index ?? 0;

    /// <summary>Finds the interface that a request means (Linux: ip_mc_find_dev, ipv6_sock_mc_join).</summary>
    /// <returns>None; NoSuchDevice; InvalidArgument: the group is none.</returns>
    public StackError FindInterface(MembershipChange change, out byte index)
    {
        index = 0;
        if (!change.Group.IsMulticast)
            return StackError.InvalidArgument;
        NetworkInterface? found;
        if (change.Interface is { } given)
            found = interfaces[given];
        else if (!change.Address.IsUnspecified)
            found = interfaces.OwnerOf(change.Address);
        else
            found = ip.Route(change.Group, default, out var route) == StackError.None ? interfaces[route.Interface] : null;
        if (found is null)
            return StackError.NoSuchDevice;
        index = found.Index;
        return StackError.None;
    }

    /// <summary>A socket's filter for a group has changed.</summary>
    /// <param name="before">Null: the socket was not in the group.</param>
    /// <param name="after">Null: it is no more.</param>
    /// <returns>False: the host is in too many groups, or the interface is gone, and all is as before.</returns>
    public bool TryReplace(byte interfaceIndex, IpAddress group, SourceFilter? before, SourceFilter? after)
    {
        if (interfaces[interfaceIndex] is null)
            return false;
        var key = (interfaceIndex, group);
        var members = _members.GetValueOrDefault(key) ?? new GroupMembers();
        members.Replace(before, after);
        if (!groups.TrySet(Shard, interfaceIndex, group, members.Merged, out var wanted, out _))
        {
            members.Replace(after, before);
            return false;
        }

        if (members.IsEmpty)
            _members.Remove(key);
        else
            _members[key] = members;
        _unreported.TryAdd(key, wanted);
        return true;
    }

    /// <summary>The stack ends: nobody is told of what has not been told yet.</summary>
    public void Clear() => _unreported.Clear();

    /// <summary>Tells the network what has changed. What was joined and left again meanwhile has not.</summary>
    public void Report(Instant now)
    {
        if (_unreported.Count == 0)
            return;
        foreach (var ((index, group), wanted) in _unreported)
        {
            if (interfaces[index] is { } on)
                ReporterOf(on, group.IsV6).Changed(group, wanted, groups.Find(index, group), now);
        }

        _unreported.Clear();
    }

    /// <summary>Joins the solicited-node group of a new IPv6 address, and says so before the address's first question (RFC 4862, 5.4.2; RFC 3810, 6): switches that listen to reports pass on to a host
    /// only what goes to its groups. Without room for the group the address works where no switch does so.</summary>
    public void AddressAdded(NetworkInterface on, IpAddress address, Instant now)
    {
        if (!address.IsV6 || on.Options.Medium != Medium.Ethernet || !TryReplace(on.Index, address.SolicitedNode, null, SourceFilter.Everything))
            return;
        _solicited.Add(address);
        Report(now);
    }

    /// <summary>Leaves the group again. Other addresses may have the same one.</summary>
    public void AddressRemoved(NetworkInterface on, IpAddress address)
    {
        if (_solicited.Remove(address))
            TryReplace(on.Index, address.SolicitedNode, SourceFilter.Everything, null);
    }

    /// <summary>Receives an IGMP message and takes it over.</summary>
    public void ReceiveIgmp(PacketBuffer packet, in IpReceiveInfo info, Instant now)
    {
        ReceiveIgmp(packet.Span, info, now);
        packet.Release();
    }

    /// <summary>Receives a message of MLD.</summary>
    /// <param name="message">Its checksum is right.</param>
    public void ReceiveMld(ReadOnlySpan<byte> message, in IpReceiveInfo info, bool hasRouterAlert, Instant now)
    {
        switch (message[0])
        {
            // RFC 3810, 5.1.14: else somebody beyond the link could ask.
            case Icmpv6Type.MulticastListenerQuery when info.Source.IsLinkLocal && info.HopLimit == 1 && hasRouterAlert && !info.IsReassembled
                && GroupQuery.TryParseMld(message, out var query) && (query.Group.IsUnspecified || query.Group.IsMulticast):
                Queried(query, info, now);
                break;
            case Icmpv6Type.MulticastListenerReport when info.HopLimit == 1 && message.Length >= MldLength:
                Heard(IpAddress.FromBytes(message[8..MldLength]), info);
                break;
            case Icmpv6Type.MulticastListenerDone or Icmpv6Type.MulticastListenerReportV2:
                counters.MulticastInReports++;
                break;
            default:
                counters.MulticastInMalformed++;
                break;
        }
    }

    /// <summary>The wire of an interface has come up again.</summary>
    public void Announce(NetworkInterface on, Instant now)
    {
        for (var isV6 = 0; isV6 < 2; isV6++)
            _reporters[PlaceOf(on, isV6 != 0)]?.Announce(now);
    }

    /// <summary>An interface goes, and the memberships on it.</summary>
    public void Forget(NetworkInterface removed)
    {
        for (var isV6 = 0; isV6 < 2; isV6++)
        {
            ref var reporter = ref _reporters[PlaceOf(removed, isV6 != 0)];
            reporter?.Stop();
            reporter = null;
        }

        foreach (var key in _unreported.Keys.Where(key => key.Interface == removed.Index).ToArray())
            _unreported.Remove(key);
        foreach (var key in _members.Keys.Where(key => key.Interface == removed.Index).ToArray())
        {
            _members.Remove(key);
            groups.TrySet(Shard, key.Interface, key.Group, SourceFilter.Nothing, out _, out _);
        }
    }

    private const int MldLength = 24;
    private const int IgmpLength = 8;

    private void ReceiveIgmp(ReadOnlySpan<byte> message, in IpReceiveInfo info, Instant now)
    {
        // No router forwards it with this hop limit, which all versions send.
        if (info.HopLimit != 1 || message.Length < IgmpLength || Checksum.Sum(message) != 0xFFFF)
        {
            counters.MulticastInMalformed++;
            return;
        }

        switch (message[0])
        {
            case IgmpType.Query:
                // RFC 3376, 9.1: a general query to one host alone would make it answer in vain.
                if (!GroupQuery.TryParseIgmp(message, out var query) || (query.Group.IsUnspecified ? !info.ToGroup : !query.Group.IsMulticast))
                    counters.MulticastInMalformed++;
                else
                    Queried(query, info, now);
                break;
            case IgmpType.ReportV1 or IgmpType.ReportV2:
                Heard(IpAddress.FromBytes(message[4..8]), info);
                break;
            case IgmpType.ReportV3 or IgmpType.Leave:
                counters.MulticastInReports++;
                break;
            default:
                counters.MulticastInUnknownTypes++;
                break;
        }
    }

    private void Queried(in GroupQuery query, in IpReceiveInfo info, Instant now)
    {
        counters.MulticastInQueries++;
        if (interfaces[info.Interface] is { } on)
            ReporterOf(on, info.Destination.IsV6).Queried(query, now);
    }

    private void Heard(IpAddress group, in IpReceiveInfo info)
    {
        counters.MulticastInReports++;
        if (interfaces[info.Interface] is { } on)
            _reporters[PlaceOf(on, group.IsV6)]?.Heard(group);
    }

    private GroupReporter ReporterOf(NetworkInterface on, bool isV6) =>
        _reporters[PlaceOf(on, isV6)] ??= new GroupReporter(on, isV6, groups, pool, timers, random, counters, answers: Shard == 0);

    private static int PlaceOf(NetworkInterface on, bool isV6) => 2 * on.Index + (isV6 ? 1 : 0);
}
