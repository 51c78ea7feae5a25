using Akka.Actor;
using Tapwire.Actors.Guests;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Actors.Guests;

/// <summary>A guest with both families on a driver with both.</summary>
public sealed class GuestV6Specs() : GuestSetup("", driverHasV6: true, guestHasV6: true)
{
    private static readonly IpAddress Elsewhere = IpAddress.Parse("2001:db8::1");

    [Fact]
    public void Its_connections_of_either_family_are_the_drivers()
    {
        Assert.Equal(StackError.None, Peer.Stack.Tcp.Listen(new IpEndpoint(IpAddress.Unspecified, 80), 4, default, out var listener));
        foreach (var (peer, own) in new[] { (PeerV6, AddressV6), (Support.Peer.Address, Address) })
        {
            var client = Connect(new IpEndpoint(peer, 80));
            var server = Accept(listener!);
            Assert.Equal(own, server.Remote.Address);
            Write(client, 1, 2, 3);
            Peer.Send(server, [4, 5]);
            RunUntil(() => Peer.ReceivedCount(server) == 3 && Received(client).Length == 2);
            client.Close(Peer.Now);
            RunUntil(() => Peer.EndOfStream.Contains(server));
            server.Close(Peer.Now);
            RunUntil(() => Peer.Ended.Contains(server) && Ended.Contains(client));
        }
    }

    [Fact]
    public void What_the_destination_says_of_the_SYN_the_guest_sees()
    {
        var refused = Connect(new IpEndpoint(PeerV6, 81));
        RunUntil(() => Ended.Contains(refused));
        Assert.Equal(StackError.ConnectionRefused, refused.Error);

        var unreachable = Connect(new IpEndpoint(Elsewhere, 80));
        RunUntil(() => Ended.Contains(unreachable), TimeSpan.FromSeconds(1));
        Assert.Equal(StackError.NetworkUnreachable, unreachable.Error);

        // Nobody answers for it.
        var silent = Connect(new IpEndpoint(IpAddress.Parse("fd00:99::77"), 80));
        RunUntil(() => Ended.Contains(silent), TimeSpan.FromSeconds(10));
        Assert.Equal(StackError.HostUnreachable, silent.Error);
    }

    [Fact]
    public void Its_datagrams_and_echo_requests_are_answered_by_those_that_they_are_for()
    {
        Assert.Equal(StackError.None, Peer.Stack.Udp.Bind(new IpEndpoint(default, 53), new(), out var names));
        var client = Udp();
        Assert.Equal(StackError.None, client.Send(Bytes(new byte[40000]), new IpEndpoint(PeerV6, 53), Peer.Now));
        PacketBuffer? data = null;
        IpEndpoint from = default;
        RunUntil(() => names!.TryReceive(out data, out from));
        Assert.Equal((AddressV6, 40000), (from.Address, data!.TotalLength));
        Assert.Equal(StackError.None, names!.Send(data, from, Peer.Now));
        RunUntil(() => client.TryReceive(out data, out from));
        Assert.Equal((new IpEndpoint(PeerV6, 53), 40000), (from, data!.TotalLength));
        data.Release();

        Assert.Equal(StackError.None, client.Connect(new IpEndpoint(PeerV6, 54)));
        Assert.Equal(StackError.None, client.Send(Bytes([1]), null, Peer.Now));
        var error = StackError.None;
        RunUntil(() => (error = client.TakeError()) != StackError.None);
        Assert.Equal(StackError.ConnectionRefused, error);
        client.Close();
        names.Close();

        Assert.Equal(StackError.None, Guest.Icmp.Open(out var ping));
        IcmpEchoResult answer = default;
        foreach (var (destination, result) in new[] { (PeerV6, StackError.None), (Elsewhere, StackError.NetworkUnreachable) })
        {
            Assert.Equal(StackError.None, ping!.Send(destination, 1, new byte[32], Peer.Now));
            RunUntil(() => ping.TryReceive(out answer));
            Assert.Equal(result, answer.Error);
        }

        ping!.Close();
    }

    [Theory]
    [InlineData("tcp:8080=80", true, true)]
    [InlineData("tcp:[::]:8080=80", true, true)]
    [InlineData("tcp:[fd00:99::2]:8080=80", true, false)]
    [InlineData("tcp:10.99.0.2:8080=80", false, true)]
    public void A_published_port_leads_to_it_from_the_peers_own_address(string port, bool v6, bool v4)
    {
        Assert.Equal(GuestAnswer.Done, Publish(port));
        Assert.Equal(StackError.None, Guest.Tcp.Listen(new IpEndpoint(IpAddress.Unspecified, 80), 4, default, out var listener));
        foreach (var (own, leads) in new[] { (AddressV6, v6), (Address, v4) })
        {
            Assert.Equal(StackError.None, Peer.Stack.Tcp.Connect(new IpEndpoint(own, 8080), default(IpEndpoint), default, Peer.Now, out var client));
            if (leads)
            {
                var server = AcceptAtGuest(listener!);
                Assert.Equal((client!.Local, new IpEndpoint(own, 80)), (server.Remote, server.Local));
                RunUntil(() => client.State == TcpState.Established);
                server.Abort(Peer.Now);
            }

            RunUntil(() => Peer.Ended.Contains(client!));
            Assert.Equal(leads ? StackError.ConnectionReset : StackError.ConnectionRefused, client!.Error);
        }
    }

    /// <summary>It could not answer an address of a link on which it is not.</summary>
    [Fact]
    public void A_neighbour_that_comes_by_its_link_local_address_is_seen_as_the_drivers_end()
    {
        Assert.Equal(GuestAnswer.Done, Publish("tcp:8080=80"));
        Assert.Equal(StackError.None, Guest.Tcp.Listen(new IpEndpoint(IpAddress.Unspecified, 80), 4, default, out var listener));
        var near = Peer.Stack.Addresses.Single(static address => address.Address.IsLinkLocal).Address;
        Assert.Equal(StackError.None, Peer.Stack.Tcp.Connect(new IpEndpoint(AddressV6, 8080), new IpEndpoint(near, 0), default, Peer.Now, out var client));
        var server = AcceptAtGuest(listener!);
        Assert.Equal(GuestAddress.OwnEnd(AddressV6), server.Remote.Address);
        server.Abort(Peer.Now);
        RunUntil(() => Peer.Ended.Contains(client!));
    }

    [Theory]
    [InlineData("udp:5353=53")]
    [InlineData("udp:10.99.0.2:5353=53,udp:[fd00:99::2]:5353=53")]
    public void A_published_port_of_datagrams_answers_by_the_address_that_was_asked(string ports)
    {
        foreach (var port in ports.Split(','))
            Assert.Equal(GuestAnswer.Done, Publish(port));
        Assert.Equal(StackError.None, Guest.Udp.Bind(new IpEndpoint(default, 53), new(), out var server));
        Assert.Equal(StackError.None, Peer.Stack.Udp.Bind(default, new(), out var client));
        foreach (var (peer, own) in new[] { (PeerV6, AddressV6), (Support.Peer.Address, Address) })
        {
            Assert.Equal(StackError.None, client!.Send(Bytes([7]), new IpEndpoint(own, 5353), Peer.Now));
            PacketBuffer? data = null;
            IpEndpoint from = default;
            RunUntil(() => server!.TryReceive(out data, out from));
            Assert.Equal(new IpEndpoint(peer, client.Local.Port), from);
            Assert.Equal(StackError.None, server!.Send(data!, from, Peer.Now));
            RunUntil(() => client.TryReceive(out data, out from));
            Assert.Equal(new IpEndpoint(own, 5353), from);
            data!.Release();
        }

        client!.Close();
        server!.Close();
    }

    [Theory]
    [InlineData("fe80::1", "link-local")]
    [InlineData("::1", "loopback")]
    [InlineData("::", "no address")]
    [InlineData("ff02::1", "multicast")]
    [InlineData("100::8", "own end")]
    public void An_address_that_no_host_beyond_its_link_has_is_refused_and_its_wire_closed(string address, string reason)
    {
        foreach (var addresses in new[] { new GuestAddresses(IpAddress.Parse(address)), new GuestAddresses(Address, IpAddress.Parse(address)) })
        {
            var wire = new MemoryWire("other") { Medium = Medium.Ip };
            var answer = Add(wire, addresses, ActorRefs.Nobody);
            Assert.NotEqual(0, answer.Error);
            Assert.Contains(reason, answer.Reason, StringComparison.Ordinal);
            Assert.True(wire.Disposed);
        }
    }

    [Fact]
    public void A_guest_without_an_address_is_refused() =>
        Assert.Equal((int)StackError.InvalidArgument, Add(new MemoryWire("other") { Medium = Medium.Ip }, default, ActorRefs.Nobody).Error);
}

/// <summary>A guest with IPv4 only on a driver with both families.</summary>
public sealed class GuestOfOneFamilySpecs() : GuestSetup("", driverHasV6: true)
{
    [Fact]
    public void A_published_port_of_all_addresses_leads_to_it_by_its_family_only()
    {
        Assert.Equal(GuestAnswer.Done, Publish("tcp:8080=80"));
        Assert.Equal(GuestAnswer.Done, Publish("udp:8080=80"));
        Assert.Equal(StackError.None, Guest.Tcp.Listen(new IpEndpoint(IpAddress.Unspecified, 80), 4, default, out var listener));
        Assert.Equal(StackError.None, Peer.Stack.Tcp.Connect(new IpEndpoint(AddressV6, 8080), default(IpEndpoint), default, Peer.Now, out var refused));
        RunUntil(() => Peer.Ended.Contains(refused!));
        Assert.Equal(StackError.ConnectionReset, refused!.Error);
        var client = Peer.Connect(8080);
        var server = AcceptAtGuest(listener!);
        Assert.Equal(client.Local, server.Remote);
        server.Abort(Peer.Now);
        RunUntil(() => Peer.Ended.Contains(client));

        Assert.Equal(StackError.None, Guest.Udp.Bind(new IpEndpoint(default, 80), new(), out var datagrams));
        Assert.Equal(StackError.None, Peer.Stack.Udp.Bind(default, new(), out var sender));
        Assert.Equal(StackError.None, sender!.Send(Bytes([6]), new IpEndpoint(AddressV6, 8080), Peer.Now));
        Assert.Equal(StackError.None, sender.Send(Bytes([4]), new IpEndpoint(Address, 8080), Peer.Now));
        PacketBuffer? data = null;
        RunUntil(() => datagrams!.TryReceive(out data, out _));
        Assert.Equal(4, data!.Span[0]);
        data.Release();
        sender.Close();
        datagrams!.Close();
    }
}
