using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Udp;

/// <summary>Several sockets on one port (SO_REUSEPORT), and sockets for IPv6 alone.</summary>
public sealed class UdpSharingSpec : IDisposable
{
    private readonly StackHarness _h = new();
    private readonly List<UdpSocket> _sockets = [];

    public UdpSharingSpec() => _h.TeachPeer();

    public void Dispose()
    {
        _sockets.ForEach(static socket => socket.Close());
        _h.Dispose();
    }

    [Theory]
    [InlineData(2, "0.0.0.0")]
    [InlineData(5, "10.0.0.1")]
    public void Datagrams_are_spread_evenly_and_a_sender_always_finds_the_same_socket(int members, string address)
    {
        const int Flows = 1000;
        var group = Enumerable.Range(0, members).Select(_ => Join(address)).ToList();
        var owners = new Dictionary<ushort, int>();
        for (var round = 0; round < 3; round++)
        {
            for (ushort port = 4000; port < 4000 + Flows; port++)
            {
                _h.Receive(Build.Udp(port, 53, "q"u8));
                var owner = group.FindIndex(static socket => Take(socket));
                Assert.True(owner >= 0);
                Assert.Equal(owner, owners.TryAdd(port, owner) ? owner : owners[port]);
            }
        }

        var mean = (double)Flows / members;
        var tolerance = 5 * Math.Sqrt(mean * (1 - (1.0 / members)));
        Assert.All(Enumerable.Range(0, members), member => Assert.InRange(owners.Values.Count(owner => owner == member), mean - tolerance, mean + tolerance));
    }

    [Fact]
    public void Who_leaves_takes_nothing_from_the_others()
    {
        var group = new List<UdpSocket> { Join("0.0.0.0"), Join("0.0.0.0"), Join("0.0.0.0") };
        for (ushort port = 4000; port < 4100; port++)
            _h.Receive(Build.Udp(port, 53, "q"u8));
        var before = group.Select(static socket => TakeAll(socket)).ToList();
        Assert.Equal(100, before.Sum());
        Assert.DoesNotContain(0, before);
        group[0].Close();
        for (ushort port = 4000; port < 4100; port++)
            _h.Receive(Build.Udp(port, 53, "q"u8));
        Assert.Equal(100, TakeAll(group[1]) + TakeAll(group[2]));
        group[1].Close();
        for (ushort port = 4000; port < 4100; port++)
            _h.Receive(Build.Udp(port, 53, "q"u8));
        Assert.Equal(100, TakeAll(group[2]));
        _h.Silent();
    }

    [Fact]
    public void A_connected_member_gets_its_peers_datagrams_and_no_others()
    {
        var group = new List<UdpSocket> { Join("0.0.0.0"), Join("0.0.0.0") };
        var peer = new IpEndpoint(StackHarness.PeerIp, 4000);
        Assert.Equal(StackError.None, group[0].Connect(peer));
        for (ushort port = 4000; port < 4050; port++)
            _h.Receive(Build.Udp(port, 53, "q"u8));
        Assert.Equal(1, TakeAll(group[0]));
        Assert.Equal(49, TakeAll(group[1]));
        Assert.Equal(StackError.None, group[0].Connect(default));
        for (ushort port = 4000; port < 4050; port++)
            _h.Receive(Build.Udp(port, 53, "q"u8));
        Assert.InRange(TakeAll(group[0]), 1, 49);
    }

    [Fact]
    public void Only_sockets_of_one_user_that_all_ask_for_it_share()
    {
        Join("0.0.0.0");
        Assert.Equal(StackError.AddressInUse, TryBind("0.0.0.0", new PortSharing { ReusePort = true, Owner = 1001 }));
        Assert.Equal(StackError.AddressInUse, TryBind("0.0.0.0", new PortSharing { Owner = 1000 }));
        Assert.Equal(StackError.AddressInUse, TryBind("10.0.0.1", new PortSharing { ReuseAddress = true, Owner = 1000 }));
        Assert.Equal(StackError.None, TryBind("10.0.0.1", new PortSharing { ReusePort = true, Owner = 1000 }));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_IPv6_only_wildcard_leaves_IPv4_to_others_and_hears_nothing(bool v6First)
    {
        foreach (var isV6 in new[] { v6First, !v6First })
            Assert.Equal(StackError.None, TryBind(isV6 ? "::" : "0.0.0.0", new PortSharing { IsV6Only = isV6 }));
        var (v6, v4) = v6First ? (_sockets[0], _sockets[1]) : (_sockets[1], _sockets[0]);
        Assert.Equal(StackError.AddressInUse, TryBind("::", default));
        Assert.Equal(StackError.AddressInUse, TryBind("::1", default));
        Assert.Equal(StackError.AddressNotAvailable, TryBind("fd00::1", default));
        _h.Receive(Build.Udp(4000, 53, "q"u8));
        Assert.Equal((0, 1), (TakeAll(v6), TakeAll(v4)));
        v4.Close();
        _h.Receive(Build.Udp(4000, 53, "q"u8));
        Assert.Equal(0, TakeAll(v6));
        Assert.Equal(1, _h.Counters.UdpNoPorts);
    }

    private UdpSocket Join(string address)
    {
        Assert.Equal(StackError.None, TryBind(address, new PortSharing { ReusePort = true, Owner = 1000 }));
        return _sockets[^1];
    }

    private StackError TryBind(string address, PortSharing sharing)
    {
        var error = _h.Stack.Udp.Bind(new IpEndpoint(IpAddress.Parse(address), 53), new UdpSocketOptions { Sharing = sharing }, out var socket);
        if (socket is not null)
            _sockets.Add(socket);
        return error;
    }

    private static bool Take(UdpSocket socket)
    {
        if (!socket.TryReceive(out var payload, out _))
            return false;
        payload.Release();
        return true;
    }

    private static int TakeAll(UdpSocket socket)
    {
        var count = 0;
        while (Take(socket))
            count++;
        return count;
    }
}
