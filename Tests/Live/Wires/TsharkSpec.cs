using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Live.Support;
using Tapwire.Tests.Names.Mdns;
using Tapwire.Names.Mdns;
using Tapwire.Tests.Stack.Dhcp;
using Tapwire.Tests.Stack.Dhcp.V6;
using Tapwire.Stack.Multicast;
using Tapwire.Tests.Support;
using Tapwire.Tests.Wires.Vxlan;
using Tapwire.Tests.Wires.WireGuard;
using Tapwire.Stack.Udp;
using Tapwire.Wires.Udp;
using Tapwire.Wires.WireGuard;
using Tapwire.Wires.WireGuard.Crypto;
using Xunit;

namespace Tapwire.Tests.Live.Wires;

/// <summary>What we send, in the eyes of tshark.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class TsharkSpec : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-tshark-");

    private string FilePath => Path.Combine(_directory.FullName, "judged.pcapng");

    public void Dispose() => _directory.Delete(recursive: true);

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void With_the_keys_of_a_handshake_it_reads_what_a_tunnel_carries(bool preshared)
    {
        Tshark.Need();
        using var net = new WireGuardNetwork(seed: 5);
        using var secret = new SecretKey(Enumerable.Range(0, 32).Select(static i => (byte)(i + 1)).ToArray());
        var (a, b) = net.Pair(WireGuardLimits.Default with { HandshakesPerSecond = 1 });
        a.Knows(b, ["10.0.0.2/32", "fd00::2/128"], preshared: preshared ? secret : null);
        b.Knows(a, ["10.0.0.1/32", "fd00::1/128"], preshared: preshared ? secret : null);
        // Two initiations that come to nothing put the responder under load: the third one is answered by a cookie, and the fourth has it.
        net.Passes = static datagram => datagram.Type != WireGuardMessage.Response;
        Send(net, a, Build.Udp(1000, 9, "first"u8, IpAddress.Parse("10.0.0.1"), IpAddress.Parse("10.0.0.2"))[14..]);
        for (var i = 0; i < 60 && net.Sent.All(static each => each.Type != WireGuardMessage.CookieReply); i++)
        {
            if (net.Sent.LastOrDefault(static each => each.Type == WireGuardMessage.Initiation) is { } last)
            {
                net.Deliver(last);
                net.Deliver(last);
            }

            net.RunSeconds(0.5);
        }

        net.Passes = static _ => true;
        net.RunSeconds(12);
        Send(net, b, Build.Udp(9, 1000, "second"u8, IpAddress.Parse("10.0.0.2"), IpAddress.Parse("10.0.0.1"))[14..]);
        Send(net, a, BuildV6.Echo(100, IpAddress.Parse("fd00::1"), IpAddress.Parse("fd00::2"))[14..]);
        net.RunSeconds(12);
        Assert.Equal([1, 2, 3, 4], net.Sent.Select(static each => (int)each.Type).Distinct().Order());
        Assert.Equal(2, b.Packets.Count);

        Tshark.Write(FilePath, Medium.Ip, net.Sent.Select(Wrap));
        var keys = Path.Combine(_directory.FullName, "keys");
        File.WriteAllLines(keys, KeysOf(a, b, secret, preshared).Concat(KeysOf(b, a, secret, preshared)));
        string[] options = [$"wg.keylog_file:{keys}"];
        Tshark.AssertApproves(FilePath, options);
        var seen = Tshark.Fields(FilePath, "wg", options, "wg.type", "wg.static", "wg.timestamp.value", "wg.handshake_ok", "udp.payload", "ip.src", "ipv6.src", "wg.keepalive", "ip.dsfield.dscp");
        Assert.Equal(net.Sent.Count, seen.Count);
        Assert.All(seen.Where(static each => each[0] == "1"), each => Assert.True(each[1] == $"{a.Engine.PublicKey}" && each[2].Length > 0, string.Join(',', each)));
        Assert.Contains(seen, static each => each[0] == "2" && each[3] is "1" or "True");
        Assert.All(seen.Where(static each => each[0] is "1" or "2"), static each => Assert.Equal("34", each[8]));
        // The inner packets: their sources, and what they say.
        Assert.Contains(seen, static each => each[5].EndsWith("|10.0.0.1", StringComparison.Ordinal) && each[4].Contains(Convert.ToHexStringLower("first"u8), StringComparison.Ordinal));
        Assert.Contains(seen, static each => each[5].EndsWith("|10.0.0.2", StringComparison.Ordinal) && each[4].Contains(Convert.ToHexStringLower("second"u8), StringComparison.Ordinal));
        Assert.Contains(seen, static each => each[6] == "fd00::1");
        Assert.Contains(seen, static each => each[0] == "4" && each[7].Length > 0);
    }

    [SkippableFact]
    public void It_shows_the_directions_and_the_reasons_of_our_captures()
    {
        Tshark.Need();
        Tshark.Write(FilePath, Medium.Ethernet, [Build.Udp(1, 2, "in"u8), Build.Udp(2, 1, "out"u8), Build.Udp(1, 3, "bad"u8)], static number => number == 2 ? "dropped: UdpNoPorts" : null);
        Tshark.AssertApproves(FilePath);
        Assert.Equal(["1  judged", "2  judged", "1 dropped: UdpNoPorts judged"], Tshark.Fields(FilePath, "", "frame.packet_flags_direction", "frame.comment", "frame.interface_name")
            .Select(static each => $"{each[0][^1]} {each[1]} {each[2]}"));
    }

    [SkippableFact]
    public void It_approves_the_tunnelled_frames_of_VXLAN()
    {
        Tshark.Need();
        using var hub = new VxlanHub();
        var wire = hub.Wire("192.0.2.1", "66051/remote=192.0.2.2", 1);
        var pool = new DiagnosingBufferPool();
        foreach (var frame in (byte[][])[Build.Udp(1000, 9, "inner"u8), BuildV6.Echo(64)])
        {
            var buffer = pool.RentCopy(frame);
            Assert.Equal(1, wire.Write([buffer]));
            buffer.Release();
        }

        Tshark.Write(FilePath, Medium.Ip, hub.Sent.Select(static each => Wrap(new Datagram(each.From, each.To, each.Bytes))));
        Tshark.AssertApproves(FilePath);
        Assert.Equal(["66051 0x0800 9", "66051 0x0800 "], Tshark.Fields(FilePath, "vxlan", "vxlan.vni", "vxlan.flags", "udp.dstport").Select(static each => $"{each[0]} {each[1]} {each[2].Split('|').ElementAtOrDefault(1)}"));
    }

    [SkippableFact]
    public void It_approves_the_messages_of_both_DHCPs()
    {
        Tshark.Need();
        var v4 = new DhcpClientHarness();
        v4.Bind();
        v4.Advance(TimeSpan.FromMinutes(40));
        v4.Stop(release: true);
        var v6 = new Dhcp6ClientHarness();
        v6.Bind();
        v6.Advance(TimeSpan.FromMinutes(50));
        v6.Stop(release: true);
        Assert.True(v4.Sent.Count >= 4 && v6.Sent.Count >= 4);
        Tshark.Write(FilePath, Medium.Ip, v4.Sent.Select(static each => Udp(new IpEndpoint(each.Send.Source, 68), new IpEndpoint(each.Send.Destination, 67), each.Send.Message.Span, 64))
            .Concat(v6.Sent.Select(static each => Udp(new IpEndpoint(IpAddress.Parse("fe80::2"), 546), new IpEndpoint(IpAddress.Parse("ff02::1:2"), 547), each.Message, 1))));
        Tshark.AssertApproves(FilePath);
        Assert.Equal(["1", "3", "7"], Tshark.Fields(FilePath, "dhcp", "dhcp.option.dhcp").Select(static each => each[0]).Distinct().Order());
        Assert.Superset(new HashSet<string> { "1", "5", "8" }, Tshark.Fields(FilePath, "dhcpv6", "dhcpv6.msgtype").Select(static each => each[0]).ToHashSet());
    }

    [SkippableFact]
    public void It_approves_multicast_DNS()
    {
        Tshark.Need();
        var net = new MdnsNetwork();
        var (box, other) = (net.Add(1), net.Add(2));
        box.Publish("box", new MdnsService("http", IsTcp: true, 80));
        net.Run(TimeSpan.FromSeconds(5));
        other.Look("box.local", Tapwire.Names.DnsType.A);
        other.Look("_http._tcp.local", Tapwire.Names.DnsType.Pointer);
        net.Run(TimeSpan.FromSeconds(5));
        Tshark.Write(FilePath, Medium.Ip, box.Sent.Concat(other.Sent).SelectMany(static each => (IEnumerable<byte[]>)
        [
            Udp(new IpEndpoint(IpAddress.Parse("10.0.0.1"), 5353), new IpEndpoint(MdnsLink.GroupV4, 5353), each.Bytes.Span, 255),
            Udp(new IpEndpoint(IpAddress.Parse("fe80::1"), 5353), new IpEndpoint(MdnsLink.GroupV6, 5353), each.Bytes.Span, 255),
        ]));
        // Questions and answers of multicast DNS are repeated on purpose, and all have the identification 0.
        Tshark.AssertApproves(FilePath, except: "retransmission");
        var names = string.Join('|', Tshark.Fields(FilePath, "mdns", "dns.qry.name", "dns.resp.name").SelectMany(static each => each));
        Assert.Contains("box.local", names, StringComparison.Ordinal);
        Assert.Contains("_http._tcp.local", names, StringComparison.Ordinal);
    }

    /// <summary>What a host says on the link by itself: ARP, duplicate address detection, solicitations, group reports of both families, echo and errors.</summary>
    [SkippableFact]
    public void It_approves_neighbour_discovery_group_reports_and_ICMP()
    {
        Tshark.Need();
        using var h = new StackHarness(address: false) { SeesOwnGroups = true };
        var frames = new List<byte[]>();
        void Pass(double seconds)
        {
            h.Advance(TimeSpan.FromSeconds(seconds));
            frames.AddRange(h.Frames());
        }

        foreach (var address in (string[])["10.0.0.1/24", "fd00::1/64"])
            Assert.Equal(StackError.None, h.Stack.AddAddress(h.Stack.Interfaces[0], IpPrefix.Parse(address), h.Now));
        Pass(5);
        var sockets = new List<UdpSocket>();
        foreach (var group in (string[])["239.1.2.3", "ff15::123"])
        {
            Assert.Equal(StackError.None, h.Stack.Udp.Bind(new IpEndpoint(default, 5000), new UdpSocketOptions { ReuseAddress = true }, out var socket));
            sockets.Add(socket!);
            Assert.Equal(StackError.None, socket!.ChangeMembership(new MembershipChange(MembershipAction.Join, IpAddress.Parse(group)) { Interface = 0 }));
            Pass(5);
        }

        // A neighbour asks, echoes come and are answered, and closed ports are answered by errors.
        h.TeachPeer();
        foreach (var frame in (byte[][])[BuildV6.Solicitation(BuildV6.Own), BuildV6.Echo(1000), BuildV6.Udp(1, 7777, "?"u8), Build.Udp(1, 7777, "?"u8), Build.Icmp(Icmpv4Header.EchoRequest(1, 1), new byte[300])])
        {
            h.Receive(frame);
            Pass(0.1);
        }

        foreach (var socket in sockets)
            socket.Close();
        Pass(10);
        Tshark.Write(FilePath, Medium.Ethernet, frames);
        Tshark.AssertApproves(FilePath);
        var protocols = Tshark.Fields(FilePath, "", "icmpv6.type", "igmp.type", "icmp.type", "arp.opcode");
        Assert.Superset(new HashSet<string> { "143", "135", "136", "129", "1" }, protocols.Select(static each => each[0]).ToHashSet());
        Assert.Contains(protocols, static each => each[1] == "0x22");
        Assert.Superset(new HashSet<string> { "0", "3" }, protocols.Select(static each => each[2].Split('|')[0]).ToHashSet());
        Assert.Contains(protocols, static each => each[3] == "1");
    }

    /// <summary>The secrets of one end, in the format of the preference wg.keylog_file.</summary>
    private static IEnumerable<string> KeysOf(WireGuardEnd own, WireGuardEnd other, SecretKey preshared, bool hasPreshared)
    {
        yield return $"LOCAL_STATIC_PRIVATE_KEY = {Convert.ToBase64String(own.PrivateKey.Bytes)}";
        yield return $"REMOTE_STATIC_PUBLIC_KEY = {other.Engine.PublicKey}";
        foreach (var key in own.Random.Keys)
        {
            var clamped = key.ToArray();
            Curve25519.Clamp(clamped);
            yield return $"LOCAL_EPHEMERAL_PRIVATE_KEY = {Convert.ToBase64String(clamped)}";
            if (hasPreshared)
                yield return $"PRESHARED_KEY = {Convert.ToBase64String(preshared.Bytes)}";
        }
    }

    private static void Send(WireGuardNetwork net, WireGuardEnd from, byte[] packet)
    {
        var buffer = net.Pool.RentCopy(packet);
        from.Engine.Send(buffer, from.Now);
        buffer.Release();
    }

    private static byte[] Wrap(Datagram datagram)
    {
        var packet = Udp(datagram.From, datagram.To, datagram.Bytes, 64);
        packet[1] = datagram.TrafficClass;
        packet.AsSpan(Ipv4Field.Checksum, 2).Clear();
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(Ipv4Field.Checksum), Tapwire.Stack.Buffers.Checksum.Finish(Tapwire.Stack.Buffers.Checksum.Sum(packet.AsSpan(0, Ipv4Header.Length))));
        return packet;
    }

    private static byte[] Udp(IpEndpoint from, IpEndpoint to, ReadOnlySpan<byte> payload, byte hopLimit)
    {
        var datagram = new byte[UdpHeader.Length + payload.Length];
        new UdpHeader(from.Port, to.Port, (ushort)payload.Length).Emit(datagram);
        payload.CopyTo(datagram.AsSpan(UdpHeader.Length));
        BuildV6.Transport(IpProtocol.Udp, datagram, UdpHeader.ChecksumOffset, from.Address, to.Address);
        return to.Address.IsV4
            ? Build.Ipv4(IpProtocol.Udp, datagram, from.Address, to.Address, hopLimit: hopLimit)[14..]
            : BuildV6.Packet(IpProtocol.Udp, datagram, from.Address, to.Address, hopLimit: hopLimit)[14..];
    }
}
