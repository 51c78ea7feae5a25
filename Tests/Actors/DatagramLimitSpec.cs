using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>A driver with room for one UDP socket.</summary>
public sealed class DatagramLimitSpec() : DriverSetup("udp.sockets = 1")
{
    private static readonly Sockaddr Destination = Sockaddr.From(new IpEndpoint(Support.Peer.Address, 53));

    [Fact]
    public void A_request_that_needs_a_port_when_there_is_none_is_refused_and_a_later_one_tries_again()
    {
        var first = Open(LinkSocketType.Datagram);
        Assert.Equal(0, Ask(new BindRequest(1, first.Handle, Sockaddr.From(new IpEndpoint(Address, 53)))).Error);
        using var second = Open(LinkSocketType.Datagram);
        Assert.Equal((int)StackError.NoBufferSpace, Ask(new ConnectRequest(2, second.Handle, Destination, 0, false)).Error);
        Assert.Equal(64, OptionOf(second, LinkOption.IpProtoIp, LinkOption.IpTtl)); // needs none
        first.Dispose();
        Run();
        Assert.Equal(0, Ask(new ConnectRequest(4, second.Handle, Destination, 0, false)).Error);
    }

    [Fact]
    public void A_sendto_that_needs_a_port_when_there_is_none_is_told_why()
    {
        using var first = Open(LinkSocketType.Datagram);
        Assert.Equal(0, Ask(new BindRequest(1, first.Handle, Sockaddr.From(new IpEndpoint(Address, 53)))).Error);
        using var second = Open(LinkSocketType.Datagram);
        var message = new byte[DatagramHeader.Size + 1];
        Destination.WriteTo(message);
        second.TryWrite(message);
        Run();
        Assert.Equal((int)StackError.NoBufferSpace, DatagramHeader.ReadError(second.ReadMessage()));
    }
}
