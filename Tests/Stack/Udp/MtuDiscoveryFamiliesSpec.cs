using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Udp;

/// <summary>A socket of both families learns of the path of each in a way of its own: IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, IPV6_MTU and IPV6_DONTFRAG of ip(7) and ipv6(7).</summary>
public sealed class MtuDiscoveryFamiliesSpec : IDisposable
{
    private static readonly IpEndpoint V4 = new(StackHarness.PeerIp, 9);
    private static readonly IpEndpoint V6 = new(BuildV6.Peer, 9);

    private readonly StackHarness _h = BuildV6.Harness();
    private readonly UdpSocket _socket;

    public MtuDiscoveryFamiliesSpec()
    {
        _h.Exchange(Build.Arp(new ArpPacket(ArpOperation.Request, StackHarness.PeerMac, StackHarness.PeerIp, default, StackHarness.OwnIp)));
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(new IpEndpoint(default, 5000), new(), out var socket));
        _socket = socket!;
    }

    public void Dispose()
    {
        _socket.Close();
        _h.Dispose();
    }

    [Fact]
    public void What_is_set_for_one_family_says_nothing_of_the_other()
    {
        _socket.MtuDiscovery = MtuDiscovery.Do;
        Assert.Equal((StackError.MessageTooLong, StackError.None), (Send(V4, 3000), Send(V6, 3000)));
        (_socket.MtuDiscovery, _socket.MtuDiscoveryV6) = (MtuDiscovery.Want, MtuDiscovery.Do);
        Assert.Equal((StackError.None, StackError.MessageTooLong), (Send(V4, 3000), Send(V6, 3000)));
    }

    [Fact]
    public void Packets_over_IPv6_are_no_longer_than_the_socket_wants()
    {
        _socket.PacketSizeV6 = 1280;
        Assert.Equal((StackError.None, StackError.None), (Send(V4, 1472), Send(V6, 1472)));
        var lengths = _h.Frames().Select(static frame => frame.Length - EthernetHeader.Length);
        Assert.Equal([1500, 1280, 296], lengths);
        _socket.MtuDiscoveryV6 = MtuDiscovery.Do;
        Assert.Equal((StackError.MessageTooLong, StackError.None), (Send(V6, 1280 - 48 + 1), Send(V6, 1280 - 48)));
    }

    /// <summary>IPV6_DONTFRAG (RFC 3542, 11.2).</summary>
    [Theory]
    [InlineData(MtuDiscovery.Dont)]
    [InlineData(MtuDiscovery.Want)]
    [InlineData(MtuDiscovery.Omit)]
    public void Nothing_leaves_in_fragments_over_IPv6_if_the_socket_does_not_want_it(MtuDiscovery discovery)
    {
        (_socket.MtuDiscoveryV6, _socket.DontFragmentV6, _socket.ErrorReports) = (discovery, true, true);
        Assert.Equal((StackError.None, StackError.MessageTooLong, StackError.None), (Send(V6, 1452), Send(V6, 1453), Send(V4, 3000)));
        Assert.True(_socket.TryTakeReport(out var report));
        Assert.Equal((StackError.MessageTooLong, 1500), (report.Error, report.Mtu));
        _socket.DontFragmentV6 = false;
        Assert.Equal(StackError.None, Send(V6, 1453));
    }

    [Theory]
    [InlineData(MtuDiscovery.Dont, 1300, StackError.None)]
    [InlineData(MtuDiscovery.Want, 1300, StackError.MessageTooLong)]
    [InlineData(MtuDiscovery.Do, 1300, StackError.MessageTooLong)]
    [InlineData(MtuDiscovery.Probe, 1300, StackError.MessageTooLong)]
    [InlineData(MtuDiscovery.Interface, 1500, StackError.None)]
    [InlineData(MtuDiscovery.Omit, 1500, StackError.None)]
    public void What_a_router_says_of_an_IPv6_path_is_learnt_and_told_as_the_socket_wants(MtuDiscovery discovery, int learnt, StackError told)
    {
        _socket.MtuDiscoveryV6 = discovery;
        Assert.Equal(StackError.None, _socket.Connect(V6));
        Report();
        _h.Stack.FindPath(BuildV6.Peer, default, MtuDiscovery.Want, _h.Now, out var mtu, out _);
        Assert.Equal((learnt, told), (mtu, _socket.TakeError()));
    }

    /// <summary>Unlike one over IPv4 (__udp6_lib_err).</summary>
    [Fact]
    public void A_socket_that_lets_datagrams_be_fragmented_is_told_all_the_same_if_it_wants_reports()
    {
        (_socket.MtuDiscoveryV6, _socket.ErrorReports) = (MtuDiscovery.Dont, true);
        Report();
        Assert.True(_socket.TryTakeReport(out var report));
        Assert.Equal((StackError.MessageTooLong, 1300), (report.Error, report.Mtu));
    }

    private StackError Send(IpEndpoint to, int length) => _socket.Send(_h.Payload(new byte[length]), to, _h.Now);

    /// <summary>A router says that the path takes 1,300 bytes.</summary>
    private void Report()
    {
        Assert.Equal(StackError.None, Send(V6, 10));
        var sent = Assert.Single(_h.Frames())[EthernetHeader.Length..];
        _h.Receive(BuildV6.Icmp(new Icmpv6Header(Icmpv6Type.PacketTooBig, 0, 1300), sent));
    }
}
