using Tapwire.Stack.Dhcp.Server;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Stack.Dhcp.Server;

/// <summary>DHCPv6 without addresses (RFC 8415, 18.3.6).</summary>
public sealed class Dhcp6ResponderSpecs
{
    private static readonly byte[] Duid = [0, 3, 0, 1, 2, 0, 0, 0, 0, 1];
    private static readonly byte[] Client = [0, 3, 0, 1, 2, 0, 0, 0, 0, 9];

    private readonly Dhcp6Responder _responder = new(Duid, [IpAddress.Parse("2001:db8::1")], ["lan.test"]);

    [Fact]
    public void A_question_without_addresses_is_answered()
    {
        var answer = _responder.Receive(Question().Emit())!;
        Assert.Equal([7, 0, 0, 5], answer[..4]);
        var options = answer.AsSpan(4);
        Assert.True(Dhcp6Options.AreWellFormed(options));
        Assert.Equal(Duid, Dhcp6Options.Find(options, Dhcp6Option.ServerIdentifier, out _).ToArray());
        Assert.Equal(Client, Dhcp6Options.Find(options, Dhcp6Option.ClientIdentifier, out _).ToArray());
        Assert.Equal("2001:db8::1", IpAddress.FromBytes(Dhcp6Options.Find(options, Dhcp6Option.NameServers, out _)).ToString());
        Assert.Equal("\x03lan\x04test\0"u8, Dhcp6Options.Find(options, Dhcp6Option.DomainSearch, out _));
        Assert.Equal((1, 1), (_responder.Counters.Received, _responder.Counters.Sent));
    }

    [Fact]
    public void Addresses_are_not_for_this_server_and_nor_is_what_another_one_is_asked()
    {
        Assert.Null(_responder.Receive((Question() with { Type = Dhcp6MessageType.Solicit, Association = 1 }).Emit()));
        Assert.Null(_responder.Receive((Question() with { Association = 1 }).Emit()));
        Assert.Null(_responder.Receive((Question() with { Server = Client }).Emit()));
        Assert.NotNull(_responder.Receive((Question() with { Server = Duid }).Emit()));
        Assert.Equal((2, 1), (_responder.Counters[DhcpServerDrop.NotServed], _responder.Counters[DhcpServerDrop.OtherServer]));
    }

    [Fact]
    public void Mutated_messages_are_counted()
    {
        var random = new Random(1);
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = Question().Emit();
            for (var k = random.Next(1, 4); k > 0; k--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            var answer = _responder.Receive(bytes.AsSpan(0, random.Next(4) == 0 ? random.Next(bytes.Length) : bytes.Length));
            Assert.True(answer is null || answer.Length < 300);
        }

        Assert.Equal(20_000, _responder.Counters.Received + _responder.Counters.Drops.Sum(static drop => drop.Value));
    }

    private static Dhcp6Message Question() => new() { Type = Dhcp6MessageType.InformationRequest, Transaction = 5, Client = Client };
}
