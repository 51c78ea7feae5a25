using System.Text;
using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>TCP_CONGESTION over the link: a name of up to 16 bytes.</summary>
public sealed class CongestionOptionSpec : DriverSetup
{
    private int Set(App app, string name) =>
        Ask(new SetOptionRequest(1, app.Handle, LinkOption.IpProtoTcp, LinkOption.TcpCongestion, Encoding.ASCII.GetBytes(name))).Error;

    private string Get(App app)
    {
        var answer = Ask(new GetOptionRequest(2, app.Handle, LinkOption.IpProtoTcp, LinkOption.TcpCongestion, 16));
        Assert.Equal(0, answer.Error);
        Assert.Equal(16, answer.Body.Length);
        return Encoding.ASCII.GetString(answer.Body.Span).TrimEnd('\0');
    }

    private void Connect(App app)
    {
        Peer.Listen(80);
        Assert.Equal(0, Ask(new ConnectRequest(3, app.Handle, Sockaddr.From(new IpEndpoint(Peer.Address, 80)), 0, false)).Error);
    }

    [Theory]
    [InlineData("bbr")]
    [InlineData("reno")]
    [InlineData("cubic")]
    [InlineData("bbr\0")]
    public void What_is_set_before_connecting_counts_for_the_connection(string name)
    {
        using var app = Open();
        Assert.Equal(0, Set(app, name));
        Assert.Equal(name.TrimEnd('\0'), Get(app));
        Connect(app);
        Assert.Equal(name.TrimEnd('\0'), Get(app));
    }

    [Fact]
    public void A_living_connection_can_change()
    {
        using var app = Open();
        Connect(app);
        Assert.Equal("cubic", Get(app));
        Assert.Equal(0, Set(app, "bbr"));
        Assert.Equal("bbr", Get(app));
        Assert.Equal(0, Set(app, "reno"));
        Assert.Equal("reno", Get(app));
    }

    [Theory]
    [InlineData("vegas")]
    [InlineData("BBR")]
    [InlineData("")]
    [InlineData("bbr\0x")]
    [InlineData("cubiccubiccubiccubiccubiccubic")]
    public void An_unknown_name_is_refused_and_changes_nothing(string name)
    {
        using var app = Open();
        Assert.Equal(0, Set(app, "reno"));
        Assert.Equal(name.Length == 0 ? (int)StackError.InvalidArgument : LinkErrno.NoEntry, Set(app, name));
        Assert.Equal("reno", Get(app));
        Connect(app);
        Assert.Equal(name.Length == 0 ? (int)StackError.InvalidArgument : LinkErrno.NoEntry, Set(app, name));
        Assert.Equal("reno", Get(app));
    }
}
