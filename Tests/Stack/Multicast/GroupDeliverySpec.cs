using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Multicast;
using Tapwire.Stack.Udp;
using Xunit;

namespace Tapwire.Tests.Stack.Multicast;

/// <summary>Which sockets get what is sent to a group, from the network and from this host.</summary>
public abstract class GroupDeliverySpec(bool isV6) : IDisposable
{
    private readonly GroupNetwork _net = new(isV6);

    public void Dispose()
    {
        _net.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void Every_socket_on_the_port_that_is_in_the_group_gets_a_copy()
    {
        UdpSocket[] sockets = [_net.Joined(), _net.Joined(), _net.Joined(new UdpSocketOptions { Sharing = new PortSharing { ReuseAddress = true, ReusePort = true } })];
        _net.Arrives(source: 2, payload: 7);
        Assert.All(sockets, socket => Assert.Equal([7], GroupNetwork.Received(socket)));
        sockets[1].Close();
        _net.Arrives(source: 2, payload: 8);
        Assert.Equal([8], GroupNetwork.Received(sockets[0]));
        Assert.Equal([8], GroupNetwork.Received(sockets[2]));
    }

    [Fact]
    public void Groups_that_no_socket_is_in_are_dropped_and_counted()
    {
        var socket = _net.Open();
        var before = _net.Harness.Counters.IpInAddrErrors;
        _net.Arrives(source: 2);
        Assert.Equal(StackError.None, _net.Change(socket, MembershipAction.Join));
        Assert.Equal(StackError.None, _net.Change(socket, MembershipAction.Leave));
        _net.Arrives(source: 2);
        Assert.Empty(GroupNetwork.Received(socket));
        Assert.Equal(before + 2, _net.Harness.Counters.IpInAddrErrors);
    }

    [Fact]
    public void A_socket_gets_what_its_filter_lets_through()
    {
        var included = _net.Open();
        _ = _net.Change(included, MembershipAction.JoinSource, 3);
        var excluded = _net.Joined();
        _ = _net.Change(excluded, MembershipAction.BlockSource, 3);
        foreach (var source in (int[])[2, 3, 4])
            _net.Arrives(source, (byte)source);
        Assert.Equal([3], GroupNetwork.Received(included));
        Assert.Equal([2, 4], GroupNetwork.Received(excluded));
        _ = _net.Change(excluded, MembershipAction.UnblockSource, 3);
        _net.Arrives(3, 33);
        Assert.Equal([33], GroupNetwork.Received(excluded));
    }

    [Fact]
    public void What_no_socket_wants_from_a_source_is_dropped_before_the_sockets_are_looked_at()
    {
        var socket = _net.Open();
        _ = _net.Change(socket, MembershipAction.JoinSource, 3);
        var before = _net.Harness.Counters.IpInAddrErrors;
        _net.Arrives(source: 4);
        Assert.Equal(before + 1, _net.Harness.Counters.IpInAddrErrors);
    }

    [Fact]
    public void A_socket_that_has_not_joined_gets_the_hosts_groups_unless_it_says_otherwise()
    {
        _net.Joined();
        var all = _net.Open();
        var own = _net.Open(new UdpSocketOptions { ReuseAddress = true, MulticastAll = false });
        _net.Arrives(source: 2, payload: 7);
        Assert.Equal([7], GroupNetwork.Received(all));
        Assert.Empty(GroupNetwork.Received(own));
    }

    [Fact]
    public void A_socket_bound_to_a_group_gets_that_ones_datagrams_alone_and_sends_from_the_interfaces_address()
    {
        var bound = _net.Open(bound: _net.Group);
        Assert.Equal(StackError.None, _net.Change(bound, MembershipAction.Join));
        Assert.Equal(StackError.None, _net.Change(bound, MembershipAction.Join, group: _net.OtherGroup));
        _net.Arrives(source: 2, payload: 7);
        _net.Arrives(source: 2, payload: 8, group: _net.OtherGroup);
        Assert.Equal([7], GroupNetwork.Received(bound));
        Assert.Equal(StackError.None, bound.Send(_net.Harness.Payload(9), new IpEndpoint(_net.Group, GroupNetwork.Port), _net.Harness.Now));
        _net.Harness.Advance(TimeSpan.Zero);
        Assert.True(bound.TryReceive(out var payload, out var from, out var info));
        payload.Release();
        Assert.Equal((GroupNetwork.Port, _net.Group, (byte)0), (from.Port, info.Destination, info.Interface));
        Assert.Equal(from.Address, info.Local);
        Assert.Equal(isV6, from.Address.IsV6);
        Assert.Equal(0, _net.Harness.Counters.UdpNoPorts);
    }

    [Fact]
    public void What_the_host_sends_to_its_groups_comes_back_unless_the_sender_does_not_want_that()
    {
        var receiver = _net.Joined();
        var sender = _net.Open(port: 6000);
        _ = _net.ReportsWithin(2);
        Send(sender, 7);
        Assert.Single(_net.Harness.Frames());
        Assert.Equal([7], GroupNetwork.Received(receiver));
        sender.MulticastLoop = false;
        Send(sender, 8);
        Assert.Single(_net.Harness.Frames());
        Assert.Empty(GroupNetwork.Received(receiver));
    }

    [Fact]
    public void With_a_hop_limit_of_zero_nothing_leaves_the_host()
    {
        var receiver = _net.Joined();
        var sender = _net.Open(new UdpSocketOptions { MulticastHopLimit = 0 }, port: 6000);
        _ = _net.ReportsWithin(2);
        Send(sender, 7);
        Assert.Empty(_net.Harness.Frames());
        Assert.Equal([7], GroupNetwork.Received(receiver));
        sender.MulticastLoop = false;
        Send(sender, 8);
        Assert.Empty(_net.Harness.Frames());
        Assert.Empty(GroupNetwork.Received(receiver));
    }

    [Fact]
    public void A_long_datagram_leaves_in_fragments_and_comes_back_whole()
    {
        var receiver = _net.Joined();
        var sender = _net.Open(new UdpSocketOptions { MtuDiscovery = MtuDiscovery.Dont }, port: 6000);
        _ = _net.ReportsWithin(2);
        var bytes = new byte[4000];
        bytes[0] = 7;
        Assert.Equal(StackError.None, sender.Send(_net.Harness.Payload(bytes), new IpEndpoint(_net.Group, GroupNetwork.Port), _net.Harness.Now));
        Assert.Equal(3, _net.Harness.Frames().Count);
        Assert.True(receiver.TryReceive(out var payload, out _));
        Assert.Equal(bytes, payload.Span);
        payload.Release();
    }

    [Fact]
    public void The_interface_is_the_senders_choice()
    {
        var second = _net.Stack.AddInterface(new() { HardwareAddress = new(0x02_00_00_00_00_07) })!;
        Assert.Equal(StackError.None, _net.Stack.AddAddress(second, IpPrefix.Parse(isV6 ? "fd11::1/64" : "10.1.0.1/24"), _net.Harness.Now));
        _net.Harness.Advance(TimeSpan.FromSeconds(5));
        Drain();
        var sender = _net.Open(port: 6000);
        Send(sender, 7);
        Assert.Equal((1, 0), Drain());
        sender.MulticastInterface = second.Index;
        Send(sender, 8);
        Assert.Equal((0, 1), Drain());
        sender.MulticastInterface = 40;
        Assert.Equal(StackError.NoSuchDevice, sender.Send(_net.Harness.Payload(9), new IpEndpoint(_net.Group, GroupNetwork.Port), _net.Harness.Now));

        // Memberships are an interface's: what arrives on the other one is not wanted.
        var receiver = _net.Open(new UdpSocketOptions { MulticastAll = false });
        Assert.Equal(StackError.None, receiver.ChangeMembership(new MembershipChange(MembershipAction.Join, _net.Group) { Interface = second.Index }));
        Assert.Equal(StackError.None, receiver.ChangeMembership(new MembershipChange(MembershipAction.Join, _net.OtherGroup) { Address = IpAddress.Parse(isV6 ? "fd11::1" : "10.1.0.1") }));
        Assert.Equal([second.Index, second.Index], receiver.Memberships.Select(each => each.Interface));
        _net.Arrives(source: 2);
        Assert.Empty(GroupNetwork.Received(receiver));
        Drain();

        (int First, int Second) Drain()
        {
            var first = _net.Harness.Frames().Count;
            var others = 0;
            while (second.TryDequeueFrame(out var frame))
            {
                others++;
                frame.Release();
            }

            // The harness takes the frames of all interfaces, if it does.
            return (first, others);
        }
    }

    [Fact]
    public void Requests_are_refused_as_Linux_refuses_them()
    {
        var socket = _net.Open();
        Assert.Equal(StackError.InvalidArgument, _net.Change(socket, MembershipAction.Join, group: _net.Own));
        Assert.Equal(StackError.NoSuchDevice, socket.ChangeMembership(new MembershipChange(MembershipAction.Join, _net.Group) { Interface = 9 }));
        Assert.Equal(StackError.NoSuchDevice, socket.ChangeMembership(new MembershipChange(MembershipAction.Join, _net.Group) { Address = IpAddress.Parse("10.9.9.9") }));
        Assert.Equal(StackError.AddressNotAvailable, _net.Change(socket, MembershipAction.Leave));
        Assert.Equal(StackError.InvalidArgument, _net.Change(socket, MembershipAction.BlockSource, 3));
        Assert.Equal(StackError.None, socket.ChangeMembership(new MembershipChange(MembershipAction.Join, _net.Group)));
        Assert.Equal(StackError.AddressInUse, _net.Change(socket, MembershipAction.Join));
    }

    [Fact]
    public void The_groups_of_a_host_are_bounded()
    {
        var sockets = 0;
        var error = StackError.None;
        for (; error == StackError.None; sockets++)
        {
            var socket = _net.Open();
            for (var i = 0; i < 20 && error == StackError.None; i++)
                error = _net.Change(socket, MembershipAction.Join, group: IpAddress.Parse(isV6 ? $"ff15::{sockets + 1:x}:{i:x}" : $"239.{sockets / 200}.{sockets % 200}.{i}"));
        }

        Assert.Equal(StackError.NoBufferSpace, error);
        Assert.InRange(sockets, 200, 210);
        _net.Harness.Frames();
    }

    private void Send(UdpSocket sender, byte payload)
    {
        Assert.Equal(StackError.None, sender.Send(_net.Harness.Payload(payload), new IpEndpoint(_net.Group, GroupNetwork.Port), _net.Harness.Now));
        _net.Harness.Advance(TimeSpan.Zero);
    }
}

public sealed class GroupDeliveryV4Spec() : GroupDeliverySpec(isV6: false);

public sealed class GroupDeliveryV6Spec() : GroupDeliverySpec(isV6: true);
