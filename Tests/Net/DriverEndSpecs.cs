using System.Net.Sockets;
using Xunit;

namespace Tapwire.Tests.Net;

/// <summary>Calls of a network that ends, and of one that has ended.</summary>
public sealed class DriverEndSpecs() : NetworkSetup("dns { servers = [\"10.99.0.1\"], hosts-file = \"\" }")
{
    [Fact]
    public void What_waits_for_the_driver_fails_when_the_network_is_disposed_and_so_does_all_that_comes_later()
    {
        Peer.Loses = static _ => true;
        Task[] waiting =
        [
            Network.ResolveAsync("www.example.org"),
            Network.ConnectAsync("www.example.org", 80),
            Network.ConnectAsync(PeerEnd),
        ];
        Run();
        Await(Network.DisposeAsync().AsTask());
        Assert.All(waiting, task => Assert.Equal(SocketError.OperationAborted, FailureOf(task)));
        Task[] late =
        [
            Network.ResolveAsync("www.example.org"),
            Network.ConnectAsync("www.example.org", 80),
            Network.ConnectAsync(PeerEnd),
            Network.ListenAsync(80),
            Network.BindUdpAsync(),
            Network.GetStatusAsync(),
        ];
        Assert.All(late, task => Assert.Equal(SocketError.OperationAborted, FailureOf(task)));
        Await(Network.DisposeAsync().AsTask());
    }

    private SocketError FailureOf(Task task) => Assert.Throws<SocketException>(() => Await(task)).SocketErrorCode;
}
