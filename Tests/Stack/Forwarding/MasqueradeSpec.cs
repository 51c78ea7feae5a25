using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Forwarding;

/// <summary>A router that masquerades what leaves by its second interface, 10.2.0.1 and fd02::1, for hosts in 10.1.0.0/24 and fd01::/64 behind its first.</summary>
public sealed class MasqueradeSpec : IDisposable
{
    private const ushort Port = 40_000;

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

    public static TheoryData<byte, bool> Protocols => new()
    {
        { IpProtocol.Tcp, true }, { IpProtocol.Tcp, false }, { IpProtocol.Udp, true }, { IpProtocol.Udp, false }, { IpProtocol.Icmp, true }, { IpProtocol.Icmpv6, false },
    };

    [Theory]
    [MemberData(nameof(Protocols))]
    public void What_leaves_has_the_routers_address_and_the_answer_comes_back(byte protocol, bool isV4)
    {
        var nat = Make();
        var (host, peer, own) = (Host(isV4), Peer(isV4), Own(isV4));
        var left = Assert.Single(Leave(nat, Packet(protocol, host, Port, peer, 80)));
        Assert.Equal((own, Port, peer), (EndsOf(left).From, EndsOf(left).FromPort, EndsOf(left).To));
        AssertSums(left);
        var answer = Assert.Single(Enter(nat, Packet(protocol, peer, 80, own, Port, isAnswer: true)));
        Assert.Equal((peer, host, Port), (EndsOf(answer).From, EndsOf(answer).To, EndsOf(answer).ToPort));
        AssertSums(answer);
        Assert.Equal(1, nat.Counters.NatSessions);
    }

    /// <summary>RFC 4787, REQ-1 and REQ-4.</summary>
    [Fact]
    public void A_hosts_port_is_the_same_to_every_peer_and_no_other_hosts()
    {
        var nat = Make();
        var one = Assert.Single(Leave(nat, Packet(IpProtocol.Udp, Text("10.1.0.9"), Port, Text("10.2.0.9"), 53)));
        var same = Assert.Single(Leave(nat, Packet(IpProtocol.Udp, Text("10.1.0.9"), Port, Text("10.2.0.8"), 99)));
        var other = Assert.Single(Leave(nat, Packet(IpProtocol.Udp, Text("10.1.0.7"), Port, Text("10.2.0.9"), 53)));
        Assert.Equal((Port, Port), (EndsOf(one).FromPort, EndsOf(same).FromPort));
        var port = EndsOf(other).FromPort;
        Assert.NotEqual(Port, port);
        Assert.True(port >= 1024 && port is < EphemeralPorts.First or > EphemeralPorts.Last, $"{port}");
        Assert.Equal(Text("10.1.0.7"), EndsOf(Assert.Single(Enter(nat, Packet(IpProtocol.Udp, Text("10.2.0.9"), 53, Text("10.2.0.1"), port)))).To);
        Assert.Equal(Text("10.1.0.9"), EndsOf(Assert.Single(Enter(nat, Packet(IpProtocol.Udp, Text("10.2.0.9"), 53, Text("10.2.0.1"), Port)))).To);
    }

    [Theory]
    [InlineData("10.2.0.8", 80, 40_000)]
    [InlineData("10.2.0.9", 81, 40_000)]
    [InlineData("10.2.0.9", 80, 40_001)]
    public void What_answers_nothing_does_not_get_in(string from, int fromPort, int toPort)
    {
        var nat = Make();
        Leave(nat, Packet(IpProtocol.Tcp, Host(true), Port, Peer(true), 80));
        Assert.Empty(Enter(nat, Packet(IpProtocol.Tcp, Text(from), (ushort)fromPort, Own(true), (ushort)toPort, isAnswer: true)));
        Assert.Equal(1, nat.Counters.IpInDelivers); // it was for this host, as far as it is concerned
    }

    [Fact]
    public void Sockets_of_the_stack_keep_their_ports_and_what_is_for_them()
    {
        var nat = Make();
        Assert.Equal(StackError.None, nat.Udp.Bind(new IpEndpoint(IpAddress.AnyV4, Port), new(), out var socket));
        var left = Assert.Single(Leave(nat, Packet(IpProtocol.Udp, Host(true), Port, Peer(true), 80)));
        Assert.NotEqual(Port, EndsOf(left).FromPort);
        Assert.Empty(Enter(nat, Packet(IpProtocol.Udp, Peer(true), 80, Own(true), Port)));
        Assert.True(socket!.TryReceive(out var payload, out _));
        payload.Release();
        Assert.Equal(StackError.None, nat.Tcp.Listen(new IpEndpoint(IpAddress.AnyV4, Port), 1, default, out _));
        Assert.NotEqual(Port, EndsOf(Assert.Single(Leave(nat, Packet(IpProtocol.Tcp, Host(true), Port, Peer(true), 80)))).FromPort);
        Assert.Equal(StackError.None, nat.Icmp.Open(out var ping));
        Assert.NotEqual(ping!.Identifier, EndsOf(Assert.Single(Leave(nat, Packet(IpProtocol.Icmp, Host(true), ping.Identifier, Peer(true), 0)))).FromPort);
        ping.Close();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Errors_about_a_flow_find_the_one_who_has_sent_it_with_what_it_has_sent(bool isV4)
    {
        var nat = Make();
        var sent = Packet(IpProtocol.Udp, Host(isV4), Port, Peer(isV4), 80);
        var left = Assert.Single(Leave(nat, sent.ToArray()));
        var router = isV4 ? Text("10.2.0.77") : Text("fd02::77");
        var back = Assert.Single(Enter(nat, Error(left, router, Own(isV4))));
        Assert.Equal((router, Host(isV4)), (EndsOf(back).From, EndsOf(back).To));
        AssertSums(back);
        var quote = back[((isV4 ? 20 : 40) + 8)..];
        Assert.Equal((Host(isV4), Port, Peer(isV4)), (EndsOf(quote).From, EndsOf(quote).FromPort, EndsOf(quote).To));
        if (isV4)
            Assert.Equal(0xFFFFu, Checksum.Fold(Checksum.Sum(quote.AsSpan(0, 20))));

        // And the other way: the host refuses an answer.
        var answer = Assert.Single(Enter(nat, Packet(IpProtocol.Udp, Peer(isV4), 80, Own(isV4), Port)));
        var refusal = Assert.Single(Leave(nat, Error(answer, Host(isV4), Peer(isV4))));
        Assert.Equal((Own(isV4), Peer(isV4)), (EndsOf(refusal).From, EndsOf(refusal).To));
        AssertSums(refusal);
        quote = refusal[((isV4 ? 20 : 40) + 8)..];
        Assert.Equal((Peer(isV4), Own(isV4), Port), (EndsOf(quote).From, EndsOf(quote).To, EndsOf(quote).ToPort));

        // One about nobody's flow.
        Assert.Empty(Leave(nat, Error(Packet(IpProtocol.Udp, Peer(isV4), 81, Host(isV4), Port), Host(isV4), Peer(isV4))));
        Assert.Equal(1, nat.Counters.NatNoSession);
    }

    /// <summary>Nobody answers on the link outside: the packet has the router's address already.</summary>
    [Theory]
    [MemberData(nameof(Protocols))]
    public void A_neighbour_that_does_not_answer_is_told_to_the_host_behind(byte protocol, bool isV4)
    {
        var nat = Make(ethernet: true);
        // Another host has the port outside, so that this one gets another.
        Give(nat, 0, Packet(protocol, isV4 ? Text("10.1.0.7") : Text("fd01::7"), Port, isV4 ? Text("10.2.0.8") : Text("fd02::8"), 80), default);
        Assert.Single(Errors(nat));
        var sent = Packet(protocol, Host(isV4), Port, Peer(isV4), 80);
        Give(nat, 0, sent, default);
        Assert.Equal(2, nat.TranslatedFlows);
        var error = Assert.Single(Errors(nat));
        var header = isV4 ? 20 : 40;
        Assert.Equal((isV4 ? Text("10.1.0.1") : Text("fd01::1"), Host(isV4)), (EndsOf(error).From, EndsOf(error).To));
        Assert.Equal(isV4 ? (Icmpv4Type.DestinationUnreachable, Icmpv4Unreachable.Host) : (Icmpv6Type.DestinationUnreachable, Icmpv6Unreachable.Address), (error[header], error[header + 1]));
        AssertSums(error);
        // It quotes what the host has sent, but for the hop limit.
        var quote = error[(header + 8)..];
        Assert.Equal(EndsOf(sent), EndsOf(quote));
        Assert.Equal(sent[header..(header + 8)], quote[header..(header + 8)]);
    }

    [Fact]
    public void What_the_stack_has_sent_itself_is_still_its_own_failure()
    {
        var nat = Make(ethernet: true);
        Give(nat, 0, Packet(IpProtocol.Udp, Host(true), Port, Text("10.2.0.8"), 80), default);
        Assert.Equal(StackError.None, nat.Udp.Bind(new IpEndpoint(Own(true), 5000), new(), out var socket));
        Assert.Equal(StackError.None, socket!.Connect(new IpEndpoint(Peer(true), 80)));
        var payload = _pool.Rent(1, BufferPool.HeaderRoom);
        payload.Append(1)[0] = 1;
        Assert.Equal(StackError.None, socket.Send(payload, null, _now));
        // The host's error, and none for the socket's.
        Assert.Equal(Text("10.2.0.8"), EndsOf(Assert.Single(Errors(nat))[28..]).To);
        Assert.Equal(StackError.HostUnreachable, socket.TakeError());
    }

    /// <summary>RFC 5508, REQ-8.</summary>
    [Fact]
    public void A_flow_for_which_there_is_no_room_is_refused_by_an_error()
    {
        var nat = Make(new NatOptions { Sessions = 16, SessionsPerHost = 10 });
        for (var i = 0; i < 16; i++)
            Leave(nat, Packet(IpProtocol.Udp, Host(i < 10), (ushort)(2000 + i), Peer(i < 10), 80));
        Assert.Equal(16, nat.TranslatedFlows);
        foreach (var isV4 in (bool[])[true, false])
        {
            var sent = Packet(IpProtocol.Udp, Host(isV4), Port + 1, Peer(isV4), 80);
            Give(nat, 0, sent, default);
            var error = Assert.Single(Take(nat, 0));
            var header = isV4 ? 20 : 40;
            Assert.Equal(isV4 ? (Icmpv4Type.DestinationUnreachable, Icmpv4Unreachable.Prohibited) : (Icmpv6Type.DestinationUnreachable, Icmpv6Unreachable.Prohibited), (error[header], error[header + 1]));
            Assert.Equal(EndsOf(sent), EndsOf(error[(header + 8)..]));
        }

        // Not of an echo reply that nobody has asked for, nor of an error.
        Give(nat, 0, Packet(IpProtocol.Icmp, Host(true), Port, Peer(true), 0, isAnswer: true), default);
        Give(nat, 0, Error(Packet(IpProtocol.Udp, Peer(true), 81, Host(true), Port), Host(true), Peer(true)), default);
        Assert.Empty(Take(nat, 0));
    }

    [Fact]
    public void Flows_are_bounded_in_all_and_for_each_host_and_their_time_ends()
    {
        var nat = Make(new NatOptions { Sessions = 16, SessionsPerHost = 10 });
        for (var i = 0; i < 12; i++)
            Leave(nat, Packet(IpProtocol.Udp, Text("10.1.0.9"), (ushort)(2000 + i), Peer(true), 53));
        Assert.Equal((10, 2, 0), (nat.Counters.NatSessions, nat.Counters.NatHostFull, nat.Counters.NatTableFull));
        for (var i = 0; i < 12; i++)
            Leave(nat, Packet(IpProtocol.Udp, Text($"10.1.0.{20 + i}"), 2000, Peer(true), 53));
        Assert.Equal((16, 6), (nat.Counters.NatSessions, nat.Counters.NatTableFull));
        Pass(nat, TimeSpan.FromSeconds(121));
        Assert.Single(Leave(nat, Packet(IpProtocol.Udp, Text("10.1.0.9"), 2011, Peer(true), 53)));
        Assert.Equal(17, nat.Counters.NatSessions);
    }

    /// <summary>RFC 5382, REQ-5 and RFC 4787, REQ-5.</summary>
    [Theory]
    [InlineData(IpProtocol.Tcp, true, TcpFlags.Ack, 7430, 7450)]
    [InlineData(IpProtocol.Tcp, false, TcpFlags.Syn, 239, 241)]
    [InlineData(IpProtocol.Tcp, true, TcpFlags.Fin | TcpFlags.Ack, 239, 241)]
    [InlineData(IpProtocol.Tcp, true, TcpFlags.Rst, 239, 241)]
    [InlineData(IpProtocol.Udp, false, (TcpFlags)0, 119, 121)]
    [InlineData(IpProtocol.Udp, true, (TcpFlags)0, 299, 301)]
    [InlineData(IpProtocol.Icmp, true, (TcpFlags)0, 59, 61)]
    public void A_flow_lives_as_long_as_its_kind_may(byte protocol, bool isAnswered, TcpFlags last, int lives, int ends)
    {
        var nat = Make();
        Leave(nat, Packet(protocol, Host(true), Port, Peer(true), 80, flags: TcpFlags.Syn));
        if (isAnswered)
        {
            Enter(nat, Packet(protocol, Peer(true), 80, Own(true), Port, isAnswer: true, flags: TcpFlags.Syn | TcpFlags.Ack));
            Leave(nat, Packet(protocol, Host(true), Port, Peer(true), 80, flags: last));
        }

        Pass(nat, TimeSpan.FromSeconds(lives));
        Assert.Equal(1, nat.TranslatedFlows);
        Pass(nat, TimeSpan.FromSeconds(ends - lives));
        Assert.Equal(0, nat.TranslatedFlows);
    }

    [Fact]
    public void Other_protocols_and_answers_to_nobody_are_dropped_and_counted()
    {
        var nat = Make();
        Assert.Empty(Leave(nat, Build.Ipv4(47, new byte[40], Host(true), Peer(true))[EthernetHeader.Length..]));
        Assert.Equal(1, nat.Counters.NatUnknownProtocol);
        Assert.Empty(Leave(nat, Packet(IpProtocol.Icmp, Host(true), 7, Peer(true), 0, isAnswer: true)));
        Assert.Equal(1, nat.Counters.NatNoSession);
    }

    [Fact]
    public void An_address_that_goes_takes_its_flows_along_and_without_one_nothing_leaves()
    {
        var nat = Make();
        Leave(nat, Packet(IpProtocol.Udp, Host(true), Port, Peer(true), 80));
        Assert.Equal(1, nat.TranslatedFlows);
        nat.AddRoute(IpPrefix.Parse("10.2.0.0/24"), IpAddress.Unspecified, nat.Interfaces[1]);
        Assert.True(nat.RemoveAddress(Own(true), _now));
        Assert.Equal(0, nat.TranslatedFlows);
        Assert.Empty(Leave(nat, Packet(IpProtocol.Udp, Host(true), Port, Peer(true), 80)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Fragments_are_translated_together_and_leave_in_fragments(bool isV4)
    {
        var nat = Make();
        var whole = Packet(IpProtocol.Udp, Host(isV4), Port, Peer(isV4), 80, payload: 4000);
        var header = isV4 ? 20 : 40;
        var left = new List<byte[]>();
        foreach (var (offset, length) in (ReadOnlySpan<(int, int)>)[(1400, 1400), (2800, whole.Length - header - 2800), (0, 1400)])
        {
            var hasMore = offset + length < whole.Length - header;
            byte[] piece = isV4
                ? [.. whole[..20], .. whole[(20 + offset)..(20 + offset + length)]]
                : BuildV6.Fragment(IpProtocol.Udp, 77, whole.AsSpan(40 + offset, length), offset, hasMore, Host(false))[EthernetHeader.Length..];
            if (isV4)
                Ipv4Header.Refit(piece.AsSpan(0, 20), piece.Length, offset, hasMore);
            else
                Peer(false).CopyTo(piece.AsSpan(Ipv6Field.Destination));
            left.AddRange(Leave(nat, piece));
        }

        Assert.Equal(3, left.Count);
        var bytes = new byte[whole.Length - header];
        foreach (var piece in left)
        {
            var (at, start) = isV4 ? ((BinaryPrimitives.ReadUInt16BigEndian(piece.AsSpan(6)) & 0x1FFF) * 8, 20) : (BinaryPrimitives.ReadUInt16BigEndian(piece.AsSpan(42)) & ~7, 48);
            piece.AsSpan(start).CopyTo(bytes.AsSpan(at));
            Assert.Equal(Own(isV4), AddressAt(piece, isSource: true));
        }

        Assert.Equal(0xFFFFu, Checksum.Fold(Checksum.Sum(bytes, Checksum.PseudoHeader(Own(isV4), Peer(isV4), IpProtocol.Udp, bytes.Length))));
        Assert.Equal(whole[(header + 8)..], bytes[8..]);
    }

    [Fact]
    public void A_checksum_that_is_left_to_the_device_stays_partial()
    {
        var nat = Make();
        var packet = Packet(IpProtocol.Tcp, Host(true), Port, Peer(true), 80, payload: 100);
        var length = packet.Length - 20;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(36), (ushort)Checksum.Fold(Checksum.PseudoHeader(Host(true), Peer(true), IpProtocol.Tcp, length)));
        Give(nat, 0, packet, new OffloadNote { Checksum = ChecksumState.Partial, ChecksumStart = 20, ChecksumOffset = 16 });
        // The interface completes nothing, so that the router does.
        AssertSums(Assert.Single(Take(nat, 1)));
    }

    [Fact]
    public void A_datagram_without_a_checksum_has_none_afterwards()
    {
        var nat = Make();
        var packet = Packet(IpProtocol.Udp, Host(true), Port, Peer(true), 80);
        packet.AsSpan(26, 2).Clear();
        var left = Assert.Single(Leave(nat, packet));
        Assert.Equal((0, Own(true)), (BinaryPrimitives.ReadUInt16BigEndian(left.AsSpan(26)), EndsOf(left).From));
    }

    [Fact]
    public void A_hundred_thousand_changed_packets_of_both_sides_break_nothing_and_leave_the_table_within_its_bounds()
    {
        var nat = Make(new NatOptions { Sessions = 64, SessionsPerHost = 32 });
        var random = new Random(19);
        byte[][] seeds = [.. new[] { true, false }.SelectMany(isV4 => new[] { IpProtocol.Tcp, IpProtocol.Udp, isV4 ? IpProtocol.Icmp : IpProtocol.Icmpv6 }.SelectMany(protocol => new[]
        {
            Packet(protocol, Host(isV4), Port, Peer(isV4), 80), Packet(protocol, Peer(isV4), 80, Own(isV4), Port, isAnswer: true),
            Error(Packet(protocol, Own(isV4), Port, Peer(isV4), 80), Peer(isV4), Own(isV4)), Error(Packet(protocol, Peer(isV4), 80, Host(isV4), Port), Host(isV4), Peer(isV4)),
        }))];
        for (var i = 0; i < 100_000; i++)
        {
            var packet = seeds[random.Next(seeds.Length)].ToArray();
            for (var changes = random.Next(4); changes > 0; changes--)
                packet[random.Next(packet.Length)] = (byte)random.Next(256);
            if (random.Next(8) == 0)
                packet = packet[..random.Next(1, packet.Length)];
            if (packet.Length >= 20 && packet[0] == 0x45)
                Ipv4Header.Resize(packet.AsSpan(0, 20), packet.Length);
            Give(nat, random.Next(2), packet, default);
            if (i % 64 != 0)
                continue;
            Pass(nat, TimeSpan.FromMilliseconds(random.Next(20_000)));
            Assert.InRange(nat.TranslatedFlows, 0, 64);
            foreach (var each in nat.Interfaces)
                each.DropFrames();
        }

        Assert.True(nat.Counters.NatSessions > 100);
        Pass(nat, TimeSpan.FromHours(3));
        Assert.Equal(0, nat.TranslatedFlows);
    }

    private static IpAddress Text(string address) => IpAddress.Parse(address);

    private static IpAddress Host(bool isV4) => Text(isV4 ? "10.1.0.9" : "fd01::9");

    private static IpAddress Peer(bool isV4) => Text(isV4 ? "10.2.0.9" : "fd02::9");

    private static IpAddress Own(bool isV4) => Text(isV4 ? "10.2.0.1" : "fd02::1");

    private NetworkStack Make(NatOptions? options = null, bool ethernet = false)
    {
        var plain = new InterfaceOptions { Medium = Medium.Ip };
        var outer = ethernet ? plain with { Medium = Medium.Ethernet, HardwareAddress = StackHarness.OwnMac } : plain;
        var stack = new NetworkStack(new StackOptions { Interfaces = [plain, outer with { Masquerades = true }], IsRouter = true, Nat = options ?? new() }, _pool, Enumerable.Repeat((byte)9, 32).ToArray());
        _stacks.Add(stack);
        foreach (var (index, prefix) in (ReadOnlySpan<(int, string)>)[(0, "10.1.0.1/24"), (1, "10.2.0.1/24"), (0, "fd01::1/64"), (1, "fd02::1/64")])
            Assert.Equal(StackError.None, stack.AddAddress(stack.Interfaces[index], IpPrefix.Parse(prefix), _now));
        return stack;
    }

    /// <summary>What the hosts behind are told in ten seconds.</summary>
    private List<byte[]> Errors(NetworkStack nat)
    {
        var told = new List<byte[]>();
        for (var i = 0; i < 100; i++)
        {
            Pass(nat, TimeSpan.FromMilliseconds(100));
            told.AddRange(Take(nat, 0));
        }

        return told;
    }

    private void Pass(NetworkStack nat, TimeSpan time)
    {
        _now += time;
        nat.Poll(_now);
    }

    private List<byte[]> Leave(NetworkStack nat, byte[] packet)
    {
        Give(nat, 0, packet, default);
        return Take(nat, 1);
    }

    private List<byte[]> Enter(NetworkStack nat, byte[] packet)
    {
        Give(nat, 1, packet, default);
        return Take(nat, 0);
    }

    private void Give(NetworkStack nat, int index, ReadOnlySpan<byte> packet, OffloadNote note)
    {
        var buffer = _pool.Rent(packet.Length);
        packet.CopyTo(buffer.Append(packet.Length));
        buffer.Interface = nat.Interfaces[index].Index;
        buffer.Offload = note;
        nat.Receive(buffer, _now);
    }

    private List<byte[]> Take(NetworkStack nat, int index)
    {
        nat.Poll(_now);
        var frames = new List<byte[]>();
        while (nat.Interfaces[index].TryDequeueFrame(out var frame))
        {
            var bytes = new byte[frame.TotalLength];
            frame.CopyTo(bytes);
            frames.Add(bytes);
            frame.Release();
        }

        nat.Interfaces[1 - index].DropFrames();
        return frames;
    }

    private static byte[] Packet(byte protocol, IpAddress from, ushort fromPort, IpAddress to, ushort toPort, bool isAnswer = false, TcpFlags flags = TcpFlags.Ack, int payload = 32)
    {
        var isEcho = protocol is IpProtocol.Icmp or IpProtocol.Icmpv6;
        var message = new byte[(protocol == IpProtocol.Tcp ? 20 : 8) + payload];
        for (var i = message.Length - payload; i < message.Length; i++)
            message[i] = (byte)i;
        BinaryPrimitives.WriteUInt16BigEndian(message, fromPort);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), toPort);
        var checksumAt = 6;
        if (protocol == IpProtocol.Tcp)
        {
            (message[12], message[13], checksumAt) = (0x50, (byte)flags, 16);
        }
        else if (isEcho)
        {
            message.AsSpan(0, 4).Clear();
            message[0] = protocol == IpProtocol.Icmp ? isAnswer ? Icmpv4Type.EchoReply : Icmpv4Type.Echo : isAnswer ? Icmpv6Type.EchoReply : Icmpv6Type.EchoRequest;
            BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(4), isAnswer ? toPort : fromPort);
            checksumAt = 2;
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(4), (ushort)message.Length);
        }

        var sum = protocol == IpProtocol.Icmp ? 0 : Checksum.PseudoHeader(from, to, protocol, message.Length);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(checksumAt), Checksum.Finish(Checksum.Sum(message, sum)));
        return (from.IsV4 ? Build.Ipv4(protocol, message, from, to) : BuildV6.Packet(protocol, message, from, to))[EthernetHeader.Length..];
    }

    private static byte[] Error(ReadOnlySpan<byte> about, IpAddress from, IpAddress to) => (from.IsV4
        ? Build.Icmp(Icmpv4Header.Unreachable(Icmpv4Unreachable.Port), about, from, to)
        : BuildV6.Icmp(Icmpv6Header.Unreachable(Icmpv6Unreachable.Port), about, from, to))[EthernetHeader.Length..];

    private static IpAddress AddressAt(byte[] packet, bool isSource) => packet[0] >> 4 == 4
        ? IpAddress.FromBytes(packet.AsSpan(isSource ? 12 : 16, 4))
        : IpAddress.FromBytes(packet.AsSpan(isSource ? 8 : 24, 16));

    private static (IpAddress From, ushort FromPort, IpAddress To, ushort ToPort) EndsOf(byte[] packet)
    {
        var isV4 = packet[0] >> 4 == 4;
        var transport = packet.AsSpan(isV4 ? 20 : 40);
        var isEcho = (isV4 ? packet[9] : packet[6]) is IpProtocol.Icmp or IpProtocol.Icmpv6;
        return (AddressAt(packet, true), BinaryPrimitives.ReadUInt16BigEndian(transport[(isEcho ? 4 : 0)..]),
            AddressAt(packet, false), BinaryPrimitives.ReadUInt16BigEndian(transport[(isEcho ? 4 : 2)..]));
    }

    private static void AssertSums(byte[] packet)
    {
        var isV4 = packet[0] >> 4 == 4;
        if (isV4)
            Assert.Equal(0xFFFFu, Checksum.Fold(Checksum.Sum(packet.AsSpan(0, 20))));
        var protocol = isV4 ? packet[9] : packet[6];
        var transport = packet.AsSpan(isV4 ? 20 : 40);
        var sum = protocol == IpProtocol.Icmp ? 0 : Checksum.PseudoHeader(AddressAt(packet, true), AddressAt(packet, false), protocol, transport.Length);
        Assert.Equal(0xFFFFu, Checksum.Fold(Checksum.Sum(transport, sum)));
    }
}
