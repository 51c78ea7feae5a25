using Akka.Actor;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Multicast;
using Tapwire.Stack.Udp;
using static System.Buffers.Binary.BinaryPrimitives;

namespace Tapwire.Actors.Link;

/// <summary>The groups of one datagram socket: those that it has joined before it was bound, and what is remembered for reading.</summary>
internal sealed class DatagramGroups
{
    private readonly SocketMemberships _early = new();
    private byte[] _address = new byte[4];
    private int _index;

    /// <summary>The request sets one of these options, or reads one that can be read.</summary>
    public static bool Has(LinkRequest request) => request switch
    {
        SetOptionRequest set => GroupOptions.IsMembership(set.Level, set.Name) || GroupOptions.IsInterface(set.Level, set.Name),
        GetOptionRequest get => GroupOptions.IsInterface(get.Level, get.Name),
        _ => false,
    };

    /// <summary>Reads the interface for groups.</summary>
    public LinkAnswer Get(GetOptionRequest get) => get.Level == LinkOption.IpProtoIp ? get.Value(_address) : get.Value(_index);

    /// <summary>Asks the stack to do what a request says.</summary>
    /// <param name="id">Null: the socket is not bound yet, and the stack only finds the interface.</param>
    /// <returns>The answer, if there is nothing to wait for.</returns>
    public static LinkAnswer? Ask(SetOptionRequest set, SocketId? id, IActorRef stack)
    {
        if (GroupOptions.IsInterface(set.Level, set.Name))
        {
            var refusal = GroupOptions.ReadInterface(set, out var which);
            if (refusal != 0)
                return set.Failed(refusal);
            if (id is { } socket)
                stack.Tell(new ChooseGroupInterface(socket, which));
            else
                stack.Tell(new FindGroupInterface(which ?? new MembershipChange(MembershipAction.Leave, Tapwire.Stack.Ip.IpAddress.AllNodes)));
            return null;
        }

        var error = GroupOptions.Read(set, out var change);
        if (error != 0)
            return set.Failed(error);
        stack.Tell(id is { } bound ? new ChangeMembership(bound, change) : new FindGroupInterface(change));
        return null;
    }

    /// <summary>Does what a request says on a socket that is not bound yet.</summary>
    /// <param name="found">The interface that the request means.</param>
    public LinkAnswer Apply(SetOptionRequest set, GroupInterfaceFound found, ref UdpSocketOptions options)
    {
        if (GroupOptions.IsInterface(set.Level, set.Name))
        {
            _ = GroupOptions.ReadInterface(set, out var which);
            if (which is not null && found.Error != StackError.None)
                return Done(set, found.Error);
            options = options with { MulticastInterface = which is null ? null : found.Interface };
            return Done(set, StackError.None);
        }

        _ = GroupOptions.Read(set, out var change);
        var error = found.Error == StackError.None ? _early.Change(change, found.Interface, out _, out _) : found.Error;
        options = options with { Memberships = [.. _early.All] };
        return Done(set, error);
    }

    /// <summary>The answer to a request that has been carried out, or has failed.</summary>
    public LinkAnswer Done(SetOptionRequest set, StackError error)
    {
        var isInterface = GroupOptions.IsInterface(set.Level, set.Name);
        if (error != StackError.None)
            return set.Failed(isInterface && set.Level == LinkOption.IpProtoIp && error == StackError.NoSuchDevice ? StackError.AddressNotAvailable : error);
        if (isInterface && set.Level == LinkOption.IpProtoIp)
            _address = GroupOptions.AddressOf(set);
        else if (isInterface)
            _index = ReadInt32LittleEndian(set.Value.Span);
        return set.Done();
    }
}
