using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Tapwire.Links.Client;
using Tapwire.Links.Protocol;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Links.Support;
using Xunit;

namespace Tapwire.Tests.Links;

public sealed class TapwireClientSpecs : IAsyncLifetime
{
    private static readonly IPAddress Address = FakeDriver.Address.ToSystem();

    private readonly FakeDriver _driver = new();
    private TapwireClient _client = null!;

    public async Task InitializeAsync() => _client = await TapwireClient.ConnectAsync(_driver.Path);

    public Task DisposeAsync()
    {
        _client.Dispose();
        _driver.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Bytes_go_both_ways_and_each_end_knows_both_addresses()
    {
        using var listener = await _client.ListenAsync(new IPEndPoint(IPAddress.Any, 80));
        Assert.Equal(new IPEndPoint(Address, 80), listener.LocalEndPoint);
        await using var client = await _client.ConnectTcpAsync(new IPEndPoint(Address, 80));
        await using var server = await listener.AcceptAsync();
        Assert.Equal(new IPEndPoint(Address, 80), client.RemoteEndPoint);
        Assert.Equal(client.LocalEndPoint, server.RemoteEndPoint);
        Assert.Equal(new IPEndPoint(Address, 80), server.LocalEndPoint);
        Assert.Equal(client.LocalEndPoint, await client.Socket.GetLocalEndPointAsync());
        Assert.Equal(server.RemoteEndPoint, await ((LinkedStream)server).Socket.GetRemoteEndPointAsync());

        await client.WriteAsync("hello"u8.ToArray());
        Assert.Equal("hello"u8.ToArray(), await ReadAsync(server, 5));
        await server.WriteAsync("world"u8.ToArray());
        Assert.Equal("world"u8.ToArray(), await ReadAsync(client, 5));
    }

    [Fact]
    public async Task A_bulk_transfer_in_both_directions_at_once_arrives_intact()
    {
        const int size = 20 << 20;
        using var listener = await _client.ListenAsync(new IPEndPoint(IPAddress.Any, 80));
        await using var client = await _client.ConnectTcpAsync(new IPEndPoint(Address, 80));
        await using var server = await listener.AcceptAsync();
        var (up, down) = (Bytes.Pattern(size, 1), Bytes.Pattern(size, 2));
        var results = await Task.WhenAll(
            SendAsync(client, up), SendAsync(server, down), HashAsync(server), HashAsync(client));
        Assert.Equal(SHA256.HashData(up), results[2]);
        Assert.Equal(SHA256.HashData(down), results[3]);
    }

    [Fact]
    public async Task Half_close_lets_the_answer_through()
    {
        using var listener = await _client.ListenAsync(new IPEndPoint(IPAddress.Any, 80));
        await using var client = await _client.ConnectTcpAsync(new IPEndPoint(Address, 80));
        await using var server = await listener.AcceptAsync();
        await client.WriteAsync(new byte[] { 1, 2, 3 });
        client.Shutdown(SocketShutdown.Send);
        Assert.Equal([1, 2, 3], await ReadAsync(server, 4));
        await server.WriteAsync(new byte[] { 9 });
        await server.DisposeAsync();
        Assert.Equal([9], await ReadAsync(client, 2));
    }

    [Theory]
    [InlineData(FakeDriver.RefusedPort, SocketError.ConnectionRefused)]
    [InlineData(FakeDriver.SilentPort, SocketError.TimedOut)]
    [InlineData(81, SocketError.ConnectionRefused)]
    public async Task A_connect_that_fails_says_why(ushort port, SocketError expected)
    {
        var e = await Assert.ThrowsAsync<SocketException>(() => _client.ConnectTcpAsync(new IPEndPoint(Address, port)));
        Assert.Equal(expected, e.SocketErrorCode);
    }

    [Fact]
    public async Task A_connection_that_times_out_gives_its_last_bytes_and_then_the_true_reason()
    {
        await using var stream = await _client.ConnectTcpAsync(new IPEndPoint(Address, FakeDriver.DyingPort));
        Assert.Equal("last words"u8.ToArray(), await ReadAsync(stream, 10));
        var e = await Assert.ThrowsAsync<IOException>(() => ReadAsync(stream, 1));
        Assert.Equal(SocketError.TimedOut, Assert.IsType<SocketException>(e.InnerException).SocketErrorCode);
        var again = await Assert.ThrowsAsync<IOException>(() => stream.WriteAsync(new byte[1]).AsTask());
        Assert.Equal(SocketError.TimedOut, Assert.IsType<SocketException>(again.InnerException).SocketErrorCode);
    }

    [Fact]
    public async Task The_calls_without_await_do_the_same()
    {
        using var listener = _client.Listen(new IPEndPoint(IPAddress.Any, 80));
        using var client = _client.ConnectTcp(new IPEndPoint(Address, 80));
        using var server = listener.Accept();
        client.Write([1, 2, 3], 0, 3);
        var buffer = new byte[3];
        server.ReadExactly(buffer);
        Assert.Equal([1, 2, 3], buffer);
        using var dying = _client.ConnectTcp(new IPEndPoint(Address, FakeDriver.DyingPort));
        dying.ReadExactly(new byte[10]);
        var e = Assert.Throws<IOException>(() => dying.Read(buffer, 0, 3));
        Assert.Equal(SocketError.TimedOut, Assert.IsType<SocketException>(e.InnerException).SocketErrorCode);
    }

    [Fact]
    public async Task A_reset_peer_is_ECONNRESET()
    {
        using var listener = await _client.ListenAsync(new IPEndPoint(IPAddress.Any, 80));
        await using var client = await _client.ConnectTcpAsync(new IPEndPoint(Address, 80));
        await using var server = await listener.AcceptAsync();
        var reading = ReadAsync(client, 1);
        _driver.ResetAll(StackError.ConnectionReset);
        var e = await Assert.ThrowsAsync<IOException>(() => reading);
        Assert.Equal(SocketError.ConnectionReset, Assert.IsType<SocketException>(e.InnerException).SocketErrorCode);
    }

    [Fact]
    public async Task An_application_that_closes_with_bytes_unread_resets_its_peer()
    {
        using var listener = await _client.ListenAsync(new IPEndPoint(IPAddress.Any, 80));
        await using var client = await _client.ConnectTcpAsync(new IPEndPoint(Address, 80));
        var server = await listener.AcceptAsync();
        await client.WriteAsync(new byte[1000]);
        await ReadAsync(server, 1);
        await server.DisposeAsync();
        var e = await Assert.ThrowsAsync<IOException>(() => ReadAsync(client, 1));
        Assert.Equal(SocketError.ConnectionReset, Assert.IsType<SocketException>(e.InnerException).SocketErrorCode);
    }

    [Fact]
    public async Task A_cancelled_connect_closes_its_socket()
    {
        using var cancel = new CancellationTokenSource();
        var connecting = _client.ConnectTcpAsync(new IPEndPoint(Address, FakeDriver.HangingPort), cancellationToken: cancel.Token);
        // The request has arrived when one that was made after it is answered.
        await _client.GetStatusAsync();
        Assert.Equal(1, _driver.SocketCount);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => connecting);
        await UntilAsync(() => _driver.SocketCount == 0);
    }

    [Fact]
    public async Task Cancelled_reads_and_accepts_leave_the_sockets_usable()
    {
        using var listener = await _client.ListenAsync(new IPEndPoint(IPAddress.Any, 80));
        using var cancel = new CancellationTokenSource();
        var accepting = listener.AcceptAsync(cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => accepting);
        await using var client = await _client.ConnectTcpAsync(new IPEndPoint(Address, 80));
        await using var server = await listener.AcceptAsync();
        using var second = new CancellationTokenSource();
        var reading = server.ReadAsync(new byte[1], second.Token).AsTask();
        await second.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
        await client.WriteAsync(new byte[] { 5 });
        Assert.Equal([5], await ReadAsync(server, 1));
    }

    [Fact]
    public async Task Disposing_a_listener_aborts_the_accepts_under_way()
    {
        var listener = await _client.ListenAsync(new IPEndPoint(IPAddress.Any, 80));
        Task<TapwireStream>[] accepting = [listener.AcceptAsync(), listener.AcceptAsync()];
        listener.Dispose();
        foreach (var each in accepting)
            Assert.Equal(SocketError.OperationAborted, (await Assert.ThrowsAsync<SocketException>(() => each)).SocketErrorCode);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => listener.AcceptAsync());
    }

    [Fact]
    public async Task Disposing_a_stream_aborts_the_read_under_way()
    {
        using var listener = await _client.ListenAsync(new IPEndPoint(IPAddress.Any, 80));
        var client = await _client.ConnectTcpAsync(new IPEndPoint(Address, 80));
        await using var server = await listener.AcceptAsync();
        var reading = client.ReadAsync(new byte[1]).AsTask();
        client.Dispose();
        var e = await Assert.ThrowsAsync<IOException>(() => reading);
        Assert.Equal(SocketError.OperationAborted, Assert.IsType<SocketException>(e.InnerException).SocketErrorCode);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.ReadAsync(new byte[1]).AsTask());
    }

    [Fact]
    public async Task A_link_that_is_not_there_is_refused_by_its_path()
    {
        var e = await Assert.ThrowsAsync<SocketException>(() => TapwireNetwork.ConnectToDriverAsync(_driver.Path + "-missing"));
        Assert.Equal(SocketError.ConnectionRefused, e.SocketErrorCode);
        Assert.Contains($"'{_driver.Path}-missing'", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_surface_of_all_networks_works_over_the_link()
    {
        await using var network = await TapwireNetwork.ConnectToDriverAsync(_driver.Path);
        await using var listener = await network.ListenAsync(new IPEndPoint(IPAddress.Any, 80));
        await using var client = await network.ConnectAsync(Address.ToString(), 80);
        await using var server = await listener.AcceptAsync();
        await client.AsDuplexPipe().Output.WriteAsync(new byte[] { 1, 2, 3 });
        Assert.Equal([1, 2, 3], await ReadAsync(server, 3));
        using var datagrams = await network.BindUdpAsync(new IPEndPoint(IPAddress.Any, 0));
        Assert.Equal(2, await datagrams.SendToAsync(new byte[2], (IPEndPoint)datagrams.LocalEndPoint!));
    }

    [Fact]
    public async Task A_slow_acceptor_loses_no_connection()
    {
        using var listener = await _client.ListenAsync(new IPEndPoint(IPAddress.Any, 80));
        var clients = new List<TapwireStream>();
        for (var i = 0; i < 100; i++)
        {
            clients.Add(await _client.ConnectTcpAsync(new IPEndPoint(Address, 80)));
            await clients[i].WriteAsync(new[] { (byte)i });
        }

        for (var i = 0; i < 100; i++)
        {
            await using var server = await listener.AcceptAsync();
            Assert.Equal(clients[i].LocalEndPoint, server.RemoteEndPoint);
            Assert.Equal([(byte)i], await ReadAsync(server, 1));
        }

        clients.ForEach(c => c.Dispose());
    }

    [Fact]
    public async Task Bind_errors_are_told()
    {
        using var listener = await _client.ListenAsync(new IPEndPoint(Address, 80));
        var inUse = await Assert.ThrowsAsync<SocketException>(() => _client.ListenAsync(new IPEndPoint(IPAddress.Any, 80)));
        Assert.Equal(SocketError.AddressAlreadyInUse, inUse.SocketErrorCode);
        var foreign = await Assert.ThrowsAsync<SocketException>(() => _client.ListenAsync(new IPEndPoint(IPAddress.Parse("10.0.0.1"), 80)));
        Assert.Equal(SocketError.AddressNotAvailable, foreign.SocketErrorCode);
        var family = await Assert.ThrowsAsync<SocketException>(() => _client.ListenAsync(new IPEndPoint(IPAddress.IPv6Any, 80)));
        Assert.Equal(SocketError.AddressFamilyNotSupported, family.SocketErrorCode);
    }

    [Fact]
    public async Task A_closed_sockets_port_is_free_when_close_returns()
    {
        for (var i = 0; i < 10; i++)
        {
            var listener = await _client.ListenAsync(new IPEndPoint(IPAddress.Any, 80));
            await listener.Socket.CloseAsync();
            var udp = await _client.OpenUdpAsync(new IPEndPoint(IPAddress.Any, 53));
            await udp.Socket.CloseAsync();
        }

        Assert.Equal(0, _driver.SocketCount);
    }

    [Fact]
    public async Task Options_are_passed_with_their_numbers()
    {
        using var listener = await _client.ListenAsync(new IPEndPoint(IPAddress.Any, 80));
        await listener.Socket.SetOptionAsync(LinkOption.IpProtoTcp, LinkOption.TcpNoDelay, 1);
        Assert.Equal([1, 0, 0, 0], _driver.Options[(6, 1)]);
        Assert.Equal(1, await listener.Socket.GetOptionAsync(LinkOption.IpProtoTcp, LinkOption.TcpNoDelay));
        var e = await Assert.ThrowsAsync<SocketException>(() => listener.Socket.SetOptionAsync(999, 1, 1));
        Assert.Equal(SocketError.ProtocolOption, e.SocketErrorCode);
    }

    [Fact]
    public async Task Datagrams_keep_boundaries_and_senders()
    {
        using var server = await _client.OpenUdpAsync(new IPEndPoint(IPAddress.Any, 53));
        using var client = await _client.OpenUdpAsync(new IPEndPoint(IPAddress.Any, 0));
        var buffer = new byte[70_000];
        foreach (var length in new[] { 1, 1200, 1472, 1473, 8000, 65_507, 0 })
            await client.SendToAsync(Bytes.Pattern(length), server.LocalEndPoint!);
        foreach (var length in new[] { 1, 1200, 1472, 1473, 8000, 65_507, 0 })
        {
            var result = await server.ReceiveFromAsync(buffer);
            Assert.Equal((length, (EndPoint)client.LocalEndPoint!), (result.ReceivedBytes, result.RemoteEndPoint));
            Assert.Equal(Bytes.Pattern(length), buffer[..length]);
        }

        var e = await Assert.ThrowsAsync<SocketException>(() => client.SendToAsync(new byte[65_508], server.LocalEndPoint!).AsTask());
        Assert.Equal(SocketError.MessageSize, e.SocketErrorCode);
        foreach (var (longest, peer) in new[] { (65_507, "::ffff:10.0.0.2"), (65_527, "fd00::2") })
        {
            e = await Assert.ThrowsAsync<SocketException>(() => client.SendToAsync(new byte[longest + 1], new IPEndPoint(IPAddress.Parse(peer), 53)).AsTask());
            Assert.Equal(SocketError.MessageSize, e.SocketErrorCode);
        }

        await client.SendToAsync(new byte[10], server.LocalEndPoint!);
        Assert.Equal(4, (await server.ReceiveFromAsync(new byte[4])).ReceivedBytes);
        await client.ShutdownAsync(SocketShutdown.Send);
    }

    [Fact]
    public async Task A_connected_datagram_socket_hears_of_an_unreachable_port()
    {
        using var client = await _client.OpenUdpAsync(new IPEndPoint(IPAddress.Any, 0));
        await client.ConnectAsync(new IPEndPoint(Address, 9999));
        await client.SendAsync(new byte[] { 1 });
        var e = await Assert.ThrowsAsync<SocketException>(() => client.ReceiveFromAsync(new byte[10]).AsTask());
        Assert.Equal(SocketError.ConnectionRefused, e.SocketErrorCode);

        using var server = await _client.OpenUdpAsync(new IPEndPoint(IPAddress.Any, 53));
        await client.ConnectAsync(server.LocalEndPoint!);
        Assert.Equal(server.LocalEndPoint, client.RemoteEndPoint);
        await client.SendAsync(new byte[] { 7 });
        var last = await server.ReceiveFromAsync(new byte[10]);
        Assert.Equal((1, (EndPoint)client.LocalEndPoint!), (last.ReceivedBytes, last.RemoteEndPoint));
    }

    [Fact]
    public async Task Ping_status_and_addresses()
    {
        var reply = await _client.PingAsync(Address, 1, 56, TimeSpan.FromSeconds(1));
        Assert.Equal(TimeSpan.FromMilliseconds(1.5), reply.RoundTrip);
        Assert.Equal(64, reply.HopLimit);
        var lost = await Assert.ThrowsAsync<SocketException>(() => _client.PingAsync(Address, 13, 56, TimeSpan.FromSeconds(1)));
        Assert.Equal(SocketError.TimedOut, lost.SocketErrorCode);
        Assert.Equal("""{"sockets":0}""", await _client.GetStatusAsync());
        await _client.AddAddressAsync(IPAddress.Parse("10.99.0.3"), 24);
        await _client.RemoveAddressAsync(IPAddress.Parse("10.99.0.3"));
        await Assert.ThrowsAsync<SocketException>(() => _client.AddAddressAsync(Address, 24));
    }

    [Fact]
    public async Task Interfaces_addresses_and_routes_are_asked_for_as_they_are_given_and_a_refusal_has_the_drivers_words()
    {
        var added = new NewInterface("tap:b", [IpPrefix.Parse("10.98.0.2/24")]) { Name = "lab", Routes = [new LinkRoute(IpPrefix.Parse("0.0.0.0/0"), IpAddress.Parse("10.98.0.1"))] };
        await _client.AddInterfaceAsync(added);
        await _client.AddAddressAsync(IPAddress.Parse("10.98.0.3"), 24, "lab");
        await _client.AddRouteAsync(IPAddress.Parse("10.20.0.0"), 16, IPAddress.Parse("10.98.0.9"));
        await _client.AddRouteAsync(IPAddress.Any, 0, IPAddress.Parse("10.98.0.9"), "lab");
        await _client.RemoveRouteAsync(IPAddress.Parse("10.20.0.0"), 16);
        await _client.RemoveRouteAsync(IPAddress.Any, 0, "lab", metric: 100);
        await _client.RemoveInterfaceAsync("lab");
        var ids = _driver.Changes.Select(static change => change.Id).ToList();
        var first = Assert.IsType<AddInterfaceRequest>(_driver.Changes[0]);
        Assert.Equal(("tap:b", "lab"), (first.Interface.Wire, first.Interface.Name));
        Assert.Equal(added.Addresses, first.Interface.Addresses);
        Assert.Equal(added.Routes, first.Interface.Routes);
        Assert.Equal<LinkRequest>(
        [
            new AddInterfaceAddressRequest(ids[1], IpPrefix.Parse("10.98.0.3/24"), "lab"),
            new AddRouteRequest(ids[2], new LinkRoute(IpPrefix.Parse("10.20.0.0/16"), IpAddress.Parse("10.98.0.9")), ""),
            new AddRouteRequest(ids[3], new LinkRoute(IpPrefix.Parse("0.0.0.0/0"), IpAddress.Parse("10.98.0.9")), "lab"),
            new RemoveRouteRequest(ids[4], IpPrefix.Parse("10.20.0.0/16"), ""),
            new RemoveRouteRequest(ids[5], IpPrefix.Parse("0.0.0.0/0"), "lab") { Metric = 100 },
            new RemoveInterfaceRequest(ids[6], "lab"),
        ], _driver.Changes.Skip(1));

        var refused = await Assert.ThrowsAsync<SocketException>(() => _client.RemoveInterfaceAsync("gone"));
        Assert.Equal("There is no interface gone.", refused.Message);
        var unknown = await Assert.ThrowsAsync<SocketException>(() => _client.RemoveInterfaceAsync("old"));
        Assert.Equal(SocketError.OperationNotSupported, unknown.SocketErrorCode);
        await Assert.ThrowsAsync<ArgumentException>(() => _client.RemoveInterfaceAsync(new string('x', 2000)));
        Assert.Equal("""{"sockets":0}""", await _client.GetStatusAsync());
    }

    [Fact]
    public async Task Many_requests_from_many_threads_each_get_their_own_answer()
    {
        var tasks = Enumerable.Range(0, 2000).Select(i => Task.Run(async () =>
        {
            if (i % 2 == 0)
                return await _client.GetStatusAsync() is { Length: > 0 };
            using var udp = await _client.OpenUdpAsync(new IPEndPoint(IPAddress.Any, 0));
            return udp.LocalEndPoint!.Equals(await udp.Socket.GetLocalEndPointAsync());
        }));
        Assert.All(await Task.WhenAll(tasks), Assert.True);
        await UntilAsync(() => _driver.SocketCount == 0);
    }

    [Fact]
    public async Task Sockets_outlive_the_client_that_made_them()
    {
        using var other = await TapwireClient.ConnectAsync(_driver.Path);
        using var listener = await _client.ListenAsync(new IPEndPoint(IPAddress.Any, 80));
        await using var client = await other.ConnectTcpAsync(new IPEndPoint(Address, 80));
        other.Dispose();
        await UntilAsync(() => _driver.SessionCount == 1);
        await using var server = await listener.AcceptAsync();
        await client.WriteAsync(new byte[] { 1 });
        Assert.Equal([1], await ReadAsync(server, 1));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => other.GetStatusAsync());
    }

    [Fact]
    public async Task When_the_driver_ends_streams_end_and_requests_fail()
    {
        using var listener = await _client.ListenAsync(new IPEndPoint(IPAddress.Any, 80));
        await using var client = await _client.ConnectTcpAsync(new IPEndPoint(Address, 80));
        await using var server = await listener.AcceptAsync();
        var hanging = _client.ConnectTcpAsync(new IPEndPoint(Address, FakeDriver.HangingPort));
        var accepting = listener.AcceptAsync();
        using var other = await TapwireClient.ConnectAsync(_driver.Path);
        await _client.GetStatusAsync();
        _driver.Run(_driver.Stop);
        Assert.Empty(await ReadAsync(client, 1));
        var gone = await Assert.ThrowsAsync<SocketException>(() => hanging);
        Assert.Equal((SocketError.NetworkDown, $"The driver at '{_driver.Path}' has gone."), (gone.SocketErrorCode, gone.Message));
        Assert.Equal(SocketError.NetworkDown, (await Assert.ThrowsAsync<SocketException>(() => accepting)).SocketErrorCode);
        Assert.Equal(SocketError.NetworkDown, (await Assert.ThrowsAsync<SocketException>(() => _client.GetStatusAsync())).SocketErrorCode);
        await Assert.ThrowsAnyAsync<SocketException>(() => TapwireClient.ConnectAsync(_driver.Path));
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var i = 0; !condition(); i++)
        {
            Assert.True(i < 100_000, "The condition has not come about.");
            await Task.Yield();
        }
    }

    private static async Task<byte[]> ReadAsync(TapwireStream stream, int count)
    {
        var buffer = new byte[count];
        var read = await stream.ReadAtLeastAsync(buffer, count, throwOnEndOfStream: false);
        return buffer[..read];
    }

    private static async Task<byte[]> SendAsync(TapwireStream stream, byte[] data)
    {
        await stream.WriteAsync(data);
        stream.Shutdown(SocketShutdown.Send);
        return data;
    }

    private static async Task<byte[]> HashAsync(TapwireStream stream) => await SHA256.HashDataAsync(stream);
}
