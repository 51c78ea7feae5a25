using Tapwire.Actors.Settings;
using Xunit;

namespace Tapwire.Tests.Actors.Settings;

public sealed class SettingsSourceSpecs
{
    private const string Text = """
        # tapwire.mtu = 1
        tapwire {
          wire = "tap:a#b" # the one
          // mtu = 2
          mtu = 1500
          tcp { retries = 5, syn-retries : 6
            timestamps = on }
          tap.offload = off
          "mac" = ""
          addresses = [
            "10.0.0.1/24"
          ]
          stack.limits {
            frames = 3
          }
          mac = "{"
          gateway = "10.0.0.1"
        }
        tapwire.serve-backlog = 5
        tapwire.mtu = 1400
        """;

    [Theory]
    [InlineData("tapwire.wire", 3)]
    [InlineData("tapwire.tcp", 6)]
    [InlineData("tapwire.tcp.retries", 6)]
    [InlineData("tapwire.tcp.syn-retries", 6)]
    [InlineData("tapwire.tcp.timestamps", 7)]
    [InlineData("tapwire.tap.offload", 8)]
    [InlineData("tapwire.addresses", 10)]
    [InlineData("tapwire.stack.limits", 13)]
    [InlineData("tapwire.stack.limits.frames", 14)]
    [InlineData("tapwire.mac", 16)]
    [InlineData("tapwire.gateway", 17)]
    [InlineData("tapwire.serve-backlog", 19)]
    [InlineData("tapwire.mtu", 20)]
    public void A_key_is_found_where_it_is_assigned_last(string key, int line) =>
        Assert.Equal(line, new SettingsSource("x", Text).LineOf(key));

    [Theory]
    [InlineData("tapwire.retries")]
    [InlineData("tapwire.link.path")]
    [InlineData("wire")]
    [InlineData("tapwire.wire.b")]
    public void A_key_that_is_not_there_has_no_line(string key) => Assert.Null(new SettingsSource("x", Text).LineOf(key));

    [Fact]
    public void An_appended_list_is_found() =>
        Assert.Equal(2, new SettingsSource("x", "tapwire {\n  serve += \"echo:7\"\n}").LineOf("tapwire.serve"));

    [Fact]
    public void A_quoted_key_is_found() => Assert.Equal(1, new SettingsSource("x", "\"tapwire\".\"wire\" = a").LineOf("tapwire.wire"));

    [Fact]
    public void Lines_may_end_as_they_do_on_Windows() => Assert.Equal(2, new SettingsSource("x", "tapwire {\r\nmtu = 5\r\n}\r\n").LineOf("tapwire.mtu"));
}
