using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Proxy;

/// <summary>
/// The driver's resolver beside a name server of other people's. The namespace has its loopback and the wire, and nothing else: a question that does not come from the stack's address
/// by the wire can only be on loopback, whose counters say so.
/// </summary>
[Collection(LiveServicesCollection.Name)]
public sealed class NamesSpec : IDisposable
{
    private const string Domain = "tapwire.test";

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-names-");
    private LiveDriver? _driver;

    private string LogFile => Path.Combine(_directory.FullName, "dnsmasq.log");

    private LiveDriver Driver => _driver!;

    public void Dispose()
    {
        _driver?.Dispose();
        _directory.Delete(recursive: true);
    }

    [SkippableFact]
    public async Task Names_are_looked_up_by_way_of_the_stack_and_nothing_leaves_by_the_host()
    {
        await StartAsync("--dns", LiveDriver.KernelAddress);
        var before = LoopbackPackets();
        Assert.Equal("10.99.0.1\nfd00::99\n", Resolve($"www.{Domain}"));
        Assert.Equal("10.99.0.1\n", Resolve($"www.{Domain}", "--family", "4"));
        Assert.Equal("fd00::99\n", Resolve($"alias.{Domain}", "--family", "6"));
        Assert.Equal($"www.{Domain}\n", Resolve(LiveDriver.KernelAddress));

        // More addresses than a datagram has room for.
        Assert.Equal(150, Resolve($"big.{Domain}", "--family", "4").Count(static c => c == '\n'));

        Fails($"tapwire: There is no host 'none.{Domain}'.\n", $"none.{Domain}");
        Fails($"tapwire: 'v4.{Domain}' has no IPv6 address.\n", $"v4.{Domain}", "--family", "6");
        Assert.Equal(before, LoopbackPackets());

        var asked = File.ReadLines(LogFile).Where(static line => line.Contains(": query[", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(asked);
        Assert.All(asked, static line => Assert.EndsWith($" from {LiveDriver.Address}", line, StringComparison.Ordinal));
        Driver.StopCleanly();
    }

    [SkippableFact]
    public async Task A_program_is_connected_by_name_through_the_proxy()
    {
        await StartAsync("--dns", $"{Domain}={LiveDriver.KernelAddress}", "--socks", "127.0.0.1:1080");
        ProxiedDriver.Need(Driver.Namespace, "curl");
        using var server = new Server(Driver, ProxiedDriver.NetworkEnd(80), Server.Http(1000));
        foreach (var url in new[] { $"http://www.{Domain}/", $"http://ALIAS.{Domain}/" })
        {
            Assert.Equal("200 1000", Driver.Namespace.Exec("curl", "-sS", "-o", "/dev/null", "--max-time", "30", "-w", "%{http_code} %{size_download}",
                "--socks5-hostname", "127.0.0.1:1080", url));
        }

        Assert.NotEqual(0, Driver.Namespace.TryExec("curl", "-sS", "-o", "/dev/null", "--max-time", "30", "--socks5-hostname", "127.0.0.1:1080", $"http://none.{Domain}/").ExitCode);
        Fails("tapwire: The driver has no name server for 'www.example.org'; give it one: tapwire up --dns ADDRESS, or tapwire.dns.servers.\n", "www.example.org");
        Assert.Contains(File.ReadLines(LogFile), static line => line.EndsWith($" from {LiveDriver.Address}", StringComparison.Ordinal));
    }

    [SkippableFact]
    public async Task A_dead_server_is_passed_over_and_without_any_the_reason_is_told()
    {
        await StartAsync("--dns", "10.99.0.77", "--dns", LiveDriver.KernelAddress, "--config", Settings("tapwire.dns { timeout = 1s, attempts = 1 }"));
        Assert.Equal("10.99.0.1\n", Resolve($"www.{Domain}", "--family", "4"));
        using var client = await Driver.ConnectToLinkAsync();
        var found = await client.ResolveAsync($"alias.{Domain}", AddressFamily.InterNetwork);
        Assert.Equal(($"www.{Domain}", IPAddress.Parse(LiveDriver.KernelAddress)), (found.Name, Assert.Single(found.Addresses)));
        Assert.Equal(SocketError.HostNotFound, (await Assert.ThrowsAsync<SocketException>(() => client.ResolveAsync($"none.{Domain}"))).SocketErrorCode);
        Assert.Equal(SocketError.InvalidArgument, (await Assert.ThrowsAsync<SocketException>(() => client.ResolveAsync("a b"))).SocketErrorCode);

        Driver.Namespace.Exec("sh", "-c", $"kill $(cat {_directory.FullName}/pid)");
        await LiveDriver.EventuallyAsync(() => Task.FromResult(!File.Exists(Path.Combine(_directory.FullName, "pid"))), static () => "dnsmasq has not ended.");
        Fails($"tapwire: No name server has answered in time about 'other.{Domain}'; tapwire.dns.servers names them.\n", $"other.{Domain}");
    }

    /// <summary>The control: libc's resolver, which asks the same server by kernel sockets.</summary>
    [SkippableFact]
    public async Task Programs_find_by_the_drivers_servers_what_they_find_by_the_kernels_sockets()
    {
        await StartAsync("--dns", LiveDriver.KernelAddress);
        ProxiedDriver.Need(Driver.Namespace, "cc", "curl");
        var etc = ProxiedDriver.MakeDirectory($"/etc/netns/{Driver.Namespace.Name}");
        try
        {
            File.WriteAllText(Path.Combine(etc.FullName, "resolv.conf"), $"nameserver {LiveDriver.KernelAddress}\n");
            File.WriteAllText(Path.Combine(etc.FullName, "hosts"), "127.0.0.1 localhost\n");
            var program = Path.Combine(_directory.FullName, "names");
            Driver.Namespace.Exec("cc", "-std=gnu11", "-O1", "-Wall", "-Wno-unused-result", "-o", program, Path.Combine(AppContext.BaseDirectory, "Live/Programs/names.c"));
            var kernel = Driver.Namespace.Exec(program);
            var asked = File.ReadLines(LogFile).Count(static line => line.EndsWith($" from {LiveDriver.Address}", StringComparison.Ordinal));
            Assert.Equal(0, asked);

            // Nobody answers there: what is found is found by the driver.
            File.WriteAllText(Path.Combine(etc.FullName, "resolv.conf"), "nameserver 127.0.0.77\n");
            var before = LoopbackPackets();
            var tapwire = TapwireProgram.Run(Driver.Namespace, "run", "--link", Driver.LinkPath, "--", program);
            Assert.Equal(("", 0), (tapwire.Error, tapwire.ExitCode));
            Assert.Equal(kernel, tapwire.Output);
            Assert.Equal(before, LoopbackPackets());

            using var server = new Server(Driver, ProxiedDriver.NetworkEnd(80), Server.Http(1000));
            var page = TapwireProgram.Run(Driver.Namespace, "run", "--link", Driver.LinkPath, "--", "curl", "-sS", "-o", "/dev/null", "--max-time", "30", "-w", "%{size_download}", $"http://www.{Domain}/");
            Assert.Equal(("", "1000"), (page.Error, page.Output));
        }
        finally
        {
            etc.Delete(recursive: true);
        }
    }

    /// <summary>The name was the network's: the host's resolver must not learn it because the driver has been killed.</summary>
    [SkippableFact]
    public async Task A_program_whose_driver_was_killed_does_not_ask_the_host_for_what_the_driver_had_servers_for()
    {
        await StartAsync("--dns", LiveDriver.KernelAddress);
        ProxiedDriver.Need(Driver.Namespace, "python3");
        var etc = ProxiedDriver.MakeDirectory($"/etc/netns/{Driver.Namespace.Name}");
        try
        {
            // Whoever asks the host asks there, and shows on the loopback's counters.
            File.WriteAllText(Path.Combine(etc.FullName, "resolv.conf"), "nameserver 127.0.0.77\noptions timeout:1 attempts:1\n");
            File.WriteAllText(Path.Combine(etc.FullName, "hosts"), "127.0.0.1 localhost\n");
            var source = Path.Combine(AppContext.BaseDirectory, "Live/Programs/names_gone.py");
            using var program = Driver.Namespace.Start(TapwireProgram.Host, "exec", TapwireProgram.Assembly, "run", "--link", Driver.LinkPath, "--", "python3", source, $"www.{Domain}");
            Assert.Equal(LiveDriver.KernelAddress, await program.StandardOutput.ReadLineAsync());
            var before = LoopbackPackets();
            Driver.Program.Signal(TapwireProgram.SIGKILL);
            Driver.Program.WaitForExit();
            await program.StandardInput.WriteLineAsync();
            Assert.Equal("EAI_AGAIN", await program.StandardOutput.ReadLineAsync());
            Assert.Equal(before, LoopbackPackets());

            // The control: a program that the driver has never answered asks the host.
            Driver.Namespace.Exec("python3", "-c", $"import socket\ntry: socket.getaddrinfo('www.{Domain}', 80)\nexcept socket.gaierror: pass");
            Assert.NotEqual(before, LoopbackPackets());
        }
        finally
        {
            etc.Delete(recursive: true);
        }
    }

    private string Settings(string text)
    {
        var file = Path.Combine(_directory.FullName, "tapwire.hocon");
        File.WriteAllText(file, text);
        return file;
    }

    private async Task StartAsync(params string[] arguments)
    {
        _driver = LiveDriver.Start("", $"tap:{LiveDriver.Device}", arguments);
        ProxiedDriver.Need(Driver.Namespace, "dnsmasq");
        var hosts = Path.Combine(_directory.FullName, "hosts");
        File.WriteAllLines(hosts, Enumerable.Range(1, 150).Select(static i => $"192.0.2.{i} big.{Domain}"));
        Driver.Namespace.Start("sh", "-c", $"PATH=$PATH:/usr/sbin exec dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --addn-hosts={hosts} --user=root "
            + $"--bind-interfaces --listen-address={LiveDriver.KernelAddress} --pid-file={_directory.FullName}/pid --log-queries --log-facility={LogFile} --local=/{Domain}/ --local=/222.2.0.192.in-addr.arpa/ "
            + $"--host-record=www.{Domain},{LiveDriver.KernelAddress},fd00::99 --host-record=v4.{Domain},192.0.2.200 --cname=alias.{Domain},www.{Domain}");
        await LiveDriver.EventuallyAsync(IsUpAsync, () => File.Exists(LogFile) ? File.ReadAllText(LogFile) : "dnsmasq has not begun.");

        async Task<bool> IsUpAsync()
        {
            using var socket = Driver.KernelSocket();
            try
            {
                await socket.ConnectAsync(ProxiedDriver.NetworkEnd(53));
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        }
    }

    private string Resolve(params string[] arguments)
    {
        var ended = TapwireProgram.Run(Driver.Namespace, ["resolve", .. arguments, "--link", Driver.LinkPath]);
        Assert.Equal(("", 0), (ended.Error, ended.ExitCode));
        return ended.Output;
    }

    private void Fails(string error, params string[] arguments)
    {
        var ended = TapwireProgram.Run(Driver.Namespace, ["resolve", .. arguments, "--link", Driver.LinkPath]);
        Assert.Equal((error, "", 1), (ended.Error, ended.Output, ended.ExitCode));
    }

    private long LoopbackPackets()
    {
        var device = Driver.Namespace.Exec("cat", "/proc/net/dev").Split('\n').Single(static line => line.TrimStart().StartsWith("lo:", StringComparison.Ordinal));
        return long.Parse(device[(device.IndexOf(':', StringComparison.Ordinal) + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }
}
