using System.Net;
using System.Net.Sockets;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Proxy;

/// <summary>Passwords, ports that are not to be had, and the driver's end, with the real program.</summary>
[Collection(LiveServicesCollection.Name)]
public sealed class ProxyLimitsSpec
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [SkippableFact]
    public void Curl_needs_the_password_that_the_settings_name()
    {
        using var driver = LiveDriver.Start("""tapwire.socks { listen = ["127.0.0.1:1080", "[::1]:1081"], user = "me", password = "secret" }""");
        ProxiedDriver.Need(driver.Namespace, "curl");
        string Curl(params string[] arguments) => driver.Namespace.TryExec("curl",
            ["-sS", "-o", "/dev/null", "--max-time", "30", "-w", "%{http_connect} %{http_code} %{exitcode}", .. arguments, $"http://{LiveDriver.KernelAddress}/"]).Output;

        using var server = new Server(driver, ProxiedDriver.NetworkEnd(80), Server.Http(100));
        Assert.Equal("000 200 0", Curl("-x", "socks5://me:secret@127.0.0.1:1080"));
        Assert.Equal("000 200 0", Curl("-x", "socks5://me:secret@[::1]:1081"));
        Assert.Equal("200 200 0", Curl("-p", "-x", "http://me:secret@127.0.0.1:1080"));
        Assert.Equal("407 000 56", Curl("-p", "-x", "http://me:wrong@127.0.0.1:1080"));
        Assert.Equal("407 000 56", Curl("-p", "-x", "http://127.0.0.1:1080"));
        Assert.Equal("000 000 97", Curl("-x", "socks5://me:wrong@127.0.0.1:1080"));
        Assert.Equal("000 000 97", Curl("-x", "socks5://127.0.0.1:1080"));
        Assert.Contains("wrong user name or password", driver.Program.Stop().Error, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("--socks", "127.0.0.1:1080", "Cannot listen on TCP 127.0.0.1:1080: Address already in use.")]
    [InlineData("--forward", "tcp:1080=10.99.0.1:80", "Cannot listen on TCP 127.0.0.1:1080: Address already in use.")]
    [InlineData("--forward", "udp:192.0.2.1:1080=10.99.0.1:80", "Cannot open UDP 192.0.2.1:1080: Cannot assign requested address.")]
    public void A_port_that_is_not_to_be_had_is_said_and_ends_the_program(string flag, string value, string complaint)
    {
        using var network = NetworkNamespace.Create();
        using var taken = network.OpenSocket();
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 1080));
        taken.Listen();
        var ended = TapwireProgram.Run(network, "up", "--wire", "tap:tw0", "--address", "10.99.0.2/24", "--link", "off", flag, value);
        Assert.Equal(1, ended.ExitCode);
        Assert.Contains($"tapwire: {complaint}\n", ended.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("tw0", network.Ip("link"), StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("tcp:10.99.0.9:7=localhost:80")]
    [InlineData("udp:10.99.0.9:7=localhost:80")]
    public void An_exposed_port_on_another_address_is_refused(string value)
    {
        using var network = NetworkNamespace.Create();
        var ended = TapwireProgram.Run(network, "up", "--address", "10.99.0.2/24", "--link", "off", "--expose", value);
        Assert.Equal(2, ended.ExitCode);
        Assert.Equal($"tapwire: The exposed port {value} is on no address of the stack; give one of 10.99.0.2/24, or the port alone.\n", ended.Error);
    }

    [SkippableFact]
    public void An_exposed_port_that_a_service_has_is_refused()
    {
        using var network = NetworkNamespace.Create();
        var ended = TapwireProgram.Run(network, "up", "--address", "10.99.0.2/24", "--serve", "echo:7", "--expose", "udp:7=localhost:80,tcp:7=localhost:80");
        Assert.Equal(2, ended.ExitCode);
        Assert.Equal("tapwire: The service echo:7 and the exposed port tcp:7=localhost:80 have the same port; give each one of its own.\n", ended.Error);
    }

    [SkippableFact]
    public void A_proxy_for_other_machines_is_refused_unless_it_is_meant()
    {
        using var network = NetworkNamespace.Create();
        var ended = TapwireProgram.Run(network, "up", "--address", "10.99.0.2/24", "--socks", "0.0.0.0:1080");
        Assert.Equal(2, ended.ExitCode);
        Assert.Equal("tapwire: The SOCKS proxy would listen on 0.0.0.0:1080, which other machines can reach; set tapwire.socks.allow-remote = on if that is meant.\n", ended.Error);
    }

    [SkippableFact]
    public async Task The_drivers_end_is_the_end_of_what_passes_through_it()
    {
        using var driver = LiveDriver.Start(arguments: ["--forward", $"tcp:8080={LiveDriver.KernelAddress}:8000"]);
        using var listener = driver.KernelSocket();
        listener.Bind(ProxiedDriver.NetworkEnd(8000));
        listener.Listen();
        using var socket = driver.KernelSocket();
        await socket.ConnectAsync(ProxiedDriver.HostEnd(8080)).WaitAsync(Patience);
        using var accepted = await listener.AcceptAsync().WaitAsync(Patience);
        await accepted.SendAsync("last words"u8.ToArray());
        var buffer = new byte[100];
        Assert.Equal(10, await socket.ReceiveAsync(buffer).WaitAsync(Patience));
        driver.StopCleanly();
        Assert.Equal(0, await socket.ReceiveAsync(buffer).WaitAsync(Patience));
        Assert.Equal(0, await accepted.ReceiveAsync(buffer).WaitAsync(Patience));
    }
}
