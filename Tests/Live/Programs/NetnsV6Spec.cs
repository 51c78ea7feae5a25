using System.Net;
using System.Net.Sockets;
using System.Text;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary><c>tapwire run --netns</c> on a driver with both families: programs speak IPv6 and IPv4.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class NetnsV6Spec(CleanPathV6 path) : IClassFixture<CleanPathV6>
{
    private const string NamedServer = "fd00:99::1";

    [SkippableFact]
    public void It_has_the_drivers_addresses_and_a_way_out_of_each_and_nothing_of_the_kernels_own()
    {
        path.Need("ip");
        var ended = Run("sh", "-c", "ip -o addr show dev tapwire0 | awk '{print $4}'; ip route show default; ip -6 route show default; cat /proc/sys/net/ipv6/conf/tapwire0/accept_ra");
        Assert.Equal((0, "10.99.0.2/24\nfd00:99::2/64\ndefault dev tapwire0 scope link\ndefault dev tapwire0 metric 1024 pref medium\n0\n"),
            (ended.ExitCode, ended.Output.Replace(" \n", "\n", StringComparison.Ordinal)));
    }

    [SkippableFact]
    public async Task A_long_answer_arrives_whole_over_either_family()
    {
        path.Need("curl", "python3", "sha256sum");
        using var server = await path.ServeFilesAsync(8120);
        using var old = await path.ServeOnKernelAsync(8121, "python3", "-m", "http.server", "-d", path.Files, "--bind", ProgramPath.Kernel, "8121");
        var ended = Run("sh", "-c", $"curl -sS http://{path.KernelHost}:8120/file | sha256sum; curl -sS http://{ProgramPath.Kernel}:8121/file | sha256sum");
        Assert.Equal((0, $"{path.Digest}  -\n{path.Digest}  -\n"), (ended.ExitCode, ended.Output));
    }

    [SkippableFact]
    public void What_destinations_say_the_program_sees()
    {
        path.Need("python3");
        var ended = Run("python3", "-c", """
            import errno, socket
            def error(call):
                try: call()
                except OSError as e: return errno.errorcode[e.errno]
            def connect(address, port):
                s = socket.socket(socket.AF_INET6); s.settimeout(20); s.connect((address, port))
            def ask(address, port):
                s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.settimeout(20); s.connect((address, port)); s.send(b"x"); s.recv(1)
            print(error(lambda: connect("fd00:99::1", 9)), error(lambda: connect("fd00:50::1", 9)), error(lambda: connect("fd00:99::77", 9)),
                error(lambda: ask("fd00:99::1", 9)), error(lambda: connect("fd00:99::2", 9)), error(lambda: connect("::1", 9)))
            """);
        Assert.Equal((0, "ECONNREFUSED ENETUNREACH EHOSTUNREACH ECONNREFUSED ECONNREFUSED ECONNREFUSED\n"), (ended.ExitCode, ended.Output));
    }

    [SkippableFact]
    public async Task Datagrams_and_pings_of_every_length_go_both_ways()
    {
        path.Need("python3", "ping");
        using var server = await path.ServeOnKernelAsync(8122, "python3", "-u", ProgramPath.SourceOf("udp_echo.py"), path.KernelAddress, "8122");
        var ended = Run("sh", "-c", """
            python3 -c '
            import os, socket
            s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.settimeout(20)
            for n in 0, 1, 1452, 1453, 2900, 9000, 40000, 65507:
                sent = os.urandom(n); s.sendto(sent, ("fd00:99::1", 8122)); print(s.recv(65536) == sent)'
            ping -6 -c 1 -W 10 fd00:99::1 | grep -o '1 received'
            ping -6 -c 1 -W 10 -s 20000 fd00:99::1 | grep -o '1 received'
            ping -4 -c 1 -W 10 10.99.0.1 | grep -o '1 received'
            """);
        Assert.Equal((0, string.Concat(Enumerable.Repeat("True\n", 8)) + string.Concat(Enumerable.Repeat("1 received\n", 3))), (ended.ExitCode, ended.Output));
    }

    [SkippableFact]
    public async Task Names_are_asked_of_a_server_over_IPv6()
    {
        path.Need("dnsmasq", "dig", "getent");
        using var server = await path.ServeOnKernelAsync(53, "dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces", "-a", path.KernelAddress, "--user=root",
            "--address=/far.example/fd00:99::42");
        var ended = Run(["--dns", NamedServer], "sh", "-c", "grep nameserver /etc/resolv.conf; dig +short far.example AAAA; dig +tcp +short @fd00:99::1 far.example AAAA; getent ahostsv6 far.example | head -1");
        Assert.StartsWith($"nameserver {NamedServer}\nfd00:99::42\nfd00:99::42\nfd00:99::42 ", ended.Output, StringComparison.Ordinal);
        Assert.Equal((0, ""), (ended.ExitCode, ended.Error));
    }

    [SkippableFact]
    public async Task Bulk_goes_both_ways_in_super_frames()
    {
        path.Need("iperf3");
        using var server = await path.ServeOnKernelAsync(8123, "iperf3", "-s", "-p", "8123");
        var program = TapwireProgram.Start(path.Driver.Namespace, "run", "--netns", "--link", path.Driver.LinkPath, "--", "sh", "-c",
            $"{Iperf.Function}\niperf -6 -c {path.KernelAddress} -p 8123 -n 30M >/dev/null && iperf -6 -c {path.KernelAddress} -p 8123 -n 30M -R >/dev/null && echo both && exec sleep 100");
        program.WaitForLine("both");
        var wire = (await path.Driver.StatusAsync()).GetProperty("guests").EnumerateArray().Single(each => each.GetProperty("process").GetInt32() == program.Pid).GetProperty("wire");
        foreach (var way in new[] { "Received", "Sent" })
        {
            var (bytes, frames) = (wire.GetProperty($"bytes{way}").GetInt64(), wire.GetProperty($"frames{way}").GetInt64());
            // Frames of 1,500 bytes, and ACKs of the other way, would be many more.
            Assert.True(bytes > 25_000_000 && bytes / frames > 1500, $"{way}: {bytes} bytes in {frames} frames.");
        }

        program.Stop();
    }

    [SkippableFact]
    public async Task A_server_is_reached_over_either_family_and_sees_its_peers()
    {
        path.Need("python3");
        var server = Start(["--publish", "tcp:8080=80,udp:[fd00:99::2]:5353=53,tcp:[fd00:99::2]:8081=80"], "python3", "-c", """
            import socket, threading
            def tcp():
                while True:
                    c, a = listener.accept()
                    c.sendall(b"from %s %d" % (a[0].encode(), a[1])); c.close()
            listener = socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True)
            threading.Thread(target=tcp, daemon=True).start()
            u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); u.bind(("::", 53))
            print("ready", flush=True)
            while True:
                d, a = u.recvfrom(65536); u.sendto(d + b" from %s %d" % (a[0].encode(), a[1]), a)
            """);
        server.WaitForLine("ready");
        foreach (var (address, port, peer) in new[] { (LiveDriver.AddressV6, 8080, LiveDriver.KernelAddressV6), (LiveDriver.AddressV6, 8081, LiveDriver.KernelAddressV6), (LiveDriver.Address, 8080, $"::ffff:{LiveDriver.KernelAddress}") })
        {
            var to = IPAddress.Parse(address);
            using var client = path.Driver.Namespace.OpenSocket(SocketType.Stream, to.AddressFamily);
            await client.ConnectAsync(new IPEndPoint(to, port)).WaitAsync(TimeSpan.FromSeconds(60));
            await using var stream = new NetworkStream(client);
            Assert.Equal($"from {peer} {((IPEndPoint)client.LocalEndPoint!).Port}", await new StreamReader(stream).ReadToEndAsync());
        }

        using var datagrams = path.Driver.BindInKernel(AddressFamily.InterNetworkV6);
        var name = new IPEndPoint(IPAddress.Parse(LiveDriver.AddressV6), 5353);
        await datagrams.SendToAsync("hello"u8.ToArray(), name);
        var buffer = new byte[100];
        var received = await datagrams.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.IPv6Any, 0)).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(($"hello from {LiveDriver.KernelAddressV6} {((IPEndPoint)datagrams.LocalEndPoint!).Port}", name.ToString()),
            (Encoding.ASCII.GetString(buffer, 0, received.ReceivedBytes), received.RemoteEndPoint.ToString()));
        var guest = (await path.Driver.StatusAsync()).GetProperty("guests").EnumerateArray().Single(each => each.GetProperty("process").GetInt32() == server.Pid);
        Assert.Equal(["10.99.0.2", "fd00:99::2"], guest.GetProperty("addresses").EnumerateArray().Select(static each => each.GetString()));
        Assert.Contains($"guest        10.99.0.2, fd00:99::2, process {server.Pid}: ", TapwireProgram.Run(path.Driver.Namespace, "status", "--link", path.Driver.LinkPath).Output, StringComparison.Ordinal);
        server.Stop();
    }

    /// <summary>A router beyond has a shorter link, and the program's kernel learns it.</summary>
    [SkippableFact]
    public void What_the_path_beyond_does_not_take_the_program_learns()
    {
        path.Need("python3");
        using var driver = LiveDriver.Start("", $"tap:{LiveDriver.Device}", [.. LiveDriver.V6, "--gateway", LiveDriver.KernelAddressV6]);
        driver.Namespace.Sysctl("net/ipv6/conf/all/forwarding", "1");
        driver.Namespace.Exec("ip", "-6", "route", "add", "fd00:50::/64", "via", "fd00:99::77", "dev", LiveDriver.Device, "mtu", "1280");
        var ended = TapwireProgram.Run(driver.Namespace, "run", "--netns", "--dns", NamedServer, "--link", driver.LinkPath, "--", "python3", "-c", """
            import errno, socket, time
            s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.setsockopt(41, 23, 2); s.connect(("fd00:50::9", 9))
            for i in range(600):
                try: s.send(bytes(1400))
                except OSError as e: print(errno.errorcode[e.errno], s.getsockopt(41, 24)); break
                time.sleep(0.1)
            """);
        Assert.Equal((0, "EMSGSIZE 1280\n"), (ended.ExitCode, ended.Output));
        driver.StopCleanly();
    }

    [SkippableFact]
    public void A_driver_of_its_own_with_IPv6_only_serves_the_namespace_too()
    {
        path.Need("ping", "ip");
        var ended = TapwireProgram.Run(path.Driver.Namespace, "run", "--netns", "--dns", "fd00:96::1", "--wire", "tap:tw7", "--address", "fd00:96::2/64", "--peer-address", "fd00:96::1/64", "--",
            "sh", "-c", "ping -6 -c 1 -W 20 fd00:96::1 >/dev/null && ip -4 -o addr show dev tapwire0 && exit 3");
        Assert.Equal((3, "", ""), (ended.ExitCode, ended.Output, ended.Error));
    }

    [SkippableFact]
    public void A_name_server_of_a_family_that_it_lacks_is_refused_in_a_line()
    {
        var ended = TapwireProgram.Run(path.Driver.Namespace, "run", "--netns", "--dns", "10.96.0.1", "--wire", "tap:tw7", "--address", "fd00:96::2/64", "--", "true");
        Assert.Equal((1, "tapwire: The name server 10.96.0.1 of --dns is out of reach: the driver has no IPv4 address that the namespace could have.\n"), (ended.ExitCode, ended.Error));
    }

    private CommandResult Run(params string[] command) => Run(["--dns", NamedServer], command);

    private CommandResult Run(string[] options, params string[] command) => Start(options, command).WaitForExit();

    private TapwireProgram Start(string[] options, params string[] command) =>
        TapwireProgram.Start(path.Driver.Namespace, ["run", "--netns", "--link", path.Driver.LinkPath, .. options, "--", .. command]);
}
