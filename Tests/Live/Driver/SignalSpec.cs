using System.Net;
using System.Net.Sockets;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>What signals other than those that stop it do to a driver.</summary>
[Collection(LiveCollection.Name)]
public sealed class SignalSpec : IDisposable
{
    private const int SIGUSR1 = 10;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-signal-");

    public void Dispose() => _directory.Delete(recursive: true);

    [SkippableFact]
    public void SIGUSR1_prints_what_status_prints_and_the_driver_goes_on()
    {
        using var driver = LiveDriver.Start();
        for (var i = 0; i < 2; i++)
        {
            driver.Program.Signal(SIGUSR1);
            Assert.StartsWith("wire         tw0 up, MTU 1500", driver.Program.WaitForLine("wire "), StringComparison.Ordinal);
            driver.Program.WaitForLine("counter ");
        }

        driver.StopCleanly();
    }

    [SkippableFact]
    public async Task SIGHUP_reads_the_settings_again_services_come_and_go_and_connections_live_on()
    {
        using var network = NetworkNamespace.Create();
        var file = Path.Combine(_directory.FullName, "own.conf");
        void Write(string serve) => File.WriteAllText(file, $"tapwire {{ addresses = [\"10.99.0.2/24\"], tap.peer-address = 10.99.0.1/24, {serve}, mtu = 1400 }}\n");
        Write("serve = [\"echo:7\", \"discard:9\"]");
        var program = TapwireProgram.Start(network, "up", "--config", file, "--link", "off", "--mtu", "1500");
        program.WaitForLine("tapwire is up");
        using var socket = network.OpenSocket();
        await socket.ConnectAsync(IPAddress.Parse(LiveDriver.Address), 7).WaitAsync(TimeSpan.FromSeconds(30));
        await using var connection = new NetworkStream(socket);
        await EchoAsync(connection);

        Write("serve = [\"http:80\", \"discard:9\"], shards = 2");
        program.Signal(TapwireProgram.SIGHUP);
        await LiveDriver.EventuallyAsync(() => Task.FromResult(Connects(network, 80) && !Connects(network, 7)), () => "The services do not change.");
        await EchoAsync(connection);

        // Nothing of a file that is wrong is taken. Settings are read before counters are shown.
        Write("serve = [], mtuu = 5");
        program.Signal(TapwireProgram.SIGHUP);
        program.Signal(SIGUSR1);
        program.WaitForLine("counter ");
        Assert.True(Connects(network, 80));
        await EchoAsync(connection);

        var ended = program.Stop();
        Assert.Equal(0, ended.ExitCode);
        Assert.Contains(" INF Settings read again: echo:7 closed, http:80 opened ", ended.Error, StringComparison.Ordinal);
        Assert.Contains(" WRN These settings take effect at the next start: tapwire.shards ", ended.Error, StringComparison.Ordinal);
        Assert.Contains($" ERR The settings stay as they are: {file} line 1: tapwire.mtuu is not a setting. Did you mean tapwire.mtu? ", ended.Error, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_terminal_that_hangs_up_stops_the_driver_in_order_and_it_ends_with_129()
    {
        using var network = NetworkNamespace.Create();
        Skip.IfNot(File.Exists("/usr/bin/script"), "there is no 'script' command, which makes a terminal");
        var (link, log, code) = (Path.Combine(_directory.FullName, "link.sock"), Path.Combine(_directory.FullName, "log"), Path.Combine(_directory.FullName, "code"));

        // The shell on that terminal outlives it, passes the signal on as a shell does, and says how the driver has ended. Its first wait ends with the signal.
        using var terminal = network.Start("script", "-q", "-c",
            $"{TapwireProgram.Host} exec {TapwireProgram.Assembly} up --address 10.99.0.2/24 --link {link} --log-file {log} & trap \"kill -HUP $!\" HUP; wait $!; wait $!; echo $? > {code}",
            "/dev/null");
        Eventually(() => File.Exists(link) && network.TryExec("ip", "link", "show", "tw0").ExitCode == 0, "The driver does not come up.");
        terminal.Kill();
        Eventually(() => File.Exists(code) && File.ReadAllText(code).Length > 0, "The driver does not end.");
        Assert.Equal("129\n", File.ReadAllText(code));
        Assert.False(File.Exists(link));
        LiveDriver.AssertQuiet(File.ReadAllText(log));
    }

    [SkippableFact]
    public void A_SIGHUP_that_is_ignored_from_the_start_stays_ignored()
    {
        using var network = NetworkNamespace.Create();
        var program = TapwireProgram.StartBy(network, ["nohup"], "up", "--address", "10.99.0.2/24", "--link", "off");
        program.WaitForLine("tapwire is up");
        program.Signal(TapwireProgram.SIGHUP);
        program.Signal(SIGUSR1);
        program.WaitForLine("counter ");
        var ended = program.Stop();
        Assert.Equal(0, ended.ExitCode);
        Assert.DoesNotContain("settings", ended.Error, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_cable_ends_with_129_when_it_is_hung_up()
    {
        using var network = NetworkNamespace.Create();
        var program = TapwireProgram.Start(network, "cable", "--a", "tap:ca", "--b", "tap:cb");
        program.WaitForLine("tapwire cable is up");
        var ended = program.Stop(TapwireProgram.SIGHUP);
        Assert.Equal(129, ended.ExitCode);
        Assert.Contains("frames ", ended.Output, StringComparison.Ordinal);
    }

    private static bool Connects(NetworkNamespace network, int port)
    {
        using var socket = network.OpenSocket();
        try
        {
            socket.Connect(IPAddress.Parse(LiveDriver.Address), port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static async Task EchoAsync(NetworkStream connection)
    {
        await connection.WriteAsync("x"u8.ToArray());
        Assert.Equal(1, await connection.ReadAsync(new byte[1]).AsTask().WaitAsync(TimeSpan.FromSeconds(30)));
    }

    private static void Eventually(Func<bool> condition, string otherwise) =>
        LiveDriver.EventuallyAsync(() => Task.FromResult(condition()), () => otherwise).GetAwaiter().GetResult();
}
