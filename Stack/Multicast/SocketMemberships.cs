using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Multicast;

/// <summary>
/// The groups that one socket is in, and Linux's rules for changing them (ip_mc_join_group, ip_mc_source, ip_mc_msfilter; ipv6_sock_mc_join, ip6_mc_source, ip6_mc_msfilter). It changes nothing but
/// itself.
/// </summary>
public sealed class SocketMemberships
{
    /// <summary>Memberships of a socket in IPv4 groups (net.ipv4.igmp_max_memberships).</summary>
    public const int MaxV4 = 20;

    /// <summary>Memberships of a socket in IPv6 groups. Linux bounds their memory, in which there is room for more than this (net.core.optmem_max).</summary>
    public const int MaxV6 = 256;

    /// <summary>Sources of one membership in an IPv4 group (net.ipv4.igmp_max_msf).</summary>
    public const int MaxSourcesV4 = 10;

    /// <summary>Sources of one membership in an IPv6 group (net.ipv6.mld_max_msf).</summary>
    public const int MaxSourcesV6 = 64;

    private readonly List<Membership> _all = [];

    /// <summary>In the order of joining.</summary>
    public IReadOnlyList<Membership> All => _all;

    /// <summary>Sources that a membership in a group like this one may have.</summary>
    public static int MaxSources(IpAddress group) => group.IsV4 ? MaxSourcesV4 : MaxSourcesV6;

    /// <summary>The filter for a group on an interface; null: the socket is not in the group there.</summary>
    public SourceFilter? Find(int interfaceIndex, IpAddress group)
    {
        foreach (var each in _all)
        {
            if (each.Interface == interfaceIndex && each.Group == group)
                return each.Filter;
        }

        return null;
    }

    /// <summary>Makes a change.</summary>
    /// <param name="interfaceIndex">The interface that the request means.</param>
    /// <param name="before">The filter of the group's membership before; null: there was none.</param>
    /// <param name="after">The same after the change, also of one that fails: a source may be refused after its group was joined.</param>
    /// <returns>None; AddressInUse: joined already; AddressNotAvailable: no such membership or source, or the source is there already; NoBufferSpace: too many; InvalidArgument: the group is none, or
    /// the change does not fit the membership's mode.</returns>
    public StackError Change(MembershipChange change, byte interfaceIndex, out SourceFilter? before, out SourceFilter? after)
    {
        before = after = null;
        if (!change.Group.IsMulticast)
            return StackError.InvalidArgument;
        var at = IndexOf(interfaceIndex, change.Group);
        before = after = at < 0 ? null : _all[at].Filter;
        var hasList = at >= 0 && _all[at].HasList;
        var error = change.Action switch
        {
            MembershipAction.Join => Join(before, SourceFilter.Everything, ref after, change.Group),
            MembershipAction.Leave => Leave(before, ref after),
            MembershipAction.JoinSource => JoinSource(before, ref after, change, hasList),
            MembershipAction.LeaveSource => RemoveSource(before, ref after, change, hasList, isExclude: false),
            MembershipAction.BlockSource => AddSource(before, ref after, change, hasList, isExclude: true),
            MembershipAction.UnblockSource => RemoveSource(before, ref after, change, hasList, isExclude: true),
            _ => SetFilter(before, ref after, change),
        };
        hasList = change.Action == MembershipAction.SetFilter && error == StackError.None ? after is { Sources.Count: > 0 } : hasList || after is { Sources.Count: > 0 };
        Put(interfaceIndex, change.Group, after, hasList);
        return error;
    }

    /// <summary>Forgets what was joined on an interface that is gone.</summary>
    internal void Forget(byte interfaceIndex) => _all.RemoveAll(each => each.Interface == interfaceIndex);

    /// <summary>Makes a membership what it has been.</summary>
    /// <param name="filter">Null: there was none.</param>
    /// <param name="hasList">See <see cref="Membership"/>.</param>
    internal void Undo(byte interfaceIndex, IpAddress group, SourceFilter? filter, bool hasList) => Put(interfaceIndex, group, filter, hasList);

    private StackError Join(SourceFilter? before, SourceFilter filter, ref SourceFilter? after, IpAddress group)
    {
        if (before is not null)
            return StackError.AddressInUse;
        if (_all.Count(each => each.Group.IsV4 == group.IsV4) >= (group.IsV4 ? MaxV4 : MaxV6))
            return StackError.NoBufferSpace;
        after = filter;
        return StackError.None;
    }

    private static StackError Leave(SourceFilter? before, ref SourceFilter? after)
    {
        after = null;
        return before is null ? StackError.AddressNotAvailable : StackError.None;
    }

    private StackError JoinSource(SourceFilter? before, ref SourceFilter? after, MembershipChange change, bool hasList)
    {
        var error = Join(before, SourceFilter.Nothing, ref after, change.Group);
        return error is StackError.None or StackError.AddressInUse ? AddSource(after, ref after, change, hasList, isExclude: false) : error;
    }

    private static StackError AddSource(SourceFilter? before, ref SourceFilter? after, MembershipChange change, bool hasList, bool isExclude)
    {
        if (!TryMode(before, hasList, isExclude, out var filter))
            return StackError.InvalidArgument;
        if (filter.Sources.Count >= MaxSources(change.Group))
            return StackError.NoBufferSpace;
        after = filter;
        if (filter.Contains(change.Source))
            return StackError.AddressNotAvailable;
        after = filter.With(change.Source);
        return StackError.None;
    }

    private static StackError RemoveSource(SourceFilter? before, ref SourceFilter? after, MembershipChange change, bool hasList, bool isExclude)
    {
        if (!TryMode(before, hasList, isExclude, out var filter))
            return StackError.InvalidArgument;
        after = filter;
        if (!filter.Contains(change.Source))
            return StackError.AddressNotAvailable;
        after = filter.Without(change.Source);
        // INCLUDE {} is to leave the group.
        if (after.IsNothing)
            after = null;
        return StackError.None;
    }

    private static StackError SetFilter(SourceFilter? before, ref SourceFilter? after, MembershipChange change)
    {
        var filter = change.Filter ?? SourceFilter.Nothing;
        if (filter.Sources.Count > MaxSources(change.Group))
            return StackError.NoBufferSpace;
        if (filter.IsNothing)
            return Leave(before, ref after);
        if (before is null)
            return StackError.InvalidArgument;
        after = filter;
        return StackError.None;
    }

    /// <summary>Only a filter that has never had a source may change its mode by a single one.</summary>
    private static bool TryMode(SourceFilter? before, bool hasList, bool isExclude, out SourceFilter filter)
    {
        filter = before ?? SourceFilter.Nothing;
        if (before is null || (before.IsExclude != isExclude && hasList))
            return false;
        if (before.IsExclude != isExclude)
            filter = isExclude ? SourceFilter.Everything : SourceFilter.Nothing;
        return true;
    }

    private int IndexOf(byte interfaceIndex, IpAddress group) => _all.FindIndex(each => each.Interface == interfaceIndex && each.Group == group);

    private void Put(byte interfaceIndex, IpAddress group, SourceFilter? filter, bool hasList)
    {
        var at = IndexOf(interfaceIndex, group);
        if (filter is null)
        {
            if (at >= 0)
                _all.RemoveAt(at);
        }
        else if (at >= 0)
        {
            _all[at] = new Membership(interfaceIndex, group, filter, hasList);
        }
        else
        {
            _all.Add(new Membership(interfaceIndex, group, filter, hasList));
        }
    }
}
