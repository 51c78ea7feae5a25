using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack;

/// <summary>Whatever comes off the wire is a counted drop or an answer: nothing throws, nothing leaks, memory stays bounded, and the stack goes on.</summary>
public sealed class HostileFramesSpec
{
    /// <summary>Drop reasons that the changed frames must have met; otherwise they are too tame.</summary>
    private static readonly string[] Reached =
    [
        "EthernetTooShort", "EthernetOtherHost", "EthernetBadSource", "EthernetUnknownType", "ArpTooShort", "ArpBadFormat", "ArpBadOperation",
        "ArpBadSender", "ArpNotForUs", "ArpUnsolicited", "ArpMovesRefused", "ArpAddressConflicts", "IpInTruncated", "IpInBadVersion",
        "IpInBadHeaderLength", "IpInBadLength", "IpInBadChecksum", "IpInBadOptions", "IpInMartianSource", "IpInMartianDestination",
        "IpInAddrErrors", "IpInLinkBroadcast", "IpReasmReqds", "IpInUnknownProtos", "IcmpInTruncated", "IcmpInCsumErrors", "IcmpInBadQuotes",
        "IcmpInUnknownTypes", "UdpInTruncated", "UdpInBadLength", "UdpInCsumErrors", "TcpInTruncated", "TcpInBadOffset", "TcpInCsumErrors",
        "TcpInBadOptions", "TcpInBadFlags", "TcpInOutOfWindow",
    ];

    /// <summary>The same for changed IPv6 frames.</summary>
    private static readonly string[] ReachedV6 =
    [
        "EthernetTooShort", "IpInTruncated", "IpInBadVersion", "IpInBadLength", "IpInMartianSource", "IpInMartianDestination", "IpInOwnSource", "IpInAddrErrors", "IpInLinkBroadcast",
        "IpInUnknownProtos", "Ip6InBadChain", "Ip6InHdrErrors", "IpReasmReqds", "IpReasmOKs", "IpReasmMalformed", "IpReasmOverlaps", "IcmpInTruncated", "IcmpInCsumErrors", "IcmpInBadQuotes",
        "IcmpInUnknownTypes", "IcmpInBadMtu", "IcmpOutParmProbs", "NdpBadHopLimit", "NdpBadFormat", "NdpNotForUs", "NdpUnsolicited", "NdpAddressConflicts", "ArpMovesRefused",
        "UdpInBadLength", "UdpInCsumErrors", "TcpInTruncated", "TcpInBadOffset", "TcpInCsumErrors", "TcpInBadOptions", "TcpInBadFlags", "TcpInOutOfWindow",
    ];

    [Theory]
    [InlineData(1, Medium.Ethernet)]
    [InlineData(2, Medium.Ip)]
    public void Random_bytes_do_no_harm(int seed, Medium medium)
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { Medium = medium, HardwareAddress = StackHarness.OwnMac }] });
        var random = new Random(seed);
        var frame = new byte[1600];
        for (var i = 0; i < 50_000; i++)
        {
            var length = random.Next(10) == 0 ? random.Next(1600) : random.Next(100);
            random.NextBytes(frame.AsSpan(0, length));
            Disguise(frame.AsSpan(0, length), medium, random);
            h.Receive(frame.AsSpan(0, length));
            if (i % 64 == 0)
                Rest(h, random);
        }

        Survived(h, medium);
    }

    [Theory]
    [InlineData(3, 4)]
    [InlineData(4, 4)]
    [InlineData(5, 6)]
    [InlineData(6, 6)]
    public void Valid_frames_with_changes_do_no_harm(int seed, int family)
    {
        using var h = family == 6 ? BuildV6.Harness() : new StackHarness();
        var peer = family == 6 ? BuildV6.Peer : StackHarness.PeerIp;
        Func<ushort, List<byte[]>> make = family == 6 ? HostileTemplates.MakeV6 : HostileTemplates.Make;
        h.TeachPeer();
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(new IpEndpoint(default, 53), new(), out var udp));
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(new IpEndpoint(default, 54), new(), out var connected));
        Assert.Equal(StackError.None, connected!.Connect(new IpEndpoint(peer, 4000)));
        Assert.Equal(StackError.None, h.Stack.Tcp.Listen(new IpEndpoint(default, 80), 16, default, out var listener));
        Assert.Equal(StackError.None, h.Stack.Tcp.Connect(new IpEndpoint(peer, 81), new IpEndpoint(default, 5000), default, h.Now, out var active));
        Assert.Equal(StackError.None, h.Stack.Icmp.Open(out var ping));
        ping!.Send(peer, 1, [1, 2, 3], h.Now);
        var random = new Random(seed);
        var templates = make(ping.Identifier);
        templates.AddRange(h.Frames());
        for (var i = 0; i < 60_000; i++)
        {
            var frame = Tampering.Mutated(templates[random.Next(templates.Count)], templates, random);
            if (random.Next(2) == 0)
                Tampering.Repair(frame);
            h.Receive(frame, (ChecksumState)random.Next(3));
            if (i % 64 == 0)
            {
                // What the stack itself says becomes a template too: its sequence numbers make deeper states reachable.
                var answers = Rest(h, random);
                foreach (var answer in answers.Take(2))
                    templates[random.Next(templates.Count)] = Reversed(answer);
                Drain(h);
                while (udp!.TryReceive(out var payload, out _))
                    payload.Release();
                while (listener!.Accept() is { } accepted)
                {
                    if (random.Next(2) == 0)
                        accepted.Abort(h.Now);
                    else
                        accepted.Close(h.Now);
                }

                if (random.Next(50) == 0)
                    templates = [.. make(ping.Identifier), .. answers];
            }
        }

        while (connected.TryReceive(out var payload, out _))
            payload.Release();
        udp!.Close();
        connected.Close();
        PacketBuffer.ReleaseChain(active!.Read(out _, out _));
        active.Abort(h.Now);
        listener!.Close(h.Now);
        Survived(h, Medium.Ethernet);
        Assert.Empty(h.Counters.All().Where(c => c.Value == 0).Select(c => c.Name).Intersect(family == 6 ? ReachedV6 : Reached));
        // A connection that nobody has closed lives as long as its peer says; the address takes it along.
        Assert.InRange(h.Stack.Neighbors.Count, 0, 4096);
    }

    [Fact]
    public void A_flood_of_pings_from_everywhere_is_answered_within_bounds()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], Neighbors = new() { Entries = 64, AllQueuedBytes = 64 << 10 } });
        for (var i = 0; i < 20_000; i++)
        {
            h.Receive(Build.Icmp(Icmpv4Header.EchoRequest(1, 1), new byte[100], source: IpAddress.FromV4(0x0A00_0000u + (uint)(i % 253) + 2)));
            if (i % 100 == 0)
                h.Frames();
        }

        Assert.Equal(64, h.Stack.Neighbors.Count);
        Assert.True(h.Pool.Rented < 2000, $"{h.Pool.Rented} buffers are held.");
    }

    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    public void Tampered_copies_inside_live_connections_do_no_harm(int seed)
    {
        var random = new Random(seed);
        var injected = 0;
        using var pair = new StackPair(seed: seed)
        {
            Inject = frame =>
            {
                if (frame.Length < 54 || random.Next(3) != 0)
                    return null;
                injected++;
                // Ports, addresses and numbers stay mostly as they are, so that the change is judged by the connection.
                var copy = (byte[])frame.Clone();
                for (var changes = random.Next(1, 3); changes > 0; changes--)
                    copy[random.Next(2) == 0 ? random.Next(46, Math.Min(copy.Length, 70)) : random.Next(38, 54) % copy.Length] = (byte)random.Next(256);
                Tampering.Repair(copy);
                return copy;
            },
        };
        var sockets = new List<TcpSocket>();
        Assert.Equal(StackError.None, pair.B.Tcp.Listen(new IpEndpoint(default, 80), 100, default, out var listener));
        for (var round = 0; round < 20; round++)
        {
            Assert.Equal(
                StackError.None, pair.A.Tcp.Connect(new IpEndpoint(StackPair.AddressB, 80), default(IpEndpoint), default, pair.Now, out var socket));
            sockets.Add(socket!);
            for (var i = 0; i < 10; i++)
            {
                pair.Run(TimeSpan.FromMilliseconds(50));
                while (listener!.Accept() is { } accepted)
                    sockets.Add(accepted);
                sockets.ForEach(s => Use(pair, s, random));
            }
        }

        sockets.ForEach(s => s.Abort(pair.Now));
        listener!.Close(pair.Now);
        pair.Run(TimeSpan.FromMinutes(5));
        sockets.ForEach(s => PacketBuffer.ReleaseChain(s.Read(out _, out _)));
        Assert.Equal((0, 0), (pair.A.Tcp.Count, pair.B.Tcp.Count));
        Assert.True(injected > 300, $"Only {injected} frames were tampered with.");
    }

    private static void Use(StackPair pair, TcpSocket socket, Random random)
    {
        PacketBuffer.ReleaseChain(socket.Read(out var bytes, out _));
        socket.Consumed(bytes, pair.Now);
        if (socket.State is TcpState.Established or TcpState.CloseWait && socket.SendRoom > 8000)
        {
            var data = pair.Pool.Rent(8000);
            data.Append(random.Next(1, 8000)).Clear();
            socket.Write(data, pair.Now);
        }

        if (random.Next(40) == 0)
            socket.ShutdownSend(pair.Now);
    }

    private static void Disguise(Span<byte> frame, Medium medium, Random random)
    {
        var ip = medium == Medium.Ip ? frame : frame.Length >= 14 ? frame[14..] : [];
        if (medium == Medium.Ethernet && frame.Length >= 14 && random.Next(8) != 0)
            new EthernetHeader(
                random.Next(4) == 0 ? MacAddress.Broadcast : StackHarness.OwnMac, StackHarness.PeerMac,
                random.Next(3) == 0 ? EtherType.Arp : EtherType.Ipv4).Emit(frame);
        if (ip.Length < 20 || random.Next(4) == 0)
            return;
        ip[0] = (byte)(0x40 | random.Next(4, 8));
        BinaryPrimitives.WriteUInt16BigEndian(ip[2..], (ushort)ip.Length);
        ip[6] = 0;
        ip[7] = 0;
        ip[9] = random.Next(4) switch { 0 => IpProtocol.Icmp, 1 => IpProtocol.Tcp, 2 => IpProtocol.Udp, _ => ip[9] };
        BinaryPrimitives.WriteUInt32BigEndian(ip[12..], StackHarness.PeerIp.V4);
        BinaryPrimitives.WriteUInt32BigEndian(ip[16..], StackHarness.OwnIp.V4);
        Tampering.FixIpChecksum(ip);
    }

    /// <summary>The frame as the peer would answer it: addresses, ports and TCP numbers change places.</summary>
    private static byte[] Reversed(byte[] frame)
    {
        var answer = (byte[])frame.Clone();
        StackHarness.OwnMac.CopyTo(answer);
        StackHarness.PeerMac.CopyTo(answer.AsSpan(6));
        if (answer.Length >= 54 && frame[14] >> 4 == 6)
        {
            frame.AsSpan(38, 16).CopyTo(answer.AsSpan(22));
            frame.AsSpan(22, 16).CopyTo(answer.AsSpan(38));
            return answer.Length < 74 || answer[20] != IpProtocol.Tcp ? answer : ReversedTcp(frame, answer, 54);
        }

        if (answer.Length < 54 || answer[12] != 8 || answer[13] != 0)
            return answer;
        frame.AsSpan(30, 4).CopyTo(answer.AsSpan(26));
        frame.AsSpan(26, 4).CopyTo(answer.AsSpan(30));
        return answer[23] != IpProtocol.Tcp ? answer : ReversedTcp(frame, answer, 34);
    }

    private static byte[] ReversedTcp(byte[] frame, byte[] answer, int tcp)
    {
        frame.AsSpan(tcp + 2, 2).CopyTo(answer.AsSpan(tcp));
        frame.AsSpan(tcp, 2).CopyTo(answer.AsSpan(tcp + 2));
        frame.AsSpan(tcp + 8, 4).CopyTo(answer.AsSpan(tcp + 4));
        var acknowledged = BinaryPrimitives.ReadUInt32BigEndian(frame.AsSpan(tcp + 4)) + ((frame[tcp + 13] & 3) != 0 ? 1u : 0);
        BinaryPrimitives.WriteUInt32BigEndian(answer.AsSpan(tcp + 8), acknowledged);
        answer[tcp + 13] |= (byte)TcpFlags.Ack;
        Tampering.Repair(answer);
        return answer;
    }

    private static List<byte[]> Rest(StackHarness h, Random random)
    {
        var frames = h.Frames();
        Drain(h);
        h.Advance(TimeSpan.FromMilliseconds(random.Next(3) == 0 ? random.Next(3000) : 1));
        return frames;
    }

    private static void Drain(StackHarness h)
    {
        while (h.Stack.TryDequeueEvent(out var socket, out _))
        {
            if (socket is not TcpSocket tcp)
                continue;
            PacketBuffer.ReleaseChain(tcp.Read(out var bytes, out _));
            tcp.Consumed(bytes, h.Now);
        }
    }

    private static void Survived(StackHarness h, Medium medium)
    {
        h.Frames();
        Drain(h);
        h.Advance(TimeSpan.FromMinutes(1));
        h.Frames();
        var request = Build.Icmp(Icmpv4Header.EchoRequest(7, 7), "still there"u8);
        if (medium == Medium.Ip)
            request = request[EthernetHeader.Length..];
        else
            h.Answers(Build.Arp(new ArpPacket(ArpOperation.Reply, StackHarness.PeerMac, StackHarness.PeerIp, StackHarness.OwnMac, StackHarness.OwnIp)));
        h.Receive(request);
        h.Advance(TimeSpan.FromSeconds(10));
        h.Answers(Build.Arp(new ArpPacket(ArpOperation.Reply, StackHarness.PeerMac, StackHarness.PeerIp, StackHarness.OwnMac, StackHarness.OwnIp)));
        Assert.True(h.Counters.IcmpOutEchoReps > 0);
        Assert.Contains(h.Answers(request), f => f.AsSpan().IndexOf("still there"u8) >= 0);
    }
}
