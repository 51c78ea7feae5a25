using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Multicast;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Multicast;

/// <summary>Sockets in a group on several shards are one host to the network, and all of them get its datagrams.</summary>
public sealed class ShardedMulticastSpec : IDisposable
{
    private const int Shards = 3;
    private const ushort Port = GroupNetwork.Port;

    private static readonly IpAddress Group = IpAddress.Parse("239.1.2.3");

    private readonly ShardedHarness _driver = new(Shards);
    private readonly GroupNetwork _frames = new(isV6: false);

    public void Dispose()
    {
        _frames.Dispose();
        _driver.Dispose();
    }

    [Fact]
    public void A_datagram_reaches_the_sockets_of_every_shard_whichever_queue_it_comes_in_on()
    {
        var sockets = Enumerable.Range(0, Shards).Select(Join).ToArray();
        for (var queue = 0; queue < Shards; queue++)
            _driver.Arrive(_frames.Datagram(source: 5, payload: (byte)queue), queue);
        Assert.All(sockets, socket => Assert.Equal([0, 1, 2], GroupNetwork.Received(socket)));
    }

    [Fact]
    public void What_one_shard_sends_reaches_the_sockets_of_the_others()
    {
        var sockets = Enumerable.Range(0, Shards).Select(Join).ToArray();
        Assert.Equal(StackError.None, sockets[1].Send(_driver[1].Payload(7), new IpEndpoint(Group, Port), _driver[1].Now));
        _ = _driver.Frames();
        _driver.Cross();
        _ = _driver.Frames();
        Assert.All(sockets, socket => Assert.Equal([7], GroupNetwork.Received(socket)));
    }

    [Fact]
    public void The_network_hears_of_a_group_when_the_first_shard_joins_and_the_last_one_leaves()
    {
        var first = Join(0);
        Assert.Single(Reports());
        var second = Join(2);
        Assert.Empty(Reports());
        first.Close();
        Assert.Empty(Reports());
        second.Close();
        Assert.Single(Reports());
    }

    [Fact]
    public void Shard_0_answers_for_all_and_all_speak_the_routers_version()
    {
        _ = Join(2);
        _ = Reports();
        var query = Build.Ipv4(2, [0x11, 10, 0xEE, 0xF5, 0, 0, 0, 0], IpAddress.Parse("10.0.0.9"), IpAddress.Parse("224.0.0.1"), Tapwire.Stack.Interfaces.MacAddress.OfGroup(IpAddress.Parse("224.0.0.1")), 1);
        Assert.Equal(0, _driver.Steering.OwnerOfFrame(query, Tapwire.Stack.Interfaces.Medium.Ethernet, 1));
        _driver.Arrive(query, 1);
        foreach (var shard in _driver.Shards)
            shard.Advance(TimeSpan.FromSeconds(1));
        var answer = Assert.Single(Groups(_driver.Frames()));
        Assert.Equal(0x16, answer[38]);
        Assert.Equal(StackError.None, Open(1, 6000).ChangeMembership(new MembershipChange(MembershipAction.Join, IpAddress.Parse("239.5.5.5"))));
        Assert.Equal(0x16, Assert.Single(Reports())[38]);
    }

    /// <summary>The reports of the present time, without the repetitions.</summary>
    private List<byte[]> Reports()
    {
        var reports = Groups(_driver.Frames());
        _driver.Advance(TimeSpan.FromSeconds(12)); // the repetitions go unseen
        return reports;
    }

    private static List<byte[]> Groups(List<byte[]> frames) => [.. frames.Where(frame => frame[0] == 1 && frame[23] == 2)];

    private UdpSocket Join(int shard)
    {
        var socket = Open(shard, Port);
        Assert.Equal(StackError.None, socket.ChangeMembership(new MembershipChange(MembershipAction.Join, Group)));
        return socket;
    }

    private UdpSocket Open(int shard, ushort port)
    {
        var sharing = new PortSharing { ReusePort = true, Owner = 1000 };
        Assert.InRange(_driver.Steering.JoinUdp(port, sharing, shard), 0, Shards - 1);
        Assert.Equal(StackError.None, _driver[shard].Stack.Udp.Bind(new IpEndpoint(default, port), new UdpSocketOptions { Sharing = sharing }, out var socket));
        return socket!;
    }
}
