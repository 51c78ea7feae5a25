using Tapwire.Stack;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Dhcp;

/// <summary>Port 68 of an interface that has no address, frame by frame.</summary>
public sealed class DhcpSocketSpecs : IDisposable
{
    private static readonly IpAddress Offered = IpAddress.Parse("192.0.2.50");

    private readonly StackHarness _h = new(address: false);
    private readonly DhcpSocket _socket;

    public DhcpSocketSpecs() => _socket = _h.Stack.OpenDhcp(_h.Stack.Interfaces[0])!;

    public void Dispose() => _h.Dispose();

    [Fact]
    public void A_message_leaves_from_no_address_to_all_stations()
    {
        _socket.Send([1, 2, 3], IpAddress.AnyV4, IpAddress.BroadcastV4, _h.Now);
        var frame = _h.Single();
        Assert.Equal("FFFFFFFFFFFF0200000000010800", Convert.ToHexString(frame.AsSpan(0, 14)));
        Assert.Equal("00000000FFFFFFFF", Convert.ToHexString(frame.AsSpan(26, 8)));
        Assert.Equal(0xFFFFu, Tapwire.Stack.Buffers.Checksum.Sum(frame.AsSpan(14, 20)));
        var udp = frame.AsSpan(34);
        Assert.Equal("00440043000B", Convert.ToHexString(udp[..6]));
        Assert.Equal(0xFFFFu, Tapwire.Stack.Buffers.Checksum.Sum(udp, Tapwire.Stack.Buffers.Checksum.PseudoHeader(IpAddress.AnyV4, IpAddress.BroadcastV4, IpProtocol.Udp, udp.Length)));
    }

    [Fact]
    public void A_message_to_a_server_goes_by_routes_from_the_own_address()
    {
        Assert.Equal(StackError.None, _h.Stack.AddAddress(IpPrefix.Parse("10.0.0.1/24"), _h.Now));
        _h.Frames();
        _socket.Send([1, 2, 3], StackHarness.OwnIp, StackHarness.PeerIp, _h.Now);
        Assert.Equal("0806", Convert.ToHexString(_h.Single().AsSpan(12, 2)));
        Assert.Equal(0, _h.Counters.IpOutNoRoutes);
    }

    [Theory]
    [InlineData("255.255.255.255")]
    [InlineData("192.0.2.50")]
    [InlineData("192.0.2.255")]
    public void What_a_server_sends_is_taken_whatever_its_destination(string destination)
    {
        _h.Receive(Frame([1, 2, 3], destination: destination));
        Assert.True(_h.Stack.TryDequeueEvent(out var socket, out _));
        Assert.Same(_socket, socket);
        Assert.True(_socket.TryReceive(out var message));
        Assert.Equal([1, 2, 3], message.ToArray());
        Assert.False(_socket.TryReceive(out _));
    }

    [Fact]
    public void Other_ports_are_none_of_its_business()
    {
        _h.Receive(Frame([1], from: 66));
        _h.Receive(Frame([1], to: 69));
        Assert.False(_socket.TryReceive(out _));
        Assert.Equal(2, _h.Counters.UdpNoPorts + _h.Counters.IpInAddrErrors);
    }

    [Fact]
    public void What_is_malformed_is_dropped_and_counted()
    {
        var badSum = Frame([1, 2, 3]);
        badSum[41] ^= 1;
        _h.Receive(badSum);
        Assert.Equal(1, _h.Counters.UdpInCsumErrors);
        var tooLong = Frame([1, 2, 3]);
        tooLong[39] = 200;
        _h.Receive(tooLong);
        var tooShort = Frame([1, 2, 3]);
        tooShort[39] = 7;
        _h.Receive(tooShort);
        Assert.Equal(2, _h.Counters.UdpInBadLength);
        foreach (var source in new[] { "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255" })
            _h.Receive(Frame([1], source: source));
        Assert.Equal(4, _h.Counters.IpInMartianSource);
        Assert.False(_socket.TryReceive(out _));
    }

    [Fact]
    public void Only_so_many_messages_wait_and_a_long_one_is_cut()
    {
        for (var i = 0; i < 20; i++)
            _h.Receive(Frame(new byte[1400], destination: "192.0.2.50"));
        Assert.Equal(4, _h.Counters.UdpRcvbufErrors);
        for (var i = 0; i < 16; i++)
            Assert.True(_socket.TryReceive(out _));
        Assert.False(_socket.TryReceive(out _));
        _h.Receive(Frame(new byte[9000]));
        Assert.True(_socket.TryReceive(out var cut));
        Assert.Equal(DhcpMessage.MaxLength + 1, cut.Length);
    }

    [Fact]
    public void A_probe_asks_for_an_address_without_having_one()
    {
        _socket.Probe(Offered);
        Assert.Equal("FFFFFFFFFFFF0200000000010806" + "0001080006040001" + "02000000000100000000" + "000000000000" + "C0000232", Convert.ToHexString(_h.Single()));
    }

    [Theory]
    [InlineData(ArpOperation.Reply, "192.0.2.50", "0.0.0.0", true)]
    [InlineData(ArpOperation.Request, "192.0.2.50", "192.0.2.1", true)]
    [InlineData(ArpOperation.Request, "0.0.0.0", "192.0.2.50", true)]
    [InlineData(ArpOperation.Request, "192.0.2.1", "192.0.2.50", false)]
    [InlineData(ArpOperation.Reply, "192.0.2.51", "0.0.0.0", false)]
    public void Whoever_has_it_or_asks_for_it_in_the_same_way_is_told(ArpOperation operation, string sender, string target, bool claims)
    {
        _socket.Probe(Offered);
        _h.Frames();
        _h.Receive(Arp(operation, StackHarness.PeerMac, sender, target));
        _h.Receive(Arp(ArpOperation.Request, StackHarness.OwnMac, "0.0.0.0", "192.0.2.50"));
        Assert.Equal(claims, _socket.TryTakeClaim(out var address, out var by));
        if (claims)
            Assert.Equal((Offered, StackHarness.PeerMac), (address, by));
        Assert.False(_socket.TryTakeClaim(out _, out _));
    }

    [Fact]
    public void An_interface_has_one_and_after_its_end_all_is_as_before()
    {
        Assert.Null(_h.Stack.OpenDhcp(_h.Stack.Interfaces[0]));
        _socket.Close();
        _h.Receive(Frame([1, 2, 3], destination: "192.0.2.50"));
        Assert.Equal(1, _h.Counters.IpInAddrErrors);
        Assert.NotNull(_h.Stack.OpenDhcp(_h.Stack.Interfaces[0]));
        var raw = _h.Stack.AddInterface(new InterfaceOptions { Medium = Medium.Ip })!;
        Assert.Null(_h.Stack.OpenDhcp(raw));
    }

    [Fact]
    public void The_longest_packet_may_be_shorter_than_the_options_have_but_not_longer()
    {
        var only = _h.Stack.Interfaces[0];
        only.MtuLimit = 1400;
        Assert.Equal((1400, 1400), (only.Mtu, only.SuperFrame));
        only.MtuLimit = 9000;
        Assert.Equal(1500, only.Mtu);
        only.MtuLimit = 0;
        Assert.Equal(68, only.Mtu);
    }

    private static byte[] Frame(byte[] message, string source = "192.0.2.1", string destination = "255.255.255.255", ushort from = 67, ushort to = 68)
    {
        var (sender, receiver) = (IpAddress.Parse(source), IpAddress.Parse(destination));
        var frame = new byte[42 + message.Length];
        new EthernetHeader(receiver.IsLimitedBroadcast ? MacAddress.Broadcast : StackHarness.OwnMac, StackHarness.PeerMac, EtherType.Ipv4).Emit(frame);
        new Ipv4Header { Source = sender, Destination = receiver, Protocol = IpProtocol.Udp, HopLimit = 64, PayloadLength = (ushort)(8 + message.Length) }.Emit(frame.AsSpan(14));
        var udp = frame.AsSpan(34);
        new UdpHeader(from, to, (ushort)message.Length).Emit(udp);
        message.CopyTo(udp[8..]);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(udp[6..],
            Tapwire.Stack.Buffers.Checksum.Finish(Tapwire.Stack.Buffers.Checksum.Sum(udp, Tapwire.Stack.Buffers.Checksum.PseudoHeader(sender, receiver, IpProtocol.Udp, udp.Length))));
        return frame;
    }

    private static byte[] Arp(ArpOperation operation, MacAddress hardware, string sender, string target)
    {
        var frame = new byte[42];
        new EthernetHeader(MacAddress.Broadcast, hardware == StackHarness.OwnMac ? new MacAddress(0x02_00_00_00_00_77) : hardware, EtherType.Arp).Emit(frame);
        new ArpPacket(operation, hardware, IpAddress.Parse(sender), default, IpAddress.Parse(target)).Emit(frame.AsSpan(14));
        return frame;
    }
}
