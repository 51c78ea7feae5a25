using Tapwire.Actors.Settings;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Host.Configuration;

public sealed class ProxySettingsSpecs
{
    [Theory]
    [InlineData("tcp:127.0.0.1:8080=10.99.0.1:80", "tcp:127.0.0.1:8080=10.99.0.1:80")]
    [InlineData("udp:0.0.0.0:53=peer.example:5353", "udp:0.0.0.0:53=peer.example:5353")]
    [InlineData("tcp:[::1]:8080=[fd00::1]:80", "tcp:[::1]:8080=[fd00::1]:80")]
    [InlineData("tcp:8080=peer:80", "tcp:127.0.0.1:8080=peer:80")]
    public void A_forwarded_port_is_read_and_written(string text, string expected)
    {
        Assert.True(ForwardSpec.TryParse(text, out var spec, out _));
        Assert.Equal(expected, $"{spec}");
    }

    [Theory]
    [InlineData("tcp:80=127.0.0.1:8080", "tcp:80=127.0.0.1:8080")]
    [InlineData("tcp+proxy:80=127.0.0.1:8080", "tcp+proxy:80=127.0.0.1:8080")]
    [InlineData("udp:10.99.0.2:53=localhost:53", "udp:10.99.0.2:53=localhost:53")]
    public void An_exposed_port_is_read_and_written(string text, string expected)
    {
        Assert.True(ExposeSpec.TryParse(text, out var spec, out _));
        Assert.Equal(expected, $"{spec}");
    }

    [Theory]
    [InlineData("", "the transport \"\" must be tcp or udp")]
    [InlineData("TCP:80=a:80", "the transport \"TCP\" must be tcp or udp")]
    [InlineData("tcp:", "\"\" must have one \"=\"")]
    [InlineData("tcp:=a:80", "the port \"\" must be from 1 to 65535")]
    [InlineData("tcp:0=a:80", "the port \"0\" must be from 1 to 65535")]
    [InlineData("tcp:name:80=a:80", "the address \"name\" to listen on must be an IP address")]
    [InlineData("tcp:::1:80=a:80", "the host \"::1\" must be in brackets")]
    [InlineData("tcp:80=", "\"\" must be HOST:PORT")]
    [InlineData("tcp:80=a:b", "the port \"b\" must be from 1 to 65535")]
    [InlineData("tcp:80=a b:80", "the host \"a b\" must be a name or an address")]
    public void A_port_that_is_none_is_refused_by_its_offending_part(string text, string problem)
    {
        Assert.False(ForwardSpec.TryParse(text, out _, out var forward));
        Assert.StartsWith(problem, forward, StringComparison.Ordinal);
        Assert.False(ExposeSpec.TryParse(text, out _, out var expose));
        Assert.Equal(forward, expose);
    }

    [Fact]
    public void A_socks_port_alone_is_on_loopback()
    {
        Assert.True(SocksSpec.TryParse("1080", out var spec, out _));
        Assert.Equal(new IpEndpoint(IpAddress.Parse("127.0.0.1"), 1080), spec.Listen);
    }

    [Theory]
    [InlineData("127.0.0.1:1080", "", "", false, null)]
    [InlineData("[::1]:1080", "", "", false, null)]
    [InlineData("127.0.0.1:1080", "me", "secret", false, null)]
    [InlineData("0.0.0.0:1080", "me", "secret", true, null)]
    [InlineData("0.0.0.0:1080", "me", "secret", false, "would listen on 0.0.0.0:1080, which other machines can reach; set tapwire.socks.allow-remote = on")]
    [InlineData("192.0.2.1:1080", "", "", true, "would let everybody in who reaches 192.0.2.1:1080; give tapwire.socks.user and tapwire.socks.password.")]
    [InlineData("127.0.0.1:1080", "me", "", false, "tapwire.socks.user is given without tapwire.socks.password.")]
    [InlineData("127.0.0.1:1080", "", "secret", false, "tapwire.socks.password is given without tapwire.socks.user.")]
    public void A_proxy_that_other_machines_reach_must_be_meant_and_guarded(string listen, string user, string password, bool allowed, string? complaint)
    {
        Assert.True(SocksSpec.TryParse(listen, out var spec, out _));
        var settings = new SocksSettings([spec], user, password, allowed, []);
        if (complaint is null)
            settings.Check();
        else
            Assert.Contains(complaint, Assert.Throws<SettingsException>(settings.Check).Message, StringComparison.Ordinal);
    }
}
