using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>What cannot be done is refused with one line that says what is wrong, and with the exit code of its kind.</summary>
[Collection(LiveCollection.Name)]
public sealed class BadInputSpec
{
    private const int Failed = 1;
    private const int Usage = 2;

    /// <summary>Still root, so that the program's files can be read, but without any of root's privileges.</summary>
    private static readonly string[] NoPrivileges = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];

    [SkippableFact]
    public void No_address_is_refused_with_how_to_give_one()
    {
        using var network = NetworkNamespace.Create();
        Expect(network, Usage, "tapwire: The stack has no address; give one with --address, as in --address 10.99.0.2/24, or in tapwire.addresses, or have it given by a DHCP server with --dhcp, or by routers with --slaac.\n", "up");
        Assert.DoesNotContain("tw0", network.Ip("link"), StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("--address", "10.99.0.2/33", "--address is \"10.99.0.2/33\"; it must be ADDRESS/LENGTH, as in 10.99.0.2/24 or fd00::2/64.")]
    [InlineData("--address", "nonsense", "--address is \"nonsense\"; it must be ADDRESS/LENGTH, as in 10.99.0.2/24 or fd00::2/64.")]
    [InlineData("--mtu", "67", "--mtu is \"67\"; it must be a number from 68 to 65521.")]
    [InlineData("--mac", "01:00:5e:00:00:01", "--mac is \"01:00:5e:00:00:01\"; it must be a unicast address, as in 02:00:5e:10:00:01: 01:00:5e:00:00:01 is the address of a group; its first byte must be even.")]
    [InlineData("--gateway", "10.99.0", "--gateway is \"10.99.0\"; it must be an IP address, as in 10.99.0.1 or fd00::1.")]
    [InlineData("--wire", "carrier-pigeon", "--wire is \"carrier-pigeon\"; it must be ")]
    [InlineData("--serve", "echo:70000", "--serve is \"echo:70000\"; it must be ")]
    public void A_bad_value_of_a_flag_is_refused_by_name_with_what_is_accepted(string flag, string value, string complaint)
    {
        using var network = NetworkNamespace.Create();
        var ended = TapwireProgram.Run(network, "up", flag, value);
        Assert.Equal(Usage, ended.ExitCode);
        Assert.StartsWith("tapwire: " + complaint, ended.Error, StringComparison.Ordinal);
        AssertUsage(ended);
    }

    [SkippableFact]
    public void An_unknown_flag_is_refused_by_name()
    {
        using var network = NetworkNamespace.Create();
        var ended = TapwireProgram.Run(network, "up", "--adress", "10.99.0.2/24");
        Assert.Equal(Usage, ended.ExitCode);
        Assert.Contains("--adress", ended.Error, StringComparison.Ordinal);
        Assert.EndsWith("tapwire: see 'tapwire up --help'.\n", ended.Error, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("tapwire {\n  # a slip\n  tcp.recieve-buffer = 1MiB\n}", "FILE line 3: tapwire.tcp.recieve-buffer is not a setting. Did you mean tapwire.tcp.receive-buffer?")]
    [InlineData("tapwire.colour = blue", "FILE line 1: tapwire.colour is not a setting.")]
    [InlineData("tapwire.tap {\n  offload = maybe\n}", "FILE line 2: tapwire.tap.offload is \"maybe\"; it must be on or off.")]
    [InlineData("\n\ntapwire.stack.hop-limit = 256", "FILE line 3: tapwire.stack.hop-limit is \"256\"; it must be a number from 1 to 255.")]
    [InlineData("tapwire.tcp.min-rto = -5ms", "FILE line 1: tapwire.tcp.min-rto is \"-5ms\"; it must be a time from 1ms to 1h, as in 500ms.")]
    [InlineData("tapwire.dispatcher.spin = 5h", "FILE line 1: tapwire.dispatcher.spin is \"5h\"; it must be a time from 0 to 1ms, as in 500ms.")]
    [InlineData("tapwire.dispatcher.type = \"No.Such\"",
        "FILE line 1: tapwire.dispatcher.type is \"No.Such\"; it must be \"Tapwire.Actors.Dispatch.ReactorDispatcherConfigurator, Tapwire.Actors\".")]
    [InlineData("tapwire.dispatcher.colour = red", "FILE line 1: tapwire.dispatcher.colour is not a setting.")]
    public void A_bad_setting_is_refused_by_key_and_line(string settings, string complaint)
    {
        using var network = NetworkNamespace.Create();
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, settings);
            Expect(network, Usage, $"tapwire: {complaint.Replace("FILE", file, StringComparison.Ordinal)}\n", "up", "--address", "10.99.0.2/24", "--config", file);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [SkippableTheory]
    [InlineData("akka.actor.default-dispatcher.throughput = x")]
    [InlineData("akka.scheduler.implementation = \"No.Such\"")]
    [InlineData("akka.actor.default-dispatcher.type = \"No.Such\"")]
    [InlineData("akka.coordinated-shutdown.phases.a.timeout = x")]
    public void A_setting_that_the_actor_system_cannot_use_is_refused_with_one_line(string settings)
    {
        using var network = NetworkNamespace.Create();
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, settings);
            var ended = TapwireProgram.Run(network, "up", "--address", "10.99.0.2/24", "--link", "off", "--config", file);
            Assert.Equal(Usage, ended.ExitCode);
            Assert.StartsWith("tapwire: The actor system does not start: ", ended.Error, StringComparison.Ordinal);
            AssertOneLine(ended.Error);
            Assert.Empty(ended.Output);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [SkippableTheory]
    [InlineData("10.99.0.2/24", "10.98.0.1", "The gateway 10.98.0.1 is on no network of the stack's addresses, 10.99.0.2/24; name a router on one of them.")]
    [InlineData("10.99.0.2/24", "10.99.0.2", "The gateway 10.99.0.2 is the stack's own address; name the router's.")]
    public void A_gateway_that_cannot_be_is_refused_before_there_is_a_device(string address, string gateway, string complaint)
    {
        using var network = NetworkNamespace.Create();
        Expect(network, Usage, $"tapwire: {complaint}\n", "up", "--address", address, "--gateway", gateway, "--link", "off");
        Assert.DoesNotContain("tw0", network.Ip("link"), StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData(30)]
    [InlineData(64)]
    [InlineData(255)]
    public void A_limit_on_open_files_that_is_too_low_is_named_with_what_to_do(int limit)
    {
        var ended = Shell($"ulimit -n {limit}; exec TAPWIRE demo --size 1KiB");
        Assert.Equal($"tapwire: The limit on open files is {limit}, and tapwire needs at least 256; raise it with 'ulimit -n 1024', or with LimitNOFILE= in a unit of systemd.\n",
            ended.Error);
        Assert.Equal((Failed, ""), (ended.ExitCode, ended.Output));
    }

    [SkippableTheory]
    [InlineData("demo --size 1KiB >/dev/full", "tapwire: Standard output cannot be written: No space left on device; redirect it elsewhere.\n")]
    [InlineData("--help >/dev/full", "tapwire: Standard output cannot be written: No space left on device; redirect it elsewhere.\n")]
    [InlineData("demo --size 1KiB >&-", "tapwire: Standard output is closed, or open for reading only; redirect it to a file, or to /dev/null.\n")]
    [InlineData("--version >&-", "tapwire: Standard output is closed, or open for reading only; redirect it to a file, or to /dev/null.\n")]
    public void Standard_output_that_cannot_be_written_is_said(string line, string complaint)
    {
        var ended = Shell($"exec TAPWIRE {line}");
        Assert.Equal((Failed, complaint, ""), (ended.ExitCode, ended.Error, ended.Output));
    }

    [SkippableTheory]
    [InlineData("fly 2>&-", Usage)]
    [InlineData("fly 2>/dev/full", Usage)]
    [InlineData("demo --size 1KiB <&- >/dev/null", 0)]
    public void Where_nobody_can_be_told_the_exit_code_tells(string line, int code) => Assert.Equal(code, Shell($"exec TAPWIRE {line}").ExitCode);

    [SkippableFact]
    public void Two_drivers_log_to_one_file()
    {
        using var network = NetworkNamespace.Create();
        var file = Path.GetTempFileName();
        try
        {
            var programs = Enumerable.Range(1, 2).Select(i =>
                TapwireProgram.Start(network, "up", "--wire", $"tap:tw{i}", "--address", $"10.99.{i}.2/24", "--link", "off", "--log-file", file)).ToList();
            programs.ForEach(program => program.WaitForLine("tapwire is up"));
            programs.ForEach(program => Assert.Equal(0, program.Stop().ExitCode));
            var log = File.ReadAllText(file);
            Assert.Contains("Wire tw1 is up", log, StringComparison.Ordinal);
            Assert.Contains("Wire tw2 is up", log, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [SkippableFact]
    public void A_file_that_is_not_HOCON_is_refused_with_one_line()
    {
        using var network = NetworkNamespace.Create();
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, "tapwire { tcp }\n");
            var ended = TapwireProgram.Run(network, "up", "--address", "10.99.0.2/24", "--config", file);
            Assert.Equal(Usage, ended.ExitCode);
            Assert.StartsWith($"tapwire: {file}", ended.Error, StringComparison.Ordinal);
            AssertOneLine(ended.Error);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [SkippableFact]
    public void A_missing_settings_file_is_refused_by_name()
    {
        using var network = NetworkNamespace.Create();
        var ended = TapwireProgram.Run(network, "up", "--address", "10.99.0.2/24", "--config", "/nowhere/tapwire.hocon");
        Assert.Equal(Usage, ended.ExitCode);
        Assert.StartsWith("tapwire: The configuration file '/nowhere/tapwire.hocon' cannot be read: ", ended.Error, StringComparison.Ordinal);
        AssertOneLine(ended.Error);
    }

    [SkippableFact]
    public void Two_services_on_one_port_are_refused()
    {
        using var network = NetworkNamespace.Create();
        Expect(network, Usage, "tapwire: Two services on port 7: echo:7, discard:7; give each a port of its own.\n", "up", "--address", "10.99.0.2/24", "--serve", "echo:7,discard:7");
    }

    [SkippableFact]
    public void Without_privileges_it_says_what_is_missing_and_how_to_get_it()
    {
        using var network = NetworkNamespace.Create();
        Skip.If(network.TryExec("setpriv", "--version").ExitCode != 0, "there is no 'setpriv' command");
        var ended = TapwireProgram.StartBy(network, NoPrivileges, "up", "--address", "10.99.0.2/24", "--link", "off").WaitForExit();
        Assert.Equal("tapwire: No permission for the tap device tw0: it needs CAP_NET_ADMIN; or run once as root "
            + "'ip tuntap add dev tw0 mode tap user $USER'; or run inside 'unshare -Urn'.\n", ended.Error);
        Assert.Equal(Failed, ended.ExitCode);
    }

    [SkippableFact]
    public void Without_privileges_a_device_that_is_down_is_refused_with_what_to_do()
    {
        using var network = NetworkNamespace.Create();
        Skip.If(network.TryExec("setpriv", "--version").ExitCode != 0, "there is no 'setpriv' command");
        network.Ip("tuntap add dev tw0 mode tap user 0");
        var ended = TapwireProgram.StartBy(network, NoPrivileges, "up", "--address", "10.99.0.2/24", "--link", "off").WaitForExit();
        Assert.Equal("tapwire: tw0 is down, and changing that needs CAP_NET_ADMIN: run 'ip link set tw0 up' as root.\n", ended.Error);
        Assert.Equal(Failed, ended.ExitCode);
    }

    [SkippableFact]
    public void Without_privileges_a_device_that_root_has_made_and_set_up_will_do()
    {
        using var network = NetworkNamespace.Create();
        Skip.If(network.TryExec("setpriv", "--version").ExitCode != 0, "there is no 'setpriv' command");
        network.Ip("tuntap add dev tw0 mode tap user 0");
        network.Ip("addr add 10.99.0.1/24 dev tw0");
        network.Ip("link set tw0 up");
        var program = TapwireProgram.StartBy(network, NoPrivileges, "up", "--address", "10.99.0.2/24", "--link", "off");
        program.WaitForLine("tapwire is up");
        network.Exec("ping", "-c", "1", "-W", "10", "10.99.0.2");
        var ended = program.Stop();
        Assert.Equal(0, ended.ExitCode);
        LiveDriver.AssertQuiet(ended.Error);
    }

    [SkippableFact]
    public void Inside_a_user_namespace_anybody_can_run_it()
    {
        using var network = NetworkNamespace.Create();
        Skip.If(network.TryExec("unshare", "-Urn", "true").ExitCode != 0, "no user namespace can be made");
        var program = TapwireProgram.StartBy(network, ["unshare", "-Urn"], "up", "--address", "10.99.0.2/24", "--link", "off");
        program.WaitForLine("tapwire is up");
        var ended = program.Stop();
        Assert.Equal(0, ended.ExitCode);
        LiveDriver.AssertQuiet(ended.Error);
    }

    [SkippableFact]
    public void A_device_in_use_is_refused_and_its_driver_goes_on()
    {
        using var driver = LiveDriver.Start("tapwire.shards = 1");
        Expect(driver.Namespace, Failed, "tapwire: The tap device tw0 is in use: another program is attached to it.\n",
            "up", "--address", "10.99.0.3/24", "--link", "off");
        driver.Namespace.Exec("ping", "-c", "1", "-W", "10", LiveDriver.Address);
        driver.StopCleanly();
    }

    [SkippableFact]
    public async Task A_link_path_in_use_is_refused_and_its_driver_goes_on()
    {
        using var driver = LiveDriver.Start();
        Expect(driver.Namespace, Failed, $"tapwire: Another driver is running on '{driver.LinkPath}'; stop it or choose another link path.\n",
            "up", "--wire", "tap:tw1", "--address", "10.98.0.2/24", "--link", driver.LinkPath);
        Assert.DoesNotContain("tw1", driver.Namespace.Ip("link"), StringComparison.Ordinal);
        await driver.StatusAsync();
        driver.StopCleanly();
    }

    [SkippableFact]
    public async Task A_link_client_that_sends_rubbish_is_disconnected_and_logged_and_another_one_does_not_notice()
    {
        using var driver = LiveDriver.Start();
        using var client = await driver.ConnectToLinkAsync();
        await using var stream = await client.ConnectTcpAsync(new System.Net.IPEndPoint(System.Net.IPAddress.Parse(LiveDriver.Address), LiveDriver.Echo));
        var echo = Transfer.EchoAsync(stream, 4 << 20);

        var hello = new byte[16];
        "tapwire\0"u8.CopyTo(hello);
        hello[8] = 1;
        byte[][] rubbish =
        [
            Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: tapwire\r\n\r\n"),
            [.. hello, .. new byte[16]],
            [.. hello, .. Enumerable.Repeat((byte)0xFF, 64)],
            [.. hello, 24, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x77, 2, 0, 1, 0, 0, 0, 0, 0],
        ];
        foreach (var bytes in rubbish)
            await ExpectDisconnectionAsync(driver.LinkPath, bytes);

        await echo;
        Assert.Contains("10.99.0.2/24", await client.GetStatusAsync(), StringComparison.Ordinal);
        var ended = driver.Program.Stop();
        Assert.Equal(0, ended.ExitCode);

        // One line a second of a kind.
        Assert.InRange(ended.Error.Split('\n').Count(static line => line.Contains(" WRN ", StringComparison.Ordinal)), 1, rubbish.Length);
    }

    private static async Task ExpectDisconnectionAsync(string path, byte[] bytes)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        await socket.SendAsync(bytes);
        var buffer = new byte[1024];
        var clock = Stopwatch.StartNew();
        try
        {
            while (await socket.ReceiveAsync(buffer).WaitAsync(TimeSpan.FromSeconds(30)) > 0)
                Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // Closed with bytes of ours unread.
        }
    }

    /// <param name="script">TAPWIRE in it is the program.</param>
    private static CommandResult Shell(string script)
    {
        using var network = NetworkNamespace.Create();
        return network.TryExec("sh", "-c", script.Replace("TAPWIRE", $"{TapwireProgram.Host} exec {TapwireProgram.Assembly}", StringComparison.Ordinal));
    }

    private static void Expect(NetworkNamespace network, int exitCode, string error, params string[] arguments)
    {
        var ended = TapwireProgram.Run(network, arguments);
        Assert.Equal(error, ended.Error);
        Assert.Equal("", ended.Output);
        Assert.Equal(exitCode, ended.ExitCode);
    }

    /// <summary>One line with what is wrong, one that points to the help.</summary>
    private static void AssertUsage(CommandResult ended)
    {
        Assert.Equal(2, ended.Error.Count(static c => c == '\n'));
        Assert.EndsWith("tapwire: see 'tapwire up --help'.\n", ended.Error, StringComparison.Ordinal);
    }

    private static void AssertOneLine(string text)
    {
        Assert.Equal(1, text.Count(static c => c == '\n'));
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
    }
}
