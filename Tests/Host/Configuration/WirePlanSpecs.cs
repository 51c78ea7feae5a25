using Tapwire.Actors.Settings;
using Tapwire.Configuration;
using Tapwire.Posix;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Host.Configuration;

/// <summary>Settings that a wire's own configuration completes.</summary>
public sealed class WirePlanSpecs : IDisposable
{
    private const string Private = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
    private const string Peer = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-plan-");

    private string FilePath => Path.Combine(_directory.FullName, "office.conf");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public void Addresses_and_routes_come_from_the_file()
    {
        var settings = Complete("Address = 10.8.0.2/24\nDNS = 10.8.0.1, office.example", "AllowedIPs = 10.8.0.0/24, 10.77.0.0/16, 0.0.0.0/0");
        Assert.Equal(["10.8.0.2/24"], settings.Addresses.Select(static each => $"{each}"));
        Assert.Equal(["10.8.0.0/24 by the wire", "10.77.0.0/16 by the wire", "0.0.0.0/0 by the wire"], settings.AllInterfaces[0].AllRoutes.Select(RouteSpec.Format));
        Assert.Null(settings.Gateway);
        var names = Assert.Single(settings.WireNames);
        Assert.Equal(("office", "10.8.0.1", "office.example"), (names.Interface, $"{names.Servers[0]}", names.SearchDomains[0]));
        SettingsCheck.Check(settings);
    }

    [Fact]
    public void What_the_driver_was_told_itself_goes_first()
    {
        var route = RouteSpec.TryParse("10.77.0.0/16 via 10.8.0.9", out var parsed, out _) ? parsed : default;
        var settings = Complete("Address = 10.8.0.2/24", "AllowedIPs = 10.77.0.0/16, 10.78.0.0/16", settings => settings with { Addresses = [IpPrefix.Parse("10.8.0.5/24")], Routes = [route] });
        Assert.Equal(["10.8.0.5/24"], settings.Addresses.Select(static each => $"{each}"));
        Assert.Equal(["10.77.0.0/16 via 10.8.0.9", "10.78.0.0/16 by the wire"], settings.Routes.Select(RouteSpec.Format));
    }

    [Fact]
    public void Both_families_are_taken()
    {
        var settings = Complete("Address = 10.8.0.2/24, fd00::2/64", "AllowedIPs = 10.8.0.0/24, ::/0");
        Assert.Equal(["10.8.0.2/24", "fd00::2/64"], settings.Addresses.Select(static each => $"{each}"));
        Assert.Equal(["10.8.0.0/24 by the wire", "::/0 by the wire"], settings.AllInterfaces[0].AllRoutes.Select(RouteSpec.Format));
    }

    [Theory]
    [InlineData("Address = 127.0.0.1/8", "is a loopback address")]
    [InlineData("Address = 10.8.0.0/24", "is the address of the network itself")]
    [InlineData("Adress = 10.8.0.2/24", "line 3: 'Adress' is no key of [Interface]")]
    public void What_is_wrong_in_the_file_is_refused(string own, string message) =>
        Assert.Contains(message, Assert.Throws<SettingsException>(() => Complete(own, "")).Message, StringComparison.Ordinal);

    [Fact]
    public void Routes_of_both_kinds_are_kept_when_one_of_them_changes()
    {
        var settings = Complete("Address = 10.8.0.2/24", "AllowedIPs = 0.0.0.0/0").AllInterfaces[0];
        var again = settings.WithRoutes(settings.AllRoutes);
        Assert.Equal(settings.ToString(), again.ToString());
        Assert.Null(again.Gateway);
    }

    private DriverSettings Complete(string own, string peer, Func<DriverSettings, DriverSettings>? change = null)
    {
        File.WriteAllText(FilePath, $"[Interface]\nPrivateKey = {Private}\n{own}\n[Peer]\nPublicKey = {Peer}\n{peer}\n");
        Libc.chmod(FilePath, 0x180);
        var settings = HostConfiguration.Load(null).Settings with { Wire = WireSpec.Parse($"wg:{FilePath}")! };
        return WirePlans.Complete(change is null ? settings : change(settings));
    }
}
