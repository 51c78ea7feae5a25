using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text.Json;
using Tapwire.Names;
using Tapwire.Names.Mdns;
using Tapwire.Tests.Live.Proxy;
using Tapwire.Tests.Live.Support;
using Tapwire.Tests.Names.Mdns;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>Names in .local beside Avahi, which is a host on the kernel's end of the wire. It has a message bus of its own, by which its tools ask it.</summary>
[Collection(LiveServicesCollection.Name)]
[SupportedOSPlatform("linux")]
public sealed class MdnsSpec : IDisposable
{
    private const string SharesThePort = """
        import socket
        alone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            alone.bind(("", 5353))
        except OSError as error:
            print(error.strerror)
        shares = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        shares.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        shares.bind(("", 5353))
        shares.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.251") + socket.inet_aton("10.99.0.2"))
        shares.settimeout(30)
        shares.sendto(bytes.fromhex("000000000001000000000000" "03626f78056c6f63616c00" "00010001"), ("224.0.0.251", 5353))
        while True:
            message, sender = shares.recvfrom(9000)
            if message[2] & 0x80:
                print(*sender, message[13:16].decode())
                break
        """;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-mdns-");
    private LiveDriver? _driver;

    private LiveDriver Driver => _driver!;

    private string AvahiLog => File.Exists(In("avahi.log")) ? File.ReadAllText(In("avahi.log")) : "";

    public void Dispose()
    {
        _driver?.Dispose();
        _directory.Delete(recursive: true);
    }

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Avahi_finds_the_driver_by_its_name_and_the_driver_finds_Avahi(int shards)
    {
        await StartAsync("printer", "box", "--shards", $"{shards}");
        await EstablishedAsync("box.local");
        await FoundAsync("-4 -n box.local", LiveDriver.Address);
        await FoundAsync("-6 -n box.local", LiveDriver.AddressV6);
        await FoundAsync($"-a {LiveDriver.Address}", "box.local");
        var services = Avahi("avahi-browse -rpt _http._tcp");
        Assert.Contains($";box;Web Site;local;box.local;{LiveDriver.Address};80;", services, StringComparison.Ordinal);

        Assert.Contains($"{LiveDriver.KernelAddress}\n", Tapwire("resolve", "printer.local"), StringComparison.Ordinal);
        Assert.Contains($"{LiveDriver.KernelAddressV6}\n", Tapwire("resolve", "Printer.local", "--family", "6"), StringComparison.Ordinal);
        Assert.Equal($"{LiveDriver.Address}\n", Tapwire("resolve", "box.local", "--family", "4"));
        Assert.Contains($"PING printer.local ({LiveDriver.KernelAddress}): 56 data bytes\n56 bytes from {LiveDriver.KernelAddress}: seq=1 ", Tapwire("ping", "printer.local", "--family", "4", "-c", "1", "--timeout", "20s"), StringComparison.Ordinal);
        var none = TapwireProgram.Run(Driver.Namespace, "resolve", "none.local", "--link", Driver.LinkPath);
        Assert.Equal((1, "tapwire: There is no host 'none.local'.\n"), (none.ExitCode, none.Error));
        Assert.Contains("name         box.local on tw0, established", Tapwire("status"), StringComparison.Ordinal);

        // A plain resolver asks the group from any port, and is answered alone.
        using (var socket = Driver.BindInKernel())
        {
            await socket.SendToAsync(MdnsNetwork.Query("box.local", DnsType.A, id: 0x1234), SocketFlags.None, new IPEndPoint(IPAddress.Parse("224.0.0.251"), MdnsLink.Port));
            var buffer = new byte[2000];
            var received = await socket.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0)).WaitAsync(TimeSpan.FromSeconds(20));
            Assert.Equal(new IPEndPoint(IPAddress.Parse(LiveDriver.Address), MdnsLink.Port), received.RemoteEndPoint);
            Assert.True(MdnsMessage.TryParse(buffer.AsSpan(0, received.ReceivedBytes), out var answer, out _));
            Assert.Equal((0x1234, LiveDriver.Address), (answer.Id, answer.Answers[0].Address.ToString()));
        }

        // Avahi forgets what is taken back.
        Driver.StopCleanly();
        await LiveDriver.EventuallyAsync(() => Task.FromResult(Avahi("avahi-browse -pt _http._tcp").Length == 0), () => "The service is still there.");
    }

    [SkippableFact]
    public async Task What_Avahi_publishes_is_listed_and_so_is_what_the_driver_does()
    {
        await StartAsync("printer", "box");
        await EstablishedAsync("box.local");
        ProxiedDriver.Need(Driver.Namespace, "avahi-publish");
        Driver.Namespace.Start("sh", "-c", $"DBUS_SYSTEM_BUS_ADDRESS=unix:path={In("bus")} exec avahi-publish -s 'Büro 2.OG' _ipp._tcp 631 rp=printers/x note= 2>{In("publish.log")}");
        var said = "";
        await LiveDriver.EventuallyAsync(() => Task.FromResult((said = TapwireProgram.Run(Driver.Namespace, "browse", "ipp", "--timeout", "1s", "--link", Driver.LinkPath).Output).Length > 0), () => File.ReadAllText(In("publish.log")));
        Assert.StartsWith("Büro 2.OG on tw0\n    printer.local:631, ", said, StringComparison.Ordinal);
        Assert.Contains(LiveDriver.KernelAddress, said, StringComparison.Ordinal);
        Assert.Contains("\n    rp=printers/x\n", said, StringComparison.Ordinal);

        var types = Tapwire("browse");
        Assert.Contains("_ipp._tcp on tw0\n", types, StringComparison.Ordinal);
        Assert.Contains("_http._tcp on tw0\n", types, StringComparison.Ordinal);
        using var own = JsonDocument.Parse(Tapwire("browse", "_http._tcp", "--json"));
        Assert.Equal(("box", "box.local", 80), (own.RootElement.GetProperty("name").GetString(), own.RootElement.GetProperty("host").GetString(), own.RootElement.GetProperty("port").GetInt32()));
        var none = TapwireProgram.Run(Driver.Namespace, "browse", "_ftp._tcp", "--timeout", "200ms", "--link", Driver.LinkPath);
        Assert.Equal((1, "tapwire: No host of the links offers _ftp._tcp.\n"), (none.ExitCode, none.Error));
    }

    [SkippableFact]
    public async Task A_name_that_Avahi_has_gets_a_number()
    {
        await StartAsync("box", "box");
        await EstablishedAsync("box-2.local");
        Assert.Equal($"{LiveDriver.KernelAddress}\n", Tapwire("resolve", "box.local", "--family", "4"));
        await FoundAsync("-4 -n box-2.local", LiveDriver.Address);
        Assert.Contains("tw0: another host is box.local; tries box-2.local", Driver.Program.Stop().Error, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task Programs_reach_a_host_by_its_name_and_so_do_proxy_and_forwarded_ports()
    {
        await StartAsync("printer", "", "--socks", "127.0.0.1:1080", "--forward", "tcp:127.0.0.1:8080=printer.local:80");
        ProxiedDriver.Need(Driver.Namespace, "curl");
        using var server = new Server(Driver, ProxiedDriver.NetworkEnd(80), Server.Http(1000));
        string[] arguments = ["-sS", "-o", "/dev/null", "--max-time", "30", "-w", "%{size_download}"];
        var page = TapwireProgram.Run(Driver.Namespace, ["run", "--link", Driver.LinkPath, "--", "curl", .. arguments, "http://printer.local/"]);
        Assert.Equal(("", "1000"), (page.Error, page.Output));
        Assert.Equal("1000", Driver.Namespace.Exec("curl", [.. arguments, "--socks5-hostname", "127.0.0.1:1080", "http://printer.local/"]));
        Assert.Equal("1000", Driver.Namespace.Exec("curl", [.. arguments, "http://127.0.0.1:8080/"]));
    }

    [SkippableFact]
    public async Task A_program_that_shares_the_port_is_beside_the_driver_and_one_that_does_not_is_refused()
    {
        _driver = LiveDriver.Start("", $"tap:{LiveDriver.Device}", "--name", "box");
        ProxiedDriver.Need(Driver.Namespace, "python3");
        await EstablishedAsync("box.local");
        var ran = TapwireProgram.Run(Driver.Namespace, "run", "--link", Driver.LinkPath, "--", "python3", "-c", SharesThePort);
        Assert.Equal(("Address already in use\n10.99.0.2 5353 box\n", ""), (ran.Output, ran.Error));
        Assert.Equal("established", (await Driver.StatusAsync()).GetProperty("names").GetProperty("multicast").GetProperty("links")[0].GetProperty("state").GetString());
        Driver.StopCleanly();
    }

    private string In(string name) => Path.Combine(_directory.FullName, name);

    private string Tapwire(params string[] arguments)
    {
        var run = TapwireProgram.Run(Driver.Namespace, [.. arguments, "--link", Driver.LinkPath]);
        Assert.Equal(("", 0), (run.Error, run.ExitCode));
        return run.Output;
    }

    private string Avahi(string command) => Driver.Namespace.Exec("sh", "-c", $"DBUS_SYSTEM_BUS_ADDRESS=unix:path={In("bus")} timeout 20 {command}");

    /// <summary>Waits until avahi-resolve prints a name or an address.</summary>
    private async Task FoundAsync(string arguments, string expected)
    {
        var said = "";
        await LiveDriver.EventuallyAsync(() => Task.FromResult((said = Avahi($"avahi-resolve {arguments} 2>&1")).EndsWith($"\t{expected}\n", StringComparison.Ordinal)), () => $"avahi-resolve {arguments}: {said}");
    }

    private async Task EstablishedAsync(string name)
    {
        var link = default(JsonElement);
        await LiveDriver.EventuallyAsync(
            async () => (await Driver.StatusAsync()).TryGetProperty("names", out var names) && (link = names.GetProperty("multicast").GetProperty("links")[0]).GetProperty("state").GetString() == "established",
            () => $"{link}");
        Assert.Equal(name, link.GetProperty("name").GetString());
    }

    /// <summary>Avahi has its name before the driver looks for one.</summary>
    /// <param name="ownName">The driver's; empty: none.</param>
    private async Task StartAsync(string name, string ownName, params string[] arguments)
    {
        File.WriteAllText(In("tapwire.hocon"), "");
        _driver = LiveDriver.Start("", $"tap:{LiveDriver.Device}", [.. LiveDriver.V6, "--config", In("tapwire.hocon"), .. arguments]);
        ProxiedDriver.Need(Driver.Namespace, "avahi-daemon", "avahi-resolve", "avahi-browse", "dbus-daemon", "unshare");
        File.WriteAllText(In("avahi.conf"), $"""
            [server]
            host-name={name}
            allow-interfaces={LiveDriver.Device}
            [publish]
            publish-hinfo=no
            publish-workstation=no
            """);
        File.WriteAllText(In("bus.conf"), $"""
            <busconfig>
              <type>system</type>
              <listen>unix:path={In("bus")}</listen>
              <auth>EXTERNAL</auth>
              <policy context="default">
                <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
              </policy>
            </busconfig>
            """);
        Driver.Namespace.Start("dbus-daemon", $"--config-file={In("bus.conf")}", "--nofork", "--nopidfile", "--nosyslog");
        await LiveDriver.EventuallyAsync(() => Task.FromResult(File.Exists(In("bus"))), static () => "The message bus has not begun.");
        // Its process id and socket are in a directory that only it sees.
        Driver.Namespace.Start("unshare", "--mount", "sh", "-c",
            $"PATH=$PATH:/usr/sbin; mkdir -p /run/avahi-daemon && mount -t tmpfs none /run/avahi-daemon && DBUS_SYSTEM_BUS_ADDRESS=unix:path={In("bus")} "
            + $"exec avahi-daemon --no-drop-root --no-rlimits --no-chroot -f {In("avahi.conf")} >{In("avahi.log")} 2>&1");
        await LiveDriver.EventuallyAsync(() => Task.FromResult(AvahiLog.Contains("startup complete", StringComparison.Ordinal)), () => $"Avahi has not begun. {AvahiLog}");
        if (ownName.Length == 0)
            return;
        File.WriteAllText(In("tapwire.hocon"), $"tapwire.name = {ownName}\n");
        Driver.Program.Signal(TapwireProgram.SIGHUP);
    }
}
