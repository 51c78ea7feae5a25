using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

public sealed class DatagramActorSpecs : DriverSetup
{
    private static readonly BufferPool PeerPool = new();

    private static IpEndpoint PeerAt(ushort port) => new(Support.Peer.Address, port);

    [Fact]
    public void P17_an_unconnected_sendto_needs_no_bind_and_the_peer_sees_the_true_sender()
    {
        var peer = Bind(53);
        using var app = Open(LinkSocketType.Datagram);
        Send(app, "who is there?"u8, PeerAt(53));
        Run();
        var (bytes, from) = Assert.Single(Received(peer));
        Assert.Equal("who is there?"u8.ToArray(), bytes);
        Assert.Equal(Address, from.Address);
        Assert.Equal(from.Port, Ask(new GetSockNameRequest(1, app.Handle)).Address.Endpoint.Port);

        Send(peer, "me"u8, from);
        Run();
        Assert.Equal(("me", PeerAt(53)), Receive(app));
    }

    [Fact]
    public void P17_boundaries_are_kept_in_both_directions_from_the_empty_datagram_to_the_largest()
    {
        int[] sizes = [0, 1, 1200, 1471, 1472, 1473, 8000, 65506, 65507];
        var peer = Bind(53);
        using var app = Open(LinkSocketType.Datagram);
        Send(app, "where are you?"u8, PeerAt(53));
        Run();
        Assert.Single(Received(peer));
        foreach (var size in sizes)
            Send(app, Pattern(size), PeerAt(53));
        Run();
        var received = Received(peer);
        Assert.Equal(sizes.Select(Pattern), received.Select(datagram => datagram.Bytes));

        foreach (var size in sizes)
            Send(peer, Pattern(size), received[0].From);
        Run();
        Assert.Equal(sizes.Select(Pattern), sizes.Select(_ => app.ReadMessage()![DatagramHeader.Size..]));
        Assert.Null(app.ReadMessage());
    }

    [Fact]
    public void P17_a_datagram_that_may_not_be_fragmented_and_does_not_fit_a_packet_is_EMSGSIZE_and_the_next_one_goes()
    {
        var peer = Bind(53);
        using var app = Open(LinkSocketType.Datagram);
        Assert.Equal(0, Ask(new SetOptionRequest(1, app.Handle, LinkOption.IpProtoIp, LinkOption.IpMtuDiscover, BitConverter.GetBytes((int)MtuDiscovery.Do))).Error);
        Send(app, new byte[1473], PeerAt(53));
        Run();
        Assert.Equal((int)StackError.MessageTooLong, ErrorIn(app));
        Send(app, "small"u8, PeerAt(53));
        Run();
        Assert.Single(Received(peer));
    }

    [Fact]
    public void A_connected_socket_sends_without_an_address_and_hears_only_its_peer()
    {
        var peer = Bind(53);
        var stranger = Bind(54);
        using var app = Open(LinkSocketType.Datagram);
        var local = Ask(new ConnectRequest(1, app.Handle, Sockaddr.From(PeerAt(53)), 0, false)).Address.Endpoint;
        Assert.Equal(Address, local.Address);
        Assert.Equal(PeerAt(53), Ask(new GetPeerNameRequest(1, app.Handle)).Address.Endpoint);
        Send(app, "hello"u8, null);
        Run();
        Assert.Equal(local, Assert.Single(Received(peer)).From);

        Send(stranger, "listen to me"u8, local);
        Send(peer, "hello yourself"u8, local);
        Run();
        Assert.Equal(("hello yourself", PeerAt(53)), Receive(app));
        Assert.Null(app.ReadMessage());
    }

    [Fact]
    public void Connecting_to_nothing_dissolves_the_association()
    {
        var stranger = Bind(54);
        using var app = Open(LinkSocketType.Datagram);
        var local = Ask(new ConnectRequest(1, app.Handle, Sockaddr.From(PeerAt(53)), 0, false)).Address.Endpoint;
        Assert.Equal(0, Ask(new ConnectRequest(2, app.Handle, Sockaddr.None, 0, false)).Error);
        Assert.Equal((int)StackError.NotConnected, Ask(new GetPeerNameRequest(1, app.Handle)).Error);
        Send(stranger, "now?"u8, local);
        Run();
        Assert.Equal(("now?", PeerAt(54)), Receive(app));
    }

    [Fact]
    public void A_datagram_without_an_address_on_an_unconnected_socket_is_EDESTADDRREQ()
    {
        using var app = Open(LinkSocketType.Datagram);
        Send(app, "to whom?"u8, null);
        Run();
        Assert.Equal((int)StackError.DestinationRequired, ErrorIn(app));
    }

    [Fact]
    public void P17_port_unreachable_is_ECONNREFUSED_on_a_connected_socket()
    {
        using var app = Open(LinkSocketType.Datagram);
        Ask(new ConnectRequest(1, app.Handle, Sockaddr.From(PeerAt(9)), 0, false));
        Send(app, "anybody?"u8, null);
        Run();
        Assert.Equal((int)StackError.ConnectionRefused, ErrorIn(app));
        Assert.Null(app.ReadMessage());
    }

    [Fact]
    public void A_connect_that_finds_no_port_is_EAGAIN()
    {
        var (stack, owner) = (StackActor, CreateTestProbe());
        for (var port = EphemeralPorts.First; port <= EphemeralPorts.Last; port++)
            owner.Send(stack, new OpenDatagram(new IpEndpoint(IpAddress.AnyV4, port), new()));
        Run();
        using var app = Open(LinkSocketType.Datagram);
        Assert.Equal(LinkErrno.TryAgain, Ask(new ConnectRequest(1, app.Handle, Sockaddr.From(PeerAt(53)), 0, false)).Error);
        Assert.Equal((int)StackError.AddressInUse, Ask(new BindRequest(2, app.Handle, Sockaddr.From(new IpEndpoint(IpAddress.AnyV4, 0)))).Error);
        Assert.Equal(0, Ask(new BindRequest(3, app.Handle, Sockaddr.From(new IpEndpoint(IpAddress.AnyV4, 53)))).Error);
    }

    [Fact]
    public void A_destination_without_a_route_is_ENETUNREACH()
    {
        using var app = Open(LinkSocketType.Datagram);
        Send(app, "far"u8, new IpEndpoint(IpAddress.Parse("192.0.2.1"), 53));
        Run();
        Assert.Equal((int)StackError.NetworkUnreachable, ErrorIn(app));
    }

    [Fact]
    public void A_slow_reader_loses_counted_datagrams_and_no_others_and_gets_the_rest_in_order()
    {
        const int Sent = 5000;
        var peer = Bind(53);
        using var app = Open(LinkSocketType.Datagram);
        var local = Ask(new BindRequest(1, app.Handle, Sockaddr.From(new IpEndpoint(Address, 4000)))).Address.Endpoint;
        for (var i = 0; i < Sent; i++)
        {
            Send(peer, BitConverter.GetBytes(i), local);
            if (i % 50 == 49)
                Run();
        }

        var lost = (int)StackStatus().Counters.GetValueOrDefault(nameof(StackCounters.UdpRcvbufErrors));
        Assert.InRange(lost, 1, Sent - 100);
        var got = new List<int>();
        RunUntil(() =>
        {
            while (app.ReadMessage() is { } message)
                got.Add(BitConverter.ToInt32(message, DatagramHeader.Size));
            return got.Count == Sent - lost;
        }, within: TimeSpan.FromSeconds(5));
        Assert.Equal(got.Order(), got);
        Assert.Equal(got.Count, got.Distinct().Count());

        // It is not deaf afterwards.
        Send(peer, "again"u8, local);
        Run();
        Assert.Equal(("again", PeerAt(53)), Receive(app));
    }

    [Fact]
    public void P13_a_port_is_bound_once_and_free_again_after_close()
    {
        var first = Open(LinkSocketType.Datagram);
        using var second = Open(LinkSocketType.Datagram);
        var port = Sockaddr.From(new IpEndpoint(Address, 4000));
        Assert.Equal(0, Ask(new BindRequest(1, first.Handle, port)).Error);
        Assert.Equal((int)StackError.AddressInUse, Ask(new BindRequest(2, second.Handle, port)).Error);
        first.Dispose();
        Run();
        Assert.Equal(0, Ask(new BindRequest(3, second.Handle, port)).Error);
    }

    [Fact]
    public void A_datagram_socket_says_what_it_is_and_refuses_what_it_cannot_do()
    {
        using var app = Open(LinkSocketType.Datagram);
        Assert.Equal(2, OptionOf(app, 1, 3)); // SO_TYPE: SOCK_DGRAM
        Assert.Equal(17, OptionOf(app, 1, 38)); // SO_PROTOCOL
        Assert.Equal((int)StackError.NotSupported, Ask(new ListenRequest(1, app.Handle, 5)).Error);
        Assert.Equal((int)StackError.NotSupported, Ask(new GetOptionRequest(1, app.Handle, 6, 999, 4)).Error);
        Assert.Equal((int)StackError.NoSuchOption, Ask(new SetOptionRequest(1, app.Handle, 6, 999, new byte[4])).Error);
        Assert.Equal((int)StackError.NotConnected, Ask(new ShutdownRequest(1, app.Handle, ShutdownHow.Both)).Error);
    }

    [Fact]
    public void Options_set_before_and_after_binding_read_back()
    {
        using var app = Open(LinkSocketType.Datagram);
        Assert.Equal(0, Ask(new SetOptionRequest(1, app.Handle, 1, 6, BitConverter.GetBytes(1))).Error); // SO_BROADCAST
        Assert.Equal(0, Ask(new SetOptionRequest(1, app.Handle, 0, 2, BitConverter.GetBytes(9))).Error); // IP_TTL
        Assert.Equal(1, OptionOf(app, 1, 6));
        Assert.Equal(9, OptionOf(app, 0, 2));
        Assert.Equal((int)StackError.InvalidArgument, Ask(new SetOptionRequest(1, app.Handle, 0, 2, BitConverter.GetBytes(900))).Error);
    }

    [Fact]
    public void A_broadcast_needs_permission()
    {
        var everybody = new IpEndpoint(IpAddress.Parse("10.99.0.255"), 53);
        var peer = Bind(53);
        using var app = Open(LinkSocketType.Datagram);
        Send(app, "hey"u8, everybody);
        Run();
        Assert.Equal((int)StackError.AccessDenied, ErrorIn(app));
        Assert.Equal(0, Ask(new SetOptionRequest(1, app.Handle, 1, 6, BitConverter.GetBytes(1))).Error);
        Send(app, "hey"u8, everybody);
        Run();
        Assert.Single(Received(peer));
    }

    [Fact]
    public void An_address_that_is_removed_ends_the_sockets_bound_to_it()
    {
        using var app = Open(LinkSocketType.Datagram);
        Ask(new BindRequest(1, app.Handle, Sockaddr.From(new IpEndpoint(Address, 4000))));
        StackActor.Tell(new Tapwire.Messages.RemoveAddress(Address), Akka.Actor.ActorRefs.NoSender);
        Run();
        Assert.Equal((int)StackError.ConnectionAborted, ErrorIn(app));
        Assert.Null(app.ReadMessage());
        Assert.True(app.SawEndOfFile);
    }

    [Fact]
    public void A_datagram_comes_with_an_extension_once_an_option_asks_for_it_and_as_before_when_none_does()
    {
        var peer = Bind(53);
        using var app = Open(LinkSocketType.Datagram);
        var local = Ask(new BindRequest(1, app.Handle, Sockaddr.From(new IpEndpoint(Address, 5000)))).Address.Endpoint;
        SetOption(app, LinkOption.IpProtoIp, LinkOption.IpPktInfo, 1);
        SetOption(app, LinkOption.SolSocket, LinkOption.SoTimestampNs, 1);
        Send(peer, "asked"u8, local);
        Run();
        var message = app.ReadMessage()!;
        Assert.True(DatagramHeader.TakeExtended(message));
        Assert.True(Sockaddr.TryRead(message, out var from));
        Assert.Equal(PeerAt(53), from.Endpoint);
        var extension = DatagramExtension.Read(message.AsSpan(DatagramHeader.Size));
        Assert.Equal(DatagramParts.PacketInfo | DatagramParts.TimestampNs, extension.Parts);
        Assert.Equal((Address, Address, 2), (extension.Destination, extension.Local, extension.Interface));
        Assert.NotEqual(0, extension.Stamp);
        Assert.Equal("asked"u8.ToArray(), message[(DatagramHeader.Size + DatagramExtension.Size)..]);

        SetOption(app, LinkOption.IpProtoIp, LinkOption.IpPktInfo, 0);
        SetOption(app, LinkOption.SolSocket, LinkOption.SoTimestampNs, 0);
        Send(peer, "plain"u8, local);
        Run();
        Assert.Equal(("plain", PeerAt(53)), Receive(app));
    }

    [Fact]
    public void What_an_application_asks_for_one_datagram_is_done_for_it_alone()
    {
        var peer = Bind(53);
        using var app = Open(LinkSocketType.Datagram);
        var extension = new DatagramExtension(DatagramParts.SegmentSize | DatagramParts.PacketInfo) { SegmentSize = 3, Local = Address };
        var message = new byte[DatagramHeader.Size + DatagramExtension.Size + 8];
        Sockaddr.From(PeerAt(53)).WriteTo(message);
        DatagramHeader.Extend(message);
        extension.WriteTo(message.AsSpan(DatagramHeader.Size));
        "abcdefgh"u8.CopyTo(message.AsSpan(DatagramHeader.Size + DatagramExtension.Size));
        Assert.Equal(message.Length, app.TryWrite(message));
        Send(app, "whole"u8, PeerAt(53));
        Run();
        Assert.Equal(["abc", "def", "gh", "whole"], Received(peer).Select(static datagram => System.Text.Encoding.ASCII.GetString(datagram.Bytes)));
    }

    [Fact]
    public void Datagrams_that_wait_come_as_one_if_the_application_asks_for_that()
    {
        var peer = Bind(53);
        using var app = Open(LinkSocketType.Datagram);
        var local = Ask(new BindRequest(1, app.Handle, Sockaddr.From(new IpEndpoint(Address, 5000)))).Address.Endpoint;
        SetOption(app, LinkOption.IpProtoUdp, LinkOption.UdpGro, 1);
        foreach (var text in new[] { "abc", "def", "gh", "ijk" })
            Send(peer, System.Text.Encoding.ASCII.GetBytes(text), local);
        Run();
        var payload = "";
        while (app.ReadMessage() is { } message)
        {
            var isMerged = DatagramHeader.TakeExtended(message);
            Assert.True(!isMerged || DatagramExtension.Read(message.AsSpan(DatagramHeader.Size)).SegmentSize == 3);
            payload += System.Text.Encoding.ASCII.GetString(message[(DatagramHeader.Size + (isMerged ? DatagramExtension.Size : 0))..]);
        }

        Assert.Equal("abcdefghijk", payload);
    }

    [Fact]
    public void The_path_of_a_socket_is_told_before_anything_is_sent()
    {
        using var app = Open(LinkSocketType.Datagram);
        var answer = Ask(new PathRequest(1, app.Handle, Sockaddr.From(PeerAt(53))));
        Assert.Equal(0, answer.Error);
        Assert.Equal((65535, 1500, 0), (BitConverter.ToInt32(answer.Body.Span), BitConverter.ToInt32(answer.Body.Span[4..]), BitConverter.ToInt32(answer.Body.Span[8..])));
        SetOption(app, LinkOption.IpProtoIp, LinkOption.IpMtuDiscover, (int)MtuDiscovery.Do);
        Assert.Equal(1500, BitConverter.ToInt32(Ask(new PathRequest(2, app.Handle, Sockaddr.From(PeerAt(53)))).Body.Span));
        SetOption(app, LinkOption.IpProtoIp, LinkOption.IpRecvErr, 1);
        // What a client reckons with is a header of IPv4 and of UDP.
        Assert.Equal(1, BitConverter.ToInt32(Ask(new PathRequest(2, app.Handle, Sockaddr.From(PeerAt(53)))).Body.Span[8..]));
    }

    [Fact]
    public void A_socket_of_both_families_learns_of_the_path_of_each_as_was_set_for_it()
    {
        using var app = Open(LinkSocketType.Datagram, SocketFamily.V6);
        var v6 = new Sockaddr(SocketFamily.V6, new IpEndpoint(IpAddress.Parse("::1"), 53));
        var v4 = new Sockaddr(SocketFamily.V6, PeerAt(53));
        Assert.Equal((65_535, 65_555), (MtuTo(v4), MtuTo(v6)));
        SetOption(app, LinkOption.IpProtoIp, LinkOption.IpMtuDiscover, (int)MtuDiscovery.Do);
        Assert.Equal((1500, 65_555), (MtuTo(v4), MtuTo(v6)));
        SetOption(app, LinkOption.IpProtoIpV6, LinkOption.IpV6MtuDiscover, (int)MtuDiscovery.Do);
        SetOption(app, LinkOption.IpProtoIp, LinkOption.IpMtuDiscover, (int)MtuDiscovery.Dont);
        Assert.Equal((65_535, 65_515), (MtuTo(v4), MtuTo(v6)));
        SetOption(app, LinkOption.IpProtoIpV6, LinkOption.IpV6Mtu, 1300);
        Assert.Equal((65_535, 1280), (MtuTo(v4), MtuTo(v6)));

        int MtuTo(Sockaddr destination) => BitConverter.ToInt32(Ask(new PathRequest(1, app.Handle, destination)).Body.Span);
    }

    private void SetOption(App app, int level, int name, int value) =>
        Assert.Equal(0, Ask(new SetOptionRequest(1, app.Handle, level, name, BitConverter.GetBytes(value))).Error);

    private static byte[] Pattern(int size)
    {
        var bytes = new byte[size];
        new Random(size).NextBytes(bytes);
        return bytes;
    }

    private static List<(byte[] Bytes, IpEndpoint From)> Received(UdpSocket socket)
    {
        var all = new List<(byte[], IpEndpoint)>();
        while (socket.TryReceive(out var payload, out var from))
        {
            all.Add((payload.Span.ToArray(), from));
            payload.Release();
        }

        return all;
    }

    private static void Send(App app, ReadOnlySpan<byte> payload, IpEndpoint? to)
    {
        var message = new byte[DatagramHeader.Size + payload.Length];
        (to is { } endpoint ? Sockaddr.From(endpoint) : Sockaddr.None).WriteTo(message);
        payload.CopyTo(message.AsSpan(DatagramHeader.Size));
        Assert.Equal(message.Length, app.TryWrite(message));
    }

    private static (string Text, IpEndpoint From) Receive(App app)
    {
        var message = app.ReadMessage();
        Assert.NotNull(message);
        Assert.True(Sockaddr.TryRead(message, out var from));
        return (System.Text.Encoding.UTF8.GetString(message.AsSpan(DatagramHeader.Size)), from.Endpoint);
    }

    private static int ErrorIn(App app)
    {
        var message = app.ReadMessage();
        Assert.NotNull(message);
        Assert.Equal(DatagramHeader.Size, message.Length);
        return DatagramHeader.ReadError(message);
    }

    private UdpSocket Bind(ushort port)
    {
        Assert.Equal(StackError.None, Peer.Stack.Udp.Bind(new IpEndpoint(IpAddress.AnyV4, port), new UdpSocketOptions(), out var socket));
        return socket!;
    }

    private void Send(UdpSocket socket, ReadOnlySpan<byte> payload, IpEndpoint to)
    {
        var buffer = PeerPool.Rent(payload.Length, BufferPool.HeaderRoom);
        payload.CopyTo(buffer.Append(payload.Length));
        Assert.Equal(StackError.None, socket.Send(buffer, to, Peer.Now));
    }
}
