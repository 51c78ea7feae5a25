using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Tapwire.Posix;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>What unmodified programs set and ask of their sockets, beside what changes anything.</summary>
public sealed class SocketHintSpecs() : DriverSetup("")
{
    private static readonly Sockaddr MappedV6 = new(SocketFamily.V6, new IpEndpoint(IpAddress.AnyV4, 80));
    private static readonly Sockaddr ForeignV6 = new(SocketFamily.V6, new IpEndpoint(IpAddress.Parse("fd00::77"), 80));
    private static readonly Sockaddr AnyV6 = new(SocketFamily.V6, new IpEndpoint(IpAddress.Unspecified, 80));

    [Theory]
    [InlineData(LinkSocketType.Stream, LinkOption.SolSocket, LinkOption.SoPriority, 0)]
    [InlineData(LinkSocketType.Stream, LinkOption.SolSocket, LinkOption.SoBroadcast, 0)]
    [InlineData(LinkSocketType.Datagram, LinkOption.SolSocket, LinkOption.SoKeepAlive, 0)]
    [InlineData(LinkSocketType.Stream, LinkOption.IpProtoTcp, LinkOption.TcpNotSentLowat, 0)]
    public void A_hint_is_taken_and_read_back(LinkSocketType type, int level, int name, int initial)
    {
        using var app = Open(type);
        Assert.Equal(initial, OptionOf(app, level, name));
        Assert.Equal(0, Set(app, level, name, 1));
        Assert.Equal(1, OptionOf(app, level, name));
        Assert.Equal((int)StackError.InvalidArgument, Ask(new SetOptionRequest(3, app.Handle, level, name, new byte[1])).Error);
    }

    [Fact]
    public void An_option_of_IP_is_set_and_read_by_one_byte_as_well()
    {
        using var app = Open(LinkSocketType.Datagram);
        Assert.Equal(1, OptionOf(app, LinkOption.IpProtoIp, LinkOption.IpMtuDiscover));
        Assert.Equal(0, Ask(new SetOptionRequest(3, app.Handle, LinkOption.IpProtoIp, LinkOption.IpMtuDiscover, new byte[] { 2 })).Error);
        Assert.Equal([2], Ask(new GetOptionRequest(3, app.Handle, LinkOption.IpProtoIp, LinkOption.IpMtuDiscover, 1)).Body.ToArray());
        Assert.Equal(0, Ask(new SetOptionRequest(3, app.Handle, LinkOption.IpProtoIp, LinkOption.IpTtl, new byte[] { 9 })).Error);
        Assert.Equal(9, OptionOf(app, LinkOption.IpProtoIp, LinkOption.IpTtl));
        Assert.Equal((int)StackError.InvalidArgument, Set(app, LinkOption.IpProtoIp, LinkOption.IpMtuDiscover, 6));
    }

    [Fact]
    public void An_IPv4_socket_has_no_options_of_IPv6()
    {
        using var app = Open();
        Assert.Equal((int)StackError.NoSuchOption, Set(app, LinkOption.IpProtoIpV6, LinkOption.IpV6V6Only, 1));
        Assert.Equal((int)StackError.NoSuchOption, Set(app, LinkOption.IpProtoIpV6, LinkOption.IpV6TClass, 1));
    }

    [Fact]
    public void A_pacing_rate_has_four_bytes_or_eight()
    {
        using var app = Open();
        Assert.Equal(ulong.MaxValue, Rate());
        Assert.Equal(0, Ask(new SetOptionRequest(3, app.Handle, 1, LinkOption.SoMaxPacingRate, BitConverter.GetBytes(3_000_000_000ul))).Error);
        Assert.Equal(3_000_000_000ul, Rate());
        Assert.Equal(0, Set(app, 1, LinkOption.SoMaxPacingRate, 5000));
        Assert.Equal(5000, OptionOf(app, 1, LinkOption.SoMaxPacingRate));

        ulong Rate() => BitConverter.ToUInt64(Ask(new GetOptionRequest(3, app.Handle, 1, LinkOption.SoMaxPacingRate, 8)).Body.Span);
    }

    [Fact]
    public void A_listener_and_a_connection_take_hints_too()
    {
        using var listener = OpenListening(80);
        Assert.Equal(0, Set(listener, LinkOption.IpProtoTcp, LinkOption.TcpDeferAccept, 5));
        Assert.Equal(7, OptionOf(listener, LinkOption.IpProtoTcp, LinkOption.TcpDeferAccept)); // three retransmissions, after 1, 3 and 7 s
        Peer.Listen(81);
        using var connected = OpenConnected(81);
        Assert.Equal(0, Set(connected, LinkOption.IpProtoTcp, LinkOption.TcpQuickAck, 1));
        Assert.Equal((int)StackError.NoSuchOption, Set(connected, LinkOption.IpProtoTcp, 9999, 1));
        Assert.Equal(0, Set(listener, LinkOption.IpProtoTcp, LinkOption.TcpNoDelay, 1));
        Assert.Equal(1, OptionOf(listener, LinkOption.IpProtoTcp, LinkOption.TcpNoDelay));
    }

    [Theory]
    [InlineData(LinkSocketType.Stream)]
    [InlineData(LinkSocketType.Datagram)]
    public void A_socket_for_ipv6_alone_leaves_the_port_to_one_for_ipv4(LinkSocketType type)
    {
        var reply = AskReply(new SocketRequest(1, SocketFamily.V6, type, 0));
        using var app = new App(this, reply.Descriptor!);
        Assert.Equal(0, Set(app, LinkOption.IpProtoIpV6, LinkOption.IpV6V6Only, 1));
        Assert.Equal((int)StackError.InvalidArgument, Ask(new BindRequest(2, app.Handle, MappedV6)).Error);
        Assert.Equal((int)StackError.AddressNotAvailable, Ask(new BindRequest(2, app.Handle, ForeignV6)).Error);
        Assert.Equal(0, Ask(new BindRequest(2, app.Handle, AnyV6)).Error);
        Assert.Equal((int)StackError.InvalidArgument, Set(app, LinkOption.IpProtoIpV6, LinkOption.IpV6V6Only, 0));
        using var other = Open(type);
        Assert.Equal(0, Ask(new BindRequest(3, other.Handle, Sockaddr.From(new IpEndpoint(IpAddress.AnyV4, 80)))).Error);
        using var both = new App(this, AskReply(new SocketRequest(1, SocketFamily.V6, type, 0)).Descriptor!);
        Assert.Equal((int)StackError.AddressInUse, Ask(new BindRequest(4, both.Handle, AnyV6)).Error);
    }

    [Theory]
    [InlineData(LinkSocketType.Stream)]
    [InlineData(LinkSocketType.Datagram)]
    public void A_port_is_shared_by_sockets_that_all_ask_for_it(LinkSocketType type)
    {
        using var first = Open(type);
        using var second = Open(type);
        using var third = Open(type);
        var address = Sockaddr.From(new IpEndpoint(IpAddress.AnyV4, 80));
        Assert.Equal(0, Set(first, LinkOption.SolSocket, LinkOption.SoReusePort, 7));
        Assert.Equal(0, Set(second, LinkOption.SolSocket, LinkOption.SoReusePort, 1));
        Assert.Equal(0, Ask(new BindRequest(2, first.Handle, address)).Error);
        Assert.Equal(0, Ask(new BindRequest(3, second.Handle, address)).Error);
        Assert.Equal((int)StackError.AddressInUse, Ask(new BindRequest(4, third.Handle, address)).Error);
        Assert.Equal(1, OptionOf(first, LinkOption.SolSocket, LinkOption.SoReusePort));
    }

    [Fact]
    public void Options_about_received_datagrams_have_the_values_and_lengths_of_Linux()
    {
        using var app = Open(LinkSocketType.Datagram);
        Assert.Equal(1, OptionOf(app, LinkOption.IpProtoIp, LinkOption.IpMtuDiscover));
        Assert.Equal(0, Ask(new SetOptionRequest(3, app.Handle, LinkOption.IpProtoIp, LinkOption.IpMtuDiscover, new byte[] { 2 })).Error);
        Assert.Equal(2, OptionOf(app, LinkOption.IpProtoIp, LinkOption.IpMtuDiscover));
        Assert.Equal(1, Ask(new GetOptionRequest(3, app.Handle, LinkOption.IpProtoIp, LinkOption.IpMtuDiscover, 1)).Body.Length);
        Assert.Equal((int)StackError.InvalidArgument, Set(app, LinkOption.IpProtoIp, LinkOption.IpMtuDiscover, 6));
        Assert.Equal((int)StackError.InvalidArgument, Set(app, LinkOption.IpProtoUdp, LinkOption.UdpSegment, 65_536));
        Assert.Equal((int)StackError.InvalidArgument, Ask(new SetOptionRequest(3, app.Handle, LinkOption.IpProtoUdp, LinkOption.UdpGro, new byte[1])).Error);
        Assert.Equal((int)StackError.NoSuchOption, Set(app, LinkOption.IpProtoIpV6, LinkOption.IpV6RecvPktInfo, 1));
        Assert.Equal(0, Set(app, LinkOption.SolSocket, LinkOption.SoTimestamp, 9));
        Assert.Equal(1, OptionOf(app, LinkOption.SolSocket, LinkOption.SoTimestamp));
        Assert.Equal(0, Set(app, LinkOption.SolSocket, LinkOption.SoTimestampNs, 1));
        Assert.Equal(0, OptionOf(app, LinkOption.SolSocket, LinkOption.SoTimestamp));
        Assert.Equal((int)StackError.NotConnected, Ask(new GetOptionRequest(3, app.Handle, LinkOption.IpProtoIp, LinkOption.IpMtu, 4)).Error);
        Assert.Equal(0, Ask(new ConnectRequest(2, app.Handle, Sockaddr.From(new IpEndpoint(Support.Peer.Address, 80)), 0, false)).Error);
        Assert.Equal(1500, OptionOf(app, LinkOption.IpProtoIp, LinkOption.IpMtu));
    }

    [Fact]
    public void Options_of_a_datagram_socket_hold_from_its_first_bind_on_and_take_no_port()
    {
        using var app = Open(LinkSocketType.Datagram);
        Assert.Equal(0, Set(app, LinkOption.IpProtoIp, LinkOption.IpTtl, 9));
        Assert.Equal(0, Set(app, LinkOption.SolSocket, LinkOption.SoRcvBuf, 50_000));
        Assert.Equal(0, Ask(new GetSockNameRequest(4, app.Handle)).Address.Endpoint.Port);
        Assert.Equal(0, Ask(new BindRequest(5, app.Handle, Sockaddr.From(new IpEndpoint(Address, 53)))).Error);
        Assert.Equal(9, OptionOf(app, LinkOption.IpProtoIp, LinkOption.IpTtl));
        Assert.Equal(50_000, OptionOf(app, LinkOption.SolSocket, LinkOption.SoRcvBuf));
        Assert.Equal((int)StackError.InvalidArgument, Set(app, LinkOption.IpProtoIp, LinkOption.IpTtl, 256));
    }

    [Fact]
    public void What_was_not_set_reads_as_what_holds()
    {
        using var app = Open();
        Assert.Equal(64, OptionOf(app, LinkOption.IpProtoIp, LinkOption.IpTtl));
        Assert.Equal(128 << 10, OptionOf(app, LinkOption.SolSocket, LinkOption.SoSndBuf));
        Assert.Equal(7200, OptionOf(app, LinkOption.IpProtoTcp, LinkOption.TcpKeepIdle));
        Assert.Equal(9, OptionOf(app, LinkOption.IpProtoTcp, LinkOption.TcpKeepCnt));
    }

    [Fact]
    public void Tcp_info_tells_state_round_trip_and_segment_size()
    {
        Peer.Listen(80);
        using var app = Open();
        Assert.Equal(7, Info(app)[0]); // TCP_CLOSE
        Assert.Equal(0, Ask(new ConnectRequest(2, app.Handle, Sockaddr.From(new IpEndpoint(Support.Peer.Address, 80)), 0, false)).Error);
        var info = Info(app);
        Assert.Equal(1, info[0]); // TCP_ESTABLISHED
        Assert.InRange(BitConverter.ToInt32(info, 16), 500, 1500);
        Assert.True(BitConverter.ToInt32(info, 80) >= 2); // segments in the congestion window
        Assert.Equal(4, Ask(new GetOptionRequest(9, app.Handle, LinkOption.IpProtoTcp, LinkOption.TcpInfo, 4)).Body.Length);

        byte[] Info(App of) => Ask(new GetOptionRequest(9, of.Handle, LinkOption.IpProtoTcp, LinkOption.TcpInfo, 500)).Body.ToArray();
    }

    [Fact]
    public void The_interface_and_its_address_are_listed()
    {
        var body = Ask(new ListInterfacesRequest(1, 0)).Body.ToArray();
        Assert.Equal(2, BitConverter.ToInt32(body));
        Assert.Equal("tw0", System.Text.Encoding.ASCII.GetString(body, 8 + 20, 3));
        Assert.Equal(Address.ToString(), new System.Net.IPAddress(body.AsSpan(8 + 72 + 36 + 4, 4)).ToString());
    }

    [Fact]
    public void What_waits_to_be_sent_and_acknowledged_is_told()
    {
        Peer.Listen(80);
        using var app = OpenConnected(80);
        Peer.Loses = _ => true;
        app.Write(new byte[5000]);
        Assert.Equal(5000, OptionOf(app, LinkOption.Link, LinkOption.LinkOutputQueue));
        Assert.Equal(0, Set(app, LinkOption.IpProtoTcp, LinkOption.TcpCork, 1));
        app.Write(new byte[100]);
        Assert.Equal(5100, OptionOf(app, LinkOption.Link, LinkOption.LinkOutputQueue));
        Assert.Equal(100, OptionOf(app, LinkOption.Link, LinkOption.LinkUnsentQueue));
        Assert.InRange(OptionOf(app, LinkOption.IpProtoIp, LinkOption.IpMtu), 1280, 1500);
        Peer.Loses = _ => false;
        RunUntil(() => OptionOf(app, LinkOption.Link, LinkOption.LinkOutputQueue) == 0);
    }

    [Fact]
    public void A_session_asked_for_by_another_one_speaks_the_protocol()
    {
        var reply = AskReply(new SessionRequest(1));
        Assert.Equal(0, reply.Answer.Error);
        Run();
        var descriptor = reply.Descriptor!.Take();
        var hello = new byte[LinkProtocol.HelloSize];
        Assert.Equal(hello.Length, Receive(descriptor, hello));
        Assert.Equal(LinkProtocol.Version, LinkProtocol.ReadHello(hello));
        Libc.Close(descriptor);
        Run();
    }

    private static unsafe int Receive(int descriptor, byte[] into)
    {
        fixed (byte* start = into)
            return (int)Libc.recv(descriptor, start, (nuint)into.Length, Libc.MSG_DONTWAIT);
    }

    private int Set(App app, int level, int name, int value) => Ask(new SetOptionRequest(3, app.Handle, level, name, BitConverter.GetBytes(value))).Error;
}
