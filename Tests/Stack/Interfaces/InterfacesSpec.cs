using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Interfaces;

/// <summary>A stack with several interfaces: the strong host model of RFC 1122, 3.3.4.2, and interfaces that come and go.</summary>
public sealed class InterfacesSpec : IDisposable
{
    /// <summary>Of IP and of TCP with timestamps.</summary>
    private const int Headers = 20 + 32;

    private readonly ThreeStacks _h = new();

    public void Dispose() => _h.Dispose();

    [Fact]
    public void Connections_go_by_the_interface_of_the_network_that_they_are_for()
    {
        _h.Listen(_h.LeftPeer, 80);
        _h.Listen(_h.RightPeer, 80);
        var left = _h.Connect(_h.Host, "10.1.0.2", 80);
        Assert.Equal((ThreeStacks.Ip("10.1.0.1"), Tapwire.Stack.Tcp.TcpState.Established), (left.Local.Address, left.State));
        Assert.False(_h.Sent.ContainsKey(_h.Right));
        var right = _h.Connect(_h.Host, "10.2.0.2", 80);
        Assert.Equal((ThreeStacks.Ip("10.2.0.1"), Tapwire.Stack.Tcp.TcpState.Established), (right.Local.Address, right.State));
    }

    [Fact]
    public void A_listener_on_all_addresses_accepts_on_each_interface_and_one_on_an_address_on_its_own()
    {
        var all = _h.Listen(_h.Host, 80);
        _h.Listen(_h.Host, 81, "10.2.0.1");
        _h.Connect(_h.LeftPeer, "10.1.0.1", 80);
        _h.Connect(_h.RightPeer, "10.2.0.1", 80);
        Assert.Equal(ThreeStacks.Ip("10.1.0.1"), all.Accept()!.Local.Address);
        Assert.Equal(ThreeStacks.Ip("10.2.0.1"), all.Accept()!.Local.Address);
        Assert.Equal(StackError.ConnectionRefused, _h.Connect(_h.LeftPeer, "10.1.0.1", 81).Error);
        Assert.Equal(StackError.None, _h.Connect(_h.RightPeer, "10.2.0.1", 81).Error);
    }

    [Fact]
    public void An_address_of_another_interface_is_not_reached()
    {
        _h.Listen(_h.Host, 80);
        _h.Arrive(_h.Left, Build.Icmp(Icmpv4Header.EchoRequest(1, 1), [], ThreeStacks.Ip("10.1.0.2"), ThreeStacks.Ip("10.2.0.1"))[EthernetHeader.Length..]);
        Assert.Equal((1, 0), (_h.Host.Counters.IpInOtherInterface, _h.Host.Counters.IcmpInMsgs));
        Assert.Empty(_h.Sent);
        _h.Arrive(_h.Right, Build.Icmp(Icmpv4Header.EchoRequest(1, 1), [], ThreeStacks.Ip("10.2.0.2"), ThreeStacks.Ip("10.2.0.1"))[EthernetHeader.Length..]);
        Assert.Equal((1, 1), (_h.Host.Counters.IpInOtherInterface, _h.Host.Counters.IcmpInMsgs));
    }

    [Fact]
    public void An_own_address_as_the_source_is_refused_on_whichever_interface_it_comes()
    {
        _h.Arrive(_h.Left, Build.Icmp(Icmpv4Header.EchoRequest(1, 1), [], ThreeStacks.Ip("10.2.0.1"), ThreeStacks.Ip("10.1.0.1"))[EthernetHeader.Length..]);
        Assert.Equal(1, _h.Host.Counters.IpInOwnSource);
    }

    /// <summary>Who cannot see a connection's packets, since he is on another network, cannot end it by an error about them.</summary>
    [Fact]
    public void An_error_about_a_packet_counts_only_from_the_interface_by_which_it_left()
    {
        Assert.Equal(StackError.None, _h.Host.Udp.Bind(new IpEndpoint(default, 5000), new(), out var socket));
        Assert.Equal(StackError.None, socket!.Connect(new IpEndpoint(ThreeStacks.Ip("10.1.0.2"), 53)));
        var quoted = Build.Udp(5000, 53, [1], ThreeStacks.Ip("10.1.0.1"), ThreeStacks.Ip("10.1.0.2"))[EthernetHeader.Length..];
        byte[] Error(string from, string to) => Build.Icmp(
            Icmpv4Header.Unreachable(Icmpv4Unreachable.Port), quoted, ThreeStacks.Ip(from), ThreeStacks.Ip(to))[EthernetHeader.Length..];
        _h.Arrive(_h.Right, Error("10.2.0.2", "10.2.0.1"));
        Assert.Equal((1, StackError.None), (_h.Host.Counters.IcmpInBadQuotes, socket.TakeError()));
        _h.Arrive(_h.Left, Error("10.1.0.2", "10.1.0.1"));
        Assert.Equal(StackError.ConnectionRefused, socket.TakeError());
    }

    [Fact]
    public void Own_addresses_reach_each_other_within_the_stack()
    {
        _h.Listen(_h.Host, 80);
        var socket = _h.Connect(_h.Host, "10.2.0.1", 80, "10.1.0.1");
        Assert.Equal(Tapwire.Stack.Tcp.TcpState.Established, socket.State);
        Assert.Empty(_h.Sent);
    }

    /// <summary>What kernels need policy routing for: with a default route on each interface an answer goes the way that the question came.</summary>
    [Fact]
    public void With_a_default_route_on_each_interface_an_answer_takes_the_way_of_the_question()
    {
        Assert.Equal(StackError.None, _h.Host.AddRoute(IpPrefix.Parse("0.0.0.0/0"), ThreeStacks.Ip("10.1.0.2")));
        Assert.Equal(StackError.None, _h.Host.AddRoute(IpPrefix.Parse("0.0.0.0/0"), ThreeStacks.Ip("10.2.0.2")));
        Assert.Equal([0, 1], _h.Host.Routes.Where(route => route.Destination.Length == 0).Select(route => route.Interface));
        Echo(_h.Left, "10.1.0.1");
        Assert.Equal((1, 0), (_h.Sent.GetValueOrDefault(_h.Left), _h.Sent.GetValueOrDefault(_h.Right)));
        Echo(_h.Right, "10.2.0.1");
        Assert.Equal((1, 1), (_h.Sent.GetValueOrDefault(_h.Left), _h.Sent.GetValueOrDefault(_h.Right)));

        // What has no address yet takes the older one's.
        Assert.Equal(StackError.None, _h.Host.Tcp.Connect(new IpEndpoint(ThreeStacks.Ip("192.0.2.9"), 80), default(IpEndpoint), default, _h.Now, out var socket));
        Assert.Equal(ThreeStacks.Ip("10.1.0.1"), socket!.Local.Address);
        Assert.Equal(StackError.None, _h.Host.Tcp.Connect(new IpEndpoint(ThreeStacks.Ip("192.0.2.9"), 80), new IpEndpoint(ThreeStacks.Ip("10.2.0.1"), 0), default, _h.Now, out socket));
        Assert.True(_h.Host.RemoveRoute(IpPrefix.Parse("0.0.0.0/0"), _h.Left));
        Assert.Equal([1], _h.Host.Routes.Where(route => route.Destination.Length == 0).Select(route => route.Interface));

        void Echo(NetworkInterface on, string to) =>
            _h.Arrive(on, Build.Icmp(Icmpv4Header.EchoRequest(1, 1), [], ThreeStacks.Ip("192.0.2.9"), ThreeStacks.Ip(to))[EthernetHeader.Length..]);
    }

    [Fact]
    public void A_source_address_that_has_no_way_there_is_unreachable()
    {
        Assert.Equal(StackError.NetworkUnreachable,
            _h.Host.Tcp.Connect(new IpEndpoint(ThreeStacks.Ip("10.2.0.2"), 80), new IpEndpoint(ThreeStacks.Ip("10.1.0.1"), 0), default, _h.Now, out _));
        Assert.Equal(StackError.NetworkUnreachable, _h.Host.AddRoute(IpPrefix.Parse("10.9.0.0/16"), ThreeStacks.Ip("10.2.0.2"), _h.Left));
        Assert.Equal(StackError.None, _h.Host.AddRoute(IpPrefix.Parse("10.9.0.0/16"), ThreeStacks.Ip("10.2.0.2")));
        Assert.Equal(1, Assert.Single(_h.Host.Routes, route => !route.Gateway.IsUnspecified).Interface);
    }

    [Fact]
    public void An_address_is_on_one_interface_only_and_prefixes_may_be_on_both()
    {
        Assert.Equal(StackError.AddressInUse, _h.Host.AddAddress(_h.Right, IpPrefix.Parse("10.1.0.1/24"), _h.Now));
        Assert.Equal(StackError.None, _h.Host.AddAddress(_h.Right, IpPrefix.Parse("10.1.0.7/24"), _h.Now));
        Assert.Equal(["10.2.0.1/24", "10.1.0.7/24"], _h.Right.Addresses.Select(prefix => prefix.ToString()));
        Assert.True(_h.Host.RemoveAddress(ThreeStacks.Ip("10.1.0.7"), _h.Now));
        _h.Listen(_h.LeftPeer, 80);
        Assert.Equal(StackError.None, _h.Connect(_h.Host, "10.1.0.2", 80).Error);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_wire_that_takes_nothing_holds_back_its_own_connections_only(bool heldBack)
    {
        using var h = new ThreeStacks(ThreeStacks.Plain with { EgressFrames = 4 });
        var (left, right) = (h.Listen(h.LeftPeer, 80), h.Listen(h.RightPeer, 80));
        var (stuck, free) = (h.Connect(h.Host, "10.1.0.2", 80), h.Connect(h.Host, "10.2.0.2", 80));
        Assert.Equal(StackError.None, h.Host.Udp.Bind(default, new(), out var udp));
        h.Stuck.Add(h.Left);
        h.Left.IsHeldBack = heldBack;
        Assert.Equal(StackError.None, stuck.Write(h.Payload(60_000), h.Now));
        Assert.Equal(StackError.None, free.Write(h.Payload(60_000), h.Now));
        for (var i = 0; i < 8; i++)
            Assert.Equal(StackError.None, udp!.Send(h.Payload(10), new IpEndpoint(ThreeStacks.Ip("10.1.0.2"), 9), h.Now));
        h.Run();
        Assert.Equal(60_000, h.Received(right));
        Assert.True(h.Host.PollAt > h.Now, "Output that has to wait is no work.");

        h.Stuck.Clear();
        h.Left.IsHeldBack = false;
        h.Run();
        Assert.Equal(60_000, h.Received(left));
        Assert.Equal(8, h.LeftPeer.Counters.UdpNoPorts);
    }

    [Fact]
    public void Each_interface_has_an_MTU_of_its_own()
    {
        using var h = new ThreeStacks(ThreeStacks.Plain with { Mtu = 1400 }, ThreeStacks.Plain with { Mtu = 9000 });
        h.Listen(h.LeftPeer, 80);
        h.Listen(h.RightPeer, 80);
        Assert.Equal(1400 - Headers, h.Connect(h.Host, "10.1.0.2", 80).Info.SegmentSize);
        Assert.Equal(StackError.None, h.Host.Udp.Bind(default, new() { MtuDiscovery = Tapwire.Stack.Udp.MtuDiscovery.Do }, out var udp));
        Assert.Equal(StackError.MessageTooLong, udp!.Send(h.Payload(1400), new IpEndpoint(ThreeStacks.Ip("10.1.0.2"), 9), h.Now));
        Assert.Equal(StackError.None, udp.Send(h.Payload(1400), new IpEndpoint(ThreeStacks.Ip("10.2.0.2"), 9), h.Now));
    }

    [Fact]
    public void An_interface_that_goes_resets_its_connections_and_leaves_all_others()
    {
        var (left, right) = (_h.Listen(_h.LeftPeer, 80), _h.Listen(_h.RightPeer, 80));
        var (stays, goes) = (_h.Connect(_h.Host, "10.1.0.2", 80), _h.Connect(_h.Host, "10.2.0.2", 80));
        var (listener, bound) = (_h.Listen(_h.Host, 81), _h.Listen(_h.Host, 82, "10.2.0.1"));
        Assert.Equal(StackError.None, _h.Host.Udp.Bind(new IpEndpoint(ThreeStacks.Ip("10.2.0.1"), 53), new(), out var udp));
        Assert.Equal(StackError.None, _h.Host.Udp.Bind(new IpEndpoint(default, 54), new(), out var wildcard));
        Assert.Equal(StackError.None, _h.Host.AddRoute(IpPrefix.Parse("10.9.0.0/16"), ThreeStacks.Ip("10.2.0.2")));
        _h.Connect(_h.RightPeer, "10.2.0.1", 81);
        _h.News(goes);

        var removed = _h.Right;
        Assert.True(_h.Host.RemoveInterface(removed, _h.Now));
        Assert.False(_h.Host.RemoveInterface(removed, _h.Now));
        _h.Run();
        Assert.Equal(StackError.ConnectionAborted, goes.Error);
        Assert.True(_h.News(goes).HasFlag(SocketEvents.Closed));
        Assert.Equal(StackError.ConnectionReset, right.Accept()!.Error);
        Assert.True(_h.News(udp!).HasFlag(SocketEvents.Closed));
        Assert.False(_h.News(wildcard!).HasFlag(SocketEvents.Closed));
        Assert.Equal(["10.1.0.1/24"], _h.Host.Addresses.Select(prefix => prefix.ToString()));
        Assert.Equal([0], _h.Host.Routes.Select(route => route.Interface));

        Assert.Equal(StackError.None, stays.Write(_h.Payload(1000), _h.Now));
        _h.Run();
        Assert.Equal(1000, _h.Received(left));
        Assert.Equal(StackError.NetworkUnreachable, _h.Host.Tcp.Connect(new IpEndpoint(ThreeStacks.Ip("10.2.0.2"), 80), default(IpEndpoint), default, _h.Now, out _));
        _h.Arrive(removed, Build.Icmp(Icmpv4Header.EchoRequest(1, 1), [], ThreeStacks.Ip("10.2.0.2"), ThreeStacks.Ip("10.2.0.1"))[EthernetHeader.Length..]);
        Assert.Equal(1, _h.Host.Counters.InNoInterface);

        // It comes again, under another number, and what listens there is reached.
        var again = _h.Host.AddInterface(ThreeStacks.Plain)!;
        Assert.NotEqual(removed.Index, again.Index);
        Assert.Equal(StackError.None, _h.Host.AddAddress(again, IpPrefix.Parse("10.2.0.1/24"), _h.Now));
        _h.Arrive(again, Build.Icmp(Icmpv4Header.EchoRequest(1, 1), [], ThreeStacks.Ip("10.2.0.2"), ThreeStacks.Ip("10.2.0.1"))[EthernetHeader.Length..]);
        Assert.Equal(1, _h.Host.Counters.IcmpInEchos);
        Assert.NotNull(listener);
        Assert.NotNull(bound);
    }

    [Fact]
    public void Datagrams_that_wait_for_an_interface_that_goes_are_dropped_and_counted()
    {
        using var h = new ThreeStacks(ThreeStacks.Plain, ThreeStacks.Plain with { EgressFrames = 1 });
        h.Stuck.Add(h.Right);
        Assert.Equal(StackError.None, h.Host.Udp.Bind(default, new UdpSocketOptions(), out var udp));
        for (var i = 0; i < 3; i++)
            Assert.Equal(StackError.None, udp!.Send(h.Payload(10), new IpEndpoint(ThreeStacks.Ip("10.2.0.2"), 9), h.Now));
        Assert.True(h.Host.RemoveInterface(h.Right, h.Now));
        h.Run();
        Assert.Equal(2, h.Host.Counters.IpOutNoRoutes);
        Assert.True(h.Host.PollAt > h.Now);
    }

    [Fact]
    public void There_is_a_bound_on_interfaces()
    {
        while (_h.Host.Interfaces.Count < NetworkStack.MaxInterfaces)
            Assert.NotNull(_h.Host.AddInterface(ThreeStacks.Plain));
        Assert.Null(_h.Host.AddInterface(ThreeStacks.Plain));
        Assert.True(_h.Host.RemoveInterface(_h.Host.Interfaces[5], _h.Now));
        Assert.Equal(5, _h.Host.AddInterface(ThreeStacks.Plain)!.Index);
        Assert.Equal(NetworkStack.MaxInterfaces, _h.Host.Interfaces.Select(each => each.Index).Distinct().Count());
    }

    [Fact]
    public void ARP_on_an_interface_answers_for_its_own_addresses_only()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }, new() { HardwareAddress = new MacAddress(0x02_00_00_00_00_09) }] });
        Assert.Equal(StackError.None, h.Stack.AddAddress(h.Stack.Interfaces[1], IpPrefix.Parse("10.2.0.1/24"), h.Now));
        var asked = Build.Arp(new ArpPacket(ArpOperation.Request, StackHarness.PeerMac, StackHarness.PeerIp, default, ThreeStacks.Ip("10.2.0.1")), MacAddress.Broadcast);
        Assert.Empty(h.Answers(asked));
        Assert.Equal(1, h.Counters.ArpNotForUs);
        while (h.Stack.Interfaces[1].TryDequeueFrame(out var announcement))
            announcement.Release();
    }
}
