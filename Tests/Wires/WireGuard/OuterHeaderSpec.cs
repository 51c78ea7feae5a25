using Tapwire.Stack.Ip;
using Tapwire.Wires.WireGuard;
using Xunit;

namespace Tapwire.Tests.Wires.WireGuard;

/// <summary>The outer IP header of messages: its ECN field and DSCP, and from where they leave.</summary>
public sealed class OuterHeaderSpec : IDisposable
{
    private readonly WireGuardNetwork _net = new();

    public void Dispose() => _net.Dispose();

    [Fact]
    public void Handshakes_are_AF41_and_the_DSCP_of_a_packet_stays_inside()
    {
        var (a, b) = _net.Pair();
        Send(a, 0xB8);
        _net.RunSeconds(1);
        Send(a, 0xBA);
        _net.RunSeconds(12);
        Assert.Equal([(1, 0x88), (2, 0x88), (4, 0), (4, 2), (4, 0)], _net.Sent.Select(static each => ((int)each.Type, (int)each.TrafficClass)));
        Assert.Equal([0xB8, 0xBA], b.Packets.Select(static each => (int)each[1]));
    }

    [Theory]
    [InlineData(2, 3)]
    [InlineData(1, 3)]
    [InlineData(3, 3)]
    [InlineData(0, 0)]
    public void A_mark_of_a_router_on_the_way_is_seen_inside(byte sent, byte received)
    {
        var (a, b) = _net.Pair();
        Send(a, 0);
        _net.RunSeconds(1);
        _net.Passes = datagram =>
        {
            b.Take(datagram with { TrafficClass = (byte)(datagram.TrafficClass | 3) });
            return false;
        };
        Send(a, sent);
        Assert.Equal(received, b.Packets[^1][1]);
        // Without a mark on the way it comes as it went.
        _net.Passes = static _ => true;
        Send(a, sent);
        _net.RunSeconds(1);
        Assert.Equal(sent, b.Packets[^1][1]);
    }

    [Fact]
    public void Answers_leave_from_the_address_at_which_the_peer_has_reached_us()
    {
        var (a, b) = _net.Pair();
        Send(a, 0);
        _net.RunSeconds(1);
        Assert.Equal(default, _net.Sent[0].AskedSource);
        Assert.All(_net.Sent.Where(each => each.From == b.Address), each => Assert.Equal(b.Address.Address, each.AskedSource));
        Assert.Equal(a.Address.Address, a.Peer.Local);

        // It reaches us at another one: so do our answers leave from that.
        var other = IpAddress.Parse("192.0.2.99");
        _net.Passes = datagram =>
        {
            if (datagram.To == b.Address)
                b.TakeAt(datagram, other);
            return datagram.To != b.Address;
        };
        Send(a, 0);
        b.Send("10.0.0.2", "10.0.0.1");
        Assert.Equal(other, _net.Sent[^1].AskedSource);
        // A forged message does not change that.
        b.TakeAt(_net.Sent[^1] with { Bytes = new byte[148] }, IpAddress.Parse("192.0.2.66"));
        Assert.Equal(other, b.Peer.Local);
    }

    [Fact]
    public void An_address_that_leads_nowhere_is_given_up_with_the_next_handshake()
    {
        var (a, b) = _net.Pair();
        Send(a, 0);
        _net.RunSeconds(1);
        Assert.NotEqual(default, a.Peer.Local);
        _net.Passes = static _ => false;
        Send(a, 0);
        _net.RunSeconds(20);
        Assert.Equal(default, a.Peer.Local);
        Assert.Equal(default, _net.Sent.Last(each => each.From == a.Address).AskedSource);
        // And where the peer is said to be elsewhere.
        _net.Passes = static _ => true;
        _net.RunSeconds(20);
        Assert.NotEqual(default, a.Peer.Local);
        a.Engine.SetEndpoint(a.Peer, new IpEndpoint(IpAddress.Parse("192.0.2.2"), 1), a.Now);
        Assert.Equal(default, a.Peer.Local);
        Assert.NotNull(b.Peer.LastHandshake);
    }

    private void Send(WireGuardEnd from, byte trafficClass)
    {
        var packet = InnerPackets.Make("10.0.0.1", "10.0.0.2", 10);
        packet[1] = trafficClass;
        var sum = Tapwire.Stack.Buffers.Checksum.Finish(Tapwire.Stack.Buffers.Checksum.Sum(packet.AsSpan(0, 20)));
        (packet[10], packet[11]) = ((byte)(sum >> 8), (byte)sum);
        var buffer = _net.Pool.RentCopy(packet);
        from.Engine.Send(buffer, from.Now);
        buffer.Release();
    }
}
