using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Tapwire.Tests.Net;

public sealed class DriverDatagramSpecs : NetworkSetup
{
    private static readonly IPEndPoint Own = new(IPAddress.Parse("10.99.0.2"), 5000);

    [Fact]
    public void Datagrams_come_with_their_senders_in_order()
    {
        using var server = Await(Network.BindUdpAsync(Own));
        using var client = Await(Network.BindUdpAsync(new IPEndPoint(Own.Address, 0)));
        for (var i = 0; i < 200; i++)
        {
            Assert.Equal(i, Await(client.SendToAsync(new byte[i], Own).AsTask()));
            var received = Await(server.ReceiveFromAsync(new byte[300]).AsTask());
            Assert.Equal((i, (EndPoint)client.LocalEndPoint!), (received.ReceivedBytes, received.RemoteEndPoint));
        }

        Await(client.SendToAsync(new byte[9000], Own).AsTask());
        Assert.Equal(4, Await(server.ReceiveFromAsync(new byte[4]).AsTask()).ReceivedBytes);
        Assert.Equal(SocketError.MessageSize, Assert.Throws<SocketException>(() => Await(client.SendToAsync(new byte[65_508], Own).AsTask())).SocketErrorCode);
        Assert.Equal(SocketError.MessageSize,
            Assert.Throws<SocketException>(() => Await(client.SendToAsync(new byte[65_528], new IPEndPoint(IPAddress.IPv6Loopback, 53)).AsTask())).SocketErrorCode);
    }

    [Fact]
    public void A_connected_socket_hears_of_refusals()
    {
        using var client = Await(Network.BindUdpAsync(new IPEndPoint(Own.Address, 0)));
        Await(client.ConnectAsync(new IPEndPoint(PeerEnd.Address, 9)));
        Await(client.SendAsync(new byte[1]).AsTask());
        Run();
        Assert.Equal(SocketError.ConnectionRefused, Assert.Throws<SocketException>(() => Await(client.ReceiveAsync(new byte[1]).AsTask())).SocketErrorCode);
    }

    [Fact]
    public void Datagrams_that_nobody_receives_are_dropped_above_a_limit()
    {
        using var server = Await(Network.BindUdpAsync(Own));
        using var client = Await(Network.BindUdpAsync(new IPEndPoint(Own.Address, 0)));
        for (var i = 0; i < 10_000; i++)
            Await(client.SendToAsync(new byte[100], Own).AsTask());
        Run();
        Assert.InRange(Pool.Rented, 64, 6000);
    }

    [Fact]
    public void A_cancelled_receive_takes_no_datagram_and_disposing_aborts_one()
    {
        var server = Await(Network.BindUdpAsync(Own));
        using var client = Await(Network.BindUdpAsync(new IPEndPoint(Own.Address, 0)));
        using var cancel = new CancellationTokenSource();
        var receiving = server.ReceiveFromAsync(new byte[10], cancel.Token).AsTask();
        cancel.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => Await(receiving));
        Await(client.SendToAsync(new byte[3], Own).AsTask());
        Assert.Equal(3, Await(server.ReceiveAsync(new byte[10]).AsTask()));
        var last = server.ReceiveFromAsync(new byte[10]).AsTask();
        server.Dispose();
        Assert.Equal(SocketError.OperationAborted, Assert.Throws<SocketException>(() => Await(last)).SocketErrorCode);
        Assert.Throws<ObjectDisposedException>(() => { _ = server.ReceiveFromAsync(new byte[10]); });
    }
}
