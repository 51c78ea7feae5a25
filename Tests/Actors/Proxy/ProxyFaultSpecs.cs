using System.Net.Sockets;
using Akka.Actor;
using Tapwire.Posix;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors.Proxy;

/// <summary>Faults on the way from the host into the stack's network: they cost the client that met them.</summary>
public sealed class ProxyFaultSpecs() : ProxySetup("")
{
    [Fact]
    public void A_client_whose_connection_cannot_be_watched_is_reset_and_the_next_one_is_served()
    {
        Peer.Listen(80);
        Reactor.FailsNext = true;
        HostClient? client = null;
        EventFilter.Exception<ActorInitializationException>().ExpectOne(() => client = Socks());
        using (client)
        {
            client!.Read();
            Assert.True(client.SawReset);
        }

        Assert.Equal(0, Port("socks").GetProperty("open").GetInt32());
        using var next = Socks();
        Assert.Equal([5, 0, 5, 0], next.Ask(1, 10, 99, 0, 1, 0, 80));
    }

    [Fact]
    public void A_name_on_which_the_resolver_fails_is_a_time_out_and_other_names_are_found()
    {
        Peer.Listen(80);
        using var client = Socks();
        EventFilter.Exception<FormatException>().ExpectOne(() => client.Send([5, 1, 0, 5, 1, 0, 3, 5, .. "fault"u8, 0, 80]));
        using (var other = Socks())
            Assert.Equal([5, 0, 5, 0], other.Ask([3, 4, .. "peer"u8, 0, 80]));
        Advance(Settings.Proxy.ConnectTimeout + TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
        Assert.Equal([5, 0, 5, 6], client.Read()[..4]);
    }

    [Fact]
    public void Datagrams_for_a_name_that_nobody_answers_about_do_not_wait_for_ever()
    {
        using var client = Socks();
        client.Send([5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0]);
        var reply = client.Read();
        var relay = new IpEndpoint(IpAddress.Parse("127.0.0.1"), (ushort)((reply[^2] << 8) | reply[^1]));
        using var datagrams = new HostClient(this, relay, SocketType.Dgram);
        for (var i = 1; i <= 2; i++)
        {
            datagrams.Send([0, 0, 0, 3, 7, .. "silence"u8, 0, 80, 42]);
            Assert.Equal(1, Pool.Rented);
            Advance(Settings.Proxy.ConnectTimeout + TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
            Assert.Equal(0, Pool.Rented);
            Assert.Equal(i, Port("socks").GetProperty("datagramsDropped").GetInt32());
        }
    }

    [Fact]
    public void UDP_clients_that_find_no_room_are_one_warning_until_there_is_some()
    {
        using var first = Datagrams();
        using var second = Datagrams();
        first.Send(1);
        second.Send(1);
        using var third = Datagrams();
        EventFilter.Warning(contains: "max-flows").ExpectOne(() =>
        {
            third.Send(1);
            third.Send(1);
        });
        Assert.Equal((2, 2), (Port("forward udp").GetProperty("refused").GetInt32(), Port("forward udp").GetProperty("datagramsDropped").GetInt32()));
        Advance(Settings.Proxy.FlowIdle + TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
        first.Send(1);
        second.Send(1);
        EventFilter.Warning(contains: "max-flows").ExpectOne(() => third.Send(1));
    }
}
