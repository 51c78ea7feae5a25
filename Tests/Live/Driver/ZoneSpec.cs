using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text;
using Tapwire.Tests.Live.Proxy;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>A driver with two wires, of which only the second leads to fe80::1: what has a zone goes there (RFC 4007).</summary>
[Collection(LiveProgramsCollection.Name)]
[SupportedOSPlatform("linux")]
public sealed class ZoneSpec : IDisposable
{
    private const int Port = 7777;

    private const string Connects = """
        import socket, sys
        zone = socket.if_nametoindex("b")
        stream = socket.create_connection(("fe80::1%b", 7777), 30)
        stream.sendall(b"stream")
        print(stream.recv(100).decode())
        print([name[3] == zone for name in (stream.getsockname(), stream.getpeername())], stream.getsockname()[0].split("%")[0] != "fe80::1")
        bound = socket.socket(socket.AF_INET6)
        bound.bind((stream.getsockname()[0], 0, 0, zone))
        print(bound.getsockname()[3] == zone)
        bound.listen()
        print(bound.getsockname()[3] == zone)
        datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        datagrams.settimeout(30)
        datagrams.sendto(b"sent", ("fe80::1", 7777, 0, zone))
        print(datagrams.recv(100).decode())
        connected = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        connected.settimeout(30)
        connected.connect(("fe80::1", 7777, 0, zone))
        connected.send(b"connected")
        print(connected.recv(100).decode())
        print(connected.getsockname()[3] == connected.getpeername()[3] == zone)
        try:
            socket.socket(socket.AF_INET6).connect(("fe80::1", 7777, 0, 99))
        except OSError as error:
            print(error.strerror)
        """;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-zone-");
    private readonly NetworkNamespace _network = NetworkNamespace.Create();

    private string LinkPath => Path.Combine(_directory.FullName, "link.sock");

    public void Dispose()
    {
        _network.Dispose();
        _directory.Delete(recursive: true);
    }

    [SkippableFact]
    public async Task A_zone_says_by_which_wire_a_link_local_address_is_reached()
    {
        ProxiedDriver.Need(_network, "python3");
        var program = TapwireProgram.Start(_network, "up", "--wire", "tap:a", "--address", "fd00:91::2/64", "--peer-address", "fd00:91::1/64",
            "--wire", "tap:b", "--address", "fd00:92::2/64", "--peer-address", "fd00:92::1/64", "--link", LinkPath,
            "--forward", $"tcp:127.0.0.1:8080=[fe80::1%b]:{Port}", "--forward", $"udp:127.0.0.1:8080=[fe80::1%b]:{Port}");
        program.WaitForLine("tapwire is up");
        _network.Ip("addr add fe80::1/64 dev b nodad");
        using var stopping = new CancellationTokenSource();
        using var listener = _network.OpenSocket(SocketType.Stream, AddressFamily.InterNetworkV6);
        listener.Bind(new IPEndPoint(IPAddress.IPv6Any, Port));
        listener.Listen();
        using var datagrams = _network.OpenSocket(SocketType.Dgram, AddressFamily.InterNetworkV6);
        datagrams.Bind(new IPEndPoint(IPAddress.IPv6Any, Port));
        var serving = Task.WhenAll(EchoStreamsAsync(listener, stopping.Token), EchoDatagramsAsync(datagrams, stopping.Token));

        var pinged = Run("ping", "-c", "1", "--timeout", "20s", "fe80::1%b");
        Assert.Equal((0, ""), (pinged.ExitCode, pinged.Error));
        Assert.StartsWith("PING fe80::1%b: 56 data bytes\n56 bytes from fe80::1", pinged.Output, StringComparison.Ordinal);
        var silent = Run("ping", "-c", "1", "fe80::1%a");
        Assert.Equal((1, "tapwire: fe80::1%a does not answer.\n"), (silent.ExitCode, silent.Error));
        Assert.Contains("tapwire: The driver has no interface zz; 'tapwire status' shows those there are.\n", Run("ping", "-c", "1", "fe80::1%zz").Error, StringComparison.Ordinal);

        var programs = Run("run", "--", "python3", "-c", Connects);
        Assert.Equal(("stream\n[True, True] True\nTrue\nTrue\nsent\nconnected\nTrue\nNo such device\n", ""), (programs.Output, programs.Error));

        using var forwarded = _network.OpenSocket();
        await forwarded.ConnectAsync(IPAddress.Loopback, 8080);
        await forwarded.SendAsync("forwarded"u8.ToArray());
        var buffer = new byte[100];
        Assert.Equal("forwarded", Encoding.ASCII.GetString(buffer, 0, await forwarded.ReceiveAsync(buffer)));
        using var client = _network.OpenSocket(SocketType.Dgram);
        await client.ConnectAsync(IPAddress.Loopback, 8080);
        await client.SendAsync("datagram"u8.ToArray());
        Assert.Equal("datagram", Encoding.ASCII.GetString(buffer, 0, await client.ReceiveAsync(buffer).WaitAsync(TimeSpan.FromSeconds(30))));
        await stopping.CancelAsync();
        await serving;
        Assert.Equal(0, program.Stop().ExitCode);
    }

    /// <summary>The link's path goes before the program that is run.</summary>
    private CommandResult Run(string command, params string[] arguments) => TapwireProgram.Run(_network, [command, "--link", LinkPath, .. arguments]);

    private static async Task EchoStreamsAsync(Socket listener, CancellationToken stopping)
    {
        try
        {
            while (true)
            {
                using var stream = await listener.AcceptAsync(stopping);
                var buffer = new byte[100];
                var length = await stream.ReceiveAsync(buffer, stopping);
                await stream.SendAsync(buffer.AsMemory(0, length), stopping);
            }
        }
        catch (OperationCanceledException)
        {
            // The spec is done.
        }
    }

    private static async Task EchoDatagramsAsync(Socket socket, CancellationToken stopping)
    {
        try
        {
            var buffer = new byte[100];
            while (true)
            {
                var received = await socket.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.IPv6Any, 0), stopping);
                await socket.SendToAsync(buffer.AsMemory(0, received.ReceivedBytes), SocketFlags.None, received.RemoteEndPoint, stopping);
            }
        }
        catch (OperationCanceledException)
        {
            // The spec is done.
        }
    }
}
