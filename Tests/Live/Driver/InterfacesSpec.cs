using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Tapwire.Links.Client;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>One driver on several devices, with the kernel at the other end of each.</summary>
[Collection(LiveNetworksCollection.Name)]
public sealed class InterfacesSpec : IDisposable
{
    private const int Echo = 7;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-interfaces-");
    private readonly NetworkNamespace _network = NetworkNamespace.Create();

    private string LinkPath => Path.Combine(_directory.FullName, "link.sock");

    public void Dispose()
    {
        _network.Dispose();
        _directory.Delete(recursive: true);
    }

    [SkippableTheory]
    [InlineData("tap:b", 1)]
    [InlineData("tun:b", 1)]
    [InlineData("tap:b", 2)]
    public async Task Two_wires_on_the_command_line_carry_connections_both_ways(string second, int shards)
    {
        var program = TapwireProgram.Start(_network, "up", "--wire", "tap:a", "--address", "10.91.0.2/24", "--peer-address", "10.91.0.1/24",
            "--wire", second, "--address", "10.92.0.2/24", "--peer-address", "10.92.0.1/24", "--mtu", "1400", "--serve", $"echo:{Echo}", "--link", LinkPath, "--shards", $"{shards}");
        Assert.Contains($"10.91.0.2/24 on tap:a; 10.92.0.2/24 on {second}", program.WaitForLine("tapwire is up"), StringComparison.Ordinal);
        Assert.Contains("mtu 1400 ", _network.Ip("link show b"), StringComparison.Ordinal);
        await Task.WhenAll(EchoFromKernelAsync("10.91.0.2", 8 << 20), EchoFromKernelAsync("10.92.0.2", 8 << 20), EchoFromApplicationAsync("10.91.0.1"), EchoFromApplicationAsync("10.92.0.1"));

        var interfaces = (await StatusAsync()).GetProperty("interfaces");
        Assert.Equal(["a", "b"], interfaces.EnumerateArray().Select(each => each.GetProperty("name").GetString()));
        Assert.All(interfaces.EnumerateArray(), each => Assert.True(each.GetProperty("wire").GetProperty("bytesReceived").GetInt64() > 8 << 20));

        // The strong host model: an address of the one is not to be had by the other.
        _network.Ip("route add 10.91.0.2/32 via 10.92.0.2 dev b");
        Assert.NotEqual(0, _network.TryExec("ping", "-c", "1", "-W", "1", "10.91.0.2").ExitCode);
        Assert.Equal(0, program.Stop().ExitCode);
    }

    [SkippableFact]
    public async Task A_device_that_is_deleted_under_traffic_comes_back_and_the_other_notices_nothing()
    {
        var program = Up();
        using var steady = await ConnectAsync("10.91.0.2");
        using var broken = await ConnectAsync("10.92.0.2");
        await RoundTripAsync(steady);
        await RoundTripAsync(broken);
        _network.Ip("link del dev b");
        await RoundTripAsync(steady);
        await LiveDriver.EventuallyAsync(async () => (await WireOfAsync("b")).GetProperty("up").GetBoolean(), () => "The device does not come back.");
        await EchoFromKernelAsync("10.92.0.2", 1 << 20);
        await RoundTripAsync(steady);
        program.Stop();
    }

    [SkippableFact]
    public async Task An_interface_that_is_removed_under_traffic_tells_its_sockets_and_comes_again()
    {
        var program = Up();
        using var client = await TapwireClient.ConnectAsync(LinkPath).WaitAsync(Patience);
        using var server = _network.OpenSocket();
        server.Bind(new IPEndPoint(IPAddress.Any, 0));
        server.Listen(8);
        var port = ((IPEndPoint)server.LocalEndPoint!).Port;
        await using var staying = await client.ConnectTcpAsync(new IPEndPoint(IPAddress.Parse("10.91.0.1"), port)).WaitAsync(Patience);
        using var stayingPeer = await server.AcceptAsync().WaitAsync(Patience);
        await using var going = await client.ConnectTcpAsync(new IPEndPoint(IPAddress.Parse("10.92.0.1"), port)).WaitAsync(Patience);
        using var goingPeer = await server.AcceptAsync().WaitAsync(Patience);
        using var kernel = await ConnectAsync("10.92.0.2");

        // Traffic in both directions on each, until it fails or is told to end.
        using var ending = new CancellationTokenSource();
        var (stayed, went) = (PumpAsync(staying, stayingPeer, ending.Token), PumpAsync(going, goingPeer, ending.Token));
        await RoundTripAsync(kernel);

        WriteSettings(hasLab: false);
        program.Signal(TapwireProgram.SIGHUP);
        // The error is told once: to who writes, or to who reads.
        var pumped = await Assert.ThrowsAnyAsync<IOException>(() => went.WaitAsync(Patience));
        var read = await Assert.ThrowsAnyAsync<IOException>(() => going.ReadExactlyAsync(new byte[1 << 20]).AsTask().WaitAsync(Patience));
        Assert.True(new[] { pumped, read }.Any(told => told.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionAborted }), $"{pumped} {read}");
        // The kernel's sides have been reset, not left to find out.
        var buffer = new byte[1];
        Assert.Equal(SocketError.ConnectionReset, (await Assert.ThrowsAsync<SocketException>(() => kernel.ReceiveAsync(buffer).WaitAsync(Patience))).SocketErrorCode);
        Assert.NotEqual(0, _network.TryExec("ip", "link", "show", "b").ExitCode);
        Assert.False(stayed.IsCompleted);
        Assert.Equal(["a"], (await StatusAsync()).GetProperty("interfaces").EnumerateArray().Select(each => each.GetProperty("name").GetString()));

        WriteSettings(hasLab: true);
        program.Signal(TapwireProgram.SIGHUP);
        await LiveDriver.EventuallyAsync(() => Task.FromResult(_network.TryExec("ping", "-c", "1", "-W", "1", "10.92.0.2").ExitCode == 0), () => "The interface does not come again.");
        await EchoFromKernelAsync("10.92.0.2", 1 << 20);
        Assert.False(stayed.IsCompleted);
        await ending.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stayed.WaitAsync(Patience));
        var ended = program.Stop();
        Assert.Equal(0, ended.ExitCode);
        Assert.Contains(" INF Settings read again: interface lab removed", ended.Error, StringComparison.Ordinal);
        Assert.Contains(" INF Settings read again: interface lab added", ended.Error, StringComparison.Ordinal);
    }

    /// <summary>A driver whose settings have the device a for itself and b as its lab.</summary>
    private TapwireProgram Up()
    {
        WriteSettings(hasLab: true);
        var program = TapwireProgram.Start(_network, "up", "--config", Path.Combine(_directory.FullName, "own.conf"), "--link", LinkPath);
        program.WaitForLine("tapwire is up");
        return program;
    }

    private void WriteSettings(bool hasLab) => File.WriteAllText(Path.Combine(_directory.FullName, "own.conf"), $$"""
        tapwire {
          wire = "tap:a"
          addresses = ["10.91.0.2/24"]
          tap.peer-address = "10.91.0.1/24"
          tap.reopen-minimum = 10ms
          serve = ["echo:{{Echo}}"]
          {{(hasLab ? """interfaces.lab { wire = "tap:b", addresses = ["10.92.0.2/24"], peer-address = "10.92.0.1/24" }""" : "")}}
        }
        """);

    private async Task<Socket> ConnectAsync(string address)
    {
        var socket = _network.OpenSocket();
        await socket.ConnectAsync(IPAddress.Parse(address), Echo).WaitAsync(Patience);
        return socket;
    }

    private static async Task RoundTripAsync(Socket socket)
    {
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync(new byte[100_000]).AsTask().WaitAsync(Patience);
        await stream.ReadExactlyAsync(new byte[100_000]).AsTask().WaitAsync(Patience);
    }

    private async Task EchoFromKernelAsync(string address, int bytes)
    {
        using var socket = await ConnectAsync(address);
        await using var stream = new NetworkStream(socket);
        await Transfer.EchoAsync(stream, bytes);
    }

    private async Task EchoFromApplicationAsync(string kernelAddress)
    {
        using var server = _network.OpenSocket();
        server.Bind(new IPEndPoint(IPAddress.Parse(kernelAddress), 0));
        server.Listen(1);
        using var client = await TapwireClient.ConnectAsync(LinkPath).WaitAsync(Patience);
        await using var stream = await client.ConnectTcpAsync((IPEndPoint)server.LocalEndPoint!).WaitAsync(Patience);
        using var accepted = await server.AcceptAsync().WaitAsync(Patience);
        await using var peer = new NetworkStream(accepted);
        await stream.WriteAsync(new byte[100_000]);
        await peer.ReadExactlyAsync(new byte[100_000]).AsTask().WaitAsync(Patience);
        await peer.WriteAsync(new byte[100_000]);
        await stream.ReadExactlyAsync(new byte[100_000]).AsTask().WaitAsync(Patience);
    }

    /// <summary>Has an application and its peer write to each other and read, without an end.</summary>
    private static async Task PumpAsync(Stream application, Socket peer, CancellationToken ending)
    {
        await using var far = new NetworkStream(peer);
        var buffer = new byte[16_384];
        while (true)
        {
            await application.WriteAsync(buffer, ending);
            await far.ReadExactlyAsync(new byte[buffer.Length], ending);
            await far.WriteAsync(buffer, ending);
            await application.ReadExactlyAsync(new byte[buffer.Length], ending);
        }
    }

    private async Task<JsonElement> StatusAsync()
    {
        using var client = await TapwireClient.ConnectAsync(LinkPath).WaitAsync(Patience);
        using var status = JsonDocument.Parse(await client.GetStatusAsync().WaitAsync(Patience));
        return status.RootElement.Clone();
    }

    private async Task<JsonElement> WireOfAsync(string device) =>
        (await StatusAsync()).GetProperty("interfaces").EnumerateArray().Select(each => each.GetProperty("wire")).First(wire => wire.GetProperty("name").GetString() == device);
}
