using Tapwire.Stack.Interfaces;
using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack;

public sealed class FlowSteeringSpec
{
    private const int Shards = 4;

    private readonly FlowSteering _steering = new(Shards, new byte[32]);

    [Fact]
    public void Ephemeral_ports_are_dealt_out_whoever_claims_them()
    {
        Assert.All(Enumerable.Range(EphemeralPorts.First, 100), port =>
        {
            Assert.Equal(port % Shards, Owner(Tcp(99, (ushort)port), here: 3));
            Assert.Equal(port % Shards, Owner(Build.Udp(99, (ushort)port, []), here: 3));
            Assert.Equal(port % Shards, _steering.ClaimTcp((ushort)port, 1));
            Assert.Equal(port % Shards, _steering.ClaimUdp((ushort)port, 1));
        });
    }

    [Fact]
    public void The_first_to_claim_a_port_has_it_for_good()
    {
        Assert.Equal(2, _steering.ClaimTcp(80, 2));
        Assert.Equal(2, _steering.ClaimTcp(80, 3));
        Assert.Equal(2, Owner(Tcp(1234, 80), here: 0));
        Assert.Equal(0, Owner(Build.Udp(1234, 80, []), here: 1));
        Assert.Equal(1, _steering.ClaimUdp(80, 1));
        Assert.Equal(1, Owner(Build.Udp(1234, 80, []), here: 0));
    }

    [Fact]
    public void A_spread_ports_segments_are_the_shards_to_which_they_come()
    {
        _steering.SpreadTcp(7);
        Assert.All(Enumerable.Range(0, Shards), here => Assert.Equal(here, Owner(Tcp(1234, 7), here)));
        Assert.Equal(0, _steering.ClaimTcp(7, 3));
    }

    [Fact]
    public void Between_own_addresses_a_spread_ports_connections_have_each_one_shard_and_all_shards_some()
    {
        _steering.SpreadTcp(7);
        var owners = Enumerable.Range(1000, 400).Select(port => _steering.OwnerOfOwn(Packet(Tcp((ushort)port, 7)), 0)).ToList();
        Assert.Equal(owners, Enumerable.Range(1000, 400).Select(port => _steering.OwnerOfOwn(Packet(Tcp((ushort)port, 7)), 0)));
        Assert.All(Enumerable.Range(0, Shards), shard => Assert.InRange(owners.Count(owner => owner == shard), 60, 140));
        _steering.ClaimTcp(80, 3);
        Assert.Equal(3, _steering.OwnerOfOwn(Packet(Tcp(1234, 80)), 0));
    }

    [Fact]
    public void An_error_is_the_shards_that_sent_the_packet_or_all_shards_where_that_cannot_be_known()
    {
        _steering.SpreadTcp(7);
        _steering.ClaimTcp(80, 3);
        Assert.Equal(3, Owner(Quoting(Tcp(80, 1234)), here: 1));
        Assert.Equal(40001 % Shards, Owner(Quoting(Build.Udp(40001, 53, [])), here: 2));
        Assert.Equal(FlowSteering.All, Owner(Quoting(Tcp(7, 1234)), here: 1));
        Assert.Equal(0, Owner(Quoting(Build.Icmp(Icmpv4Header.EchoRequest(1, 1), new byte[8])), here: 1));
    }

    [Fact]
    public void ARP_is_for_all_and_what_is_neither_TCP_nor_UDP_for_the_first()
    {
        Assert.Equal(FlowSteering.All, Owner(Build.Ethernet(EtherType.Arp, new byte[28]), here: 2));
        Assert.Equal(0, Owner(Build.Icmp(Icmpv4Header.EchoRequest(1, 1), []), here: 2));
        Assert.Equal(0, Owner(Build.Ipv4(132, new byte[20]), here: 2));
        Assert.Equal(0, Owner(Build.Ethernet(EtherType.Ipv6, new byte[60]), here: 2));
    }

    [Fact]
    public void R3_whatever_is_cut_off_or_nonsense_has_an_owner()
    {
        _steering.SpreadTcp(7);
        foreach (var whole in new[] { Tcp(1234, 7), Quoting(Tcp(7, 1234)), Build.Udp(1, 2, []), Build.Ethernet(EtherType.Arp, new byte[28]) })
        {
            for (var length = 0; length <= whole.Length; length++)
                Assert.InRange(Owner(whole[..length], here: 1), FlowSteering.All, Shards - 1);
        }

        var random = new Random(1);
        for (var i = 0; i < 20_000; i++)
        {
            var frame = Quoting(Tcp(7, 1234));
            for (var changes = random.Next(1, 6); changes > 0; changes--)
                frame[random.Next(12, frame.Length)] = (byte)random.Next(256);
            Assert.InRange(Owner(frame, here: 1), FlowSteering.All, Shards - 1);
        }
    }

    [Fact]
    public void Fragments_of_a_datagram_have_one_shard_and_those_of_all_datagrams_all()
    {
        var frame = Build.Udp(1234, 40001, new byte[4000]);
        var owners = Enumerable.Range(0, 400).Select(id => Assert.Single(Fragmented.Pieces(frame, 1480, (ushort)id).Select(piece => Owner(piece, here: id % Shards)).Distinct())).ToList();
        Assert.All(Enumerable.Range(0, Shards), shard => Assert.InRange(owners.Count(owner => owner == shard), 60, 140));
    }

    [Fact]
    public void An_error_about_a_fragment_is_the_shards_that_sent_the_datagram()
    {
        Assert.Equal(2, _steering.ClaimUdp(80, 2));
        Assert.Equal(2, Owner(Quoting(Fragmented.Pieces(Build.Udp(80, 9, new byte[4000]), 1480)[0]), here: 1));
    }

    private int Owner(byte[] frame, int here) => _steering.OwnerOfFrame(frame, Medium.Ethernet, here);

    private static byte[] Packet(byte[] frame) => frame[EthernetHeader.Length..];

    private static byte[] Tcp(ushort from, ushort to)
    {
        var segment = new byte[20];
        BinaryPrimitives.WriteUInt16BigEndian(segment, from);
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(2), to);
        segment[12] = 0x50;
        return Build.Ipv4(IpProtocol.Tcp, segment);
    }

    /// <summary>A "port unreachable" about a frame.</summary>
    private static byte[] Quoting(byte[] frame)
    {
        var message = new byte[Icmpv4Header.Length + frame.Length - EthernetHeader.Length];
        message[0] = Icmpv4Type.DestinationUnreachable;
        message[1] = 3;
        Packet(frame).CopyTo(message, Icmpv4Header.Length);
        return Build.Ipv4(IpProtocol.Icmp, message);
    }
}
