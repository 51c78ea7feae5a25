using System.Buffers.Binary;
using System.Text;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;
using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Proxy;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Links.Support;
using Tapwire.Tests.Stack.Dhcp;
using Tapwire.Tests.Stack.Dhcp.V6;
using Tapwire.Tests.Support;
using Tapwire.Wires;
using static Tapwire.Tests.Hostile.HostileException;

namespace Tapwire.Tests.Hostile;

/// <summary>
/// All parsers of bytes from outside. Of each: nothing but its documented exception comes out, no byte outside of the input is read, and what it has read is the
/// same again after it was written.
/// </summary>
internal static class ParserTargets
{
    private static readonly BufferPool Pool = new();
    private static readonly ProxyUser User = new("me", "secret");

    private static readonly string[] Texts =
    [
        "tapwire { link.max-sessions = 3\n addresses = [\"10.99.0.2/24\", 10.99.0.3/24] }",
        "a.b = 1, c { d : \"x\" } # comment\nlist = [1, 2,\n 3]\ntext = \"\"\"a \" b\"\"\"\n",
        "{ \"quoted key\" : true, e = ${?a.b}, f += 4 }",
        "tapwire.tap.offload = off // end",
    ];

    public static readonly IReadOnlyList<ParserTarget> All =
    [
        new("ethernet", Ethernet, Frames(0), []),
        new("arp", Arp, Frames(14), []),
        new("ipv4", Ipv4, Frames(14), []),
        new("icmp", Icmp, Frames(34), []),
        new("udp", Udp, Frames(34), []),
        new("tcp", Tcp, Frames(34), ["\x02\x04\x05\xb4", "\x01\x03\x03\x07", "\x08\x0a", "\x05\x0a", "\x05\x12", "\x04\x02", "\x22\x0a", "\x22\x02", "\x00"]),
        new("dhcp", Dhcp, DhcpAnswers(), ["\x01\x04\xff\xff\xff\x00", "\x03\x04", "\x06\x08", "\x34\x01\x03", "\x33\x04\x00\x00", "\x35\x01\x05", "\x36\x04\xc0\x00\x02\x01", "\x77\x06", "\xc0\x00", "\x79\x08", "\xff", "\x00"]),
        new("dhcp6", Dhcp6, Dhcp6Answers(), ["\x00\x01\x00\x0a", "\x00\x02\x00\x0a", "\x00\x03\x00\x28", "\x00\x05\x00\x18", "\x00\x0d\x00\x02\x00\x00", "\x00\x17\x00\x10", "\x00\x18\x00\x05", "\x00\x20\x00\x04"]),
        new("dhcp-server", ServerTargets.Dhcp, ServerTargets.DhcpSeeds, ["\x35\x01\x03", "\x32\x04\xc0\x00\x02\x09", "\x36\x04\xc0\x00\x02\x01", "\x3d\x07\x01", "\x34\x01\x03", "\x37\x01\x77", "\x39\x02\x02\x40", "\xff", "\x00"]),
        new("dhcp6-server", ServerTargets.Dhcp6Questions, ServerTargets.Dhcp6Seeds, ["\x0b\x00\x00\x01", "\x00\x01\x00\x0a", "\x00\x02\x00\x0a", "\x00\x03\x00\x0c"]),
        new("dns-request", ServerTargets.Names, ServerTargets.NameSeeds, ["\x00\x01", "\x00\x1c", "\x00\x0c", "\x00\x29", "\xc0\x0c", "\x04arpa\x00", "\x3f"]),
        new("qemu", ServerTargets.Frames, ServerTargets.FrameSeeds, ["\x00\x00\x00\x0e", "\x00\x00\x00\x00", "\x00\x01\x10\x00", "\x00\x01\x10\x01", "\xff\xff\xff\xff"]),
        new("mdns", MdnsTarget.Check, MdnsTarget.Seeds, ["\x05local\x00", "\xc0\x0c", "\xc0\x00", "\x00\x01", "\x80\x01", "\x00\x0c", "\x00\x1c", "\x00\x21", "\x00\x2f", "\x00\xff", "\x3f", "\xff\xff"]),
        new("virtio", Virtio, [.. Frames(0).Select(frame => (byte[])[1, 1, 54, 0, 100, 0, 34, 0, 16, 0, .. frame])], []),
        new("ipv6", V6Targets.Header, V6Targets.Packets, []),
        new("ipv6-chain", V6Targets.Chain, V6Targets.Packets, ["\x00", "\x2b", "\x2c", "\x3c", "\x3b", "\x05\x02\x00\x00", "\xc2\x04", "\x01\x04"]),
        new("icmpv6", V6Targets.Icmp, V6Targets.Messages, []),
        new("ndp", V6Targets.Neighbors, V6Targets.Messages, ["\x01\x01", "\x02\x01", "\x03\x04", "\x05\x01", "\x18\x03", "\x19\x03", "\x1f\x02", "\x0e\x01"]),
        new("dns", V6Targets.Names, V6Targets.NameSeeds, ["\xc0\x0c", "\x00\x01", "\x00\x1c", "\x00\x05", "\x00\x06", "\x00\x29", "\x3f"]),
        new("igmp", GroupTargets.Igmp, GroupTargets.IgmpSeeds, []),
        new("mld", GroupTargets.Mld, GroupTargets.MldSeeds, []),
        new("offload", OffloadTarget.Check, OffloadTarget.Seeds, []),
        new("link-request", LinkRequest, LinkRequests(), []),
        new("link-answer", LinkAnswer, LinkRequests(), []),
        new("link-records", LinkRecords, LinkRequests(), []),
        new("proxy", Proxy, Conversations(), ["\x05\x01\x00", "\x05\x01\x02", "\x01\x02me\x06secret", "\x05\x01\x00\x03", "\x01\x0a\x63\x00\x01\x00\x50", "\r\n", "\r\n\r\n", " HTTP/1.1", "CONNECT ", "[::1]:80", "Proxy-Authorization: Basic bWU6c2VjcmV0"]),
        new("socks-datagram", SocksDatagrams, [[0, 0, 0, 1, 10, 99, 0, 1, 0, 80, 1], [0, 0, 0, 3, 2, 97, 98, 0, 80], [0, 0, 0, 4, .. new byte[18]]], []),
        new("settings", Settings, [.. Texts.Select(Encoding.UTF8.GetBytes)], ["{", "}", "[", "]", "=", ":", "\"", "\"\"\"", "${?a}", "+=", "#", "//", "\n", ",", "\\u0041", "include ", "tapwire", "null"]),
        new("addresses", Addresses, [.. "10.99.0.1/24 ::1 fe80::1/64 ::ffff:1.2.3.4 02:00:00:00:00:01 peer:80 [::1]:80 1.2.3.4:65535".Split(' ').Select(Encoding.ASCII.GetBytes)], [":", "::", ".", "/", "[", "]", "%", "255"]),
    ];

    private static byte[][] Frames(int skip) =>
        [.. HostileTemplates.Make(1).Where(frame => frame.Length > skip).Select(frame => frame[skip..])];

    private static byte[][] LinkRequests()
    {
        var requests = new HostileRequests(new SeededRandom(1), [1, 2]);
        return [.. Enumerable.Range(0, 64).Select(_ => LinkHarness.Frame(requests.Request()))];
    }

    private static byte[][] Conversations() =>
    [
        [5, 1, 0, 5, 1, 0, 1, 10, 99, 0, 1, 0, 80, 1, 2, 3],
        [5, 2, 0, 2, 1, 2, .. "me"u8, 6, .. "secret"u8, 5, 1, 0, 3, 4, .. "peer"u8, 0, 80],
        [5, 1, 0, 5, 3, 0, 4, .. new byte[16], 0, 80],
        [.. "CONNECT peer:80 HTTP/1.1\r\nHost: peer\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n\r\ndata"u8],
        [.. "GET / HTTP/1.0\r\n\r\n"u8],
    ];

    private static void Ethernet(Span<byte> input)
    {
        if (!EthernetView.TryParse(input, out var view))
            return;
        var emitted = new byte[EthernetHeader.Length];
        view.ToHeader().Emit(emitted);
        Require(emitted.AsSpan().SequenceEqual(input[..EthernetHeader.Length]), "An Ethernet header differs after it was written.");
    }

    private static void Arp(Span<byte> input)
    {
        if (!ArpView.TryParse(input, out var view))
            return;
        var packet = view.ToPacket();
        if (!view.IsEthernetIpv4)
            return;
        var emitted = new byte[ArpPacket.Length];
        packet.Emit(emitted);
        Require(emitted.AsSpan().SequenceEqual(input[..ArpPacket.Length]), "An ARP packet differs after it was written.");
    }

    private static void Ipv4(Span<byte> input)
    {
        if (!Ipv4View.TryParse(input, out var view))
            return;
        _ = view.ToHeader();
        if (view.Version != 4 || view.HeaderLength != Ipv4Header.Length || view.TotalLength < Ipv4Header.Length)
            return;

        // A fragment has no header of ours, nor has one with the reserved bit.
        BinaryPrimitives.WriteUInt16BigEndian(input[6..], (ushort)(view.DontFragment ? 0x4000 : 0));
        Tampering.FixIpChecksum(input);
        var emitted = new byte[Ipv4Header.Length];
        view.ToHeader().Emit(emitted);
        Require(emitted.AsSpan().SequenceEqual(input[..Ipv4Header.Length]), "An IPv4 header differs after it was written.");
    }

    private static void Icmp(Span<byte> input)
    {
        if (!Icmpv4View.TryParse(input, out var view))
            return;
        var header = view.ToHeader();
        _ = (view.Identifier, view.Sequence, view.NextHopMtu, view.Pointer, view.Checksum);
        header.Emit(input);
        Require(Icmpv4View.TryParse(input, out view) && view.ToHeader() == header, "An ICMP header differs after it was written.");
        Require(Checksum.Sum(input) == 0xFFFF, "An ICMP message is written with a wrong checksum.");
    }

    private static void Udp(Span<byte> input)
    {
        if (!UdpView.TryParse(input, out var view) || view.Length < UdpHeader.Length)
            return;
        var header = view.ToHeader();
        header.Emit(input);
        Require(UdpView.TryParse(input, out view) && view.ToHeader() == header, "A UDP header differs after it was written.");
    }

    private static void Dhcp(Span<byte> input)
    {
        if (DhcpLease.Read(input) is not { } lease)
            return;
        Require(DhcpLease.Read(lease.Message.Span) is { } again && again.IsSameAs(lease) && again.Lifetime == lease.Lifetime, "A DHCP lease differs after it was kept.");
        Require(lease.Routes.All(route => route.Gateway.IsUnspecified || lease.Address.Contains(route.Gateway) || lease.Routes.Any(other => other.Gateway.IsUnspecified && other.Destination.Contains(route.Gateway))),
            "A router of a DHCP lease is not on the link.");
    }

    private static byte[][] DhcpAnswers()
    {
        var hardware = new MacAddress(0x02_00_00_00_00_02);
        return
        [
            DhcpReply.Lease(DhcpMessageType.Ack, 1, hardware).With(DhcpOption.Router, "192.0.2.254").With(DhcpOption.DomainNameServer, "192.0.2.53").With(DhcpOption.ClasslessStaticRoute, 8, 10, 192, 0, 2, 9).ToArray(),
            DhcpReply.Lease(DhcpMessageType.Ack, 1, hardware).With(DhcpOption.DomainSearch, 1, 97, 0, 1, 98, 0xC0, 0).With(DhcpOption.InterfaceMtu, 5, 120).ToArray(),
            DhcpReply.Lease(DhcpMessageType.Ack, 1, hardware).With(DhcpOption.Overload, (byte)3).At(108, [6, 4, 192, 0, 2, 4, 255]).At(44, [255]).ToArray(),
        ];
    }

    private static void Dhcp6(Span<byte> input)
    {
        if (Dhcp6Lease.Read(input, Dhcp6Reply.Association) is not { } lease)
            return;
        Require(Dhcp6Lease.Read(lease.Message.Span, Dhcp6Reply.Association) is { } again && again.Addresses.SequenceEqual(lease.Addresses) && again.RenewalTime == lease.RenewalTime, "A DHCPv6 lease differs after it was kept.");
        Require(lease.Addresses.Count is > 0 and <= Dhcp6Lease.MostAddresses && lease.RenewalTime >= TimeSpan.FromSeconds(4) && lease.RebindingTime <= lease.Lifetime, "The times of a DHCPv6 lease are not in order.");
    }

    private static byte[][] Dhcp6Answers() =>
    [
        Dhcp6Reply.Lease(Dhcp6MessageType.Reply, 1).With(Dhcp6Option.NameServers, Dhcp6Reply.Addresses("2001:db8::53")).With(Dhcp6Option.DomainSearch, 1, 97, 0).ToArray(),
        Dhcp6Reply.Lease(Dhcp6MessageType.Reply, 1).Status(Dhcp6Status.Success).With(Dhcp6Option.RapidCommit).With32(Dhcp6Option.SolicitMaxRt, 60).ToArray(),
    ];

    private static void Tcp(Span<byte> input)
    {
        if (TcpHeader.TryParse(input, out var header, out var length) != TcpParseResult.Ok)
            return;
        Require(length >= TcpHeader.MinLength && length <= input.Length, "A TCP header is said to be longer than its segment.");

        // Options may come several times and in forms that take less room than ours: all of them may not fit any more.
        if (header.Length > TcpHeader.MaxLength)
            return;
        var emitted = new byte[header.Length];
        Array.Fill(emitted, (byte)0xA5);
        header.Emit(emitted);
        Require(TcpHeader.TryParse(emitted, out var again, out var emittedLength) == TcpParseResult.Ok && emittedLength == header.Length, "A TCP header cannot be read after it was written.");
        Require(TextOf(header) == TextOf(again), $"A TCP header differs after it was written: {TextOf(header)}, {TextOf(again)}.");
    }

    private static string TextOf(in TcpHeader header)
    {
        var sacks = new StringBuilder();
        for (var i = 0; i < header.SackCount; i++)
            sacks.Append(header.Sacks[i]);
        return $"{header.SourcePort} {header.DestinationPort} {header.Sequence} {header.Acknowledgment} {header.Flags} {header.Window} {header.UrgentPointer} {header.Mss} "
            + $"{header.HasWindowScale}:{header.WindowScale} {header.SackPermitted} {header.HasTimestamp}:{header.TimestampValue}:{header.TimestampEcho} {sacks} "
            + $"{header.HasFastOpen}:{header.FastOpenCookie}";
    }

    private static void Virtio(Span<byte> input)
    {
        const WireOffloads all = WireOffloads.Checksum | WireOffloads.TcpSegmentationV4 | WireOffloads.TcpSegmentationV6 | WireOffloads.UdpSegmentation;
        if (input.Length < VirtioNetHeader.Length)
            return;
        var frame = input[VirtioNetHeader.Length..];
        foreach (var link in (ReadOnlySpan<int>)[0, EthernetHeader.Length])
        {
            if (!VirtioNetHeader.TryParse(input[..VirtioNetHeader.Length], frame, link, out var note))
                continue;
            var buffer = Pool.RentCopy(frame);
            buffer.Offload = note;
            var emitted = new byte[VirtioNetHeader.Length];
            var good = VirtioNetHeader.TryEmit(buffer, all, emitted);
            buffer.Release();
            Require(good, "What was read cannot be written.");
            VirtioNetHeader.TryParse(emitted, frame, link, out var again);
            if (note.Checksum == ChecksumState.Verified)
                note.Checksum = ChecksumState.None;
            Require(note.Equals(again), "A virtio-net header differs after it was written.");
        }
    }

    private static void LinkRequest(Span<byte> input)
    {
        try
        {
            var length = LinkRequestCodec.FrameLength(input, LinkProtocol.MaxRequest);
            if (length == 0 || length > input.Length)
                return;
            if (LinkRequestCodec.Read(input[..length], out var refusal) is not { } request)
            {
                Require(refusal is { Error: not 0 }, "A request that is not taken has no answer.");
                return;
            }

            var written = LinkHarness.Frame(request);
            Require(LinkHarness.Frame(LinkRequestCodec.Read(written, out _)!).AsSpan().SequenceEqual(written), "A request differs after it was written.");
        }
        catch (LinkProtocolException)
        {
        }
    }

    private static void LinkAnswer(Span<byte> input)
    {
        if (input.Length < LinkProtocol.HeaderSize)
            return;
        try
        {
            var answer = Tapwire.Links.Protocol.LinkAnswer.Read(input);
            var written = new byte[answer.Size];
            answer.WriteTo(written);
            var again = Tapwire.Links.Protocol.LinkAnswer.Read(written);
            Require((answer.Type, answer.Id, answer.Error) == (again.Type, again.Id, again.Error) && answer.Body.Span.SequenceEqual(again.Body.Span), "An answer differs.");
            _ = answer.ToString();
            _ = answer.Text;
            Tolerate(() => answer.Handle);
            Tolerate(() => answer.Address);
            Tolerate(() => answer.PingReply);
        }
        catch (LinkProtocolException)
        {
        }
    }

    private static void Tolerate<T>(Func<T> property)
    {
        try
        {
            _ = property();
        }
        catch (LinkProtocolException)
        {
        }
    }

    private static void LinkRecords(Span<byte> input)
    {
        if (input.Length >= Sockaddr.Size && Sockaddr.TryRead(input, out var address))
        {
            var written = new byte[Sockaddr.Size];
            address.WriteTo(written);
            Require(Sockaddr.TryRead(written, out var again) && again == address, $"An address differs after it was written: {address}, {again}.");
        }

        if (input.Length < AcceptRecord.Size || !AcceptRecord.TryRead(input, out var record))
            return;
        var bytes = new byte[AcceptRecord.Size];
        record.WriteTo(bytes);
        Require(AcceptRecord.TryRead(bytes, out var same) && same == record, "An accept record differs after it was written.");
    }

    /// <summary>A client is answered the same however its bytes are cut, and what is consumed lies within the input.</summary>
    private static void Proxy(Span<byte> input)
    {
        // Byte by byte takes the square of the length.
        input = input[..Math.Min(input.Length, 600)];
        foreach (var user in (ProxyUser?[])[null, User])
        {
            var atOnce = Talk(new ProxyHandshake(user), input, input.Length);
            Require(atOnce == Talk(new ProxyHandshake(user), input, 1), "A client is answered otherwise if it speaks byte by byte.");
        }
    }

    private static string Talk(ProxyHandshake handshake, ReadOnlySpan<byte> input, int piece)
    {
        var text = new StringBuilder();
        var start = 0;
        for (var end = Math.Min(piece, input.Length); ; end = Math.Min(end + piece, input.Length))
        {
            while (true)
            {
                var step = handshake.Advance(input[start..end]);
                Require(step.Consumed >= 0 && step.Consumed <= end - start, $"{step.Consumed} of {end - start} bytes are said to be consumed.");
                start += step.Consumed;
                text.Append(Convert.ToHexString(step.Answer.Span));
                if (step.Request is not null || step.Refusal is not null)
                    return text.Append(step.Request).Append(step.Refusal is null ? "" : "refused").ToString();
                if (step.Consumed == 0)
                    break;
            }

            if (end == input.Length)
                return text.ToString();
        }
    }

    private static void SocksDatagrams(Span<byte> input)
    {
        if (SocksDatagram.TryRead(input, out var destination, out var length) != ParseStatus.Complete)
            return;
        Require(length <= input.Length, "A header is said to be longer than its datagram.");
        if (destination.Name is not null)
            return;
        var written = new byte[SocksDatagram.MaxHeader];
        var size = SocksDatagram.Write(written, new IpEndpoint(destination.Address, destination.Port));
        Require(
            SocksDatagram.TryRead(written.AsSpan(0, size), out var again, out _) == ParseStatus.Complete && again == destination, "A SOCKS header differs after it was written.");
    }

    private static void Settings(Span<byte> input)
    {
        try
        {
            SettingsSource.Parse("fuzz", Encoding.UTF8.GetString(input));
        }
        catch (SettingsException)
        {
        }
    }

    private static void Addresses(Span<byte> input)
    {
        var text = Encoding.UTF8.GetString(input);
        if (IpAddress.TryParse(text, out var address))
            Require(IpAddress.TryParse(address.ToString(), out var again) && again == address, $"{text} differs after it was written: {address}.");
        if (IpPrefix.TryParse(text, null, out var prefix))
            Require(IpPrefix.TryParse(prefix.ToString(), null, out var again) && again == prefix, $"{text} differs after it was written: {prefix}.");
        if (MacAddress.TryParse(text, null, out var mac))
            Require(MacAddress.TryParse(mac.ToString(), null, out var again) && again == mac, $"{text} differs after it was written: {mac}.");
        if (Destination.TryParse(text, out var destination, out _))
            Require(Destination.TryParse(destination.ToString(), out var again, out _) && again == destination, $"{text} differs after it was written: {destination}.");
    }
}
