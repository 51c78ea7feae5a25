using System.Text;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Support;
using Tapwire.Wires.Capture;
using Xunit;

namespace Tapwire.Tests.Wires.Capture;

public sealed class PcapngSpecs
{
    [Fact]
    public void The_header_and_an_interface_have_their_bytes_of_the_specification()
    {
        AssertBytes("0A0D0D0A 28000000 4D3C2B1A 0100 0000 FFFFFFFFFFFFFFFF 0400 0300 612F3100 0000 0000 28000000", Pcapng.Header("a/1"));
        AssertBytes("01000000 34000000 0100 0000 00000400 0200 0300 74773000 0300 0800 4D54552031353030 0900 0100 09000000 0000 0000 34000000",
            Pcapng.Describe(new CapturedInterface(0, "tw0", Medium.Ethernet, 1500), 262144));
        Assert.Equal(101, Pcapng.Describe(new CapturedInterface(0, "tun", Medium.Ip, 1500), 96)[8]);
    }

    [Fact]
    public void A_packet_has_its_time_its_direction_and_a_comment()
    {
        var block = new byte[Pcapng.PacketHeaderLength + 4 + Pcapng.MaxTailLength];
        block.AsSpan().Fill(0xA5);
        Pcapng.PacketHeader(block, 2, 0x0102030405060708, 3, 1500);
        new byte[] { 1, 2, 3, 0 }.CopyTo(block, Pcapng.PacketHeaderLength);
        var length = Pcapng.PacketTail(block, Pcapng.PacketHeaderLength + 4, CaptureDirection.Inbound, "why");
        AssertBytes("06000000 38000000 02000000 04030201 08070605 03000000 DC050000 01020300 0200 0400 01000000 0100 0300 77687900 0000 0000 38000000", block.AsSpan(0, length));
        length = Pcapng.PacketTail(block, Pcapng.PacketHeaderLength + 4, CaptureDirection.Outbound, null);
        AssertBytes("06000000 30000000 02000000 04030201 08070605 03000000 DC050000 01020300 0200 0400 02000000 0000 0000 30000000", block.AsSpan(0, length));
        Assert.True(Pcapng.PacketTail(block, Pcapng.PacketHeaderLength + 4, CaptureDirection.Outbound, new string('x', 1000)) <= block.Length);
    }

    [Fact]
    public void Statistics_have_both_times_and_both_numbers()
    {
        var captured = new CapturedInterface(1, "tw0", Medium.Ethernet, 1500);
        captured.CountDropped();
        AssertBytes("05000000 4C000000 01000000 00000001 02000000 0200 0800 00000000 03000000 0300 0800 00000001 02000000 0400 0800 0000000000000000 0500 0800 0100000000000000 0000 0000 4C000000".Replace("00000001 02000000", "01000000 02000000", StringComparison.Ordinal),
            Pcapng.Statistics(captured, 3, 0x1_0000_0002));
    }

    [Theory]
    [InlineData("10.0.0.1", 0, true)]
    [InlineData("10.0.0.2", 0, true)]
    [InlineData("10.0.0.3", 0, false)]
    [InlineData("fd00::1", 0, false)]
    [InlineData(null, 80, true)]
    [InlineData(null, 4000, true)]
    [InlineData(null, 81, false)]
    [InlineData("10.0.0.1", 80, true)]
    [InlineData("10.0.0.3", 80, false)]
    public void Packets_of_IPv4_are_filtered_by_host_and_port(string? host, ushort port, bool wanted)
    {
        const string Packet = "4500002800004000400600000A0000010A000002 0FA00050 0000000000000000 5002000000000000";
        Assert.Equal(wanted, Matches(host, port, Packet, Medium.Ip));
        Assert.Equal(wanted, Matches(host, port, $"0200000000010200000000020800 {Packet}", Medium.Ethernet));
        Assert.Equal(wanted, Matches(host, port, $"020000000001020000000002 8100 0005 0800 {Packet}", Medium.Ethernet));
    }

    [Theory]
    [InlineData("fd00::1", 0, true)]
    [InlineData("fd00::2", 53, true)]
    [InlineData("fd00::2", 54, false)]
    [InlineData("fd00::3", 53, false)]
    [InlineData(null, 4000, true)]
    public void Packets_of_IPv6_are_filtered_behind_their_extension_headers(string? host, ushort port, bool wanted)
    {
        const string Addresses = "FD000000000000000000000000000001 FD000000000000000000000000000002";
        Assert.Equal(wanted, Matches(host, port, $"6000000000081140 {Addresses} 0FA0003500080000", Medium.Ip));
        Assert.Equal(wanted, Matches(host, port, $"6000000000180040 {Addresses} 3C00000000000000 1100000000000000 0FA0003500080000", Medium.Ip));
        // The first fragment has the ports.
        Assert.Equal(wanted, Matches(host, port, $"6000000000102C40 {Addresses} 1100000100000001 0FA0003500080000", Medium.Ip));
    }

    [Fact]
    public void Later_fragments_and_what_has_no_ports_are_judged_by_host()
    {
        const string V4 = "4500001C00000010401100000A0000010A000002 AAAAAAAAAAAAAAAA";
        const string V6 = "6000000000102C40 FD000000000000000000000000000001 FD000000000000000000000000000002 1100000800000001 AAAAAAAAAAAAAAAA";
        Assert.True(Matches("10.0.0.1", 80, V4, Medium.Ip));
        Assert.False(Matches("10.0.0.3", 80, V4, Medium.Ip));
        Assert.True(Matches(null, 80, V6, Medium.Ip));
        Assert.False(Matches("fd00::3", 80, V6, Medium.Ip));
        const string Arp = "FFFFFFFFFFFF020000000001 0806 0001080006040001 020000000001 0A000001 000000000000 0A000002";
        Assert.True(Matches("10.0.0.2", 0, Arp, Medium.Ethernet));
        Assert.False(Matches("10.0.0.3", 0, Arp, Medium.Ethernet));
        Assert.False(Matches(null, 80, Arp, Medium.Ethernet));
    }

    [Fact]
    public void No_bytes_make_the_filter_fail()
    {
        var random = new Random(1);
        var bytes = new byte[128];
        for (var i = 0; i < 200_000; i++)
        {
            random.NextBytes(bytes);
            if (i % 3 != 0)
                (bytes[12], bytes[13]) = i % 3 == 1 ? ((byte)8, (byte)0) : ((byte)0x86, (byte)0xDD);
            bytes[i % 2 == 0 ? 0 : 14] = (byte)(i % 5 < 3 ? 0x45 : 0x60);
            var length = random.Next(bytes.Length);
            foreach (var medium in new[] { Medium.Ethernet, Medium.Ip })
            {
                new CaptureFilter(null, 80).Matches(bytes.AsSpan(0, length), medium);
                new CaptureFilter(IpAddress.LoopbackV6, 0).Matches(bytes.AsSpan(0, length), medium);
            }
        }
    }

    [Fact]
    public void A_feed_has_bounds_of_memory_and_number_and_counts_what_finds_no_room()
    {
        var feed = new CaptureFeed(new CaptureOptions { Memory = 1000, Count = 3 });
        var on = feed.InterfaceOf("tw0", Medium.Ethernet, 1500)!;
        Assert.True(feed.TryTake(on, 600));
        Assert.False(feed.TryTake(on, 600));
        Assert.Equal((1, 1, 600), (on.Received, on.Dropped, feed.Held));
        feed.GiveBack(600);
        Assert.True(feed.TryTake(on, 600));
        feed.GiveBack(600);
        Assert.True(feed.TryTake(on, 600));
        feed.GiveBack(600);
        Assert.False(feed.TryTake(on, 600));
        Assert.Equal((3, 1, 0), (on.Received, feed.Dropped, feed.Held));
        var frame = new BufferPool().RentCopy(new byte[60]);
        Assert.False(feed.Wants(frame, Medium.Ethernet));
        frame.Release();
    }

    [Fact]
    public void An_interface_keeps_its_number_and_unwanted_ones_have_none()
    {
        var feed = new CaptureFeed(new CaptureOptions());
        Assert.Equal([0, 1, 0], new[] { "a", "b", "a" }.Select(name => feed.InterfaceOf(name, Medium.Ethernet, 1500)!.Id));
        Assert.Equal(2, feed.InterfaceOf("a", Medium.Ip, 1500)!.Id);
        var one = new CaptureFeed(new CaptureOptions { Interface = "b" });
        Assert.Null(one.InterfaceOf("a", Medium.Ethernet, 1500));
        Assert.Equal(0, one.InterfaceOf("b", Medium.Ethernet, 1500)!.Id);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(4096)]
    public void A_tally_counts_in_pieces_of_any_size(int piece)
    {
        var packet = new byte[Pcapng.PacketHeaderLength + Pcapng.MaxTailLength];
        Pcapng.PacketHeader(packet, 0, 0, 0, 0);
        var length = Pcapng.PacketTail(packet, Pcapng.PacketHeaderLength, CaptureDirection.Inbound, null);
        var captured = new CapturedInterface(0, "tw0", Medium.Ethernet, 1500);
        captured.CountDropped();
        byte[] stream = [.. Pcapng.Header("x"), .. Pcapng.Describe(captured, 96), .. packet.AsSpan(0, length), .. packet.AsSpan(0, length)];
        byte[] end = [.. Pcapng.Statistics(captured, 1, 2), .. Pcapng.Statistics(captured, 1, 2)];
        var tally = new PcapngTally();
        foreach (var part in stream.Chunk(piece))
            tally.Add(part);
        Assert.Equal((2, null), (tally.Packets, tally.Dropped));
        foreach (var part in end.Chunk(piece))
            tally.Add(part);
        Assert.Equal((2, 2), (tally.Packets, tally.Dropped));
        Assert.Throws<InvalidDataException>(() => tally.Add(Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\n")));
        Assert.Equal(2, PcapngFile.Read([.. stream, .. Pcapng.Statistics(captured, 1, 2)]).Packets.Count);
    }

    private static bool Matches(string? host, ushort port, string hex, Medium medium) =>
        new CaptureFilter(host is null ? null : IpAddress.Parse(host), port).Matches(Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal)), medium);

    private static void AssertBytes(string expected, ReadOnlySpan<byte> actual) => Assert.Equal(expected.Replace(" ", "", StringComparison.Ordinal), Convert.ToHexString(actual));
}
