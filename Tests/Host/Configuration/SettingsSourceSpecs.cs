using Tapwire.Actors.Settings;
using Tapwire.Configuration;
using Xunit;

namespace Tapwire.Tests.Host.Configuration;

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
    public void A_key_is_found_where_it_is_assigned_last(string key, int line) => Assert.Equal(line, SettingsSource.Parse("x", Text).Keys[key].Line);

    [Theory]
    [InlineData("tapwire.retries")]
    [InlineData("tapwire.link.path")]
    [InlineData("wire")]
    [InlineData("tapwire.wire.b")]
    public void A_key_that_is_not_there_has_no_line(string key) => Assert.DoesNotContain(key, SettingsSource.Parse("x", Text).Keys.Keys);

    [Fact]
    public void A_quoted_key_is_found() => Assert.Equal(1, SettingsSource.Parse("x", "\"tapwire\".\"wire\" = a").Keys["tapwire.wire"].Line);

    [Fact]
    public void Lines_may_end_as_they_do_on_Windows() =>
        Assert.Equal(2, SettingsSource.Parse("x", "tapwire {\r\nmtu = 5\r\n}\r\n").Keys["tapwire.mtu"].Line);

    [Theory]
    [InlineData("/dev/zero", "is larger than 1 MiB")]
    [InlineData("/nowhere/mine.conf", "cannot be read")]
    [InlineData("/", "cannot be read")]
    public void A_file_that_cannot_be_one_of_settings_is_refused_by_its_name(string path, string complaint)
    {
        var message = Assert.Throws<SettingsException>(() => SettingsSource.Read(path, path)).Message;
        Assert.StartsWith($"The configuration file '{path}' ", message, StringComparison.Ordinal);
        Assert.Contains(complaint, message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_without_a_name_is_refused() =>
        Assert.Equal("The configuration file has no name; write it after --config.", Assert.Throws<SettingsException>(() => SettingsSource.Read("", "")).Message);

    [Fact]
    public void A_program_is_no_file_of_settings() =>
        Assert.Contains("is no part of a text", Assert.Throws<SettingsException>(() => SettingsSource.Read("/bin/true", "true")).Message, StringComparison.Ordinal);
}
