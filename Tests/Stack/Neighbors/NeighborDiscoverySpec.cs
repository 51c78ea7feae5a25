using Tapwire.Stack;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Neighbors;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Neighbors;

/// <summary>IPv6 neighbour discovery (RFC 4861, 7) and duplicate address detection (RFC 4862, 5.4; RFC 4429).</summary>
public sealed class NeighborDiscoverySpec
{
    private static readonly MacAddress Other = new(0x02_00_00_00_00_03);
    private static readonly IpAddress LinkLocal = StackHarness.OwnMac.LinkLocal;

    [Fact]
    public void A_new_address_brings_a_link_local_one_and_both_are_asked_for_once()
    {
        using var h = new StackHarness();
        BuildV6.Add(h, "fd00::1/64");
        Assert.Equal(["10.0.0.1/24", $"{LinkLocal}/64", "fd00::1/64"], h.Stack.Addresses.Select(a => a.ToString()));
        var probes = h.Frames().ConvertAll(BuildV6.ReadIcmp);
        Assert.Equal([LinkLocal, BuildV6.Own], probes.Select(Target));
        Assert.All(probes, probe =>
        {
            Assert.Equal((IpAddress.Unspecified, Target(probe).SolicitedNode, 255), (probe.Header.Source, probe.Header.Destination, probe.Header.HopLimit));
            Assert.Equal(NdpOption.Nonce, probe.Message[24]); // and no address of ours (RFC 4861, 4.3)
            Assert.Equal(32, probe.Message.Length);
        });
        h.Advance(TimeSpan.FromMilliseconds(999));
        h.Silent();
        h.Advance(TimeSpan.FromMilliseconds(2));
        Assert.All(h.Frames().ConvertAll(BuildV6.ReadIcmp), announced =>
        {
            Assert.Equal((Icmpv6Type.NeighborAdvertisement, NeighborMessage.Override), (announced.Message[0], announced.Message[4]));
            Assert.Equal(IpAddress.AllNodes, announced.Header.Destination);
        });
        h.Advance(TimeSpan.FromHours(1));
        h.Silent();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_address_that_another_station_has_or_wants_is_given_up(bool has)
    {
        using var h = new StackHarness();
        BuildV6.Add(h, "fd00::1/64");
        h.Frames();
        h.Receive(has
            ? BuildV6.Advertisement(BuildV6.Own, NeighborMessage.Override, Other, IpAddress.AllNodes)
            : BuildV6.Neighbor(new NeighborMessage(Icmpv6Type.NeighborSolicitation, 0, BuildV6.Own), BuildV6.Option(NdpOption.Nonce, Other), IpAddress.Unspecified, BuildV6.Own.SolicitedNode));
        Assert.DoesNotContain(h.Stack.Addresses, a => a.Address == BuildV6.Own);
        Assert.True(h.Stack.TryTakeDuplicate(out var duplicate));
        Assert.Equal((BuildV6.Own, has ? Other : default), (duplicate.Address, duplicate.Holder));
        Assert.False(h.Stack.TryTakeDuplicate(out _));
        Assert.Equal(1, h.Counters.NdpDuplicateAddresses);
        h.Advance(TimeSpan.FromSeconds(5));
        Assert.DoesNotContain(h.Frames().ConvertAll(BuildV6.ReadIcmp), frame => Target(frame) == BuildV6.Own);
    }

    [Fact]
    public void Our_own_question_that_comes_back_by_a_loop_is_no_conflict()
    {
        using var h = new StackHarness();
        BuildV6.Add(h, "fd00::1/64");
        foreach (var probe in h.Frames())
        {
            StackHarness.PeerMac.CopyTo(probe.AsSpan(6)); // or the frame would be dropped as one of ours
            h.Receive(probe);
        }

        h.Advance(TimeSpan.FromSeconds(3));
        Assert.Contains(h.Stack.Addresses, a => a.Address == BuildV6.Own);
        Assert.Equal(0, h.Counters.NdpAddressConflicts);
    }

    [Fact]
    public void An_optimistic_address_is_used_and_overrides_nothing()
    {
        using var h = new StackHarness();
        BuildV6.Add(h, "fd00::1/64");
        h.Frames();
        var (_, answer) = BuildV6.ReadIcmp(h.Exchange(BuildV6.Solicitation(BuildV6.Own)));
        Assert.Equal(NeighborMessage.Solicited, answer[4]);
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out var socket));
        Assert.Equal(StackError.None, socket!.Send(h.Payload(1), new IpEndpoint(IpAddress.Parse("fd00::77"), 9), h.Now));
        var (header, question) = BuildV6.ReadIcmp(h.Single());
        Assert.Equal((BuildV6.Own, Icmpv6Type.NeighborSolicitation, 24), (header.Source, question[0], question.Length)); // without our hardware address (RFC 4429, 3.2)
    }

    [Fact]
    public void A_unique_address_is_defended()
    {
        using var h = BuildV6.Harness();
        var frame = h.Exchange(BuildV6.Neighbor(
            new NeighborMessage(Icmpv6Type.NeighborSolicitation, 0, BuildV6.Own), BuildV6.Option(NdpOption.Nonce, Other), IpAddress.Unspecified, BuildV6.Own.SolicitedNode));
        var (header, message) = BuildV6.ReadIcmp(frame);
        Assert.Equal((IpAddress.AllNodes, NeighborMessage.Override, "33:33:00:00:00:01"), (header.Destination, message[4], MacAddress.FromBytes(frame).ToString()));
        h.Receive(BuildV6.Advertisement(BuildV6.Own, NeighborMessage.Override, Other, IpAddress.AllNodes));
        Assert.Contains(h.Stack.Addresses, a => a.Address == BuildV6.Own);
        Assert.Equal(2, h.Counters.NdpAddressConflicts);
    }

    [Fact]
    public void A_question_is_answered_and_the_asker_remembered()
    {
        using var h = BuildV6.Harness();
        var frame = h.Exchange(BuildV6.Solicitation(BuildV6.Own));
        var (header, message) = BuildV6.ReadIcmp(frame);
        Assert.Equal((BuildV6.Own, BuildV6.Peer, 255), (header.Source, header.Destination, header.HopLimit));
        Assert.Equal((Icmpv6Type.NeighborAdvertisement, NeighborMessage.Solicited | NeighborMessage.Override), (message[0], message[4]));
        Assert.Equal(StackHarness.OwnMac, NdpOption.FindHardware(message.AsSpan(24), NdpOption.TargetLinkLayerAddress));
        Assert.Equal(StackHarness.PeerMac, MacAddress.FromBytes(frame));
        Assert.Equal(NeighborState.Stale, h.StateOf(BuildV6.Peer));
    }

    [Fact]
    public void A_neighbour_is_asked_for_and_what_waits_is_sent_when_it_answers()
    {
        using var h = BuildV6.Harness();
        var target = IpAddress.Parse("fd00::77");
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out var socket));
        Assert.Equal(StackError.None, socket!.Send(h.Payload(1, 2), new IpEndpoint(target, 9), h.Now));
        var question = h.Single();
        var (header, message) = BuildV6.ReadIcmp(question);
        Assert.Equal((BuildV6.Own, target.SolicitedNode, MacAddress.OfGroup(target.SolicitedNode)), (header.Source, header.Destination, MacAddress.FromBytes(question)));
        Assert.Equal(StackHarness.OwnMac, NdpOption.FindHardware(message.AsSpan(24), NdpOption.SourceLinkLayerAddress));
        var datagram = h.Exchange(BuildV6.Advertisement(target, NeighborMessage.Solicited | NeighborMessage.Override, Other));
        Assert.Equal((Other, 17), (MacAddress.FromBytes(datagram), BuildV6.Read(datagram).Header.NextHeader));
        Assert.Equal(NeighborState.Reachable, h.StateOf(target));
        // Without the override flag another address counts for nothing.
        h.Receive(BuildV6.Advertisement(target, NeighborMessage.Solicited));
        Assert.Equal(Other, h.Stack.Neighbors.Single(n => n.Address == target).HardwareAddress);
    }

    [Fact]
    public void A_neighbour_that_does_not_answer_is_reported_to_the_sender()
    {
        using var h = BuildV6.Harness();
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out var socket));
        Assert.Equal(StackError.None, socket!.Connect(new IpEndpoint(IpAddress.Parse("fd00::77"), 9)));
        Assert.Equal(StackError.None, socket.Send(h.Payload(1), null, h.Now));
        h.Advance(TimeSpan.FromSeconds(4));
        Assert.Equal(3, h.Frames().Count);
        Assert.Equal(StackError.HostUnreachable, socket.TakeError());
    }

    [Fact]
    public void A_neighbour_stays_known_through_hours_of_silence_and_traffic()
    {
        using var h = BuildV6.Harness();
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(default, new(), out var socket));
        for (var minute = 0; minute < 240; minute++)
        {
            Assert.Equal(StackError.None, socket!.Send(h.Payload(1), new IpEndpoint(BuildV6.Peer, 9), h.Now));
            for (var second = 0; second < 60; second++)
            {
                foreach (var frame in h.Frames().Where(f => BuildV6.Read(f).Header.NextHeader == IpProtocol.Icmpv6))
                {
                    var (header, message) = BuildV6.ReadIcmp(frame);
                    Assert.Equal((Icmpv6Type.NeighborSolicitation, BuildV6.Peer), (message[0], header.Destination)); // the neighbour itself is asked
                    h.Receive(BuildV6.Advertisement(BuildV6.Peer, NeighborMessage.Solicited | NeighborMessage.Override));
                }

                h.Advance(TimeSpan.FromSeconds(1));
            }
        }

        Assert.Equal(0, h.Counters.NeighborUnreachable);
        Assert.InRange(h.Counters.NdpOutSolicits, 100, 300);
    }

    [Fact]
    public void A_live_neighbour_cannot_be_moved_by_a_claim()
    {
        using var h = BuildV6.Harness();
        h.Receive(BuildV6.Echo());
        h.Frames();
        h.Advance(TimeSpan.FromSeconds(6)); // the echo's answer went to a stale neighbour, which is now asked
        h.Frames();
        h.Receive(BuildV6.Advertisement(BuildV6.Peer, NeighborMessage.Solicited | NeighborMessage.Override));
        Assert.Equal(NeighborState.Reachable, h.StateOf(BuildV6.Peer));
        h.Receive(BuildV6.Advertisement(BuildV6.Peer, NeighborMessage.Override, Other, IpAddress.AllNodes));
        Assert.Equal(StackHarness.PeerMac, h.Stack.Neighbors.Single(n => n.Address == BuildV6.Peer).HardwareAddress);
        Assert.Equal(1, h.Counters.ArpMovesRefused);
    }

    [Fact]
    public void Messages_from_beyond_the_link_are_dropped()
    {
        using var h = BuildV6.Harness();
        h.Receive(BuildV6.Solicitation(BuildV6.Own, hopLimit: 254));
        h.Receive(BuildV6.Advertisement(BuildV6.Peer, NeighborMessage.Override, Other, hopLimit: 64));
        h.Silent();
        Assert.Equal(2, h.Counters.NdpBadHopLimit);
    }

    public static TheoryData<string, byte[]> Bad => new()
    {
        { "an option of length 0", BuildV6.Neighbor(new NeighborMessage(Icmpv6Type.NeighborSolicitation, 0, BuildV6.Own), [1, 0, 2, 0, 0, 0, 0, 3], destination: BuildV6.Own.SolicitedNode) },
        { "an option beyond the message", BuildV6.Neighbor(new NeighborMessage(Icmpv6Type.NeighborSolicitation, 0, BuildV6.Own), [1, 2, 2, 0, 0, 0, 0, 3], destination: BuildV6.Own.SolicitedNode) },
        { "half an option", BuildV6.Neighbor(new NeighborMessage(Icmpv6Type.NeighborSolicitation, 0, BuildV6.Own), [1, 1, 2], destination: BuildV6.Own.SolicitedNode) },
        { "a group as its target", BuildV6.Neighbor(new NeighborMessage(Icmpv6Type.NeighborSolicitation, 0, IpAddress.AllNodes), [], destination: BuildV6.Own.SolicitedNode) },
        { "a nameless asker with a name", BuildV6.Solicitation(BuildV6.Own, IpAddress.Unspecified) },
        { "a nameless asker by unicast", BuildV6.Neighbor(new NeighborMessage(Icmpv6Type.NeighborSolicitation, 0, BuildV6.Own), [], IpAddress.Unspecified, BuildV6.Own) },
        { "an answer to everybody", BuildV6.Advertisement(BuildV6.Peer, NeighborMessage.Solicited, destination: IpAddress.AllNodes) },
        { "too short a message", BuildV6.Icmp(new Icmpv6Header(Icmpv6Type.NeighborAdvertisement, 0, 0), new byte[15], hopLimit: 255) },
        { "a code", BuildV6.Icmp(new Icmpv6Header(Icmpv6Type.NeighborAdvertisement, 1, 0), new byte[16], hopLimit: 255) },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void A_message_is_dropped_that_has(string what, byte[] frame)
    {
        using var h = BuildV6.Harness();
        h.Receive(frame);
        h.Silent();
        Assert.True(h.Counters.NdpBadFormat == 1, what);
    }

    [Fact]
    public void A_flood_of_made_up_neighbours_stays_within_the_table()
    {
        using var h = BuildV6.Harness();
        for (var i = 0; i < 10_000; i++)
            h.Receive(BuildV6.Solicitation(BuildV6.Own, IpAddress.FromHalves(0xFD00_0000_0000_0000, (ulong)i + 100), new MacAddress(0x02_00_00_01_00_00UL + (uint)i)));
        Assert.True(h.Stack.Neighbors.Count() <= new NeighborOptions().Entries);
        h.Frames();
    }

    private static IpAddress Target((Ipv6Header Header, byte[] Message) icmp)
    {
        Assert.True(NeighborMessage.TryParse(icmp.Message, out var message));
        return message.Target;
    }
}
