using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Udp;

/// <summary>What comes with a datagram, and what may be asked for one: addresses, hop limit, segments, reports of errors.</summary>
public sealed class UdpControlSpec : IDisposable
{
    private static readonly IpEndpoint Peer = new(StackHarness.PeerIp, 9);
    private readonly StackHarness _h = new();
    private readonly List<UdpSocket> _sockets = [];

    public UdpControlSpec() => _h.TeachPeer();

    public void Dispose()
    {
        _sockets.ForEach(static socket => socket.Close());
        _h.Dispose();
    }

    [Fact]
    public void A_datagram_comes_with_its_destination_hop_limit_and_traffic_class()
    {
        var socket = Bind();
        _h.Receive(Build.Udp(4000, 53, "a"u8));
        Assert.True(socket.TryReceive(out var payload, out _, out var info));
        payload.Release();
        Assert.Equal(StackHarness.OwnIp, info.Destination);
        Assert.Equal(StackHarness.OwnIp, info.Local);
        Assert.Equal(64, info.HopLimit);
        Assert.Null(info.Arrived);

        socket.ArrivalTimes = true;
        _h.Receive(Build.Udp(4000, 53, "dhcp"u8, destination: IpAddress.BroadcastV4, to: Tapwire.Stack.Interfaces.MacAddress.Broadcast));
        Assert.True(socket.TryReceive(out payload, out _, out info));
        payload.Release();
        Assert.Equal(IpAddress.BroadcastV4, info.Destination);
        Assert.Equal(StackHarness.OwnIp, info.Local);
        Assert.Equal(_h.Now, info.Arrived);
    }

    [Fact]
    public void What_the_socket_has_no_room_for_is_counted_in_what_follows()
    {
        var socket = Bind(new UdpSocketOptions { ReceiveBuffer = 2048 });
        for (var i = 0; i < 10; i++)
            _h.Receive(Build.Udp(4000, 53, new byte[1000]));
        var drops = Drain(socket, out _);
        Assert.Equal(0u, drops);
        _h.Receive(Build.Udp(4000, 53, "a"u8));
        Assert.True(socket.TryReceive(out var payload, out _, out var info));
        payload.Release();
        Assert.Equal((uint)_h.Counters.UdpRcvbufErrors, info.Drops);
        Assert.NotEqual(0u, info.Drops);
    }

    [Fact]
    public void One_datagram_may_have_another_source_hop_limit_and_traffic_class()
    {
        var second = IpAddress.Parse("10.0.0.7");
        _h.Stack.AddAddress(IpPrefix.Parse("10.0.0.7/24"), _h.Now);
        _h.Frames();
        var socket = Bind();
        var options = new UdpSendOptions { Source = second, HopLimit = 3, TrafficClass = 0x28 };
        Assert.Equal(StackError.None, socket.Send(_h.Payload(1), Peer, options, _h.Now));
        var frame = _h.Single();
        Assert.Equal(second, IpAddress.FromBytes(frame.AsSpan(26, 4)));
        Assert.Equal((3, 0x28), (frame[22], frame[15]));
        Assert.Equal(StackError.None, socket.Send(_h.Payload(1), Peer, new UdpSendOptions { Interface = 0 }, _h.Now));
        Assert.Equal(StackHarness.OwnIp, IpAddress.FromBytes(_h.Single().AsSpan(26, 4)));
        Assert.Equal(StackError.InvalidArgument, socket.Send(_h.Payload(1), Peer, new UdpSendOptions { Source = StackHarness.PeerIp }, _h.Now));
        Assert.Equal(StackError.NoSuchDevice, socket.Send(_h.Payload(1), Peer, new UdpSendOptions { Interface = 40 }, _h.Now));
        _h.Silent();
    }

    [Theory]
    [InlineData(3000, 1000, new[] { 1000, 1000, 1000 })]
    [InlineData(2500, 1472, new[] { 1472, 1028 })]
    [InlineData(1000, 1000, new[] { 1000 })]
    [InlineData(9, 2, new[] { 2, 2, 2, 2, 1 })]
    [InlineData(0, 2, new[] { 0 })]
    public void A_payload_is_cut_into_segments(int length, int size, int[] expected)
    {
        var socket = Bind();
        var payload = new byte[length];
        new Random(length).NextBytes(payload);
        Assert.Equal(StackError.None, socket.Send(_h.Payload(payload), Peer, new UdpSendOptions { SegmentSize = (ushort)size }, _h.Now));
        var frames = _h.Frames();
        Assert.Equal(expected, frames.Select(static frame => BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(38)) - UdpHeader.Length));
        Assert.Equal(payload, frames.SelectMany(static frame => frame[42..]).ToArray());
    }

    [Fact]
    public void Segments_obey_the_option_of_the_socket_and_its_limits()
    {
        var socket = Bind(new UdpSocketOptions { SegmentSize = 500 });
        Assert.Equal(StackError.None, socket.Send(_h.Payload(new byte[1400]), Peer, _h.Now));
        Assert.Equal(3, _h.Frames().Count);
        Assert.Equal(StackError.None, socket.Send(_h.Payload(new byte[1400]), Peer, new UdpSendOptions { SegmentSize = 0 }, _h.Now));
        _h.Single();
        Assert.Equal(StackError.InvalidArgument, socket.Send(_h.Payload(new byte[129]), Peer, new UdpSendOptions { SegmentSize = 1 }, _h.Now));
        Assert.Equal(StackError.MessageTooLong, socket.Send(_h.Payload(new byte[3000]), Peer, new UdpSendOptions { SegmentSize = 1473 }, _h.Now));
        _h.Silent();
    }

    [Fact]
    public void Who_asks_for_reports_hears_of_errors_without_being_connected()
    {
        var socket = Bind();
        Fail(socket, Icmpv4Header.Unreachable(Icmpv4Unreachable.Port));
        Assert.Equal(StackError.None, socket.TakeError());
        socket.ErrorReports = true;
        Fail(socket, Icmpv4Header.Unreachable(Icmpv4Unreachable.Port));
        Assert.Equal(StackError.ConnectionRefused, socket.TakeError());
        Assert.True(socket.TryTakeReport(out var report));
        Assert.Equal((StackError.ConnectionRefused, Peer, StackHarness.PeerIp, UdpErrorOrigin.Icmp), (report.Error, report.Destination, report.Offender, report.Origin));
        Assert.Equal((Icmpv4Type.DestinationUnreachable, Icmpv4Unreachable.Port), (report.Type, report.Code));
        Assert.Equal("hello"u8.ToArray(), report.Payload.ToArray());
        Assert.False(socket.TryTakeReport(out _));
        Fail(socket, new Icmpv4Header(Icmpv4Type.TimeExceeded, 0, 0));
        Assert.True(socket.TryTakeReport(out report));
        Assert.Equal((StackError.HostUnreachable, Icmpv4Type.TimeExceeded), (report.Error, report.Type));
    }

    [Fact]
    public void Reports_that_nobody_takes_are_bounded_and_counted()
    {
        var socket = Bind(new UdpSocketOptions { ErrorReports = true });
        Assert.Equal(StackError.None, socket.Send(_h.Payload("hello"u8.ToArray()), Peer, _h.Now));
        var frame = _h.Single();
        for (var i = 0; i < 70; i++)
            _h.Receive(Build.Icmp(Icmpv4Header.Unreachable(Icmpv4Unreachable.Port), frame.AsSpan(14)));
        Assert.Equal(6, _h.Counters.UdpErrorsDropped);
    }

    [Fact]
    public void A_path_mtu_that_a_router_names_is_kept_and_bounded()
    {
        var socket = Bind(new UdpSocketOptions { ErrorReports = true });
        Assert.Equal(StackError.None, socket.Connect(Peer));
        Fail(socket, new Icmpv4Header(Icmpv4Type.DestinationUnreachable, Icmpv4Unreachable.FragmentationNeeded, 1300));
        Assert.Equal(StackError.MessageTooLong, socket.TakeError());
        Assert.True(socket.TryTakeReport(out var report));
        Assert.Equal(1300, report.Mtu);
        Assert.Equal(StackError.None, _h.Stack.FindPath(Peer.Address, default, MtuDiscovery.Want, _h.Now, out var mtu, out var least));
        Assert.Equal((1300, 1300), (mtu, least));
        Assert.Equal(StackError.None, _h.Stack.FindPath(IpAddress.Parse("10.0.0.99"), default, MtuDiscovery.Want, _h.Now, out mtu, out _));
        Assert.Equal(1500, mtu);
        socket.MtuDiscovery = MtuDiscovery.Do;
        Assert.Equal(StackError.MessageTooLong, socket.Send(_h.Payload(new byte[1273]), null, _h.Now));
        Assert.True(socket.TryTakeReport(out report));
        Assert.Equal((UdpErrorOrigin.Local, 1300, 1273), (report.Origin, report.Mtu, report.Payload.Length));
        Assert.Equal(StackError.None, socket.Send(_h.Payload(new byte[1272]), null, _h.Now));
        _h.Single();
        Fail(socket, new Icmpv4Header(Icmpv4Type.DestinationUnreachable, Icmpv4Unreachable.FragmentationNeeded, 100));
        _h.Stack.FindPath(Peer.Address, default, MtuDiscovery.Want, _h.Now, out mtu, out _);
        Assert.Equal(552, mtu);
    }

    /// <summary>Sends "hello", and has it answered with an ICMP error.</summary>
    private void Fail(UdpSocket socket, Icmpv4Header error)
    {
        socket.TakeError();
        Assert.Equal(StackError.None, socket.Send(_h.Payload("hello"u8.ToArray()), Peer, _h.Now));
        _h.Receive(Build.Icmp(error, _h.Single().AsSpan(14)));
    }

    private static uint Drain(UdpSocket socket, out int count)
    {
        var drops = 0u;
        for (count = 0; socket.TryReceive(out var payload, out _, out var info); count++)
        {
            drops = Math.Max(drops, info.Drops);
            payload.Release();
        }

        return drops;
    }

    private UdpSocket Bind(UdpSocketOptions? options = null)
    {
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(new IpEndpoint(IpAddress.AnyV4, 53), options ?? new UdpSocketOptions(), out var socket));
        _sockets.Add(socket!);
        return socket!;
    }
}
