using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Actors.Proxy;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>A driver with one descriptor for each purpose, whose settings would allow more: what descriptors allow holds for link and proxy, from the start and after a reload.</summary>
public sealed class DescriptorRoomSpecs() : ProxySetup("")
{
    private static readonly byte[] ToPeer = [1, 10, 99, 0, 1, 0, 80];

    [Fact]
    public void Link_and_proxy_serve_no_more_than_there_are_descriptors_when_they_start_and_after_a_reload()
    {
        var listener = Peer.Listen(80);
        AssertOneOfEach(listener);

        // As the port is: it stays open.
        var socks = Settings.Socks with { Listen = [new SocksSpec(new IpEndpoint(IpAddress.Parse("127.0.0.1"), 0))] };
        var wanted = Settings with { Socks = socks, Link = Settings.Link with { MaxSockets = 7, MaxSessions = 8 }, Proxy = Settings.Proxy with { MaxConnections = 9, MaxFlows = 10 } };
        Driver.Tell(new Reconfigure(wanted, []), Session);
        // The answers meet on a thread of the pool.
        AwaitCondition(() =>
        {
            Run();
            return Session.HasMessages;
        }, TimeSpan.FromSeconds(10));
        var answer = Session.ExpectMsg<Reconfigured>();
        Assert.Empty(answer.Problems);
        Assert.Empty(SettingKeys.Differences(wanted, answer.Settings));
        AssertOneOfEach(listener);
    }

    /// <inheritdoc/>
    protected override DriverContext Adapted(DriverContext context) => base.Adapted(context) with { Descriptors = new DescriptorRoom(1, 256) };

    private void AssertOneOfEach(TcpListener listener)
    {
        using (Open())
            Assert.Equal((int)StackError.NoBufferSpace, Ask(new SocketRequest(1, SocketFamily.V4, LinkSocketType.Stream, 0)).Error);
        using (var first = Socks())
        {
            Assert.Equal([5, 0, 5, 0], first.Ask(ToPeer));
            using var second = Socks();
            Assert.Equal([5, 0, 5, 1], second.Ask(ToPeer));
        }

        // The connection has had its client's end of stream; it is over with the peer's.
        Run();
        listener.Accept()!.Close(Peer.Now);
        Run();
        Assert.Equal(0, Port("socks").GetProperty("open").GetInt32());
    }
}
