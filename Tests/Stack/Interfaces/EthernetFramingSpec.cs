using Tapwire.Stack;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Interfaces;

public sealed class EthernetFramingSpec : IDisposable
{
    private readonly StackHarness _h = new();

    public void Dispose() => _h.Dispose();

    [Fact]
    public void Frames_shorter_than_a_header_are_dropped()
    {
        for (var length = 0; length < EthernetHeader.Length; length++)
            _h.Receive(new byte[length]);
        _h.Silent();
        Assert.Equal(EthernetHeader.Length, _h.Counters.EthernetTooShort);
    }

    [Fact]
    public void Frames_to_another_station_are_dropped()
    {
        _h.Receive(Build.Icmp(Icmpv4Header.EchoRequest(1, 1), [], to: new MacAddress(0x02_00_00_00_00_99)));
        _h.Silent();
        Assert.Equal(1, _h.Counters.EthernetOtherHost);
    }

    [Fact]
    public void Frames_from_a_group_or_from_ourselves_are_dropped()
    {
        _h.Receive(Build.Ethernet(EtherType.Ipv4, new byte[20], from: MacAddress.Broadcast));
        _h.Receive(Build.Ethernet(EtherType.Ipv4, new byte[20], from: StackHarness.OwnMac));
        Assert.Equal(2, _h.Counters.EthernetBadSource);
    }

    [Fact]
    public void Tagged_and_unknown_frames_are_counted_by_reason()
    {
        _h.Receive(Build.Ethernet(EtherType.Vlan, new byte[46]));
        _h.Receive(Build.Ethernet(EtherType.ServiceVlan, new byte[46]));
        _h.Receive(Build.Ethernet(0x88CC, new byte[46]));
        _h.Silent();
        Assert.Equal(2, _h.Counters.EthernetVlanTagged);
        Assert.Equal(1, _h.Counters.EthernetUnknownType);
    }

    [Fact]
    public void Packets_to_a_group_go_to_its_hardware_address()
    {
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(default, new() { Broadcast = true }, out var socket));
        Assert.Equal(StackError.None, socket!.Send(_h.Payload(1), new IpEndpoint(IpAddress.BroadcastV4, 67), _h.Now));
        Assert.Equal(StackError.None, socket.Send(_h.Payload(1), new IpEndpoint(IpAddress.Parse("10.0.0.255"), 67), _h.Now));
        Assert.Equal(StackError.None, socket.Send(_h.Payload(1), new IpEndpoint(IpAddress.Parse("239.129.2.3"), 67), _h.Now));
        var frames = _h.Frames();
        Assert.Equal(
            ["ff:ff:ff:ff:ff:ff", "ff:ff:ff:ff:ff:ff", "01:00:5e:01:02:03"], frames.Select(f => MacAddress.FromBytes(f).ToString()));
    }

    [Fact]
    public void On_a_raw_ip_link_frames_begin_with_the_ip_header()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { Medium = Medium.Ip }] });
        var request = Build.Icmp(Icmpv4Header.EchoRequest(1, 1), [7, 8, 9])[EthernetHeader.Length..];
        var reply = h.Exchange(request);
        Assert.True(Ipv4View.TryParse(reply, out var header));
        Assert.Equal(StackHarness.PeerIp.V4, header.Destination);
        Assert.Equal(0, reply[20]);
        Assert.Equal(new byte[] { 7, 8, 9 }, reply[28..]);
        h.Receive([]);
        h.Receive([0x60, 0, 0]);
        h.Receive([0x15, 0, 0]);
        Assert.Equal((2, 1), (h.Counters.IpInTruncated, h.Counters.IpInBadVersion));
    }
}
