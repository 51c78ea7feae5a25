using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Multicast;

/// <summary>What a socket asks about its membership in a group, by the names of Linux's options (ip(7), RFC 3678).</summary>
public enum MembershipAction : byte
{
    /// <summary>MCAST_JOIN_GROUP: from anybody.</summary>
    Join,

    /// <summary>MCAST_LEAVE_GROUP.</summary>
    Leave,

    /// <summary>MCAST_JOIN_SOURCE_GROUP: from one more source, and from those asked for before.</summary>
    JoinSource,

    /// <summary>MCAST_LEAVE_SOURCE_GROUP.</summary>
    LeaveSource,

    /// <summary>MCAST_BLOCK_SOURCE: from one fewer.</summary>
    BlockSource,

    /// <summary>MCAST_UNBLOCK_SOURCE.</summary>
    UnblockSource,

    /// <summary>MCAST_MSFILTER: the whole filter at once.</summary>
    SetFilter,
}

/// <summary>One such request.</summary>
/// <param name="Group">A multicast address; else the request fails.</param>
public sealed record MembershipChange(MembershipAction Action, IpAddress Group)
{
    /// <summary>The index of the interface; null: the one with <see cref="Address"/>, or else the one by which datagrams to the group leave.</summary>
    public int? Interface { get; init; }

    /// <summary>An own address, whose interface is meant; unspecified: none.</summary>
    public IpAddress Address { get; init; }

    /// <summary>Of the actions that are about one source.</summary>
    public IpAddress Source { get; init; }

    /// <summary>Of <see cref="MembershipAction.SetFilter"/>.</summary>
    public SourceFilter? Filter { get; init; }
}

/// <summary>A socket's membership in a group on one interface.</summary>
/// <param name="HasList">Sources have been asked for one by one. As in Linux, the mode then stays, even when the list is empty again.</param>
public readonly record struct Membership(byte Interface, IpAddress Group, SourceFilter Filter, bool HasList = false);
