using System.Net;
using System.Net.Sockets;
using Tapwire.Posix;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Support;
using Tapwire.Wires.Udp;
using Xunit;

namespace Tapwire.Tests.Wires.Udp;

/// <summary>The host's own socket, over the loopback, whose datagrams have arrived when the call that sends them returns. All of 127.0.0.0/8 are its addresses.</summary>
[Collection(AloneCollection.Name)]
public sealed class UdpPortSpec : IDisposable
{
    private readonly UdpPort _port = UdpPort.Open(new UdpPortOptions(0));
    private readonly List<Socket> _peers = [];

    public void Dispose()
    {
        _port.Dispose();
        _peers.ForEach(static peer => peer.Dispose());
    }

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1")]
    [InlineData("127.0.0.1", "127.0.0.77")]
    [InlineData("::1", "::1")]
    public void It_says_where_a_datagram_has_come_to_and_answers_from_there(string host, string reached)
    {
        var peer = Peer(host);
        peer.SendTo("question"u8.ToArray(), new IPEndPoint(IPAddress.Parse(reached), _port.Port));
        Assert.True(_port.TryReceive());
        var path = _port.Latest.Path;
        Assert.Equal((IpAddress.Parse(host), IpAddress.Parse(reached)), (path.Remote.Address, path.Local));
        Assert.True(_port.TrySend(path, "answer"u8, 6));
        Assert.Equal((reached, "answer"), Receive(peer, out _));
        Assert.Equal(0, _port.Refused);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public void The_traffic_class_goes_both_ways(string host)
    {
        var peer = Peer(host);
        var isV4 = peer.AddressFamily == AddressFamily.InterNetwork;
        SetTrafficClass(peer, isV4, 0x8B);
        peer.SendTo("question"u8.ToArray(), new IPEndPoint(IPAddress.Parse(host), _port.Port));
        Assert.True(_port.TryReceive());
        Assert.Equal(0x8B, _port.Latest.Path.TrafficClass);
        // Several in one call have it, too, and so has each of them that comes.
        Assert.True(_port.TrySend(_port.Latest.Path with { TrafficClass = 2 }, new byte[30], 10));
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(host, Receive(peer, out var trafficClass).From);
            Assert.Equal(2, trafficClass);
        }
    }

    [Theory]
    [InlineData("127.0.0.1", "192.0.2.99")]
    [InlineData("::1", "2001:db8::99")]
    public void An_own_address_that_is_gone_is_left_to_the_host(string host, string gone)
    {
        var peer = Peer(host);
        var to = new IpEndpoint(IpAddress.Parse(host), (ushort)((IPEndPoint)peer.LocalEndPoint!).Port);
        Assert.True(_port.TrySend(new DatagramPath(to, IpAddress.Parse(gone)), new byte[25], 10));
        for (var i = 0; i < 3; i++)
            Assert.Equal(host, Receive(peer, out _).From);
        Assert.Equal(0, _port.Refused);
    }

    [Fact]
    public void A_port_that_only_sends_to_one_family_says_no_class_of_the_other()
    {
        using var v4 = UdpPort.Open(new UdpPortOptions(0) { Local = IpAddress.Parse("127.0.0.5") });
        var peer = Peer("127.0.0.1");
        Assert.True(v4.TrySend(new DatagramPath(new IpEndpoint(IpAddress.Parse("127.0.0.1"), (ushort)((IPEndPoint)peer.LocalEndPoint!).Port), default, 1), "x"u8, 1));
        Assert.Equal(("127.0.0.5", "x"), Receive(peer, out var trafficClass));
        Assert.Equal(1, trafficClass);
    }

    private Socket Peer(string host)
    {
        var address = IPAddress.Parse(host);
        var peer = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 10_000 };
        _peers.Add(peer);
        peer.Bind(new IPEndPoint(address, 0));
        var isV4 = address.AddressFamily == AddressFamily.InterNetwork;
        peer.SetRawSocketOption(isV4 ? Libc.IPPROTO_IP : Libc.IPPROTO_IPV6, isV4 ? Libc.IP_RECVTOS : Libc.IPV6_RECVTCLASS, BitConverter.GetBytes(1));
        return peer;
    }

    private static void SetTrafficClass(Socket socket, bool isV4, int value) =>
        socket.SetRawSocketOption(isV4 ? Libc.IPPROTO_IP : Libc.IPPROTO_IPV6, isV4 ? Libc.IP_TOS : Libc.IPV6_TCLASS, BitConverter.GetBytes(value));

    private static unsafe (string From, string Text) Receive(Socket peer, out byte trafficClass)
    {
        var bytes = stackalloc byte[100];
        var address = stackalloc byte[Sockaddr.Size];
        var control = stackalloc byte[DatagramControl.Room];
        var vector = new Libc.IoVector { Base = bytes, Length = 100 };
        var message = new Libc.MessageHeader { Name = address, NameLength = Sockaddr.Size, Vectors = &vector, VectorCount = 1, Control = control, ControlLength = DatagramControl.Room };
        var count = (int)Libc.recvmsg((int)peer.Handle, &message, Libc.MSG_DONTWAIT);
        Assert.True(count > 0, "Nothing has come.");
        var size = count;
        DatagramControl.Read(new ReadOnlySpan<byte>(control, (int)message.ControlLength), ref size, out _, out trafficClass);
        Assert.True(Sockaddr.TryRead(new Span<byte>(address, Sockaddr.Size), out var from));
        return ($"{from.Endpoint.Address}", System.Text.Encoding.ASCII.GetString(bytes, count));
    }
}
