using System.Net.Sockets;
using Tapwire.Links.Protocol;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Multicast;
using static System.Buffers.Binary.BinaryPrimitives;

namespace Tapwire.Actors.Link;

/// <summary>
/// Reads the options by which programs join and leave groups, and choose the interface for them, in all their forms (ip(7), ipv6(7), RFC 3678; Linux: do_ip_setsockopt, do_ipv6_setsockopt).
/// </summary>
internal static class GroupOptions
{
    private const int Invalid = (int)StackError.InvalidArgument;
    private const int NotAvailable = (int)StackError.AddressNotAvailable;
    private const int NoRoom = (int)StackError.NoBufferSpace;

    /// <summary>struct ip_mreq, ip_mreqn and ip_mreq_source.</summary>
    private const int MreqSize = 8;
    private const int MreqnSize = 12;

    /// <summary>struct ip_msfilter without sources.</summary>
    private const int FilterSize = 16;

    /// <summary>struct ipv6_mreq.</summary>
    private const int MreqV6Size = 20;

    /// <summary>struct sockaddr_storage, and where the first one is in struct group_req and its like.</summary>
    private const int StorageSize = 128;
    private const int StorageAt = 8;

    /// <summary>The library's own form of struct group_filter, without sources: interface, mode, number of sources, family, group.</summary>
    private const int CompactFilterSize = 32;

    /// <summary>MCAST_EXCLUDE; MCAST_INCLUDE is 1.</summary>
    private const uint ExcludeMode = 0;

    /// <summary>The option changes a membership.</summary>
    public static bool IsMembership(int level, int name) => level switch
    {
        LinkOption.IpProtoIp => name is >= LinkOption.IpAddMembership and <= LinkOption.McastLeaveSourceGroup,
        LinkOption.IpProtoIpV6 => name is LinkOption.IpV6JoinGroup or LinkOption.IpV6LeaveGroup or (>= LinkOption.McastJoinGroup and <= LinkOption.McastLeaveSourceGroup),
        LinkOption.Link => name == LinkOption.LinkGroupFilter,
        _ => false,
    };

    /// <summary>The option chooses the interface by which datagrams to groups leave.</summary>
    public static bool IsInterface(int level, int name) => (level, name) is (LinkOption.IpProtoIp, LinkOption.IpMulticastIf) or (LinkOption.IpProtoIpV6, LinkOption.IpV6MulticastIf);

    /// <summary>Reads a change of a membership.</summary>
    /// <returns>An errno; 0: <paramref name="change"/> is there.</returns>
    public static int Read(SetOptionRequest set, out MembershipChange change)
    {
        change = new MembershipChange(MembershipAction.Join, default);
        var value = set.Value.Span;
        var isV6 = set.Level == LinkOption.IpProtoIpV6;
        var error = (set.Level, set.Name) switch
        {
            (LinkOption.Link, _) => ReadCompactFilter(value, ref change),
            (_, >= LinkOption.McastJoinGroup and <= LinkOption.McastLeaveSourceGroup) => ReadGroup(set.Name, value, isV6, ref change),
            (LinkOption.IpProtoIpV6, _) => ReadV6(set.Name, value, ref change),
            (_, LinkOption.IpAddMembership or LinkOption.IpDropMembership) => ReadV4(set.Name, value, ref change),
            (_, LinkOption.IpMsFilter) => ReadFilterV4(value, ref change),
            _ => ReadSourceV4(set.Name, value, ref change),
        };
        return error != 0 ? error : set.Level != LinkOption.Link && change.Group.IsV6 != isV6 ? Invalid : 0;
    }

    /// <summary>Reads the choice of an interface.</summary>
    /// <param name="which">Null: none is chosen.</param>
    /// <returns>An errno, or 0.</returns>
    public static int ReadInterface(SetOptionRequest set, out MembershipChange? which)
    {
        which = null;
        var value = set.Value.Span;
        if (value.Length < sizeof(int))
            return Invalid;
        if (set.Level == LinkOption.IpProtoIpV6)
        {
            var given = ReadInt32LittleEndian(value);
            // Linux takes loopback, too, where nobody else is: here the route decides.
            which = given is 0 or InterfaceNumbers.Loopback ? null : new MembershipChange(MembershipAction.Join, IpAddress.AllNodes) { Interface = IndexOf(given) };
            return 0;
        }

        // struct in_addr, ip_mreq or ip_mreqn.
        var address = V4(value[(value.Length >= MreqSize ? sizeof(int) : 0)..]);
        var index = value.Length >= MreqnSize ? ReadInt32LittleEndian(value[MreqSize..]) : 0;
        if (index != 0 || !address.IsUnspecified)
            which = new MembershipChange(MembershipAction.Join, IpAddress.FromV4(0xE000_0001)) { Interface = index == 0 ? null : IndexOf(index), Address = address };
        return 0;
    }

    /// <summary>The address that a choice of an IPv4 interface reads as.</summary>
    public static byte[] AddressOf(SetOptionRequest set) => set.Value.Length >= MreqSize ? set.Value[4..8].ToArray() : set.Value[..4].ToArray();

    private static int ReadV4(int name, ReadOnlySpan<byte> value, ref MembershipChange change)
    {
        if (value.Length < MreqSize)
            return Invalid;
        change = new MembershipChange(name == LinkOption.IpAddMembership ? MembershipAction.Join : MembershipAction.Leave, V4(value))
        {
            Address = V4(value[4..]),
            Interface = value.Length >= MreqnSize ? GivenIndex(value[MreqSize..]) : null,
        };
        return 0;
    }

    private static int ReadSourceV4(int name, ReadOnlySpan<byte> value, ref MembershipChange change)
    {
        if (value.Length != MreqnSize)
            return Invalid;
        var action = name switch
        {
            LinkOption.IpAddSourceMembership => MembershipAction.JoinSource,
            LinkOption.IpDropSourceMembership => MembershipAction.LeaveSource,
            LinkOption.IpBlockSource => MembershipAction.BlockSource,
            _ => MembershipAction.UnblockSource,
        };
        change = new MembershipChange(action, V4(value)) { Address = V4(value[4..]), Source = V4(value[8..]) };
        return 0;
    }

    private static int ReadFilterV4(ReadOnlySpan<byte> value, ref MembershipChange change)
    {
        if (value.Length < FilterSize)
            return Invalid;
        var count = ReadUInt32LittleEndian(value[12..]);
        if (count > SocketMemberships.MaxSourcesV4)
            return NoRoom;
        if (value.Length < FilterSize + count * sizeof(int) || !TryReadMode(value[8..], out var isExclude))
            return Invalid;
        var sources = new IpAddress[count];
        for (var i = 0; i < sources.Length; i++)
            sources[i] = V4(value[(FilterSize + i * sizeof(int))..]);
        change = new MembershipChange(MembershipAction.SetFilter, V4(value)) { Address = V4(value[4..]), Filter = isExclude ? SourceFilter.Exclude(sources) : SourceFilter.Include(sources) };
        return 0;
    }

    private static int ReadV6(int name, ReadOnlySpan<byte> value, ref MembershipChange change)
    {
        if (value.Length < MreqV6Size)
            return Invalid;
        change = new MembershipChange(name == LinkOption.IpV6JoinGroup ? MembershipAction.Join : MembershipAction.Leave, IpAddress.FromBytes(value[..16])) { Interface = GivenIndex(value[16..]) };
        return 0;
    }

    /// <summary>struct group_req and group_source_req, with addresses of either family.</summary>
    private static int ReadGroup(int name, ReadOnlySpan<byte> value, bool isV6, ref MembershipChange change)
    {
        var hasSource = name is not (LinkOption.McastJoinGroup or LinkOption.McastLeaveGroup);
        var size = StorageAt + (hasSource ? 2 : 1) * StorageSize;
        if (hasSource ? value.Length != size : value.Length < size)
            return Invalid;
        IpAddress source = default;
        if (!TryReadStorage(value[StorageAt..], isV6, out var group) || (hasSource && !TryReadStorage(value[(StorageAt + StorageSize)..], isV6, out source)))
            return isV6 || hasSource ? NotAvailable : Invalid;
        var action = name switch
        {
            LinkOption.McastJoinGroup => MembershipAction.Join,
            LinkOption.McastLeaveGroup => MembershipAction.Leave,
            LinkOption.McastJoinSourceGroup => MembershipAction.JoinSource,
            LinkOption.McastLeaveSourceGroup => MembershipAction.LeaveSource,
            LinkOption.McastBlockSource => MembershipAction.BlockSource,
            _ => MembershipAction.UnblockSource,
        };
        change = new MembershipChange(action, group) { Interface = GivenIndex(value), Source = source };
        return 0;
    }

    private static int ReadCompactFilter(ReadOnlySpan<byte> value, ref MembershipChange change)
    {
        if (value.Length < CompactFilterSize || !TryReadMode(value[4..], out var isExclude))
            return Invalid;
        var isV6 = ReadUInt32LittleEndian(value[12..]) == (uint)LinuxFamilyV6;
        var count = ReadUInt32LittleEndian(value[8..]);
        if (count > SocketMemberships.MaxSources(isV6 ? IpAddress.AllNodes : IpAddress.AnyV4))
            return NoRoom;
        if (value.Length < CompactFilterSize + count * 16)
            return Invalid;
        var sources = new IpAddress[count];
        for (var i = 0; i < sources.Length; i++)
            sources[i] = Address(value[(CompactFilterSize + i * 16)..], isV6);
        change = new MembershipChange(MembershipAction.SetFilter, Address(value[16..], isV6))
        {
            Interface = GivenIndex(value),
            Filter = isExclude ? SourceFilter.Exclude(sources) : SourceFilter.Include(sources),
        };
        return 0;
    }

    /// <summary>AF_INET6.</summary>
    private const int LinuxFamilyV6 = 10;

    private static bool TryReadMode(ReadOnlySpan<byte> value, out bool isExclude)
    {
        var mode = ReadUInt32LittleEndian(value);
        isExclude = mode == ExcludeMode;
        return mode <= 1;
    }

    private static bool TryReadStorage(ReadOnlySpan<byte> value, bool isV6, out IpAddress address)
    {
        address = default;
        if (ReadUInt16LittleEndian(value) != (isV6 ? LinuxFamilyV6 : (int)AddressFamily.InterNetwork))
            return false;
        address = Address(value[(isV6 ? 8 : 4)..], isV6);
        return true;
    }

    private static IpAddress Address(ReadOnlySpan<byte> value, bool isV6) => IpAddress.FromBytes(value[..(isV6 ? 16 : 4)]);

    private static IpAddress V4(ReadOnlySpan<byte> value) => IpAddress.FromBytes(value[..4]);

    private static int? GivenIndex(ReadOnlySpan<byte> value) => ReadInt32LittleEndian(value) is not 0 and var index ? IndexOf(index) : null;

    /// <summary>The stack's index of an interface that a program names; one that it cannot have where there is none.</summary>
    private static int IndexOf(int given) => given - LinkInterface.IndexOf(0);
}
