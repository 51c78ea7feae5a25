using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Neighbors;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Neighbors;

/// <summary>The router's side of router discovery (RFC 4861, 6.2; RFC 8106). What it says, this stack's own host side takes.</summary>
public sealed class RouterAdvertiserSpec : IDisposable
{
    private static readonly MacAddress Station = new(0x02_00_00_00_00_09);
    private static readonly IpAddress StationAddress = Station.LinkLocal;

    private readonly StackHarness _h = Make();

    public void Dispose() => _h.Dispose();

    [Fact]
    public void A_station_makes_its_address_and_finds_the_way_out_and_the_name_server()
    {
        using var station = new StackHarness(new StackOptions { Interfaces = [new() { HardwareAddress = Station, Autoconfiguration = new() { Secret = new byte[16] } }] }, address: false);
        station.Stack.WireUp(station.Stack.Interfaces[0], station.Now);
        var asked = false;
        for (var i = 0; i < 400 && !station.Stack.Addresses.Any(static own => own.Address.IsV6 && !own.Address.IsLinkLocal); i++)
        {
            foreach (var frame in station.Frames())
                _h.Receive(frame);
            foreach (var frame in _h.Frames())
                station.Receive(frame);
            station.Advance(TimeSpan.FromMilliseconds(20));
            _h.Advance(TimeSpan.FromMilliseconds(20));
            asked |= _h.Counters.NdpInRouterSolicits > 0;
        }

        Assert.Equal("2001:db8::/64", Assert.Single(station.Stack.Addresses, static own => own.Address.IsV6 && !own.Address.IsLinkLocal) is var made ? $"{made.Network}/{made.Length}" : "");
        Assert.Contains(station.Stack.Routes, static route => route.Destination.Length == 0 && route.Gateway == StackHarness.OwnMac.LinkLocal);
        var on = station.Stack.Interfaces[0];
        Assert.Equal(("2001:db8::1", "lan.test", RouterAdvice.OtherConfiguration), (string.Join(",", on.NameServers), string.Join(",", on.SearchDomains), on.RouterAdvice));
        Assert.True(station.Now < Instant.FromMilliseconds(6000), "It takes too long.");
        Assert.True(asked);
    }

    [Fact]
    public void It_speaks_three_times_soon_and_then_seldom()
    {
        var sent = new List<double>();
        for (var i = 0; i < 3000; i++)
        {
            _h.Advance(TimeSpan.FromSeconds(1));
            sent.AddRange(Advertisements().Select(_ => (_h.Now - Instant.Zero).TotalSeconds));
        }

        var pauses = sent.Zip(sent.Skip(1), static (one, next) => next - one).ToList();
        Assert.All(pauses.Take(2), static pause => Assert.InRange(pause, 15, 17));
        Assert.All(pauses.Skip(2), static pause => Assert.InRange(pause, 199, 601));
        Assert.InRange(pauses.Count, 6, 20);
    }

    [Fact]
    public void Who_asks_is_answered_at_once_and_alone_and_who_asks_without_end_is_not()
    {
        _h.Advance(TimeSpan.FromMinutes(2));
        _h.Frames();
        _h.Receive(Solicitation(StationAddress));
        var frame = Assert.Single(Advertisements());
        Assert.Equal(Station, MacAddress.FromBytes(frame));
        for (var i = 0; i < 1000; i++)
            _h.Receive(Solicitation(StationAddress));
        Assert.InRange(Advertisements().Count, 1, 20);
        _h.Advance(TimeSpan.FromSeconds(10));
        Assert.InRange(Advertisements().Count, 0, 3);
    }

    [Fact]
    public void Who_has_no_address_yet_hears_what_is_said_to_all()
    {
        _h.Advance(TimeSpan.FromMinutes(2));
        _h.Frames();
        for (var i = 0; i < 100; i++)
            _h.Receive(Solicitation(IpAddress.Unspecified));
        Assert.Empty(Advertisements());
        _h.Advance(TimeSpan.FromMilliseconds(500));
        Assert.Equal("333300000001", Convert.ToHexString(Assert.Single(Advertisements()).AsSpan(0, 6)));
        // The next one is three seconds later at the earliest.
        _h.Receive(Solicitation(IpAddress.Unspecified));
        _h.Advance(TimeSpan.FromSeconds(2.4));
        Assert.Empty(Advertisements());
        _h.Advance(TimeSpan.FromSeconds(0.7));
        Assert.Single(Advertisements());
    }

    [Fact]
    public void At_its_end_it_is_no_router_any_more()
    {
        _h.Advance(TimeSpan.FromSeconds(3));
        Assert.All(Advertisements(), static frame => Assert.Equal(1800, LifetimeOf(frame)));
        _h.Stack.StopAdvertising();
        Assert.Equal(0, LifetimeOf(Assert.Single(Advertisements())));
    }

    [Fact]
    public void A_stack_that_does_not_forward_is_no_router_and_gives_prefixes_all_the_same()
    {
        using var h = Make(isRouter: false);
        h.Advance(TimeSpan.FromSeconds(3));
        var frame = h.Frames().First(IsAdvertisement);
        Assert.Equal(0, LifetimeOf(frame));
        Assert.NotEmpty(NdpOption.Find(BuildV6.ReadIcmp(frame).Message.AsSpan(16), NdpOption.PrefixInformation).ToArray());
    }

    [Fact]
    public void Without_an_address_to_tell_of_nothing_is_said_and_nothing_ticks()
    {
        using var h = Make(prefix: false);
        h.Advance(TimeSpan.FromMinutes(20));
        Assert.Equal((0, Instant.Never), (h.Counters.NdpOutRouterAdvertisements, h.Stack.PollAt));
    }

    [Fact]
    public void A_question_that_is_malformed_or_from_beyond_the_link_gets_no_answer()
    {
        _h.Advance(TimeSpan.FromMinutes(2));
        _h.Frames();
        _h.Receive(Solicitation(StationAddress, hopLimit: 254));
        _h.Receive(Solicitation(IpAddress.Unspecified, named: true));
        _h.Receive(Solicitation(StationAddress, optionLength: 0));
        _h.Advance(TimeSpan.FromSeconds(1));
        Assert.Empty(Advertisements());
        Assert.Equal((1, 2, 0), (_h.Counters.NdpBadHopLimit, _h.Counters.NdpBadFormat, _h.Counters.NdpInRouterSolicits));
    }

    private static StackHarness Make(bool isRouter = true, bool prefix = true)
    {
        var h = new StackHarness(new StackOptions
        {
            IsRouter = isRouter,
            Interfaces = [new() { HardwareAddress = StackHarness.OwnMac, Advertisement = new() { ServesNames = true, Domains = ["lan.test"], HasOtherConfiguration = true } }],
        });
        if (prefix)
            Assert.Equal(StackError.None, h.Stack.AddAddress(h.Stack.Interfaces[0], IpPrefix.Parse("2001:db8::1/64"), h.Now));
        h.Stack.WireUp(h.Stack.Interfaces[0], h.Now);
        return h;
    }

    private List<byte[]> Advertisements() => [.. _h.Frames().Where(IsAdvertisement)];

    private static bool IsAdvertisement(byte[] frame) => frame[12] == 0x86 && frame[20] == IpProtocolIcmpv6 && BuildV6.ReadIcmp(frame).Message[0] == Icmpv6Type.RouterAdvertisement;

    private const byte IpProtocolIcmpv6 = 58;

    private static int LifetimeOf(byte[] frame) => BinaryPrimitives.ReadUInt16BigEndian(BuildV6.ReadIcmp(frame).Message.AsSpan(6));

    private static byte[] Solicitation(IpAddress source, byte hopLimit = 255, bool? named = null, byte optionLength = 1)
    {
        byte[] message = [Icmpv6Type.RouterSolicitation, 0, 0, 0, 0, 0, 0, 0];
        if (named ?? !source.IsUnspecified)
        {
            var option = new byte[8];
            NdpOption.Emit(option, NdpOption.SourceLinkLayerAddress, Station);
            option[1] = optionLength;
            message = [.. message, .. option];
        }

        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), Tapwire.Stack.Buffers.Checksum.Finish(Tapwire.Stack.Buffers.Checksum.Sum(message,
            Tapwire.Stack.Buffers.Checksum.PseudoHeader(source, IpAddress.AllRouters, IpProtocol.Icmpv6, message.Length))));
        var frame = new byte[14 + 40 + message.Length];
        new EthernetHeader(MacAddress.OfGroup(IpAddress.AllRouters), Station, EtherType.Ipv6).Emit(frame);
        new Ipv6Header { Source = source, Destination = IpAddress.AllRouters, NextHeader = IpProtocol.Icmpv6, HopLimit = hopLimit, PayloadLength = (ushort)message.Length }.Emit(frame.AsSpan(14));
        message.CopyTo(frame, 54);
        return frame;
    }
}
