using System.Text;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors.Proxy;

/// <summary>Connections of the host's programs through the proxy, in virtual time. Each spec ends with the driver's stop, and nothing is left.</summary>
public sealed class ProxySessionSpecs() : ProxySetup("")
{
    private static readonly byte[] ToPeer = [1, 10, 99, 0, 1, 0, 80];

    private static byte[] ToName(string name, byte port = 80) => [3, (byte)name.Length, .. Encoding.ASCII.GetBytes(name), 0, port];

    [Fact]
    public void A_client_is_connected_and_data_passes_both_ways()
    {
        var listener = Peer.Listen(80);
        using var client = Socks();
        Assert.Equal([5, 0, 5, 0], client.Ask(ToPeer));
        var socket = listener.Accept()!;
        client.Send([.. "request"u8]);
        Assert.Equal("request"u8.ToArray(), Peer.Received(socket));
        Peer.Send(socket, "answer"u8);
        Run();
        Assert.Equal("answer"u8.ToArray(), client.Read());
        Assert.Equal(1, Port("socks").GetProperty("open").GetInt32());
    }

    [Fact]
    public void A_server_that_speaks_first_is_heard_after_the_reply()
    {
        var listener = Peer.Listen(80);
        using var client = Socks();
        client.Send([5, 1, 0]);
        Assert.Equal([5, 0], client.Read());
        // The greeting leaves the server in the segment that follows its SYN-ACK: before the connection has its actor.
        TcpSocket? socket = null;
        Peer.Loses = _ =>
        {
            if (socket is null && (socket = listener.Accept()) is not null)
                Peer.Send(socket, "welcome"u8);
            return false;
        };
        client.Send([5, 1, 0, .. ToPeer]);
        RunUntil(() => socket is not null);
        Advance(TimeSpan.FromSeconds(1));
        var got = client.Read();
        Assert.Equal([5, 0, 0, 1], got[..4]);
        Assert.Equal("welcome"u8.ToArray(), got[10..]);
    }

    [Fact]
    public void A_name_is_resolved_and_its_next_address_tried_when_the_first_fails()
    {
        var listener = Peer.Listen(80);
        using var client = Socks();
        Assert.Equal([5, 0, 5, 0], client.Ask(ToName("second")));
        Assert.NotNull(listener.Accept());
    }

    [Fact]
    public void An_address_that_is_silent_costs_a_quarter_of_a_second()
    {
        var listener = Peer.Listen(80);
        using var client = Socks();
        client.Send([5, 1, 0]);
        Assert.Equal([5, 0], client.Read());
        client.Send([5, 1, 0, .. ToName("second")]);
        Advance(TimeSpan.FromMilliseconds(240));
        Assert.Empty(client.Read());
        Advance(TimeSpan.FromMilliseconds(60));
        Assert.Equal([5, 0], client.Read()[..2]);
        Assert.NotNull(listener.Accept());
        // The attempt that has lost is given up.
        Assert.Equal(1, StackStatus().ConnectionCount);
    }

    [Fact]
    public void A_name_that_nobody_knows_is_host_unreachable()
    {
        using var client = Socks();
        Assert.Equal([5, 0, 5, 4], client.Ask(ToName("nobody")));
        RunUntil(() => Read(client).SawEndOfFile);
        Assert.Equal(1, Port("socks").GetProperty("failed").GetInt32());
    }

    [Fact]
    public void When_no_address_can_be_reached_the_first_ones_reason_is_told()
    {
        using var client = Socks();
        Assert.Equal([5, 0, 5, 4], client.Ask(ToName("second", 81))); // the second one refuses
    }

    [Fact]
    public void A_resolver_or_a_host_that_does_not_answer_is_a_time_out()
    {
        using var client = Socks();
        Assert.Equal([5, 0, 5, 6], client.Ask(ToName("silence")));
        Peer.Listen(80);
        Peer.Loses = frame => frame.Length > 42 && frame[12] == 8 && frame[13] == 0; // IPv4, not ARP
        using var second = Socks();
        Assert.Equal([5, 0, 5, 6], second.Ask(ToPeer));
    }

    [Fact]
    public void A_client_that_says_nothing_is_closed_in_time()
    {
        using var client = Socks();
        client.Send(5, 1);
        Advance(TimeSpan.FromSeconds(29));
        Assert.False(Read(client).SawReset || client.SawEndOfFile);
        Advance(TimeSpan.FromSeconds(2));
        Assert.True(Read(client).SawReset || client.SawEndOfFile);
        Assert.Equal(0, Port("socks").GetProperty("open").GetInt32());
    }

    [Fact]
    public void A_client_that_goes_away_while_it_is_being_connected_leaves_nothing()
    {
        Peer.Listen(80);
        Peer.Loses = frame => frame.Length > 42 && frame[12] == 8 && frame[13] == 0;
        var client = Socks();
        client.Send([5, 1, 0, 5, 1, 0, .. ToPeer]);
        Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(1, StackStatus().ConnectionCount);
        client.Reset();
        Assert.Equal(0, StackStatus().ConnectionCount);
        Assert.Equal(0, Port("socks").GetProperty("open").GetInt32());
    }

    [Fact]
    public void One_connection_too_many_is_told_so_in_its_own_protocol()
    {
        Peer.Listen(80);
        using var first = Socks();
        using var second = Socks();
        Assert.Equal([5, 0, 5, 0], first.Ask(ToPeer));
        Assert.Equal([5, 0, 5, 0], second.Ask(ToPeer));
        using var third = Socks();
        Assert.Equal([5, 0, 5, 1], third.Ask(ToPeer));
        using var fourth = Socks();
        fourth.Send([.. "CONNECT 10.99.0.1:80 HTTP/1.1\r\n\r\n"u8]);
        Assert.StartsWith("HTTP/1.1 503 ", Encoding.ASCII.GetString(fourth.Read()), StringComparison.Ordinal);
        Assert.Equal(2, Port("socks").GetProperty("refused").GetInt32());
        Assert.Equal(2, Port("socks").GetProperty("accepted").GetInt32());
    }

    [Fact]
    public void A_client_that_has_finished_sending_still_hears_the_answer()
    {
        var listener = Peer.Listen(80);
        using var client = Socks();
        client.Send([5, 1, 0, 5, 1, 0, .. ToPeer, .. "all of it"u8]);
        client.ShutdownSend();
        TcpSocket? socket = null;
        RunUntil(() => (socket ??= listener.Accept()) is not null && Peer.EndOfStream.Contains(socket!));
        Assert.Equal("all of it"u8.ToArray(), Peer.Received(socket!));
        Peer.Send(socket!, "answer"u8);
        socket!.Close(Peer.Now);
        Run();
        Assert.Equal("answer"u8.ToArray(), client.Read()[12..]);
        Assert.True(client.SawEndOfFile);
    }

    [Fact]
    public void A_reset_passes_both_ways()
    {
        var listener = Peer.Listen(80);
        using var client = Forward();
        var socket = listener.Accept()!;
        socket.Abort(Peer.Now);
        Run();
        Assert.True(Read(client).SawReset);

        var second = Forward();
        socket = listener.Accept()!;
        second.Reset();
        RunUntil(() => Peer.Ended.Contains(socket));
        Assert.Equal(Tapwire.Stack.StackError.ConnectionReset, socket.Error);
    }

    [Fact]
    public void A_forwarded_connection_that_fails_is_reset_and_counted()
    {
        using var client = Forward();
        RunUntil(() => Read(client).SawReset);
        Assert.Equal(1, Port("forward tcp").GetProperty("failed").GetInt32());
        Assert.Equal(0, Port("forward tcp").GetProperty("open").GetInt32());
    }

    [Fact]
    public void The_drivers_stop_is_the_end_of_file_to_a_client()
    {
        Peer.Listen(80);
        using var client = Forward();
        using var asking = Socks();
        asking.Send(5, 1);
        StopDriver();
        Assert.True(Read(client).SawEndOfFile);
    }

    [Fact]
    public void A_client_of_a_forwarded_udp_port_is_forgotten_when_it_is_silent_and_there_is_room_for_so_many()
    {
        using var first = Datagrams();
        using var second = Datagrams();
        using var third = Datagrams();
        foreach (var client in (HostClient[])[first, second, third])
            client.Send(1, 2, 3);
        Advance(TimeSpan.FromSeconds(59));
        Assert.Equal(2, Port("forward udp").GetProperty("open").GetInt32());
        Assert.Equal(1, Port("forward udp").GetProperty("refused").GetInt32());
        Assert.Equal(1, Port("forward udp").GetProperty("datagramsDropped").GetInt32());
        Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(0, Port("forward udp").GetProperty("open").GetInt32());
        third.Send(1);
        Assert.Equal(1, Port("forward udp").GetProperty("open").GetInt32());
    }

    private static HostClient Read(HostClient client)
    {
        client.Read();
        return client;
    }
}

/// <summary>What the settings allow.</summary>
public sealed class ProxyPolicySpecs() : ProxySetup("""socks { user = "me", password = "secret", destinations = ["10.99.0.1/32"] }""")
{
    [Fact]
    public void A_destination_outside_those_that_are_allowed_is_not_allowed_by_address_or_name()
    {
        Peer.Listen(80);
        Assert.Equal([5, 2, 1, 0, 5, 2], Ask([1, 10, 99, 0, 50, 0, 80]));
        Assert.Equal([5, 2, 1, 0, 5, 0], Ask([3, 6, .. "second"u8, 0, 80])); // its other address is
    }

    [Fact]
    public void Who_does_not_know_the_password_is_not_served()
    {
        using var client = Socks();
        client.Send([5, 1, 2, 1, 2, .. "me"u8, 5, .. "wrong"u8, 5, 1, 0, 1, 10, 99, 0, 1, 0, 80]);
        Assert.Equal([5, 2, 1, 1], client.Read());
        Assert.True(client.SawEndOfFile);
        Assert.Equal(0, StackStatus().ConnectionCount);
    }

    private byte[] Ask(byte[] destination)
    {
        using var client = Socks();
        client.Send([5, 1, 2, 1, 2, .. "me"u8, 6, .. "secret"u8, 5, 1, 0, .. destination]);
        var reply = client.Read();
        RunUntil(() => (reply = [.. reply, .. client.Read()]).Length >= 6);
        return reply[..6];
    }
}
