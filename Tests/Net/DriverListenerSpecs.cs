using System.Net;
using System.Net.Sockets;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Net;

public sealed class DriverListenerSpecs : NetworkSetup
{
    private static readonly IPEndPoint Own = new(IPAddress.Parse("10.99.0.2"), 8080);

    [Fact]
    public void Connections_are_accepted_in_order_whether_the_program_waits_or_not()
    {
        var listener = Await(Network.ListenAsync(Own));
        Assert.Equal(Own, listener.LocalEndPoint);
        var first = listener.AcceptAsync();
        var peers = Enumerable.Range(0, 3).Select(_ => Peer.Connect(8080)).ToList();
        Run();
        Task<TapwireStream>[] accepting = [first, listener.AcceptAsync(), listener.AcceptAsync()];
        for (var i = 0; i < 3; i++)
        {
            var stream = Await(accepting[i]);
            Assert.Equal(peers[i].Local.Port, stream.RemoteEndPoint.Port);
            Peer.Send(peers[i], [(byte)i]);
            Assert.Equal([(byte)i], ReadAll(stream, 1));
            Await(stream.WriteAsync(new byte[] { (byte)i }).AsTask());
            stream.Dispose();
        }

        listener.Dispose();
        RunUntil(() => peers.TrueForAll(peer => Peer.Received(peer) is [_]));
    }

    [Fact]
    public void A_listener_of_all_addresses_has_peers_of_ipv4_as_mapped_ones()
    {
        var listener = Await(Network.ListenAsync(8080));
        Assert.Equal(new IPEndPoint(IPAddress.IPv6Any, 8080), listener.LocalEndPoint);
        Peer.Connect(8080);
        var stream = Await(listener.AcceptAsync());
        Assert.Equal("::ffff:10.99.0.1", stream.RemoteEndPoint.Address.ToString());
        stream.Dispose();
        listener.Dispose();
    }

    [Fact]
    public void More_connections_than_are_taken_ahead_come_all()
    {
        var listener = Await(Network.ListenAsync(Own, new TapwireListenOptions { Backlog = 300 }));
        for (var i = 0; i < 250; i++)
            Peer.Connect(8080);
        Run();
        for (var i = 0; i < 250; i++)
            Await(listener.AcceptAsync()).Dispose();
        listener.Dispose();
    }

    [Fact]
    public void Disposing_aborts_the_accept_under_way_and_resets_what_nobody_has_accepted()
    {
        var listener = Await(Network.ListenAsync(Own));
        var accepting = listener.AcceptAsync();
        listener.Dispose();
        Assert.Equal(SocketError.OperationAborted, Assert.Throws<SocketException>(() => Await(accepting)).SocketErrorCode);
        Assert.Throws<ObjectDisposedException>(() => Await(listener.AcceptAsync()));
        var again = Await(Network.ListenAsync(Own));
        var peer = Peer.Connect(8080);
        Run();
        again.Dispose();
        RunUntil(() => Peer.Ended.Contains(peer));
    }

    [Fact]
    public void A_cancelled_accept_takes_no_connection()
    {
        var listener = Await(Network.ListenAsync(Own));
        using var cancel = new CancellationTokenSource();
        var accepting = listener.AcceptAsync(cancel.Token);
        cancel.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => Await(accepting));
        Peer.Connect(8080);
        Await(listener.AcceptAsync()).Dispose();
        listener.Dispose();
    }

    [Fact]
    public void A_port_is_given_once()
    {
        var listener = Await(Network.ListenAsync(Own));
        Assert.Equal(SocketError.AddressAlreadyInUse, Assert.Throws<SocketException>(() => Await(Network.ListenAsync(Own))).SocketErrorCode);
        listener.Dispose();
        Await(Network.ListenAsync(Own)).Dispose();
        var foreign = new IPEndPoint(IPAddress.Parse("10.99.0.77"), 80);
        Assert.Equal(SocketError.AddressNotAvailable, Assert.Throws<SocketException>(() => Await(Network.ListenAsync(foreign))).SocketErrorCode);
    }

    [Fact]
    public void Two_streams_of_one_network_reach_each_other()
    {
        var listener = Await(Network.ListenAsync(Own));
        var client = Await(Network.ConnectAsync(Own));
        var server = Await(listener.AcceptAsync());
        var sent = Pattern(100_000);
        var writing = client.WriteAsync(sent).AsTask();
        Assert.Equal(sent, ReadAll(server, sent.Length));
        Await(writing);
        client.Dispose();
        Assert.Equal(0, Await(server.ReadAsync(new byte[1]).AsTask()));
        server.Dispose();
        listener.Dispose();
    }
}
