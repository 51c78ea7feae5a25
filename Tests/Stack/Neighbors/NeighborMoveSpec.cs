using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Neighbors;

/// <summary>A neighbour changes its hardware address under traffic, as in a fail-over: TCP does not wait for its time-out.</summary>
public sealed class NeighborMoveSpec : IDisposable
{
    private static readonly MacAddress Other = new(0x02_00_00_00_00_33);
    private static readonly IpEndpoint Peer = new(StackHarness.PeerIp, 80);

    private readonly StackHarness _h = new();

    public void Dispose() => _h.Dispose();

    [Fact]
    public void What_was_in_flight_to_the_old_station_is_sent_to_the_new_one_at_once()
    {
        var socket = Established();
        Assert.Equal(StackError.None, socket.Write(_h.Payload(1, 2, 3, 4), _h.Now));
        Assert.Single(Segments());
        _h.Advance(TimeSpan.FromSeconds(10));
        Assert.NotEmpty(Segments());
        Assert.InRange(Timeouts, 3, 8);
        var before = Timeouts;

        var (to, again) = Assert.Single(Moved());
        Assert.Equal((Other, TcpFlags.Psh | TcpFlags.Ack), (to, again.Flags));
        Assert.Equal(before + 1, Timeouts);
        socket.Abort(_h.Now);
        Segments();
    }

    [Fact]
    public void A_syn_is_sent_again_at_once()
    {
        Reach();
        Assert.Equal(StackError.None, _h.Stack.Tcp.Connect(Peer, default, default, _h.Now, out var socket));
        _h.Advance(TimeSpan.FromSeconds(4));
        Assert.NotEmpty(Segments());
        var (to, syn) = Assert.Single(Moved());
        Assert.Equal((Other, TcpFlags.Syn), (to, syn.Flags & TcpFlags.Syn));
        socket!.Abort(_h.Now);
        Segments();
    }

    [Fact]
    public void A_closed_window_is_probed_at_once()
    {
        var socket = Established(window: 0);
        Assert.Equal(StackError.None, socket.Write(_h.Payload(1, 2, 3, 4), _h.Now));
        _h.Advance(TimeSpan.FromSeconds(10));
        Segments();
        Assert.Equal(Other, Assert.Single(Moved()).To);
        socket.Abort(_h.Now);
        Segments();
    }

    [Fact]
    public void Connections_by_other_neighbours_and_idle_ones_send_nothing()
    {
        var socket = Established();
        Assert.Empty(Moved());
        Assert.Equal(StackError.None, socket.Write(_h.Payload(1, 2, 3, 4), _h.Now));
        Assert.Single(Segments());
        var third = IpAddress.Parse("10.0.0.3");
        _h.Receive(Build.Arp(new ArpPacket(ArpOperation.Request, StackHarness.PeerMac, third, default, StackHarness.OwnIp), MacAddress.Broadcast));
        _h.Frames();
        _h.Receive(Claim(third, Other));
        Assert.Empty(Segments());
        socket.Abort(_h.Now);
        Segments();
    }

    /// <summary>Retries are for a path that does not answer. A neighbour that moves again and again must not use them up, nor have us send without end.</summary>
    [Fact]
    public void Moving_without_end_does_not_end_the_connection()
    {
        var socket = Established();
        Assert.Equal(StackError.None, socket.Write(_h.Payload(1, 2, 3, 4), _h.Now));
        var sent = 0;
        for (var passed = 0; passed < 20_000; passed += 5)
        {
            // Without being asked: the entry becomes stale, and the next claim moves it.
            _h.Receive(Claim(StackHarness.PeerIp, passed % 10 == 0 ? Other : StackHarness.PeerMac));
            _h.Advance(TimeSpan.FromMilliseconds(5));
            sent += Segments().Count;
        }

        Assert.Equal(TcpState.Established, socket.State);
        Assert.InRange(sent, 10, 260);
        socket.Abort(_h.Now);
        Segments();
    }

    private long Timeouts => _h.Counters.Tcp.TcpExtTCPTimeouts;

    /// <summary>Lets the stack believe in the new station.</summary>
    /// <returns>The segments that it sends then.</returns>
    private List<(MacAddress To, TcpHeader Header)> Moved()
    {
        var segments = new List<(MacAddress, TcpHeader)>();
        for (var tries = 0; tries < 100 && _h.Stack.Neighbors[0].HardwareAddress != Other; tries++)
        {
            _h.Receive(Claim(StackHarness.PeerIp, Other));
            var asked = _h.Frames();
            segments = SegmentsOf(asked);
            if (asked.Any(frame => IsArp(frame) && MacAddress.FromBytes(frame) == MacAddress.Broadcast))
                _h.Receive(Build.Arp(new ArpPacket(ArpOperation.Reply, Other, StackHarness.PeerIp, StackHarness.OwnMac, StackHarness.OwnIp)));
            else
                _h.Advance(TimeSpan.FromMilliseconds(10));
        }

        Assert.Equal(Other, _h.Stack.Neighbors[0].HardwareAddress);
        return [.. segments, .. Segments()];
    }

    private TcpSocket Established(ushort window = 65535)
    {
        Reach();
        Assert.Equal(StackError.None, _h.Stack.Tcp.Connect(Peer, default, default, _h.Now, out var socket));
        var (_, syn) = Assert.Single(Segments());
        _h.Receive(Segment(new TcpHeader
        {
            SourcePort = Peer.Port, DestinationPort = syn.SourcePort, Sequence = 1000, Acknowledgment = syn.Sequence + 1,
            Flags = TcpFlags.Syn | TcpFlags.Ack, Window = window, Mss = 1460,
        }));
        Assert.Single(Segments());
        Assert.Equal(TcpState.Established, socket!.State);
        return socket;
    }

    private void Reach()
    {
        _h.TeachPeer();
        Assert.Equal(StackHarness.PeerMac, _h.Stack.Neighbors[0].HardwareAddress);
    }

    /// <summary>The TCP segments that the stack sends, with the station that each is sent to.</summary>
    private List<(MacAddress To, TcpHeader Header)> Segments() => SegmentsOf(_h.Frames());

    private static List<(MacAddress To, TcpHeader Header)> SegmentsOf(List<byte[]> frames)
    {
        var segments = new List<(MacAddress, TcpHeader)>();
        foreach (var frame in frames.Where(frame => !IsArp(frame)))
        {
            Assert.Equal(TcpParseResult.Ok, TcpHeader.TryParse(frame.AsSpan(EthernetHeader.Length + Ipv4Header.Length), out var header, out _));
            segments.Add((MacAddress.FromBytes(frame), header));
        }

        return segments;
    }

    private static byte[] Segment(TcpHeader header)
    {
        var segment = new byte[header.Length];
        header.Emit(segment);
        var sum = Checksum.PseudoHeader(StackHarness.PeerIp, StackHarness.OwnIp, IpProtocol.Tcp, segment.Length);
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(TcpHeader.ChecksumOffset), Checksum.Finish(Checksum.Sum(segment, sum)));
        return Build.Ipv4(IpProtocol.Tcp, segment);
    }

    private static bool IsArp(byte[] frame) => EthernetView.TryParse(frame, out var ethernet) && ethernet.EtherType == EtherType.Arp;

    private static byte[] Claim(IpAddress address, MacAddress hardware) =>
        Build.Arp(new ArpPacket(ArpOperation.Request, hardware, address, default, address), MacAddress.Broadcast);
}
