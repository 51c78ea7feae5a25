using Tapwire.Stack.Ip;
using Tapwire.Stack.Multicast;

namespace Tapwire.Stack.Udp;

/// <content>The multicast groups that the socket is in.</content>
public sealed partial class UdpSocket
{
    private SocketMemberships? _memberships;

    /// <summary>The groups that the socket is in, with what it wants of each, in the order of joining.</summary>
    public IReadOnlyList<Membership> Memberships => _memberships?.All ?? [];

    /// <summary>Joins or leaves a group, or changes from whom the socket wants its datagrams.</summary>
    /// <returns>None; NoSuchDevice: no such interface, or none leads to the group; and as of <see cref="SocketMemberships.Change"/>. NoBufferSpace also where the host is in too many groups.</returns>
    public StackError ChangeMembership(MembershipChange change)
    {
        if (!_open)
            return StackError.InvalidArgument;
        var error = _udp.Multicast.FindInterface(change, out var index);
        if (error != StackError.None)
            return error;
        _memberships ??= new SocketMemberships();
        error = _memberships.Change(change, index, out var before, out var after);
        if (Equals(before, after) || _udp.Multicast.TryReplace(index, change.Group, before, after))
            return error;
        _memberships.Undo(index, change.Group, before, before is { Sources.Count: > 0 });
        return StackError.NoBufferSpace;
    }

    /// <summary>Chooses the interface by which datagrams to groups leave.</summary>
    /// <param name="of">Means an interface; null: the route says.</param>
    /// <returns>None; NoSuchDevice, and all is as before.</returns>
    public StackError ChooseInterface(MembershipChange? of)
    {
        byte index = 0;
        var error = of is null ? StackError.None : _udp.Multicast.FindInterface(of, out index);
        if (error == StackError.None)
            MulticastInterface = of is null ? null : index;
        return error;
    }

    /// <summary>Joins groups that the owner wants from the beginning, as far as there is room and their interfaces are there.</summary>
    internal void Join(IReadOnlyList<Membership> memberships)
    {
        foreach (var each in memberships)
        {
            if (_udp.Multicast.TryReplace(each.Interface, each.Group, null, each.Filter))
                (_memberships ??= new SocketMemberships()).Undo(each.Interface, each.Group, each.Filter, each.HasList);
        }
    }

    /// <summary>The socket wants what comes to a multicast group from a source (Linux: ip_mc_sf_allow, inet6_mc_check).</summary>
    internal bool Wants(IpAddress group, IpAddress source, byte interfaceIndex) => _memberships?.Find(interfaceIndex, group)?.Accepts(source) ?? MulticastAll;

    /// <summary>An interface is gone.</summary>
    internal void ForgetMemberships(byte interfaceIndex) => _memberships?.Forget(interfaceIndex);

    private void LeaveAll()
    {
        foreach (var each in Memberships)
            _udp.Multicast.TryReplace(each.Interface, each.Group, each.Filter, null);
        _memberships = null;
    }
}
