using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Tests.Live.Support;
using Tapwire.Wires;
using Tapwire.Posix;
using Xunit;

namespace Tapwire.Tests.Live.Wires;

[Collection(LiveNetworksCollection.Name)]
public sealed class TapWireSpec
{
    private const byte Icmp = 1;

    private static readonly TapWireOptions Plain = new() { Name = "tw0", Offloads = WireOffloads.None };
    private static readonly TapWireOptions Offloaded = new() { Name = "tw0" };

    /// <summary>What every kernel of today has; UDP segmentation only those since 6.2.</summary>
    private const WireOffloads Everywhere = WireOffloads.Checksum | WireOffloads.TcpSegmentationV4 | WireOffloads.TcpSegmentationV6;

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_ping_of_the_kernel_arrives_and_its_answer_reaches_the_kernel(bool offloads)
    {
        using var peer = new TapPeer(offloads ? Offloaded : Plain);
        var ping = peer.Namespace.Start("ping", "-c", "1", "-s", "1400", "-W", "10", TapPeer.Address);
        var request = peer.Receive(TapPeer.IsArpRequest);
        peer.Send(peer.ArpReply(request));
        var echo = peer.Receive(f => TapPeer.IsIp(f, Icmp));
        Assert.Equal(14 + 20 + 8 + 1400, echo.Length);

        var answer = peer.Answer(echo, echo.Length);
        answer.Span[34] = 0;
        var checksum = BinaryPrimitives.ReadUInt16BigEndian(answer.Span[36..]) + 0x0800;
        BinaryPrimitives.WriteUInt16BigEndian(answer.Span[36..], (ushort)(checksum + (checksum >> 16)));
        peer.Send(answer);
        Assert.Equal(0, NetworkNamespace.ExitCodeOf(ping));
        Assert.Contains(peer.Wire.HardwareAddress!.Value.ToString(), peer.Namespace.Ip("neigh show dev tw0"), StringComparison.Ordinal);
        Assert.Equal(0, peer.Wire.Refused);
    }

    [SkippableTheory]
    [InlineData(AddressFamily.InterNetwork, Segmentation.TcpV4)]
    [InlineData(AddressFamily.InterNetworkV6, Segmentation.TcpV6)]
    public void Bulk_of_a_kernel_socket_arrives_in_super_frames_with_their_note(AddressFamily family, Segmentation segmentation)
    {
        using var peer = new TapPeer(Offloaded);
        Assert.Equal(Everywhere, peer.Wire.Offloads & Everywhere);
        using var tcp = new TcpSketch(peer, family);
        var partial = new OffloadNote { Checksum = ChecksumState.Partial, ChecksumStart = (ushort)tcp.TransportStart, ChecksumOffset = 16 };
        Assert.Equal(partial, tcp.SynchronizeNote);
        var payload = new byte[10_000];
        new Random(1).NextBytes(payload);
        tcp.Socket.Send(payload);

        var received = new List<byte>();
        var largest = 0;
        while (received.Count < payload.Length)
        {
            var segment = tcp.Receive();
            largest = Math.Max(largest, segment.Length);
            var super = partial with
            {
                Segmentation = segmentation, SegmentSize = (ushort)tcp.SegmentSize, HeaderLength = (ushort)(tcp.TransportStart + 20),
            };
            Assert.Equal(segment.Length > 1514 ? super : partial, segment.Offload);
            received.AddRange(tcp.PayloadOf(segment));
            segment.Release();
        }

        // How many segments the kernel puts into a frame depends on its pace, and so on the round trip of a handshake that a busy machine makes long.
        Assert.True(largest > 1514, $"The largest frame has {largest} bytes.");
        Assert.Equal(payload, received);
        Assert.Equal(0, peer.Wire.Refused);
    }

    [SkippableTheory]
    [InlineData(AddressFamily.InterNetwork, Segmentation.TcpV4)]
    [InlineData(AddressFamily.InterNetworkV6, Segmentation.TcpV6)]
    public void Bulk_of_a_kernel_socket_is_merged_where_the_device_has_no_offloads(AddressFamily family, Segmentation segmentation)
    {
        using var peer = new TapPeer(Plain, softwareOffload: true);
        using var tcp = new TcpSketch(peer, family);
        var payload = new byte[10_000];
        new Random(3).NextBytes(payload);
        tcp.Socket.Send(payload);

        // The kernel may pace what it sends, and push in between: most of it shall wait in the device.
        Thread.Sleep(200);
        var super = new OffloadNote
        {
            Checksum = ChecksumState.Partial, ChecksumStart = (ushort)tcp.TransportStart, ChecksumOffset = 16,
            Segmentation = segmentation, SegmentSize = (ushort)tcp.SegmentSize, HeaderLength = (ushort)(tcp.TransportStart + 20),
        };
        var received = new List<byte>();
        var largest = 0;
        while (received.Count < payload.Length)
        {
            var segment = tcp.Receive();
            largest = Math.Max(largest, segment.Length);
            if (segment.Length > 1514)
                Assert.Equal(super, segment.Offload);
            received.AddRange(tcp.PayloadOf(segment));
            segment.Release();
        }

        Assert.True(largest > 1514, "Nothing was merged.");
        Assert.Equal(payload, received);
        Assert.Equal(0, peer.Wire.Refused);
    }

    [SkippableTheory]
    [InlineData(AddressFamily.InterNetwork)]
    [InlineData(AddressFamily.InterNetworkV6)]
    public void Segmented_datagrams_of_a_kernel_socket_arrive_in_one_frame_with_their_note(AddressFamily family)
    {
        var (address, start) = family == AddressFamily.InterNetworkV6 ? (TapPeer.AddressV6, 54) : (TapPeer.Address, 34);
        const int UdpSegment = 103;
        const byte Udp = 17;
        using var peer = new TapPeer(Offloaded);
        Skip.If((peer.Wire.Offloads & WireOffloads.UdpSegmentation) == 0, "the kernel is older than 6.2");
        using var socket = peer.Namespace.Run(() => new Socket(family, SocketType.Dgram, ProtocolType.Udp));
        socket.SetRawSocketOption(Udp, UdpSegment, BitConverter.GetBytes(1000));
        socket.SendTo(new byte[9500], new IPEndPoint(IPAddress.Parse(address), 9));
        var frame = peer.Receive(f => TapPeer.IsIp(f, Udp));
        Assert.Equal(start + 8 + 9500, frame.Length);
        Assert.Equal(
            new OffloadNote { Checksum = ChecksumState.Partial, ChecksumStart = (ushort)start, ChecksumOffset = 6, Segmentation = Segmentation.Udp, SegmentSize = 1000, HeaderLength = (ushort)(start + 8) },
            frame.Offload);
        frame.Release();
    }

    [SkippableTheory]
    [InlineData(AddressFamily.InterNetwork, false)]
    [InlineData(AddressFamily.InterNetworkV6, false)]
    [InlineData(AddressFamily.InterNetwork, true)]
    [InlineData(AddressFamily.InterNetworkV6, true)]
    public void A_super_frame_with_fragments_reaches_a_kernel_socket_in_order(AddressFamily family, bool softwareOffload)
    {
        using var peer = new TapPeer(softwareOffload ? Plain : Offloaded, softwareOffload);
        using var tcp = new TcpSketch(peer, family);
        var payload = new byte[40_000];
        new Random(2).NextBytes(payload);
        tcp.SendSuperFrame(payload);
        var received = new byte[payload.Length];
        tcp.Socket.ReceiveTimeout = 20_000;
        for (var count = 0; count < received.Length;)
            count += tcp.Socket.Receive(received, count, received.Length - count, SocketFlags.None);
        Assert.Equal(payload, received);
        Assert.Equal(0, peer.Wire.Refused);
    }

    [SkippableFact]
    public void Frames_that_the_device_refuses_are_counted_and_the_rest_goes_out()
    {
        using var peer = new TapPeer(Offloaded);
        var ping = peer.Namespace.Start("ping", "-c", "1", "-W", "10", TapPeer.Address);
        var request = peer.Receive(TapPeer.IsArpRequest);
        var reply = peer.ArpReply(request);
        var tooShort = peer.Pool.Rent(64);
        tooShort.Append(13);
        var contradictory = peer.Pool.Rent(64);
        contradictory.Append(60);
        contradictory.Offload = new OffloadNote { Checksum = ChecksumState.Partial, ChecksumStart = 50, ChecksumOffset = 16 };
        Assert.Equal(3, peer.Wire.Write([tooShort, contradictory, reply]));
        Assert.Equal(2, peer.Wire.Refused);
        peer.Receive(f => TapPeer.IsIp(f, Icmp)).Release();
    }

    [SkippableFact]
    public void A_device_without_offloads_refuses_a_frame_that_needs_them()
    {
        using var peer = new TapPeer(Plain);
        Assert.Equal(WireOffloads.None, peer.Wire.Offloads);
        var frame = peer.Pool.Rent(64);
        frame.Append(60);
        frame.Offload = new OffloadNote { Checksum = ChecksumState.Partial, ChecksumStart = 34, ChecksumOffset = 16 };
        Assert.Equal(1, peer.Wire.Write([frame]));
        Assert.Equal(1, peer.Wire.Refused);
    }

    [SkippableFact]
    public void A_frame_for_an_interface_that_is_down_is_refused_and_one_after_it_is_up_again_is_not()
    {
        using var peer = new TapPeer(Plain);
        peer.Namespace.Ip("link set tw0 down");
        var frame = peer.Pool.Rent(64);
        frame.Append(60).Clear();
        Assert.Equal(1, peer.Wire.Write([frame]));
        Assert.Equal(1, peer.Wire.Refused);
        peer.Namespace.Ip("link set tw0 up");
        Assert.Equal(1, peer.Wire.Write([frame]));
        Assert.Equal(1, peer.Wire.Refused);
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_larger_mtu_given_meanwhile_costs_one_frame_counted(bool softwareOffload)
    {
        using var peer = new TapPeer(Plain, softwareOffload);
        peer.Namespace.Ip("link set tw0 mtu 9000");
        using var socket = peer.Namespace.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        var target = new IPEndPoint(IPAddress.Parse(TapPeer.Address), 9);
        socket.SendTo(new byte[5000], target);
        socket.SendTo(new byte[6000], target);
        socket.SendTo(new byte[100], target);
        foreach (var length in (int[])[6000, 100])
        {
            var frame = peer.Receive(f => TapPeer.IsIp(f, 17));
            Assert.Equal(14 + 20 + 8 + length, frame.Length);
            frame.Release();
        }

        Assert.Equal(1, peer.Wire.Refused);
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_removal_of_the_device_is_reported_and_then_an_exception(bool softwareOffload)
    {
        using var peer = new TapPeer(Plain, softwareOffload);
        peer.Namespace.Ip("link del tw0");
        var removed = Assert.Throws<WireException>(() => peer.Receive(_ => false));
        Assert.Equal("tw0 has been removed.", removed.Message);
        Assert.True((peer.Reported & Readiness.HangUp) != 0);
        var frame = peer.Pool.Rent(64);
        frame.Append(60);
        Assert.Throws<WireException>(() => peer.Wire.Write([frame]));
        frame.Release();
        peer.CloseWire();
        Assert.Equal(0, peer.Pool.Rented);
    }

    [SkippableFact]
    public void Frames_of_a_tun_device_are_ip_packets()
    {
        using var space = NetworkNamespace.Create();
        using var wire = space.OpenTap(new TapWireOptions { Name = "tun0", Medium = Medium.Ip, Mtu = 1400 });
        Assert.Null(wire.HardwareAddress);
        Assert.Equal(1400, wire.Mtu);
        space.Ip("addr add 10.99.0.1 peer 10.99.0.2 dev tun0");
        var ping = space.Start("ping", "-c", "1", "-W", "1", TapPeer.Address);
        NetworkNamespace.ExitCodeOf(ping);
        var pool = new BufferPool();
        var frames = new PacketBuffer[16];
        var count = wire.Read(pool, frames, out _);
        var echo = Assert.Single(frames[..count], f => f.Span[0] == 0x45 && f.Span[9] == Icmp);
        Assert.Equal(84, echo.Length);
    }

    [SkippableFact]
    public void The_mtu_is_set_and_the_link_brought_up()
    {
        using var space = NetworkNamespace.Create();
        using var wire = space.OpenTap(new TapWireOptions { Name = "tw%d", Mtu = 9000 });
        Assert.Equal(("tw0", 9000, Medium.Ethernet), (wire.Name, wire.Mtu, wire.Medium));
        var link = space.Ip("link show dev tw0");
        Assert.Contains("mtu 9000", link, StringComparison.Ordinal);
        Assert.Contains(",UP", link, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("tap", "", "qlen 4096")]
    [InlineData("tun", "", "qlen 4096")]
    [InlineData("tap", "txqueuelen 77", "qlen 77")]
    public void The_queue_of_a_device_is_lengthened_unless_somebody_has_chosen_its_length(string mode, string chosen, string expected)
    {
        using var space = NetworkNamespace.Create();
        space.Ip($"tuntap add dev tw0 mode {mode}");
        if (chosen.Length > 0)
            space.Ip($"link set tw0 {chosen}");
        using var wire = space.OpenTap(new TapWireOptions { Name = "tw0", Medium = mode == "tap" ? Medium.Ethernet : Medium.Ip });
        Assert.Contains(expected, space.Ip("link show dev tw0"), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_jumbo_frame_is_read_whole()
    {
        using var peer = new TapPeer(Plain with { Mtu = 9000 });
        var ping = peer.Namespace.Start("ping", "-c", "1", "-s", "8972", "-p", "5a", "-W", "5", TapPeer.Address);
        var echo = peer.Receive(f => TapPeer.IsIp(f, Icmp));
        Assert.Equal(14 + 9000, echo.Length);
        Assert.Equal(-1, echo.Span[(14 + 20 + 8 + 16)..].IndexOfAnyExcept((byte)0x5A));
        echo.Release();
    }

    [SkippableFact]
    public void Opening_fails_with_what_is_wrong()
    {
        using var space = NetworkNamespace.Create();
        using var first = space.OpenTap(Plain);
        Assert.Equal("The tap device tw0 is in use: another program is attached to it.", Failure(() => space.OpenTap(Plain)));
        Assert.Equal("lo exists and is not a single-queue tap device, or cannot be an interface's name; choose another name.", Failure(() => space.OpenTap(Plain with { Name = "lo" })));
        space.Ip("tuntap add dev tw1 mode tap");
        var address = MacAddress.Parse(space.Exec("cat", "/sys/class/net/tw1/address").Trim());
        Assert.Equal(
            $"{address} is the kernel's own address on tw1: this end needs another one.",
            Failure(() => space.OpenTap(Plain with { Name = "tw1", HardwareAddress = address })));
        using var second = space.OpenTap(Plain with { Name = "tw1", HardwareAddress = new MacAddress(0x02_00_00_00_00_01) });
        Assert.Equal(new MacAddress(0x02_00_00_00_00_01), second.HardwareAddress);
    }

    [SkippableFact]
    public void Opening_without_privileges_says_what_is_missing_and_how_to_get_it()
    {
        using var space = NetworkNamespace.Create();
        Assert.Equal(
            "No permission for the tap device tw0: it needs CAP_NET_ADMIN; or run once as root 'ip tuntap add dev tw0 mode tap user $USER'; "
            + "or run inside 'unshare -Urn'.",
            Failure(() => space.RunUnprivileged(() => TapWire.Open(Plain))));

        space.Ip("tuntap add dev tw0 mode tap user root");
        Assert.Equal(
            "tw0 is down, and changing that needs CAP_NET_ADMIN: run 'ip link set tw0 up' as root.",
            Failure(() => space.RunUnprivileged(() => TapWire.Open(Plain))));

        space.Ip("link set tw0 up");
        Assert.Equal(
            "tw0 has MTU 1500, and changing that needs CAP_NET_ADMIN: run 'ip link set tw0 mtu 9000' as root.",
            Failure(() => space.RunUnprivileged(() => TapWire.Open(Plain with { Mtu = 9000 }))));

        var addressed = Plain with { PeerAddresses = [IpPrefix.Parse("10.99.0.1/24")] };
        Assert.Equal(
            "tw0 has no address 10.99.0.1/24, and changing that needs CAP_NET_ADMIN: run 'ip addr add 10.99.0.1/24 dev tw0' as root.",
            Failure(() => space.RunUnprivileged(() => TapWire.Open(addressed))));

        space.Ip("addr add 10.99.0.1/24 dev tw0");
        space.RunUnprivileged(() => TapWire.Open(addressed)).Dispose();

        using var wire = space.RunUnprivileged(() => TapWire.Open(Offloaded with { Mtu = 1500 }));
        Assert.Equal(Everywhere, wire.Offloads & Everywhere);
    }

    [SkippableTheory]
    [InlineData(Medium.Ethernet)]
    [InlineData(Medium.Ip)]
    public void The_kernels_end_gets_the_addresses_that_it_is_to_have_and_keeps_its_own(Medium medium)
    {
        using var space = NetworkNamespace.Create();
        space.Ip($"tuntap add dev tw0 mode {(medium == Medium.Ethernet ? "tap" : "tun")}");
        space.Ip("addr add 10.98.0.1/16 dev tw0");
        var options = Plain with { Medium = medium, PeerAddresses = [IpPrefix.Parse("10.99.0.1/24"), IpPrefix.Parse("fd00::1/64"), IpPrefix.Parse("10.98.0.1/16")] };
        for (var i = 0; i < 2; i++)
        {
            space.OpenTap(options).Dispose();
            var shown = space.Ip("addr show dev tw0");
            Assert.All(["inet 10.99.0.1/24 ", "inet6 fd00::1/64 ", "inet 10.98.0.1/16 "], address => Assert.Contains(address, shown, StringComparison.Ordinal));
        }

        Assert.Contains("10.99.0.0/24 ", space.Ip("route"), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_persistent_device_does_not_keep_the_offloads_of_its_last_user()
    {
        using var space = NetworkNamespace.Create();
        space.Ip("tuntap add dev tw0 mode tap");
        space.OpenTap(Offloaded).Dispose();
        using var wire = space.OpenTap(Plain);
        Assert.Equal(WireOffloads.None, wire.Offloads);
        space.Ip($"addr add {TapPeer.KernelAddress}/24 dev tw0");
        space.Ip($"neigh add {TapPeer.Address} lladdr {wire.HardwareAddress} dev tw0");
        using var socket = space.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        socket.SendTo(new byte[1000], new IPEndPoint(IPAddress.Parse(TapPeer.Address), 9));

        var pool = new BufferPool();
        var frames = new PacketBuffer[64];
        var datagram = Assert.Single(frames[..wire.Read(pool, frames, out _)], f => f.Length == 14 + 20 + 8 + 1000);
        Assert.Equal(default, datagram.Offload);
        var pseudo = Checksum.Sum(datagram.Span.Slice(26, 8)) + 17 + 8 + 1000;
        Assert.Equal(0xFFFFu, Checksum.Sum(datagram.Span[34..], pseudo));
    }

    [SkippableFact]
    public void An_idle_wire_on_a_reactor_does_not_wake_it()
    {
        using var space = NetworkNamespace.Create();
        using var reactor = new Reactor("idle", e => Environment.FailFast("The reactor's handler has thrown.", e));
        space.Exec("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1");
        using var wire = space.OpenTap(new TapWireOptions { Name = "tun0", Medium = Medium.Ip });
        wire.Start(reactor, _ => { });
        Thread.Sleep(100);
        var before = reactor.Sleeps;
        Thread.Sleep(1000);
        Assert.Equal(before, reactor.Sleeps);
    }

    private static string Failure(Action open) => Assert.Throws<WireException>(open).Message;
}
