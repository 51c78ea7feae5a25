using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Dhcp.Server;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Stack.Dhcp.Server;

/// <summary>The server's side of DHCP (RFC 2131, 4.3), in virtual time; the clients are this stack's own, or messages of the spec's.</summary>
public sealed class DhcpServerSpecs
{
    private static readonly IpAddress Own = IpAddress.Parse("192.0.2.1");

    private Instant _now = Instant.FromMilliseconds(1000);
    private uint _transaction = 7;

    [Fact]
    public void Our_own_client_gets_all_that_there_is_and_more_time()
    {
        var server = Server();
        var client = new DhcpClientHarness();
        client.Start();
        Converse(client, server, until: () => client.Client.State == DhcpState.Bound);
        var lease = client.Only<DhcpBound>().Lease;
        Assert.Equal(24, lease.Address.Length);
        Assert.True(lease.Address.Contains(Own) && lease.Address.Address != Own);
        Assert.Equal((Own, TimeSpan.FromHours(1), 1400), (lease.Server, lease.Lifetime, lease.Mtu));
        Assert.Equal([Own], lease.NameServers);
        Assert.Equal(["lan.test", "corp.test"], lease.Domains);
        Assert.Equal("0.0.0.0/0 via 192.0.2.1", Assert.Single(lease.Routes.Select(static route => $"{route.Destination} via {route.Gateway}")));
        var served = Assert.Single(server.Leases);
        Assert.Equal((lease.Address.Address, DhcpClientHarness.Hardware, "box"), (served.Address, served.Hardware, served.Name));

        // At T1 it asks for more time.
        var expires = served.Expires;
        Converse(client, server, until: () => server.Leases.Single().Expires > expires);
        Assert.Equal(lease.Address.Address, server.Leases.Single().Address);
        Assert.Empty(server.Counters.Drops);
    }

    [Fact]
    public void A_station_gets_the_same_address_at_every_start_of_the_server()
    {
        var first = AddressOf(Server(), 5);
        Assert.Equal(first, AddressOf(Server(), 5));
        Assert.NotEqual(first, AddressOf(Server(), 6));
        Assert.NotEqual(first, AddressOf(Server(Options() with { Secret = new byte[DhcpServerOptions.SecretLength] }), 5));
    }

    [Fact]
    public void All_addresses_of_the_network_are_given_away_and_no_other()
    {
        var server = Server(Options("192.0.2.1/29") with { Reserved = [IpAddress.Parse("192.0.2.3")] });
        var given = Enumerable.Range(1, 5).Select(i => AddressOf(server, (byte)i).ToString()).Order(StringComparer.Ordinal);
        Assert.Equal(["192.0.2.2", "192.0.2.4", "192.0.2.5", "192.0.2.6"], given.Where(static each => each != "0.0.0.0"));
        Assert.Equal(1, server.Counters[DhcpServerDrop.NoAddress]);
    }

    [Fact]
    public void An_offer_that_nobody_takes_is_given_to_another_after_30_seconds_and_a_lease_that_is_over_too()
    {
        var server = Server(Options("192.0.2.1/30"));
        Assert.Equal(DhcpMessageType.Offer, Ask(server, Discover(1))!.Value.Type);
        Assert.Null(Ask(server, Discover(2)));
        _now += TimeSpan.FromSeconds(31);
        Assert.Equal("192.0.2.2", AddressOf(server, 2).ToString());
        _now += TimeSpan.FromMinutes(59);
        Assert.Null(Ask(server, Discover(1)));
        _now = server.PollAt;
        server.Poll(_now);
        Assert.Equal(ServedEnd.Expired, Assert.Single(Events<DhcpServedEnds>(server)).End);
        Assert.Equal("192.0.2.2", AddressOf(server, 1).ToString());
    }

    [Fact]
    public void Offers_give_way_when_the_table_is_full_and_leases_do_not()
    {
        var server = Server(Options() with { MostLeases = 8 });
        for (byte i = 1; i <= 4; i++)
            Assert.NotEqual(IpAddress.AnyV4, AddressOf(server, i));
        for (var i = 5; i < 200; i++)
            Assert.NotNull(Ask(server, Discover((byte)i)));
        Assert.Equal(4, server.Leases.Count());
        for (byte i = 201; i <= 204; i++)
            AddressOf(server, i);
        Assert.Null(Ask(server, Discover(250)));
        Assert.Equal(1, server.Counters[DhcpServerDrop.NoRoom]);
        Assert.Equal(8, server.Leases.Count());
    }

    [Fact]
    public void A_station_that_comes_back_after_a_restart_of_the_server_keeps_its_address_if_it_is_free()
    {
        var server = Server();
        // INIT-REBOOT, and RENEWING.
        Assert.Equal(DhcpMessageType.Ack, Ask(server, Request(1) with { RequestedAddress = IpAddress.Parse("192.0.2.77") })!.Value.Type);
        Assert.Equal(DhcpMessageType.Ack, Ask(server, Request(2) with { ClientAddress = IpAddress.Parse("192.0.2.78") })!.Value.Type);
        foreach (var refused in (string[])["192.0.2.77", "192.0.2.1", "192.0.2.0", "192.0.2.255", "198.51.100.9"])
        {
            var (type, send, _) = Ask(server, Request(3) with { RequestedAddress = IpAddress.Parse(refused) })!.Value;
            Assert.Equal((DhcpMessageType.Nak, IpAddress.BroadcastV4, null), (type, send.Destination, send.Hardware));
        }

        Assert.Equal(5, server.Counters[DhcpServerDrop.Refused]);
    }

    [Fact]
    public void What_is_given_back_is_free_and_what_is_declined_is_not_for_ten_minutes()
    {
        var server = Server(Options("192.0.2.1/30"));
        var address = AddressOf(server, 1);
        Assert.Null(Ask(server, Message(DhcpMessageType.Release, 2) with { ClientAddress = address, Server = Own }));
        Assert.Null(Ask(server, Message(DhcpMessageType.Decline, 1) with { RequestedAddress = Own, Server = Own }));
        Assert.Equal(2, server.Counters[DhcpServerDrop.NotItsAddress]);
        Assert.Null(Ask(server, Message(DhcpMessageType.Release, 1) with { ClientAddress = address, Server = Own }));
        Assert.Empty(server.Leases);
        Assert.Equal(address, AddressOf(server, 2));
        Assert.Null(Ask(server, Message(DhcpMessageType.Decline, 2) with { RequestedAddress = address, Server = Own }));
        Assert.Null(Ask(server, Discover(3)));
        _now += TimeSpan.FromMinutes(10);
        Assert.Equal(address, AddressOf(server, 3));
        Assert.Equal([ServedEnd.Released, ServedEnd.Declined], _ends);
    }

    [Fact]
    public void A_request_to_another_server_takes_the_offer_back()
    {
        var server = Server(Options("192.0.2.1/30"));
        Ask(server, Discover(1));
        Assert.Null(Ask(server, Request(1) with { RequestedAddress = IpAddress.Parse("192.0.2.2"), Server = IpAddress.Parse("192.0.2.9") }));
        Assert.Equal(1, server.Counters[DhcpServerDrop.OtherServer]);
        Assert.NotNull(Ask(server, Discover(2)));
    }

    [Fact]
    public void Who_has_an_address_of_its_own_is_told_the_rest_without_a_lease()
    {
        var (type, send, answer) = Ask(Server(), Message(DhcpMessageType.Inform, 1) with { ClientAddress = IpAddress.Parse("192.0.2.50") })!.Value;
        Assert.Equal((DhcpMessageType.Ack, "192.0.2.50"), (type, send.Destination.ToString()));
        Assert.Equal(0u, BinaryPrimitives.ReadUInt32BigEndian(answer.AsSpan(16)));
        Assert.Empty(OptionOf(answer, DhcpOption.LeaseTime));
        Assert.Equal([192, 0, 2, 1], OptionOf(answer, DhcpOption.DomainNameServer));
    }

    [Fact]
    public void Answers_go_where_the_station_can_take_them()
    {
        var server = Server();
        var (_, send, answer) = Ask(server, Discover(1))!.Value;
        Assert.Equal((IpAddress.FromBytes(answer.AsSpan(16, 4)), Hardware(1)), (send.Destination, send.Hardware));
        Assert.Equal(IpAddress.BroadcastV4, Ask(server, Discover(1) with { Broadcast = true })!.Value.Send.Destination);
        // RFC 6842: the identifier comes back.
        Assert.Equal([1, 2, 0, 0, 0, 0, 1], OptionOf(answer, DhcpOption.ClientIdentifier));
        Assert.True(answer.Length is >= 300 and <= 548);
    }

    [Fact]
    public void Without_a_way_out_there_is_no_router_in_the_answer()
    {
        var answer = Ask(Server(Options() with { Router = null }), Discover(1))!.Value.Bytes;
        Assert.Empty(OptionOf(answer, DhcpOption.Router));
    }

    [Theory]
    [InlineData(0, 2, DhcpServerDrop.BadOperation)]
    [InlineData(1, 6, DhcpServerDrop.BadHardware)]
    [InlineData(2, 16, DhcpServerDrop.BadHardware)]
    [InlineData(28, 1, DhcpServerDrop.BadHardware)]
    [InlineData(27, 1, DhcpServerDrop.Relayed)]
    [InlineData(236, 0, DhcpServerDrop.BadCookie)]
    [InlineData(241, 200, DhcpServerDrop.BadOption)]
    [InlineData(242, 2, DhcpServerDrop.BadType)]
    [InlineData(244, 1, DhcpServerDrop.BadOption)]
    public void What_is_malformed_is_counted_and_not_answered(int at, byte value, DhcpServerDrop reason)
    {
        var server = Server();
        var bytes = Discover(1).Emit();
        bytes[at] = value;
        server.Receive(bytes, _now);
        Assert.False(server.TryDequeue(out _));
        Assert.Equal(1, server.Counters[reason]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Mutated_messages_change_nothing_that_is_bounded(int seed)
    {
        var random = new Random(seed);
        var server = Server(Options() with { MostLeases = 16 });
        var honest = AddressOf(server, 1);
        for (var i = 0; i < 50_000; i++)
        {
            var type = (DhcpMessageType)random.Next(1, 9);
            var bytes = (Message(type, (byte)random.Next(2, 256)) with
            {
                RequestedAddress = random.Next(2) == 0 ? IpAddress.FromV4(0xC0000200 | (uint)random.Next(256)) : null,
                ClientAddress = random.Next(3) == 0 ? IpAddress.FromV4(0xC0000200 | (uint)random.Next(256)) : IpAddress.AnyV4,
                Server = random.Next(2) == 0 ? Own : null,
            }).Emit();
            for (var k = random.Next(4); k > 0; k--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            server.Receive(bytes.AsSpan(0, random.Next(8) == 0 ? random.Next(bytes.Length) : bytes.Length), _now);
            while (server.TryDequeue(out var next))
            {
                if (next is DhcpServerSend send)
                    Assert.InRange(send.Message.Length, 300, DhcpMessage.MaxLength);
            }

            _now += TimeSpan.FromMilliseconds(random.Next(20));
        }

        Assert.InRange(server.Leases.Count(), 1, 16);
        Assert.Contains(server.Leases, lease => lease.Address == honest && lease.Hardware == Hardware(1));
        Assert.True(server.PollAt > _now);
    }

    private readonly List<ServedEnd> _ends = [];

    private static MacAddress Hardware(byte last) => new(0x02_00_00_00_00_00UL | last);

    private static DhcpServerOptions Options(string address = "192.0.2.1/24") => new()
    {
        Address = IpPrefix.Parse(address),
        Router = Own,
        NameServers = [Own],
        Domains = ["lan.test", "corp.test"],
        Mtu = 1400,
        Secret = Enumerable.Range(1, DhcpServerOptions.SecretLength).Select(static i => (byte)i).ToArray(),
    };

    private static DhcpServer Server(DhcpServerOptions? options = null) => new(options ?? Options());

    private DhcpMessage Message(DhcpMessageType type, byte station) => new()
    {
        Type = type,
        Transaction = ++_transaction,
        Hardware = Hardware(station),
        ClientIdentifier = new byte[] { 1, 2, 0, 0, 0, 0, station },
    };

    private DhcpMessage Discover(byte station) => Message(DhcpMessageType.Discover, station);

    private DhcpMessage Request(byte station) => Message(DhcpMessageType.Request, station);

    /// <summary>Has a station ask for an address and take it; 0.0.0.0: it is not offered one.</summary>
    private IpAddress AddressOf(DhcpServer server, byte station)
    {
        if (Ask(server, Discover(station)) is not { } offer)
            return IpAddress.AnyV4;
        var address = IpAddress.FromBytes(offer.Bytes.AsSpan(16, 4));
        Assert.Equal(DhcpMessageType.Ack, Ask(server, Request(station) with { RequestedAddress = address, Server = Own })!.Value.Type);
        return address;
    }

    private (DhcpMessageType Type, DhcpServerSend Send, byte[] Bytes)? Ask(DhcpServer server, DhcpMessage message)
    {
        server.Receive(message.Emit(), _now);
        (DhcpMessageType, DhcpServerSend, byte[])? answer = null;
        while (server.TryDequeue(out var next))
        {
            if (next is DhcpServedEnds ends)
                _ends.Add(ends.End);
            if (next is not DhcpServerSend send)
                continue;
            var bytes = send.Message.ToArray();
            Assert.Equal(_transaction, BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(4)));
            answer = ((DhcpMessageType)OptionOf(bytes, DhcpOption.MessageType)[0], send, bytes);
        }

        return answer;
    }

    private static List<T> Events<T>(DhcpServer server)
    {
        var all = new List<T>();
        while (server.TryDequeue(out var next))
        {
            if (next is T wanted)
                all.Add(wanted);
        }

        return all;
    }

    private static byte[] OptionOf(byte[] message, DhcpOption option)
    {
        for (var i = 240; message[i] != 255; i += 2 + message[i + 1])
        {
            if (message[i] == (byte)option)
                return message[(i + 2)..(i + 2 + message[i + 1])];
        }

        return [];
    }

    private static void Converse(DhcpClientHarness client, DhcpServer server, Func<bool> until)
    {
        var answered = client.Sent.Count;
        for (var steps = 0; !until(); steps++)
        {
            Assert.True(steps < 10_000, "Client and server never come to an end.");
            for (; answered < client.Sent.Count; answered++)
            {
                server.Receive(client.Sent[answered].Send.Message.Span, client.Now);
                while (server.TryDequeue(out var next))
                {
                    if (next is DhcpServerSend send)
                        client.Receive(send.Message.ToArray());
                }
            }

            client.Advance(TimeSpan.FromSeconds(1));
        }
    }
}
