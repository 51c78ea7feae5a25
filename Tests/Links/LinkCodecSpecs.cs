using System.Buffers.Binary;
using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Links;

public sealed class LinkCodecSpecs
{
    private static readonly Sockaddr V4 = Sockaddr.From(new IpEndpoint(IpAddress.Parse("10.99.0.1"), 80));
    private static readonly Sockaddr V6 = Sockaddr.From(new IpEndpoint(IpAddress.Parse("fd00::1"), 443));

    private const string V4Bytes = "0200 0050 0A630001 0000000000000000 000000000000000000000000";
    private const string V6Bytes = "0A00 01BB 00000000 FD000000000000000000000000000001 00000000";
    private const string NoPort = "0200 0000 0A630001 0000000000000000 000000000000000000000000";
    private const string Network = "0200 0000 0A140000 0000000000000000 000000000000000000000000";
    private const string Handle = "8877665544332211";

    public static TheoryData<LinkRequest, string> Requests => new()
    {
        { new SocketRequest(1, SocketFamily.V4, LinkSocketType.Stream, 6), "18000000 0100 0000 01000000 00000000 0200 0100 06000000" },
        {
            new ConnectRequest(2, 0x1122334455667788, V4, 300_000, NoWait: true),
            $"40000000 0200 0000 02000000 00000000 {Handle} {V4Bytes} E0930400 01000000 00000000"
        },
        { new BindRequest(0xFFFFFFFF, 0x1122334455667788, V6), $"38000000 0300 0000 FFFFFFFF 00000000 {Handle} {V6Bytes} 00000000" },
        { new ListenRequest(4, 0x1122334455667788, 128), $"20000000 0400 0000 04000000 00000000 {Handle} 80000000 00000000" },
        { new GetSockNameRequest(5, 0x1122334455667788), $"18000000 0500 0000 05000000 00000000 {Handle}" },
        { new GetPeerNameRequest(6, 0x1122334455667788), $"18000000 0600 0000 06000000 00000000 {Handle}" },
        { new ShutdownRequest(7, 0x1122334455667788, ShutdownHow.Both), $"20000000 0700 0000 07000000 00000000 {Handle} 02000000 00000000" },
        { new CloseRequest(8, 0x1122334455667788), $"18000000 0800 0000 08000000 00000000 {Handle}" },
        { new GetOptionRequest(10, 0x1122334455667788, 1, 4, 4), $"28000000 0A00 0000 0A000000 00000000 {Handle} 01000000 04000000 04000000 00000000" },
        { new PingRequest(16, V4, 7, 56, 1000), $"38000000 1000 0000 10000000 00000000 {V4Bytes} 07000000 38000000 E8030000" },
        { new StatusRequest(48, FiguresOnly: true), "10000000 2e00 0000 30000000 00000000" },
        { new StatusRequest(17), "10000000 1100 0000 11000000 00000000" },
        { new AddAddressRequest(18, IpAddress.Parse("10.99.0.1"), 24), "30000000 1200 0000 12000000 00000000 0200 0000 0A630001 0000000000000000 000000000000000000000000 18000000" },
        {
            new AddGuestRequest(25, new GuestAddresses(IpAddress.Parse("fd00::2")), 1500),
            "30000000 1A00 0000 19000000 00000000 0A00 0000 00000000 FD000000000000000000000000000002 00000000 DC050000"
        },
        {
            new AddGuestRequest(25, new GuestAddresses(IpAddress.Parse("10.99.0.2"), IpAddress.Parse("fd00::2")), 1500),
            "50000000 2200 0000 19000000 00000000 0200 0000 0A630002 0000000000000000 000000000000000000000000 DC050000"
            + "0A00 0000 00000000 FD000000000000000000000000000002 00000000 00000000"
        },
        { new AddGuestRequest(25, new GuestAddresses(IpAddress.Parse("10.99.0.2")), 1500), "30000000 1A00 0000 19000000 00000000 0200 0000 0A630002 0000000000000000 000000000000000000000000 DC050000" },
        {
            new CaptureRequest(40, "tw0", IpAddress.Parse("10.99.0.2"), 80, 96, 300),
            "50000000 2800 0000 28000000 00000000 0200 0000 0A630002 0000000000000000 000000000000000000000000 5000 0000 60000000 00000000 2C01000000000000 74773000000000000000000000000000"
        },
        {
            new CaptureRequest(40, "", null, 0, 262144, 0) { Outer = true },
            "50000000 2800 0000 28000000 00000000 0000 0000 00000000 0000000000000000 000000000000000000000000 0000 0000 00000400 01000000 0000000000000000 00000000000000000000000000000000"
        },
        {
            new ListSocketsRequest(41, new SocketFilter { Port = 80, StateMask = 0x0401, Prefix = IpPrefix.Parse("10.99.0.0/24"), Process = 300 }, 0x1_0000_0002, 100),
            "48000000 2900 0000 29000000 00000000 0200 0000 0A630000 0000000000000000 000000000000000000000000 5000 0104 18000000 2C010000 0200000001000000 64000000 00000000"
        },
        {
            new KillRequest(42, new IpEndpoint(IpAddress.Parse("10.99.0.2"), 80), new IpEndpoint(IpAddress.Parse("fd00::1"), 300)),
            "48000000 2A00 0000 2A000000 00000000 0200 0050 0A630002 0000000000000000 000000000000000000000000 0A00 012C 00000000 FD000000000000000000000000000001 00000000"
        },
        { new OperateRequest(43, DriverOperation.Reload), "18000000 2B00 0000 2B000000 00000000 02000000 00000000" },
        {
            new ListSocketsRequest(41, new SocketFilter(), 0, 512),
            "48000000 2900 0000 29000000 00000000 0000 0000 00000000 0000000000000000 000000000000000000000000 0000 0000 00000000 00000000 0000000000000000 00020000 00000000"
        },
        {
            new PublishRequest(27, new IpEndpoint(IpAddress.Parse("10.99.0.2"), 8080), 6, 80),
            "38000000 1B00 0000 1B000000 00000000 0200 1F90 0A630002 0000000000000000 000000000000000000000000 06000000 5000 0000 00000000"
        },
        { new RemoveAddressRequest(19, IpAddress.Parse("10.99.0.1")), "30000000 1300 0000 13000000 00000000 0200 0000 0A630001 0000000000000000 000000000000000000000000 00000000" },
        { new RemoveInterfaceRequest(21, "tw1"), "1B000000 1500 0000 15000000 00000000 03000000 00000000 747731" },
        {
            new AddInterfaceAddressRequest(22, IpPrefix.Parse("10.99.0.1/24"), "tw1"),
            $"3B000000 1600 0000 16000000 00000000 {NoPort} 18000000 03000000 00000000 747731"
        },
        { new AddInterfaceAddressRequest(22, IpPrefix.Parse("10.99.0.1/24"), ""), $"38000000 1600 0000 16000000 00000000 {NoPort} 18000000 00000000 00000000" },
        {
            new AddRouteRequest(23, new LinkRoute(IpPrefix.Parse("10.20.0.0/16"), IpAddress.Parse("10.99.0.1")), "ä"),
            $"52000000 1700 0000 17000000 00000000 {Network} 10000000 {NoPort} 02000000 C3A4"
        },
        {
            new AddRouteRequest(44, new LinkRoute(IpPrefix.Parse("10.20.0.0/16"), IpAddress.Parse("10.99.0.1")) { Metric = 1024 }, "tw1"),
            $"57000000 2C00 0000 2C000000 00000000 {Network} 10000000 {NoPort} 03000000 00040000 747731"
        },
        { new RemoveRouteRequest(24, IpPrefix.Parse("10.20.0.0/16"), "tw1") { Metric = 0 }, $"3B000000 1800 0000 18000000 00000000 {Network} 10000000 03000000 01000000 747731" },
        { new RemoveRouteRequest(24, IpPrefix.Parse("10.20.0.0/16"), "") { Metric = int.MaxValue }, $"38000000 1800 0000 18000000 00000000 {Network} 10000000 00000000 00000080" },
        { new ListInterfacesRequest(25, 14), "18000000 1900 0000 19000000 00000000 0E000000 00000000" },
        { new ResolveRequest(29, SocketFamily.V6, false, "www.example.org", 24), "27000000 1D00 0000 1D000000 00000000 0A00 0000 0F00 1800  7777772E6578616D706C652E6F7267" },
        { new BrowseRequest(45, "_http._tcp", 2000), "22000000 2D00 0000 2D000000 00000000 D0070000 0A00 0000  5F687474702E5F746370" },
        { new ResolveRequest(29, SocketFamily.Unspecified, true, "10.99.0.1"), "21000000 1D00 0000 1D000000 00000000 0000 0100 0900 0000 31302E39392E302E31" },
        {
            new NeighborRequest(31, IpAddress.Parse("10.99.0.1"), new MacAddress(0x02_00_5E_10_00_01), "tw1"),
            $"3F000000 1F00 0000 1F000000 00000000 {NoPort} 00000000 03000000 02005E100001 0000 747731"
        },
        { new NeighborRequest(31, null, null, "tw1"), $"3F000000 1F00 0000 1F000000 00000000 {new string('0', 56)} 00000000 03000000 000000000000 0000 747731" },
        { new RemoveRouteRequest(24, IpPrefix.Parse("10.20.0.0/16"), "tw1"), $"3B000000 1800 0000 18000000 00000000 {Network} 10000000 03000000 00000000 747731" },
    };

    [Fact]
    public void Addresses_that_were_found_have_their_documented_bytes()
    {
        var answer = new ResolveRequest(29, SocketFamily.Unspecified, false, "www").Found([IpAddress.Parse("10.99.0.1"), IpAddress.Parse("fd00::1")], "a.b");
        Assert.Equal($"02000000 03000000 {NoPort} 0A00 0000 00000000 FD000000000000000000000000000001 00000000 612E62".Replace(" ", "", StringComparison.Ordinal), Convert.ToHexString(answer.Body.Span));
        var (addresses, name) = ResolveRequest.ReadAnswer(answer.Body.Span);
        Assert.Equal(("10.99.0.1", "fd00::1", "a.b"), (addresses[0].Endpoint.Address.ToString(), addresses[1].Endpoint.Address.ToString(), name));
        // Only of a link-local address does the scope say anything.
        var zoned = new ResolveRequest(29, SocketFamily.Unspecified, false, "www").Found([IpAddress.Parse("fe80::1"), IpAddress.Parse("fd00::1")], "a.b", scope: 3);
        Assert.Equal([3u, 0u], ResolveRequest.ReadAnswer(zoned.Body.Span).Addresses.Select(static each => each.Scope));
        foreach (var length in new[] { 0, 7, 8, 63, 66 })
            Assert.Throws<LinkProtocolException>(() => ResolveRequest.ReadAnswer(answer.Body.Span[..length]));
    }

    [Fact]
    public void An_interface_and_its_address_are_listed_in_their_documented_bytes_a_page_at_a_time()
    {
        var tap = new LinkInterface("tw0", 2, 1500, MacAddress.Parse("02:00:5e:10:00:01"), null);
        LinkInterface[] all = [tap, tap with { Address = IpPrefix.Parse("10.99.0.1/24") }, new LinkInterface("tun", 3, 1400, null, null), .. Enumerable.Repeat(tap, 20)];
        var body = Convert.ToHexString(new ListInterfacesRequest(1, 0).Listed(all).Body.Span);
        const string Itself = "02000000 43100000 DC050000 0100 02005E100001 74773000000000000000000000000000";
        const string Point = "03000000 D1100000 78050000 FEFF 000000000000 74756E00000000000000000000000000";
        var expected = $"17000000 00000000 {Itself} {new string('0', 72)} {Itself} {NoPort} 18000000 00000000 {Point} {new string('0', 72)}".Replace(" ", "", StringComparison.Ordinal);
        Assert.Equal(expected, body[..expected.Length]);
        Assert.Equal(8 + 14 * 72, body.Length / 2);
        Assert.Equal(8 + 9 * 72, new ListInterfacesRequest(1, 14).Listed(all).Body.Length);
        Assert.Equal(8, new ListInterfacesRequest(1, 1000).Listed(all).Body.Length);
    }

    [Fact]
    public void An_interface_to_be_added_has_its_documented_bytes_and_is_read_from_them()
    {
        var whole = new NewInterface("tap:b", [IpPrefix.Parse("10.99.0.1/24"), IpPrefix.Parse("10.20.0.0/16")])
        {
            Name = "lab",
            Mtu = 1400,
            HardwareAddress = MacAddress.Parse("02:00:5e:10:00:01"),
            PeerAddresses = [IpPrefix.Parse("10.99.0.1/32")],
            Routes = [new LinkRoute(IpPrefix.Parse("10.20.0.0/16"), IpAddress.Parse("10.99.0.1")) { Metric = 7 }],
        };
        AssertInterface(whole, "D0000000 1400 0000 14000000 00000000 0300 0500 78050000 02005E100001 0200 0100 0100 00000000 "
            + $"{NoPort} 18000000 {Network} 10000000 {NoPort} 20000000 {Network} 10000000 {NoPort} 07000000 6C6162 7461703A62");
        AssertInterface(new NewInterface("", []), "28000000 1400 0000 14000000 00000000 0000 0000 00000000 000000000000 0000 0000 0000 00000000");
    }

    [Fact]
    public void An_interface_whose_parts_are_not_as_long_as_its_frame_is_rubbish()
    {
        var frame = Write(new AddInterfaceRequest(1, new NewInterface("tap:b", [IpPrefix.Parse("10.99.0.1/24")])));
        foreach (var at in new[] { 16, 18, 30, 32, 34 })
        {
            foreach (var change in new[] { 1, 255 })
            {
                var other = frame.ToArray();
                other[at] += (byte)change;
                Assert.Throws<LinkProtocolException>(() => LinkRequestCodec.Read(other, out _));
            }
        }

        // As many of everything as can be said, which would be megabytes.
        frame.AsSpan(30, 6).Fill(0xFF);
        Assert.Throws<LinkProtocolException>(() => LinkRequestCodec.Read(frame, out _));
    }

    [Fact]
    public void An_interface_that_fits_no_request_is_refused()
    {
        var address = IpPrefix.Parse("10.99.0.1/24");
        Assert.Equal(1021, Write(new AddInterfaceRequest(1, new NewInterface("tap:b", [.. Enumerable.Repeat(address, 30)]) { Name = new string('x', 16) })).Length);
        Assert.Throws<ArgumentException>(() => Write(new AddInterfaceRequest(1, new NewInterface("tap:b", [.. Enumerable.Repeat(address, 31)]))));
        Assert.Throws<ArgumentException>(() => Write(new RemoveInterfaceRequest(1, new string('x', 2000))));
    }

    [Theory]
    [InlineData(20, 40)]
    [InlineData(20, 72)]
    [InlineData(20, 104)]
    [InlineData(20, 136)]
    [InlineData(22, 16)]
    [InlineData(23, 16)]
    [InlineData(23, 48)]
    [InlineData(24, 16)]
    public void An_address_of_an_unknown_family_in_it_is_answered_EAFNOSUPPORT(int type, int at)
    {
        var prefix = IpPrefix.Parse("10.99.0.0/24");
        var route = new LinkRoute(prefix, IpAddress.Parse("10.99.0.1"));
        LinkRequest request = type switch
        {
            20 => new AddInterfaceRequest(7, new NewInterface("tap:b", [prefix]) { PeerAddresses = [prefix], Routes = [route] }),
            22 => new AddInterfaceAddressRequest(7, prefix, "b"),
            23 => new AddRouteRequest(7, route, "b"),
            _ => new RemoveRouteRequest(7, prefix, "b"),
        };
        var frame = Write(request);
        frame[at] = 99;
        Assert.Null(LinkRequestCodec.Read(frame, out var refusal));
        Assert.Equal(new LinkAnswer((LinkMessageType)type, 7, 97, default), refusal);
    }

    [Fact]
    public void A_refusal_of_these_has_a_reason_which_is_cut_at_a_character()
    {
        var request = new RemoveInterfaceRequest(21, "b");
        AssertAnswer(request.Refused(19, "No."), "13000000 1580 0000 15000000 13000000 4E6F2E");
        Assert.Equal("No.", Again(request.Refused(19, "No.")).Reason);
        Assert.Equal("", Again(request.Done()).Reason);
        var longest = Again(request.Refused(19, "x" + new string('ä', 2000))).Reason;
        Assert.Equal("x" + new string('ä', 511), longest);
    }


    [Theory]
    [MemberData(nameof(Requests))]
    public void A_request_has_its_documented_bytes_and_is_read_from_them(LinkRequest request, string golden)
    {
        var bytes = Convert.FromHexString(golden.Replace(" ", "", StringComparison.Ordinal));
        Assert.Equal(bytes, Write(request));
        Assert.Equal(bytes.Length, LinkRequestCodec.FrameLength(bytes, LinkProtocol.MaxRequest));
        Assert.Equal(request, LinkRequestCodec.Read(bytes, out var refusal));
        Assert.Null(refusal);
    }

    [Fact]
    public void An_option_is_carried_with_a_value_of_any_length()
    {
        var bytes = Convert.FromHexString(
            "2C000000 0900 0000 09000000 00000000 8877665544332211 06000000 01000000 04000000 00000000 01000000".Replace(" ", "", StringComparison.Ordinal));
        var request = new SetOptionRequest(9, 0x1122334455667788, 6, 1, new byte[] { 1, 0, 0, 0 });
        Assert.Equal(bytes, Write(request));
        var read = Assert.IsType<SetOptionRequest>(LinkRequestCodec.Read(bytes, out _));
        Assert.Equal(request.Value.ToArray(), read.Value.ToArray());
        Assert.Equal(request with { Value = read.Value }, read);

        // The same for a client that does not wait for the answer.
        bytes[4] = 28;
        Assert.Equal(bytes, Write(new SetOptionRequest(9, 0x1122334455667788, 6, 1, new byte[] { 1, 0, 0, 0 }, IsPosted: true)));
        Assert.True(Assert.IsType<SetOptionRequest>(LinkRequestCodec.Read(bytes, out _)).IsPosted);

        foreach (var length in new[] { 0, 1, LinkProtocol.MaxOptionValue })
        {
            var frame = Write(request with { Value = new byte[length] });
            Assert.Equal(length, ((SetOptionRequest)LinkRequestCodec.Read(frame, out _)!).Value.Length);
        }
    }

    [Fact]
    public void Answers_have_their_documented_bytes_and_are_read_from_them()
    {
        AssertAnswer(new SocketRequest(1, SocketFamily.V4, LinkSocketType.Stream, 0).Created(0x1122334455667788), $"18000000 0180 0000 01000000 00000000 {Handle}");
        AssertAnswer(new ConnectRequest(2, 1, V4, 0, false).Connected(V4), $"30000000 0280 0000 02000000 00000000 {V4Bytes} 00000000");
        AssertAnswer(new ConnectRequest(3, 1, V4, 0, false).Failed(StackError.ConnectionRefused), "10000000 0280 0000 03000000 6F000000");
        AssertAnswer(new ConnectRequest(3, 1, V4, 0, true).InProgress(), "10000000 0280 0000 03000000 73000000");
        AssertAnswer(new GetOptionRequest(4, 1, 1, 4, 4).Value(111), "14000000 0A80 0000 04000000 00000000 6F000000");
        AssertAnswer(new GetOptionRequest(4, 1, 1, 4, 1).Value(1), "11000000 0A80 0000 04000000 00000000 01");
        AssertAnswer(new StatusRequest(5).Status("{}"), "12000000 1180 0000 05000000 00000000 7B7D");
        AssertAnswer(new CloseRequest(6, 1).Done(), "10000000 0880 0000 06000000 00000000");
        AssertAnswer(
            new PingRequest(7, V4, 1, 8, 1000).Replied(TimeSpan.FromMicroseconds(123.4), V4, 64),
            $"38000000 1080 0000 07000000 00000000 08E2010000000000 {V4Bytes} 40000000");
    }

    [Fact]
    public void What_an_answer_says_is_what_it_was_made_of()
    {
        Assert.Equal(5ul, Again(new SocketRequest(1, SocketFamily.V4, LinkSocketType.Stream, 0).Created(5)).Handle);
        Assert.Equal(V6, Again(new BindRequest(1, 2, V6).Bound(V6)).Address);
        Assert.Equal("{\"ä\":1}", Again(new StatusRequest(1).Status("{\"ä\":1}")).Text);
        Assert.Equal(new PingReply(TimeSpan.FromTicks(1234), V6, 63), Again(new PingRequest(1, V6, 1, 8, 1000).Replied(TimeSpan.FromTicks(1234), V6, 63)).PingReply);
        Assert.Throws<LinkProtocolException>(() => Again(new StatusRequest(1).Status("")).Handle);
        Assert.Throws<LinkProtocolException>(() => Again(new StatusRequest(1).Status("")).Address);
        Assert.Throws<LinkProtocolException>(() => LinkAnswer.Read(Write(new StatusRequest(1))));
    }

    [Fact]
    public void A_status_that_fits_no_answer_is_refused() =>
        Assert.Throws<ArgumentException>(() => new StatusRequest(1).Status(new string('x', LinkProtocol.MaxAnswer)));

    [Theory]
    [InlineData(0)]
    [InlineData(15)]
    [InlineData(1025)]
    [InlineData(-1)]
    public void A_length_outside_the_limits_is_rubbish(int length)
    {
        var bytes = BitConverter.GetBytes(length);
        Assert.Throws<LinkProtocolException>(() => LinkRequestCodec.FrameLength(bytes, LinkProtocol.MaxRequest));
    }

    [Fact]
    public void A_length_that_is_not_there_yet_is_waited_for() =>
        Assert.Equal(0, LinkRequestCodec.FrameLength([16, 0, 0], LinkProtocol.MaxRequest));

    [Theory]
    [MemberData(nameof(Requests))]
    public void A_request_of_any_other_length_is_rubbish(LinkRequest request, string golden)
    {
        _ = golden;
        var frame = Write(request);
        for (var length = LinkProtocol.HeaderSize; length < 128; length++)
        {
            if (length == frame.Length)
                continue;
            var other = new byte[length];
            frame.AsSpan(0, Math.Min(length, frame.Length)).CopyTo(other);
            Assert.Throws<LinkProtocolException>(() => LinkRequestCodec.Read(other, out _));
        }
    }

    [Theory]
    [InlineData(6)]
    [InlineData(12)]
    [InlineData(5)]
    public void Bits_where_zero_belongs_are_rubbish(int at)
    {
        var frame = Write(new StatusRequest(1));
        frame[at] |= 0x80;
        Assert.Throws<LinkProtocolException>(() => LinkRequestCodec.Read(frame, out _));
    }

    [Theory]
    [InlineData("shutdown")]
    [InlineData("connect flag")]
    [InlineData("option length")]
    [InlineData("prefix")]
    [InlineData("ping size")]
    [InlineData("interface prefix")]
    [InlineData("interface mtu")]
    [InlineData("interface slaac")]
    [InlineData("interface dhcp")]
    [InlineData("route prefix")]
    [InlineData("route name")]
    [InlineData("route metric")]
    [InlineData("removed metric")]
    [InlineData("ping sequence")]
    [InlineData("ping timeout")]
    public void A_field_out_of_range_is_rubbish(string field)
    {
        var (request, at, value) = field switch
        {
            "shutdown" => ((LinkRequest)new ShutdownRequest(1, 1, ShutdownHow.Both), 24, 3u),
            "connect flag" => (new ConnectRequest(1, 1, V4, 0, false), 56, 4u),
            "option length" => (new SetOptionRequest(1, 1, 1, 1, new byte[4]), 32, 5u),
            "prefix" => (new AddAddressRequest(1, IpAddress.AnyV4, 8), 44, 33u),
            "interface prefix" => (new AddInterfaceRequest(1, new NewInterface("tap:b", [new IpPrefix(IpAddress.AnyV4, 8)])), 68, 33u),
            "interface mtu" => (new AddInterfaceRequest(1, new NewInterface("tap:b", [])), 20, 65_536u),
            "interface slaac" => (new AddInterfaceRequest(1, new NewInterface("tap:b", [])), 36, 3u),
            "interface dhcp" => (new AddInterfaceRequest(1, new NewInterface("tap:b", [])), 36, 4u << 8),
            "route prefix" => (new RemoveRouteRequest(1, new IpPrefix(IpAddress.AnyV4, 8), "b"), 44, 33u),
            "route name" => (new RemoveRouteRequest(1, new IpPrefix(IpAddress.AnyV4, 8), "b"), 48, uint.MaxValue),
            "route metric" => (new AddRouteRequest(1, new LinkRoute(new IpPrefix(IpAddress.AnyV4, 8), IpAddress.AnyV4) { Metric = 1 }, "b"), 80, 1u << 31),
            "removed metric" => (new RemoveRouteRequest(1, new IpPrefix(IpAddress.AnyV4, 8), "b"), 52, (1u << 31) + 1),
            "ping size" => (new PingRequest(1, V4, 1, 1, 1), 48, 65_528u),
            "ping sequence" => (new PingRequest(1, V4, 1, 1, 1), 44, 65_536u),
            _ => (new PingRequest(1, V4, 1, 1, 1), 52, 60_001u),
        };
        var frame = Write(request);
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(at), value);
        Assert.Throws<LinkProtocolException>(() => LinkRequestCodec.Read(frame, out _));
    }

    [Fact]
    public void An_unknown_request_is_answered_ENOSYS()
    {
        var frame = Write(new StatusRequest(77));
        frame[4] = 200;
        Assert.Null(LinkRequestCodec.Read(frame, out var refusal));
        Assert.Equal(new LinkAnswer((LinkMessageType)200, 77, 38, default), refusal);
    }

    [Fact]
    public void An_address_of_an_unknown_family_is_answered_EAFNOSUPPORT()
    {
        var frame = Write(new BindRequest(77, 1, V4));
        frame[24] = 99;
        Assert.Null(LinkRequestCodec.Read(frame, out var refusal));
        Assert.Equal(new LinkAnswer(LinkMessageType.Bind, 77, 97, default), refusal);
    }

    [Theory]
    [InlineData(16, 99)]
    [InlineData(16, 10)]
    [InlineData(16, 0)]
    [InlineData(48, 99)]
    [InlineData(48, 2)]
    public void A_guest_of_both_families_whose_addresses_are_of_others_is_refused_with_a_reason(int at, byte family)
    {
        var frame = Write(new AddGuestRequest(77, new GuestAddresses(IpAddress.Parse("10.99.0.2"), IpAddress.Parse("fd00::2")), 1500));
        frame[at] = family;
        Assert.Null(LinkRequestCodec.Read(frame, out var refusal));
        Assert.Equal((LinkMessageType.AddDualStackGuest, 77u, 97), (refusal!.Type, refusal.Id, refusal.Error));
        Assert.NotEmpty(refusal.Reason);
    }

    [Fact]
    public void Addresses_keep_the_family_of_the_applications_socket()
    {
        Assert.Equal(V4Bytes.Replace(" ", "", StringComparison.Ordinal), Hex(V4));
        Assert.Equal(V6Bytes.Replace(" ", "", StringComparison.Ordinal), Hex(V6));
        var mapped = Sockaddr.From(V4.Endpoint, SocketFamily.V6);
        Assert.Equal("0A000050" + "00000000" + "00000000000000000000FFFF0A630001" + "00000000", Hex(mapped));
        Assert.Equal("0A000050" + new string('0', 48), Hex(Sockaddr.From(new IpEndpoint(IpAddress.AnyV4, 80), SocketFamily.V6)));
        Assert.Equal("02000050" + new string('0', 48), Hex(Sockaddr.From(new IpEndpoint(IpAddress.Unspecified, 80), SocketFamily.V4)));
        Assert.Equal(new string('0', 56), Hex(Sockaddr.None));
        foreach (var address in new[] { V4, V6, mapped, Sockaddr.None })
        {
            Assert.True(Sockaddr.TryRead(Convert.FromHexString(Hex(address)), out var read));
            Assert.Equal(address, read);
        }
    }

    [Fact]
    public void An_accept_record_has_its_documented_bytes()
    {
        var record = new AcceptRecord(V4, V6, 0xFEDCBA98);
        var bytes = new byte[AcceptRecord.Size];
        bytes.AsSpan().Fill(0xA5);
        record.WriteTo(bytes);
        Assert.Equal($"{V4Bytes} 98BADCFE {V6Bytes} 00000000".Replace(" ", "", StringComparison.Ordinal), Convert.ToHexString(bytes));
        Assert.True(AcceptRecord.TryRead(bytes, out var read));
        Assert.Equal(record, read);
        bytes[32] = 77;
        Assert.False(AcceptRecord.TryRead(bytes, out _));
    }

    [Fact]
    public void The_hello_is_magic_and_version()
    {
        var hello = new byte[LinkProtocol.HelloSize];
        hello.AsSpan().Fill(0xA5);
        LinkProtocol.WriteHello(hello);
        Assert.Equal("7461707769726500" + "01000000" + "00000000", Convert.ToHexString(hello));
        Assert.Equal(1u, LinkProtocol.ReadHello(hello));
        hello[3]++;
        Assert.Throws<LinkProtocolException>(() => LinkProtocol.ReadHello(hello));
    }

    [Fact]
    public void Random_frames_give_a_request_a_refusal_or_the_protocols_exception()
    {
        var random = new Random(42);
        var (requests, refusals, rubbish) = (0, 0, 0);
        for (var i = 0; i < 50_000; i++)
        {
            var frame = new byte[random.Next(LinkProtocol.HeaderSize, 84)];
            random.NextBytes(frame);
            BinaryPrimitives.WriteUInt32LittleEndian(frame, (uint)frame.Length);
            frame.AsSpan(4, 4).Clear();
            frame.AsSpan(12, 4).Clear();
            frame[4] = (byte)random.Next(0, 36);
            try
            {
                if (LinkRequestCodec.Read(frame, out var refusal) is not null)
                    requests++;
                else if (refusal is not null)
                    refusals++;
            }
            catch (LinkProtocolException)
            {
                rubbish++;
            }
        }

        Assert.Equal(50_000, requests + refusals + rubbish);
        Assert.True(requests > 100 && refusals > 100 && rubbish > 100);
    }

    private static void AssertInterface(NewInterface added, string golden)
    {
        var bytes = Convert.FromHexString(golden.Replace(" ", "", StringComparison.Ordinal));
        Assert.Equal(Convert.ToHexString(bytes), Convert.ToHexString(Write(new AddInterfaceRequest(20, added))));
        var read = Assert.IsType<AddInterfaceRequest>(LinkRequestCodec.Read(bytes, out var refusal));
        Assert.Null(refusal);
        Assert.Equal(20u, read.Id);
        Assert.Equal((added.Wire, added.Name, added.Mtu, added.HardwareAddress), (read.Interface.Wire, read.Interface.Name, read.Interface.Mtu, read.Interface.HardwareAddress));
        Assert.Equal(added.Addresses, read.Interface.Addresses);
        Assert.Equal(added.PeerAddresses, read.Interface.PeerAddresses);
        Assert.Equal(added.Routes, read.Interface.Routes);
    }

    private static byte[] Write(LinkRequest request)
    {
        var frame = new byte[LinkRequestCodec.SizeOf(request)];
        frame.AsSpan().Fill(0xA5);
        LinkRequestCodec.Write(request, frame);
        return frame;
    }

    private static LinkAnswer Again(LinkAnswer answer)
    {
        var frame = new byte[answer.Size];
        answer.WriteTo(frame);
        return LinkAnswer.Read(frame);
    }

    private static void AssertAnswer(LinkAnswer answer, string golden)
    {
        var frame = new byte[answer.Size];
        frame.AsSpan().Fill(0xA5);
        answer.WriteTo(frame);
        Assert.Equal(golden.Replace(" ", "", StringComparison.Ordinal), Convert.ToHexString(frame));
    }

    private static string Hex(Sockaddr address)
    {
        var bytes = new byte[Sockaddr.Size];
        bytes.AsSpan().Fill(0xA5);
        address.WriteTo(bytes);
        return Convert.ToHexString(bytes);
    }
}
