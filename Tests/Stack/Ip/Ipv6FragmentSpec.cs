using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Ip;

/// <summary>Fragments of IPv6 (RFC 8200, 4.5; RFC 5722; RFC 6946; RFC 7112).</summary>
public sealed class Ipv6FragmentSpec : IDisposable
{
    private readonly StackHarness _h = BuildV6.Harness();
    private readonly UdpSocket _socket;
    private readonly byte[] _datagram;

    public Ipv6FragmentSpec()
    {
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(new IpEndpoint(default, 53), new(), out var socket));
        _socket = socket!;
        var payload = new byte[3000];
        new Random(1).NextBytes(payload);
        _datagram = BuildV6.UdpDatagram(4000, 53, payload);
    }

    public void Dispose() => _h.Dispose();

    [Theory]
    [InlineData(0, 1, 2)]
    [InlineData(2, 1, 0)]
    [InlineData(1, 0, 2)]
    public void A_datagram_is_made_whole_from_fragments_in_any_order(int first, int second, int third)
    {
        foreach (var part in (int[])[first, second, third])
            _h.Receive(Part(part));
        AssertArrived();
        Assert.Equal((3, 1), (_h.Counters.IpReasmReqds, _h.Counters.IpReasmOKs));
    }

    [Fact]
    public void A_datagram_that_overlaps_itself_is_dropped_whole()
    {
        _h.Receive(Part(0));
        _h.Receive(BuildV6.Fragment(17, 5, _datagram.AsSpan(992, 1000), 992, true));
        _h.Receive(Part(1));
        _h.Receive(Part(2));
        Assert.False(_socket.TryReceive(out _, out _));
        Assert.Equal(1, _h.Counters.IpReasmOverlaps);
    }

    [Fact]
    public void An_atomic_fragment_is_a_packet_of_its_own()
    {
        _h.Receive(Part(0)); // with the same identification
        _h.Receive(BuildV6.Fragment(17, 5, BuildV6.UdpDatagram(4000, 53, [9]), 0, false));
        Assert.True(_socket.TryReceive(out var payload, out _));
        Assert.Equal([9], payload.Span.ToArray());
        payload.Release();
        _h.Receive(Part(1));
        _h.Receive(Part(2));
        AssertArrived();
    }

    [Fact]
    public void A_fragment_that_is_no_multiple_of_eight_is_refused()
    {
        var (_, message) = BuildV6.ReadIcmp(_h.Exchange(BuildV6.Fragment(17, 5, _datagram.AsSpan(0, 1001), 0, true)));
        Assert.Equal((Icmpv6Type.ParameterProblem, Icmpv6ParameterProblem.Field, 4), (message[0], message[1], message[7]));
    }

    [Fact]
    public void A_fragment_beyond_the_longest_packet_is_refused()
    {
        var (_, message) = BuildV6.ReadIcmp(_h.Exchange(BuildV6.Fragment(17, 5, _datagram.AsSpan(0, 16), 65528, false)));
        Assert.Equal((Icmpv6Type.ParameterProblem, Icmpv6ParameterProblem.Field, 42), (message[0], message[1], message[7]));
    }

    [Fact]
    public void A_first_fragment_without_its_transport_header_is_refused()
    {
        // Destination options that go on into the second fragment.
        var (_, message) = BuildV6.ReadIcmp(_h.Exchange(BuildV6.Fragment(60, 5, Convert.FromHexString("1101010400000000"), 0, true)));
        Assert.Equal((Icmpv6Type.ParameterProblem, Icmpv6ParameterProblem.FirstFragment), (message[0], message[1]));
        _h.Receive(BuildV6.Fragment(6, 6, new byte[8], 0, true));
        Assert.Equal(2, _h.Counters.IpReasmMalformed);
    }

    [Fact]
    public void A_header_in_front_of_the_fragment_header_stays()
    {
        var parts = new List<byte[]>();
        for (var i = 0; i < 3; i++)
        {
            var fragment = Part(i)[14..];
            parts.Add(BuildV6.Packet(60, [44, .. Convert.FromHexString("00010400000000"), .. fragment[40..]]));
        }

        parts.ForEach(part => _h.Receive(part));
        AssertArrived();
    }

    [Fact]
    public void Neighbour_discovery_in_fragments_is_refused()
    {
        var solicitation = BuildV6.Solicitation(BuildV6.Own)[(14 + 40)..];
        var frame = BuildV6.Packet(44, [58, 0, 0, 0, 0, 0, 0, 1, .. solicitation], destination: BuildV6.Own.SolicitedNode, hopLimit: 255);
        _h.Receive(frame);
        _h.Silent();
        Assert.Equal(1, _h.Counters.NdpBadFormat);
    }

    [Fact]
    public void What_is_missing_for_too_long_is_reported()
    {
        _h.Receive(Part(0));
        _h.Advance(TimeSpan.FromSeconds(29));
        _h.Silent();
        _h.Advance(TimeSpan.FromSeconds(2));
        var (_, message) = BuildV6.ReadIcmp(_h.Single());
        Assert.Equal((Icmpv6Type.TimeExceeded, (byte)1), (message[0], message[1]));
    }

    [Theory]
    [InlineData(1453)]
    [InlineData(8000)]
    [InlineData(65507)]
    [InlineData(65527)]
    public void What_we_send_in_fragments_is_whole_at_another_stack(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        Assert.Equal(StackError.None, _socket.Send(_h.Payload(bytes), new IpEndpoint(BuildV6.Peer, 4000), _h.Now));
        var sent = _h.Frames();
        var identifications = new HashSet<uint>();
        var whole = new byte[length + 8];
        foreach (var frame in sent)
        {
            Assert.InRange(frame.Length, 15, 14 + 1500);
            var (header, payload) = BuildV6.Read(frame);
            Assert.Equal(Ipv6Extension.Fragment, header.NextHeader);
            Assert.True(Ipv6FragmentHeader.TryParse(payload, out var fragment));
            Assert.Equal((IpProtocol.Udp, frame != sent[^1]), (fragment.NextHeader, fragment.MoreFragments));
            identifications.Add(fragment.Identification);
            payload.AsSpan(8).CopyTo(whole.AsSpan(fragment.Offset));
        }

        Assert.Single(identifications);
        Assert.Equal(bytes, whole[8..]);
        Assert.Equal(0xFFFFu, Tapwire.Stack.Buffers.Checksum.Sum(whole, Tapwire.Stack.Buffers.Checksum.PseudoHeader(BuildV6.Own, BuildV6.Peer, 17, whole.Length)));
    }

    /// <summary>The length field does not count the header, so that they are 20 bytes longer than over IPv4.</summary>
    [Fact]
    public void No_datagram_is_longer_than_65527_bytes()
    {
        Assert.Equal(StackError.MessageTooLong, _socket.Send(_h.Payload(new byte[65528]), new IpEndpoint(BuildV6.Peer, 4000), _h.Now));
        Assert.Equal(StackError.MessageTooLong, _socket.Send(_h.Payload(new byte[65528]), new IpEndpoint(BuildV6.Peer, 4000), new UdpSendOptions { SegmentSize = 1000 }, _h.Now));
        _h.Silent();
    }

    private byte[] Part(int index)
    {
        var end = index == 2 ? _datagram.Length : (index + 1) * 1000;
        return BuildV6.Fragment(17, 5, _datagram.AsSpan(index * 1000, end - index * 1000), index * 1000, index != 2);
    }

    private void AssertArrived()
    {
        Assert.True(_socket.TryReceive(out var payload, out var from));
        Assert.Equal(new IpEndpoint(BuildV6.Peer, 4000), from);
        Assert.Equal(_datagram[8..], payload.Span.ToArray());
        payload.Release();
    }
}
