using Tapwire.Stack;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Dhcp.V6;

/// <summary>Port 546 of an interface that has no address but the link-local one that it gets for this.</summary>
public sealed class Dhcp6SocketSpecs : IDisposable
{
    private static readonly IpAddress Server = IpAddress.Parse("fe80::99");

    private readonly StackHarness _h = new(address: false);
    private readonly Dhcp6Socket _socket;

    public Dhcp6SocketSpecs()
    {
        _socket = _h.Stack.OpenDhcp6(_h.Stack.Interfaces[0], _h.Now)!;
        _h.Advance(TimeSpan.FromSeconds(3));
        _h.Frames();
    }

    private static IpAddress Own => StackHarness.OwnMac.LinkLocal;

    public void Dispose() => _h.Dispose();

    [Fact]
    public void A_message_goes_from_the_link_local_address_to_all_servers()
    {
        _socket.Send([1, 2, 3], _h.Now);
        var frame = _h.Single();
        Assert.Equal("333300010002" + "020000000001" + "86DD", Convert.ToHexString(frame.AsSpan(0, 14)));
        var (header, datagram) = BuildV6.Read(frame);
        Assert.Equal((Own, IpAddress.Parse("ff02::1:2"), 1), (header.Source, header.Destination, header.HopLimit));
        Assert.Equal("02220223000B", Convert.ToHexString(datagram.AsSpan(0, 6)));
        Assert.Equal(0xFFFFu, Tapwire.Stack.Buffers.Checksum.Sum(datagram, Tapwire.Stack.Buffers.Checksum.PseudoHeader(header.Source, header.Destination, IpProtocol.Udp, datagram.Length)));
        Assert.Equal([1, 2, 3], datagram[8..]);
    }

    [Fact]
    public void Without_a_link_local_address_nothing_is_sent()
    {
        Assert.True(_h.Stack.RemoveAddress(Own, _h.Now));
        _h.Frames();
        _socket.Send([1, 2, 3], _h.Now);
        _h.Silent();
        Assert.Equal(1, _h.Counters.IpOutNoRoutes);
    }

    [Fact]
    public void What_comes_from_port_547_to_the_link_local_address_is_taken_with_its_sender()
    {
        _h.Receive(Frame([1, 2, 3]));
        Assert.True(_h.Stack.TryDequeueEvent(out var socket, out _));
        Assert.Same(_socket, socket);
        Assert.True(_socket.TryReceive(out var message, out var source));
        Assert.Equal([1, 2, 3], message.ToArray());
        Assert.Equal(Server, source);
        Assert.False(_socket.TryReceive(out _));
    }

    [Fact]
    public void Other_ports_and_addresses_are_none_of_its_business()
    {
        BuildV6.Add(_h, "fd00::1/64");
        _h.Receive(Frame([1], from: 546));
        _h.Receive(Frame([1], to: 547));
        _h.Receive(Frame([1], destination: IpAddress.Parse("fd00::1")));
        Assert.Equal(3, _h.Counters.UdpNoPorts);
        _h.Receive(Frame([1], destination: IpAddress.AllNodes));
        Assert.False(_socket.TryReceive(out _));
        _h.Frames();
    }

    [Fact]
    public void What_is_malformed_is_dropped_and_counted()
    {
        var badSum = Frame([1, 2, 3]);
        badSum[60] ^= 1;
        _h.Receive(badSum);
        var noSum = Frame([1, 2, 3]);
        noSum.AsSpan(60, 2).Clear();
        _h.Receive(noSum);
        Assert.Equal(2, _h.Counters.UdpInCsumErrors);
        var tooLong = Frame([1, 2, 3]);
        tooLong[59] = 200;
        _h.Receive(tooLong);
        var tooShort = Frame([1, 2, 3]);
        tooShort[59] = 7;
        _h.Receive(tooShort);
        Assert.Equal(2, _h.Counters.UdpInBadLength);
        Assert.False(_socket.TryReceive(out _));
    }

    [Fact]
    public void Only_so_many_messages_wait_and_a_long_one_is_cut()
    {
        for (var i = 0; i < 20; i++)
            _h.Receive(Frame(new byte[1400]));
        Assert.Equal(4, _h.Counters.UdpRcvbufErrors);
        for (var i = 0; i < 16; i++)
            Assert.True(_socket.TryReceive(out _));
        _h.Receive(Frame(new byte[9000]));
        Assert.True(_socket.TryReceive(out var cut));
        Assert.Equal(Dhcp6.MaxLength + 1, cut.Length);
    }

    [Fact]
    public void An_interface_has_one_and_after_its_end_all_is_as_before()
    {
        var only = _h.Stack.Interfaces[0];
        Assert.Null(_h.Stack.OpenDhcp6(only, _h.Now));
        _socket.Close();
        _h.Receive(Frame([1, 2, 3]));
        Assert.Equal(1, _h.Counters.UdpNoPorts);
        Assert.NotNull(_h.Stack.OpenDhcp6(only, _h.Now));
        Assert.Single(only.Addresses);
        Assert.Null(_h.Stack.OpenDhcp6(_h.Stack.AddInterface(new InterfaceOptions { Medium = Medium.Ip })!, _h.Now));
        Assert.Null(_h.Stack.OpenDhcp6(_h.Stack.AddInterface(new InterfaceOptions { Mtu = 1279, HardwareAddress = MacAddress.Parse("02:00:00:00:00:77") })!, _h.Now));
        _h.Frames();
    }

    private static byte[] Frame(byte[] message, ushort from = 547, ushort to = 546, IpAddress? destination = null)
    {
        var datagram = new byte[UdpHeader.Length + message.Length];
        new UdpHeader(from, to, (ushort)message.Length).Emit(datagram);
        message.CopyTo(datagram, UdpHeader.Length);
        var receiver = destination ?? Own;
        return BuildV6.Packet(IpProtocol.Udp, BuildV6.Transport(IpProtocol.Udp, datagram, UdpHeader.ChecksumOffset, Server, receiver), Server, receiver);
    }
}
