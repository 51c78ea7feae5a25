using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Stack.Interfaces;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Ip;

/// <summary>A stack that forwards between its interfaces (RFC 1812, 5). Its first interface has the network 10.1.0.0/24 and fd01::/64, its second 10.2.0.0/24 and fd02::/64.</summary>
public sealed class RouterSpec : IDisposable
{
    private static readonly IpAddress s_left = IpAddress.Parse("10.1.0.9");
    private static readonly IpAddress s_right = IpAddress.Parse("10.2.0.9");
    private static readonly IpAddress s_left6 = IpAddress.Parse("fd01::9");
    private static readonly IpAddress s_right6 = IpAddress.Parse("fd02::9");

    private readonly DiagnosingBufferPool _pool = new();
    private readonly List<NetworkStack> _stacks = [];
    private Instant _now = Instant.FromMilliseconds(1000);

    public void Dispose()
    {
        foreach (var stack in _stacks)
        {
            stack.Close(_now);
            foreach (var each in stack.Interfaces)
                each.DropFrames();
        }

        _pool.AssertAllReturned();
    }

    [Fact]
    public void A_packet_goes_on_with_one_hop_less_and_is_otherwise_the_same()
    {
        var router = Make();
        var sent = Udp(s_left, s_right, 100);
        var v4 = Assert.Single(Through(router, 0, sent, 1));
        Assert.Equal((63, 0xFFFF), (v4[8], (int)Checksum.Fold(Checksum.Sum(v4.AsSpan(0, 20)))));
        v4[8] = 64;
        sent.AsSpan(10, 2).CopyTo(v4.AsSpan(10));
        Assert.Equal(sent, v4);

        var sent6 = BuildV6.Packet(IpProtocol.Udp, new byte[100], s_left6, s_right6)[EthernetHeader.Length..];
        var v6 = Assert.Single(Through(router, 0, sent6, 1));
        Assert.Equal(63, v6[7]);
        v6[7] = 64;
        Assert.Equal(sent6, v6);
        Assert.Equal(2, router.Counters.IpForwDatagrams);
    }

    [Fact]
    public void Without_the_option_nothing_is_forwarded()
    {
        var host = Make(isRouter: false);
        Assert.Empty(Through(host, 0, Udp(s_left, s_right, 10), 1));
        Assert.Equal(1, host.Counters.IpInAddrErrors);
    }

    [Fact]
    public void A_hop_limit_that_runs_out_is_reported_from_the_address_that_the_sender_reaches()
    {
        var router = Make();
        var error = Assert.Single(Through(router, 0, Udp(s_left, s_right, 10, hopLimit: 1), 0));
        Assert.Equal((Text("10.1.0.1"), s_left, Icmpv4Type.TimeExceeded, (byte)0), ErrorOf(error));
        var error6 = Assert.Single(Through(router, 0, BuildV6.Packet(IpProtocol.Udp, new byte[20], s_left6, s_right6, hopLimit: 1)[EthernetHeader.Length..], 0));
        Assert.Equal((Text("fd01::1"), s_left6, Icmpv6Type.TimeExceeded, (byte)0), ErrorOf(error6));
        Assert.Equal((2, 0), (router.Counters.IpForwHopLimit, router.Counters.IpForwDatagrams));
    }

    [Fact]
    public void A_destination_without_a_route_is_reported()
    {
        var router = Make();
        Assert.Equal((Text("10.1.0.1"), s_left, Icmpv4Type.DestinationUnreachable, Icmpv4Unreachable.Network), ErrorOf(Assert.Single(Through(router, 0, Udp(s_left, Text("192.0.2.1"), 10), 0))));
        Assert.Equal((Text("fd01::1"), s_left6, Icmpv6Type.DestinationUnreachable, Icmpv6Unreachable.NoRoute),
            ErrorOf(Assert.Single(Through(router, 0, BuildV6.Packet(IpProtocol.Udp, new byte[20], s_left6, Text("2001:db8::1"))[EthernetHeader.Length..], 0))));
        Assert.Equal(2, router.Counters.IpForwNoRoutes);
    }

    [Fact]
    public void What_is_too_long_for_the_next_link_and_must_stay_whole_is_reported_with_the_MTU()
    {
        var router = Make(right: Plain with { Mtu = 1280 });
        var error = Assert.Single(Through(router, 0, Udp(s_left, s_right, 1400, dontFragment: true), 0));
        Assert.Equal((Text("10.1.0.1"), s_left, Icmpv4Type.DestinationUnreachable, Icmpv4Unreachable.FragmentationNeeded), ErrorOf(error));
        Assert.Equal(1280, BinaryPrimitives.ReadUInt16BigEndian(error.AsSpan(26)));
        var error6 = Assert.Single(Through(router, 0, BuildV6.Packet(IpProtocol.Udp, new byte[1300], s_left6, s_right6)[EthernetHeader.Length..], 0));
        Assert.Equal((Text("fd01::1"), s_left6, Icmpv6Type.PacketTooBig, (byte)0), ErrorOf(error6));
        Assert.Equal(1280u, BinaryPrimitives.ReadUInt32BigEndian(error6.AsSpan(44)));
        Assert.Equal(2, router.Counters.IpForwTooBig);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(0, true)]
    [InlineData(1480, true)]
    [InlineData(1480, false)]
    public void What_may_be_fragmented_is_even_if_it_is_a_fragment_itself(int offset, bool isFollowed)
    {
        var router = Make(right: Plain with { Mtu = 576 });
        var sent = Udp(s_left, s_right, 1472 - 8);
        BinaryPrimitives.WriteUInt16BigEndian(sent.AsSpan(4), 77);
        Ipv4Header.Refit(sent.AsSpan(0, 20), sent.Length, offset, isFollowed);
        var pieces = Through(router, 0, sent, 1);
        Assert.Equal(3, pieces.Count);
        var whole = new byte[sent.Length - 20];
        foreach (var piece in pieces)
        {
            Assert.True(Ipv4View.TryParse(piece, out var header));
            Assert.Equal((63, (ushort)77, piece.Length), (header.HopLimit, header.Identification, header.TotalLength));
            Assert.Equal(0xFFFFu, Checksum.Fold(Checksum.Sum(piece.AsSpan(0, 20))));
            piece.AsSpan(20).CopyTo(whole.AsSpan(header.FragmentOffset - offset));
            var isLast = header.FragmentOffset - offset + piece.Length - 20 == whole.Length;
            Assert.Equal(!isLast || isFollowed, header.MoreFragments);
        }

        Assert.Equal(sent[20..], whole);
        Assert.Equal((1, 3), (router.Counters.IpFragOKs, router.Counters.IpFragCreates));
    }

    /// <summary>RFC 791, 3.1: a timestamp has not the copied flag, a router alert has it.</summary>
    [Fact]
    public void Later_fragments_have_the_options_that_say_so()
    {
        var router = Make(right: Plain with { Mtu = 576 });
        byte[] options = [68, 4, 5, 0, 148, 4, 0, 0];
        var sent = Build.Ipv4WithOptions(IpProtocol.Udp, options, new byte[1000])[EthernetHeader.Length..];
        s_left.CopyTo(sent.AsSpan(12));
        s_right.CopyTo(sent.AsSpan(16));
        Ipv4Header.Resize(sent.AsSpan(0, 28), sent.Length);
        var pieces = Through(router, 0, sent, 1);
        Assert.Equal(2, pieces.Count);
        Assert.Equal(options, pieces[0][20..28]);
        Assert.Equal(0x46, pieces[1][0]);
        Assert.Equal(options[4..], pieces[1][20..24]);
    }

    [Fact]
    public void No_error_is_sent_about_an_error_or_a_later_fragment()
    {
        var router = Make();
        Assert.Empty(Through(router, 0, Build.Icmp(Icmpv4Header.Unreachable(1), new byte[28], s_left, Text("192.0.2.1"))[EthernetHeader.Length..], 0));
        var fragment = Udp(s_left, Text("192.0.2.1"), 100);
        Ipv4Header.Refit(fragment.AsSpan(0, 20), fragment.Length, 800, false);
        Assert.Empty(Through(router, 0, fragment, 0));
        Assert.Empty(Through(router, 0, BuildV6.Icmp(Icmpv6Header.Unreachable(1), new byte[48], s_left6, Text("2001:db8::1"))[EthernetHeader.Length..], 0));
        Assert.Empty(Through(router, 0, BuildV6.Fragment(IpProtocol.Udp, 1, new byte[100], 800, false, s_left6)[EthernetHeader.Length..].ReplaceDestination("2001:db8::1"), 0));
        Assert.Equal((4, 0, 0), (router.Counters.IpForwNoRoutes, router.Counters.IcmpOutDestUnreachs, router.Counters.IcmpOutTimeExcds));
    }

    [Theory]
    [InlineData("169.254.1.1", "10.2.0.9")]
    [InlineData("10.1.0.9", "169.254.1.1")]
    [InlineData("10.1.0.9", "10.2.0.255")]
    [InlineData("10.1.0.9", "239.1.2.3")]
    [InlineData("10.1.0.9", "127.0.0.1")]
    [InlineData("10.1.0.9", "240.0.0.1")]
    [InlineData("127.0.0.1", "10.2.0.9")]
    [InlineData("10.2.0.1", "10.2.0.9")]
    [InlineData("0.0.0.0", "10.2.0.9")]
    [InlineData("fe80::9", "fd02::9")]
    [InlineData("fd01::9", "fe80::9")]
    [InlineData("fd01::9", "ff05::2")]
    [InlineData("fd01::9", "::1")]
    [InlineData("::1", "fd02::9")]
    [InlineData("::", "fd02::9")]
    [InlineData("fd02::1", "fd02::9")]
    public void Addresses_of_one_link_of_this_host_or_of_nobody_are_not_forwarded(string source, string destination)
    {
        var router = Make();
        var (from, to) = (Text(source), Text(destination));
        Assert.Empty(Through(router, 0, from.IsV4 ? Udp(from, to, 10) : BuildV6.Packet(IpProtocol.Udp, new byte[20], from, to)[EthernetHeader.Length..], 1));
        Assert.Equal(0, router.Counters.IpForwDatagrams);
    }

    [Fact]
    public void A_link_local_source_of_IPv6_is_told_that_its_scope_ends_here()
    {
        var router = Make();
        Add(router, 0, "fe80::1/64");
        Assert.Equal((Text("fe80::1"), Text("fe80::9"), Icmpv6Type.DestinationUnreachable, Icmpv6Unreachable.BeyondScope),
            ErrorOf(Assert.Single(Through(router, 0, BuildV6.Packet(IpProtocol.Udp, new byte[20], Text("fe80::9"), s_right6)[EthernetHeader.Length..], 0))));
    }

    [Fact]
    public void A_neighbor_is_told_of_the_better_way_and_its_packet_goes_on()
    {
        var router = Make();
        Add(router, 0, "fe80::1/64");
        Assert.Equal(StackError.None, router.AddRoute(IpPrefix.Parse("10.9.0.0/16"), Text("10.1.0.7"), router.Interfaces[0]));
        Assert.Equal(StackError.None, router.AddRoute(IpPrefix.Parse("fd09::/16"), Text("fe80::7"), router.Interfaces[0]));
        var sent = Through(router, 0, Udp(s_left, Text("10.9.0.1"), 10), 0);
        Assert.Equal(2, sent.Count);
        Assert.Equal((Text("10.1.0.1"), s_left, Icmpv4Type.Redirect, (byte)1), ErrorOf(sent[0]));
        Assert.Equal(Text("10.1.0.7"), IpAddress.FromV4(BinaryPrimitives.ReadUInt32BigEndian(sent[0].AsSpan(24))));
        Assert.Equal(Text("10.9.0.1"), IpAddress.FromV4(BinaryPrimitives.ReadUInt32BigEndian(sent[1].AsSpan(16))));

        var sent6 = Through(router, 0, BuildV6.Packet(IpProtocol.Udp, new byte[20], s_left6, Text("fd09::1"))[EthernetHeader.Length..], 0);
        Assert.Equal(2, sent6.Count);
        Assert.Equal((Text("fe80::1"), s_left6, Icmpv6Type.Redirect, (byte)0), ErrorOf(sent6[0]));
        Assert.Equal((255, Text("fe80::7"), Text("fd09::1")), (sent6[0][7], IpAddress.FromBytes(sent6[0].AsSpan(48, 16)), IpAddress.FromBytes(sent6[0].AsSpan(64, 16))));
        Assert.Equal((NdpOption.RedirectedHeader, 1 + 56 / 8), (sent6[0][80], sent6[0][81])); // a header of 40 bytes, of the 20 behind it what makes whole words
        Assert.Equal(2, router.Counters.IcmpOutRedirects);

        // Not for a host behind another router, which could do nothing with it.
        Assert.Single(Through(router, 0, Udp(Text("10.77.0.1"), Text("10.9.0.1"), 10), 0));
    }

    [Fact]
    public void A_super_frame_goes_on_as_one_and_its_note_fits_the_next_medium()
    {
        var router = Make(Plain with { SuperFrame = 65535, ChecksumOffload = true }, Plain with { SuperFrame = 65535, ChecksumOffload = true });
        var (packet, note) = SuperFrame(4000, 1000);
        Give(router, 0, packet, note);
        var frame = Assert.Single(Take(router, 1, out var notes));
        Assert.Equal(packet.Length, frame.Length);
        Assert.Equal(note, notes[0]);
    }

    [Fact]
    public void A_super_frame_that_the_next_device_does_not_cut_or_whose_pieces_are_too_long_is_dropped_and_counted()
    {
        var (packet, note) = SuperFrame(4000, 1000);
        var uncut = Make(Plain with { SuperFrame = 65535, ChecksumOffload = true });
        Give(uncut, 0, packet, note);
        Assert.Empty(Take(uncut, 1, out _));
        Assert.Equal(1, uncut.Counters.IpForwUncut);

        var narrow = Make(Plain with { SuperFrame = 65535, ChecksumOffload = true }, Plain with { Mtu = 1000, SuperFrame = 65535, ChecksumOffload = true });
        Give(narrow, 0, packet, note);
        Assert.Equal((Icmpv4Type.DestinationUnreachable, Icmpv4Unreachable.FragmentationNeeded), ErrorOf(Assert.Single(Take(narrow, 0, out _))) is var (_, _, type, code) ? (type, code) : default);
        Assert.Equal(1, narrow.Counters.IpForwTooBig);
    }

    [Fact]
    public void A_checksum_that_was_left_to_the_device_is_completed_where_the_next_one_does_not()
    {
        var router = Make(Plain with { ChecksumOffload = true });
        var packet = Udp(s_left, s_right, 100);
        var right = packet.AsSpan(26, 2).ToArray();
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(26), (ushort)Checksum.Fold(Checksum.PseudoHeader(s_left, s_right, IpProtocol.Udp, 108)));
        Give(router, 0, packet, new OffloadNote { Checksum = ChecksumState.Partial, ChecksumStart = 20, ChecksumOffset = 6 });
        Assert.Equal(right, Assert.Single(Take(router, 1, out var notes))[26..28]);
        Assert.Equal(ChecksumState.None, notes[0].Checksum);
    }

    [Fact]
    public void A_super_frame_of_UDP_becomes_its_datagrams()
    {
        foreach (var isV4 in (bool[])[true, false])
        {
            var router = Make();
            var header = isV4 ? 20 : 40;
            var whole = isV4 ? Udp(s_left, s_right, 2500) : BuildV6.Packet(IpProtocol.Udp, BuildV6.UdpDatagram(5, 6, new byte[2500]), s_left6, s_right6)[EthernetHeader.Length..];
            for (var i = 0; i < 2500; i++)
                whole[header + 8 + i] = (byte)(i * 7);
            Give(router, 0, whole, new OffloadNote { Checksum = ChecksumState.Partial, ChecksumStart = (ushort)header, ChecksumOffset = 6, Segmentation = Segmentation.Udp, SegmentSize = 1000 });
            var pieces = Take(router, 1, out _);
            Assert.Equal([1008, 1008, 508], pieces.Select(piece => piece.Length - header));
            Assert.Equal(whole[(header + 8)..], pieces.SelectMany(piece => piece[(header + 8)..]));
            foreach (var piece in pieces)
            {
                var (from, to) = isV4 ? (s_left, s_right) : (s_left6, s_right6);
                Assert.Equal(piece.Length - header, BinaryPrimitives.ReadUInt16BigEndian(piece.AsSpan(header + 4)));
                Assert.Equal(0xFFFFu, Checksum.Fold(Checksum.Sum(piece.AsSpan(header), Checksum.PseudoHeader(from, to, IpProtocol.Udp, piece.Length - header))));
                Assert.Equal(piece.Length, BinaryPrimitives.ReadUInt16BigEndian(piece.AsSpan(isV4 ? 2 : 4)) + (isV4 ? 0 : 40));
            }
        }
    }

    [Fact]
    public void A_full_queue_drops_the_newest_and_counts_it()
    {
        var router = Make(right: Plain with { EgressFrames = 4 });
        for (var i = 0; i < 7; i++)
            Give(router, 0, Udp(s_left, s_right, 10), default);
        Assert.Equal((4, 3), (Take(router, 1, out _).Count, router.Counters.IpForwQueueFull));
    }

    [Fact]
    public void A_host_that_does_not_answer_is_reported_to_the_sender()
    {
        var router = Make(right: new InterfaceOptions { HardwareAddress = StackHarness.OwnMac });
        Give(router, 0, Udp(s_left, s_right, 10), default);
        Give(router, 0, BuildV6.Packet(IpProtocol.Udp, new byte[20], s_left6, s_right6)[EthernetHeader.Length..], default);
        for (var i = 0; i < 8; i++)
        {
            _now += TimeSpan.FromSeconds(1);
            router.Poll(_now);
        }

        var errors = Take(router, 0, out _);
        Assert.Contains((Text("10.1.0.1"), s_left, Icmpv4Type.DestinationUnreachable, Icmpv4Unreachable.Host), errors.Select(ErrorOf));
        Assert.Contains((Text("fd01::1"), s_left6, Icmpv6Type.DestinationUnreachable, Icmpv6Unreachable.Address), errors.Select(ErrorOf));
    }

    /// <summary>RFC 1812, 5.2.3: a router answers on all its addresses, by whichever interface they are reached.</summary>
    [Fact]
    public void Each_address_is_reached_by_any_interface_and_peers_reach_each_other()
    {
        using var h = new ThreeStacks(isRouter: true);
        Assert.Equal(StackError.None, h.LeftPeer.AddRoute(IpPrefix.Parse("10.2.0.0/24"), Text("10.1.0.1"), h.LeftPeer.Interface));
        Assert.Equal(StackError.None, h.RightPeer.AddRoute(IpPrefix.Parse("10.1.0.0/24"), Text("10.2.0.1"), h.RightPeer.Interface));
        h.Listen(h.Host, 80);
        var far = h.Listen(h.RightPeer, 81);
        Assert.Equal(Tapwire.Stack.Tcp.TcpState.Established, h.Connect(h.LeftPeer, "10.2.0.1", 80).State);
        Assert.Equal(Tapwire.Stack.Tcp.TcpState.Established, h.Connect(h.LeftPeer, "10.2.0.2", 81).State);
        Assert.Equal(Text("10.1.0.2"), far.Accept()!.Remote.Address);
    }

    [Fact]
    public void A_hundred_thousand_changed_packets_and_notes_break_nothing()
    {
        var router = Make(Plain with { SuperFrame = 65535, ChecksumOffload = true }, new InterfaceOptions { HardwareAddress = StackHarness.OwnMac, Mtu = 1280 });
        Add(router, 0, "fe80::1/64");
        var random = new Random(20);
        byte[][] seeds =
        [
            Udp(s_left, s_right, 1400), Udp(s_left, s_right, 20, hopLimit: 1), SuperFrame(4000, 1000).Packet, Udp(s_left, Text("10.1.0.77"), 40),
            BuildV6.Packet(IpProtocol.Udp, new byte[300], s_left6, s_right6)[EthernetHeader.Length..],
            BuildV6.Fragment(IpProtocol.Udp, 7, new byte[1400], 0, true, s_left6)[EthernetHeader.Length..].ReplaceDestination("fd02::9"),
            Build.Ipv4WithOptions(IpProtocol.Udp, [68, 4, 5, 0, 148, 4, 0, 0], new byte[1300])[EthernetHeader.Length..],
        ];
        for (var i = 0; i < 100_000; i++)
        {
            var packet = seeds[random.Next(seeds.Length)].ToArray();
            for (var changes = random.Next(4); changes > 0; changes--)
                packet[random.Next(random.Next(2) == 0 ? Math.Min(48, packet.Length) : packet.Length)] = (byte)random.Next(256);
            if (packet[0] >> 4 == 4)
                Ipv4Header.Resize(packet.AsSpan(0, 20), random.Next(8) == 0 ? random.Next(70_000) : packet.Length);
            var note = random.Next(2) == 0 ? default : new OffloadNote
            {
                Checksum = (ChecksumState)random.Next(3),
                Segmentation = (Segmentation)random.Next(4),
                ChecksumStart = (ushort)random.Next(80),
                ChecksumOffset = (ushort)random.Next(20),
                HeaderLength = (ushort)random.Next(120),
                SegmentSize = (ushort)random.Next(2000),
            };
            Give(router, 0, random.Next(16) == 0 ? packet[..random.Next(packet.Length)] : packet, note);
            if (i % 64 != 0)
                continue;
            _now += TimeSpan.FromMilliseconds(random.Next(100));
            router.Poll(_now);
            foreach (var each in router.Interfaces)
                each.DropFrames();
        }

        Assert.True(router.Counters.IpForwDatagrams > 10_000);
    }

    /// <summary>RFC 4861, 4.4: a neighbour that is told otherwise takes it for a host.</summary>
    [Fact]
    public void Neighbors_are_told_that_it_is_a_router()
    {
        foreach (var isRouter in (bool[])[true, false])
        {
            var stack = Make(right: new InterfaceOptions { HardwareAddress = StackHarness.OwnMac }, isRouter: isRouter);
            var solicitation = BuildV6.Solicitation(Text("fd02::1"), s_right6, StackHarness.PeerMac);
            Give(stack, 1, solicitation, default);
            var answer = Take(stack, 1, out _).Single(static frame => frame.Length > 60 && frame[54] == Icmpv6Type.NeighborAdvertisement && frame[58] != 0x20 && frame[58] != 0xA0);
            Assert.Equal(isRouter, (answer[58] & NeighborMessage.Router) != 0);
        }
    }

    private static InterfaceOptions Plain => ThreeStacks.Plain;

    private static IpAddress Text(string address) => IpAddress.Parse(address);

    private NetworkStack Make(InterfaceOptions? left = null, InterfaceOptions? right = null, bool isRouter = true)
    {
        var stack = new NetworkStack(new StackOptions { Interfaces = [left ?? Plain, right ?? Plain], IsRouter = isRouter }, _pool, Enumerable.Repeat((byte)9, 32).ToArray());
        _stacks.Add(stack);
        Add(stack, 0, "10.1.0.1/24");
        Add(stack, 1, "10.2.0.1/24");
        foreach (var each in stack.Interfaces.Where(static each => each.Options.Mtu >= Ipv6Header.MinimumMtu))
            Add(stack, each.Index, $"fd0{each.Index + 1}::1/64");
        foreach (var each in stack.Interfaces)
            each.DropFrames();
        return stack;
    }

    private void Add(NetworkStack to, int index, string prefix) => Assert.Equal(StackError.None, to.AddAddress(to.Interfaces[index], IpPrefix.Parse(prefix), _now));

    private static byte[] Udp(IpAddress from, IpAddress to, int length, byte hopLimit = 64, bool dontFragment = false)
    {
        var packet = Build.Udp(5, 6, Enumerable.Range(0, length).Select(static i => (byte)i).ToArray(), from, to)[EthernetHeader.Length..];
        packet[8] = hopLimit;
        packet[6] = (byte)(dontFragment ? 0x40 : 0);
        Ipv4Header.Resize(packet.AsSpan(0, 20), packet.Length);
        return packet;
    }

    private static (byte[] Packet, OffloadNote Note) SuperFrame(int payload, int segment)
    {
        var packet = Udp(s_left, s_right, 12 + payload, dontFragment: true);
        packet[9] = IpProtocol.Tcp;
        packet[20 + TcpField.DataOffset] = 0x50;
        Ipv4Header.Resize(packet.AsSpan(0, 20), packet.Length);
        return (packet, new OffloadNote
        {
            Checksum = ChecksumState.Partial, Segmentation = Segmentation.TcpV4, ChecksumStart = 20, ChecksumOffset = TcpField.Checksum, HeaderLength = 40, SegmentSize = (ushort)segment,
        });
    }

    private void Give(NetworkStack router, int index, ReadOnlySpan<byte> packet, OffloadNote note)
    {
        var buffer = _pool.Rent(packet.Length);
        packet.CopyTo(buffer.Append(packet.Length));
        buffer.Interface = router.Interfaces[index].Index;
        buffer.Offload = note;
        router.Receive(buffer, _now);
    }

    private List<byte[]> Take(NetworkStack router, int index, out List<OffloadNote> notes)
    {
        router.Poll(_now);
        var frames = new List<byte[]>();
        notes = [];
        while (router.Interfaces[index].TryDequeueFrame(out var frame))
        {
            var bytes = new byte[frame.TotalLength];
            frame.CopyTo(bytes);
            frames.Add(bytes);
            notes.Add(frame.Offload);
            frame.Release();
        }

        return frames;
    }

    /// <summary>Gives a packet to one interface, and returns what leaves by another.</summary>
    private List<byte[]> Through(NetworkStack router, int from, ReadOnlySpan<byte> packet, int to)
    {
        Give(router, from, packet, default);
        return Take(router, to, out _);
    }

    private static (IpAddress From, IpAddress To, byte Type, byte Code) ErrorOf(byte[] packet)
    {
        if (packet[0] >> 4 == 4)
        {
            Assert.True(Ipv4View.TryParse(packet, out var v4));
            Assert.Equal(IpProtocol.Icmp, v4.Protocol);
            Assert.Equal(0xFFFFu, Checksum.Fold(Checksum.Sum(packet.AsSpan(20))));
            return (IpAddress.FromV4(v4.Source), IpAddress.FromV4(v4.Destination), packet[20], packet[21]);
        }

        Assert.True(Ipv6View.TryParse(packet, out var v6));
        Assert.Equal(IpProtocol.Icmpv6, v6.NextHeader);
        Assert.Equal(0xFFFFu, Checksum.Fold(Checksum.Sum(packet.AsSpan(40), Checksum.PseudoHeader(v6.Source, v6.Destination, IpProtocol.Icmpv6, packet.Length - 40))));
        return (v6.Source, v6.Destination, packet[40], packet[41]);
    }
}

internal static class RouterSpecPackets
{
    /// <summary>The same IPv6 packet to another host.</summary>
    public static byte[] ReplaceDestination(this byte[] packet, string destination)
    {
        IpAddress.Parse(destination).CopyTo(packet.AsSpan(Ipv6Field.Destination));
        return packet;
    }
}
