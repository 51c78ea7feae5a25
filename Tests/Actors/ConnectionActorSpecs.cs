using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

public sealed class ConnectionActorSpecs : DriverSetup
{
    private static Sockaddr PeerAt(ushort port) => Sockaddr.From(new IpEndpoint(Peer.Address, port));

    private static byte[] Pattern(int length, int seed = 1)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    [Fact]
    public void P12_connect_answers_with_the_local_address_after_the_handshake()
    {
        Peer.Listen(80);
        using var app = Open();
        var answer = Ask(new ConnectRequest(7, app.Handle, PeerAt(80), 0, false));
        Assert.Equal(0, answer.Error);
        Assert.Equal(Address, answer.Address.Endpoint.Address);
        Assert.NotEqual(0, answer.Address.Endpoint.Port);
    }

    [Fact]
    public void P12_connect_to_a_closed_port_is_ECONNREFUSED()
    {
        using var app = Open();
        Assert.Equal((int)StackError.ConnectionRefused, Ask(new ConnectRequest(7, app.Handle, PeerAt(81), 0, false)).Error);
    }

    [Fact]
    public void P12_connect_to_a_host_that_is_not_there_is_EHOSTUNREACH()
    {
        using var app = Open();
        var nobody = Sockaddr.From(new IpEndpoint(IpAddress.Parse("10.99.0.77"), 80));
        Assert.Equal((int)StackError.HostUnreachable, Ask(new ConnectRequest(7, app.Handle, nobody, 0, false)).Error);
    }

    [Fact]
    public void P12_connect_without_a_route_is_ENETUNREACH()
    {
        using var app = Open();
        var elsewhere = Sockaddr.From(new IpEndpoint(IpAddress.Parse("192.0.2.1"), 80));
        Assert.Equal((int)StackError.NetworkUnreachable, Ask(new ConnectRequest(7, app.Handle, elsewhere, 0, false)).Error);
    }

    [Fact]
    public void P12_connect_to_a_host_that_drops_everything_is_ETIMEDOUT()
    {
        using var app = Open();
        Peer.Listen(80);
        Peer.Loses = frame => frame.Length > 42 && frame[12] == 8 && frame[13] == 0; // IPv4, not ARP
        Assert.Equal((int)StackError.TimedOut, Ask(new ConnectRequest(7, app.Handle, PeerAt(80), 0, false)).Error);
    }

    [Fact]
    public void After_a_refusal_the_same_socket_connects_elsewhere()
    {
        Peer.Listen(80);
        using var app = Open();
        Assert.Equal((int)StackError.ConnectionRefused, Ask(new ConnectRequest(7, app.Handle, PeerAt(81), 0, false)).Error);
        Assert.Equal(0, Ask(new ConnectRequest(8, app.Handle, PeerAt(80), 0, false)).Error);
    }

    [Fact]
    public void A_connect_that_does_not_wait_is_EINPROGRESS_and_then_carries_data()
    {
        var listener = Peer.Listen(80);
        using var app = Open();
        Assert.Equal(3, app.TryWrite("xyz"u8)); // a client's filler, so that the descriptor is not writable meanwhile
        Assert.Equal(LinkErrno.InProgress, Ask(new ConnectRequest(7, app.Handle, PeerAt(80), Discard: 3, NoWait: true)).Error);
        TcpSocket? socket = null;
        RunUntil(() => (socket ??= listener.Accept()) is not null);
        app.Write("data"u8);
        RunUntil(() => Peer.ReceivedCount(socket!) == 4);
        Assert.Equal("data"u8.ToArray(), Peer.Received(socket!));
    }

    [Fact]
    public void A_connect_that_does_not_wait_and_is_refused_resets_the_descriptor_and_says_why_once()
    {
        using var app = Open();
        Assert.Equal(LinkErrno.InProgress, Ask(new ConnectRequest(7, app.Handle, PeerAt(81), 0, NoWait: true)).Error);
        RunUntil(() =>
        {
            app.Read();
            return app.SawReset;
        });
        Assert.Equal((int)StackError.ConnectionRefused, ErrorOf(app));
        Assert.Equal(0, ErrorOf(app));
    }

    [Fact]
    public void P15_both_names_are_right_before_and_after()
    {
        Peer.Listen(80);
        using var app = Open();
        Assert.Equal(0, Ask(new GetSockNameRequest(1, app.Handle)).Address.Endpoint.Port);
        Assert.Equal((int)StackError.NotConnected, Ask(new GetPeerNameRequest(1, app.Handle)).Error);
        var local = Ask(new BindRequest(1, app.Handle, Sockaddr.From(new IpEndpoint(Address, 4000)))).Address.Endpoint;
        Assert.Equal(new IpEndpoint(Address, 4000), local);
        Assert.Equal(local, Ask(new GetSockNameRequest(1, app.Handle)).Address.Endpoint);
        Ask(new ConnectRequest(1, app.Handle, PeerAt(80), 0, false));
        Assert.Equal(local, Ask(new GetSockNameRequest(1, app.Handle)).Address.Endpoint);
        Assert.Equal(new IpEndpoint(Peer.Address, 80), Ask(new GetPeerNameRequest(1, app.Handle)).Address.Endpoint);
    }

    [Fact]
    public void P13_a_port_is_bound_once_and_free_again_after_close()
    {
        var first = Open();
        using var second = Open();
        var port = Sockaddr.From(new IpEndpoint(Address, 4000));
        Assert.Equal(0, Ask(new BindRequest(1, first.Handle, port)).Error);
        Assert.Equal((int)StackError.AddressInUse, Ask(new BindRequest(2, second.Handle, port)).Error);
        Assert.Equal((int)StackError.InvalidArgument, Ask(new BindRequest(3, first.Handle, port)).Error);
        first.Dispose();
        Run();
        Assert.Equal(0, Ask(new BindRequest(4, second.Handle, port)).Error);
    }

    [Fact]
    public void P13_an_address_that_is_not_ours_is_EADDRNOTAVAIL()
    {
        using var app = Open();
        var foreign = Sockaddr.From(new IpEndpoint(IpAddress.Parse("10.99.0.200"), 4000));
        Assert.Equal((int)StackError.AddressNotAvailable, Ask(new BindRequest(1, app.Handle, foreign)).Error);
    }

    [Fact]
    public void P7_the_peers_reset_is_ECONNRESET_after_what_came_before_it()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        Peer.Send(socket, "last words"u8);
        Run();
        socket.Abort(Peer.Now);
        Run();
        Assert.Equal("last words"u8.ToArray(), app.Read());
        Assert.True(app.SawReset);
    }

    [Fact]
    public void P16_a_half_closed_connection_still_carries_the_other_half_both_ways_round()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        app.Write("request"u8);
        app.ShutdownSend();
        RunUntil(() => Peer.EndOfStream.Contains(socket));
        Assert.Equal("request"u8.ToArray(), Peer.Received(socket));
        var answer = Pattern(300_000);
        Peer.Send(socket, answer.AsSpan(0, 60_000));
        var got = new List<byte>();
        var sent = 60_000;
        RunUntil(() =>
        {
            if (sent < answer.Length && socket.SendRoom >= 60_000)
            {
                Peer.Send(socket, answer.AsSpan(sent, 60_000));
                sent += 60_000;
            }

            got.AddRange(app.Read());
            return got.Count == answer.Length;
        });
        Assert.Equal(answer, got);
        socket.Close(Peer.Now);
        RunUntil(() => Peer.Ended.Contains(socket));
        app.Read();
        Assert.True(app.SawEndOfFile);
    }

    [Fact]
    public void P16_the_peers_half_close_is_end_of_file_and_the_application_writes_on()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        Peer.Send(socket, "only this"u8);
        socket.ShutdownSend(Peer.Now);
        Run();
        Assert.Equal("only this"u8.ToArray(), app.Read());
        Assert.True(app.SawEndOfFile);
        var more = Pattern(200_000);
        app.Write(more);
        RunUntil(() => Peer.ReceivedCount(socket) == more.Length);
        Assert.Equal(more, Peer.Received(socket));
    }

    [Fact]
    public void P5_an_application_that_does_not_read_closes_the_window_and_loses_nothing()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        var bytes = Pattern(4 << 20);
        var sent = 0;
        void Feed()
        {
            while (sent < bytes.Length && socket.SendRoom >= 65536)
            {
                Peer.Send(socket, bytes.AsSpan(sent, 65536));
                sent += 65536;
            }
        }

        for (var rounds = 0; rounds < 200; rounds++)
        {
            Feed();
            Advance(TimeSpan.FromMilliseconds(50));
        }

        // What has been acknowledged is the receive buffer, what the pair holds, and no more; the peer probes a closed window.
        Assert.True(sent < bytes.Length, "Everything was taken from the peer although nobody reads.");
        var got = new List<byte>();
        RunUntil(() =>
        {
            Feed();
            got.AddRange(app.Read());
            return got.Count == bytes.Length;
        });
        Assert.Equal(bytes, got);
    }

    [Fact]
    public void P8_an_application_that_writes_faster_than_the_peer_reads_is_held_back_and_loses_nothing()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        Peer.NotReading.Add(socket);
        var bytes = Pattern((1 << 20) + 1); // 1 MiB + 1 while the peer does not read
        bytes = [.. bytes, .. Pattern(4 << 20, seed: 2)];
        var written = 0;
        for (var rounds = 0; rounds < 100; rounds++)
        {
            written += app.TryWrite(bytes.AsSpan(written));
            Advance(TimeSpan.FromMilliseconds(20));
        }

        Assert.True(written < bytes.Length, "The application was never held back.");
        Peer.NotReading.Clear();
        Peer.ReadAll(socket);
        RunUntil(() =>
        {
            written += app.TryWrite(bytes.AsSpan(written));
            return Peer.ReceivedCount(socket) == bytes.Length;
        });
        Assert.Equal(bytes, Peer.Received(socket));
    }

    [Fact]
    public void P9_the_tail_of_a_transfer_arrives_without_further_writes()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        var bytes = Pattern(500_001);
        app.Write(bytes);
        RunUntil(() => Peer.ReceivedCount(socket) == bytes.Length);
        Assert.Equal(bytes, Peer.Received(socket));
    }

    [Fact]
    public void P16_an_end_of_stream_that_comes_while_the_send_queue_is_full_is_sent_when_there_is_room()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        Peer.NotReading.Add(socket);
        var bytes = Pattern(Settings.Tcp.SendBuffer + Settings.Tcp.ReceiveBuffer + 16);
        for (var written = 0; written < bytes.Length;)
        {
            var count = app.TryWrite(bytes.AsSpan(written));
            written += count;
            Advance(TimeSpan.FromMilliseconds(10));
        }

        app.ShutdownSend();
        Run();
        Peer.NotReading.Clear();
        Peer.ReadAll(socket);
        RunUntil(() => Peer.EndOfStream.Contains(socket));
        Assert.Equal(bytes, Peer.Received(socket));
    }

    [Fact]
    public void An_application_that_closes_with_data_unread_resets_the_connection()
    {
        var listener = Peer.Listen(80);
        var app = OpenConnected(80);
        var socket = listener.Accept()!;
        Peer.Send(socket, "nobody reads this"u8);
        Run();
        app.Dispose();
        RunUntil(() => Peer.Ended.Contains(socket));
        Assert.Equal(StackError.ConnectionReset, socket.Error);
    }

    [Fact]
    public void An_application_that_closes_in_order_sends_everything_and_then_FIN()
    {
        var listener = Peer.Listen(80);
        var app = OpenConnected(80);
        var socket = listener.Accept()!;
        var bytes = Pattern(150_000);
        Assert.Equal(bytes.Length, app.TryWrite(bytes));
        app.Dispose();
        RunUntil(() => Peer.EndOfStream.Contains(socket));
        Assert.Equal(bytes, Peer.Received(socket));
        socket.Close(Peer.Now);
        RunUntil(() => Peer.Ended.Contains(socket));
        Assert.Equal(StackError.None, socket.Error);
    }

    [Fact]
    public void One_slow_application_slows_only_itself()
    {
        var listener = Peer.Listen(80);
        using var slow = OpenConnected(80);
        var toSlow = listener.Accept()!;
        using var quick = OpenConnected(80);
        var toQuick = listener.Accept()!;
        for (var rounds = 0; rounds < 100; rounds++)
        {
            while (toSlow.SendRoom >= 65536)
                Peer.Send(toSlow, new byte[65536]);
            Advance(TimeSpan.FromMilliseconds(20));
        }

        var bytes = Pattern(1 << 20);
        var got = new List<byte>();
        var sent = 0;
        RunUntil(() =>
        {
            for (; sent < bytes.Length && toQuick.SendRoom >= 65536; sent += 65536)
                Peer.Send(toQuick, bytes.AsSpan(sent, 65536));
            got.AddRange(quick.Read());
            return got.Count == bytes.Length;
        }, within: TimeSpan.FromSeconds(5));
        Assert.Equal(bytes, got);
    }

    [Fact]
    public void P18_options_set_before_and_after_connecting_read_back_and_an_unknown_one_is_ENOPROTOOPT()
    {
        Peer.Listen(80);
        using var app = Open();
        Assert.Equal(0, Ask(new SetOptionRequest(1, app.Handle, 6, 1, BitConverter.GetBytes(1))).Error); // TCP_NODELAY
        Assert.Equal(1, OptionOf(app, 6, 1));
        Assert.Equal(1, OptionOf(app, 1, 3)); // SO_TYPE: SOCK_STREAM
        Assert.Equal(1, OptionOf(app, 1, 10)); // SO_OOBINLINE
        Ask(new ConnectRequest(2, app.Handle, PeerAt(80), 0, false));
        Assert.Equal(1, OptionOf(app, 6, 1));
        Assert.Equal(0, Ask(new SetOptionRequest(3, app.Handle, 1, 9, BitConverter.GetBytes(1))).Error); // SO_KEEPALIVE
        Assert.Equal(1, OptionOf(app, 1, 9));
        Assert.Equal((int)StackError.NoSuchOption, Ask(new SetOptionRequest(4, app.Handle, 6, 999, BitConverter.GetBytes(1))).Error);
        Assert.Equal((int)StackError.NoSuchOption, Ask(new GetOptionRequest(5, app.Handle, 6, 999, 4)).Error);
        Assert.Equal((int)StackError.InvalidArgument, Ask(new SetOptionRequest(6, app.Handle, 6, 4, BitConverter.GetBytes(-5))).Error);
    }

    [Fact]
    public void A_socket_that_nobody_knows_is_EBADF() =>
        Assert.Equal(LinkErrno.BadHandle, Ask(new GetSockNameRequest(1, 0xDEAD)).Error);

    [Fact]
    public void The_driver_stops_in_order_applications_see_end_of_file_and_the_peer_FIN()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        StopDriver();
        Assert.Contains(socket, Peer.EndOfStream);
        app.Read();
        Assert.True(app.SawEndOfFile);
        Assert.True(Wire.Disposed);
        Assert.Equal(0, Reactor.Count);
        Pool.AssertAllReturned();
    }

    private int ErrorOf(App app) => OptionOf(app, 1, 4);
}
