using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Tapwire.Tests.Net;

public sealed class DriverNameSpecs() : NetworkSetup("dns.hosts { \"db.office\" = [\"10.99.0.77\", \"10.99.0.1\"] }")
{
    [Fact]
    public void A_host_is_found_by_the_drivers_resolver()
    {
        var found = Await(Network.ResolveAsync("db.office"));
        Assert.Equal(["10.99.0.1", "10.99.0.77"], found.Addresses.Select(static address => address.ToString()).Order(StringComparer.Ordinal));
        var unknown = Assert.Throws<SocketException>(() => Await(Network.ResolveAsync("nobody.office")));
        Assert.Contains(unknown.SocketErrorCode, (SocketError[])[SocketError.HostNotFound, SocketError.NoRecovery]);
        Assert.Contains("nobody.office", unknown.Message, StringComparison.Ordinal);
        Assert.Equal(SocketError.InvalidArgument, Assert.Throws<SocketException>(() => Await(Network.ResolveAsync(new string('x', 2000)))).SocketErrorCode);
    }

    [Fact]
    public void A_connection_to_a_host_goes_by_whichever_address_answers()
    {
        // 10.99.0.77 is nobody's.
        Peer.Listen(80);
        var stream = Await(Network.ConnectAsync("db.office", 80));
        Assert.Equal(new IPEndPoint(IPAddress.Parse("10.99.0.1"), 80), stream.RemoteEndPoint);
        stream.Dispose();
    }

    [Fact]
    public void A_connect_with_a_time_limit_gives_up()
    {
        // Only TCP is lost (in IPv4, behind an Ethernet header): a host that does not answer ARP is unreachable after a while.
        Peer.Loses = static frame => frame.Length > 23 && frame[12] == 8 && frame[13] == 0 && frame[23] == 6;
        var connecting = Network.ConnectAsync("db.office", 80, new TapwireConnectOptions { Timeout = TimeSpan.FromMilliseconds(1) });
        Assert.Equal(SocketError.TimedOut, Assert.Throws<SocketException>(() => Await(connecting)).SocketErrorCode);
        RunUntil(() => StackStatus().ConnectionCount == 0);
        Peer.Loses = static _ => false;
    }
}
