using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Proxy;

/// <summary>
/// A driver with a SOCKS proxy and forwarded ports, for the specs of a class. Its namespace's loopback is the host; the kernel's address on the wire is a host in
/// Tapwire's network.
/// </summary>
public class ProxiedDriver : IDisposable
{
    public const int Socks = 1080;
    public const int Forwarded = 8080;
    public const int Served = 8000;
    public const int Exposed = 8081;
    public const int HostService = 8082;
    public const string Name = "peer.tapwire.test";

    /// <summary>What 'ip netns exec' looks in for files that take the place of /etc's.</summary>
    private const string Etc = "/etc/netns";

    private readonly AddressFamily _family;
    private LiveDriver? _driver;

    public ProxiedDriver()
        : this(AddressFamily.InterNetwork)
    {
    }

    protected ProxiedDriver(AddressFamily family) => _family = family;

    internal LiveDriver Driver => _driver ??= Start();

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        if (_driver is null)
            return;
        var directory = Path.Combine(Etc, _driver.Namespace.Name);
        using (_driver)
            _driver.StopCleanly();
        Directory.Delete(directory, recursive: true);
    }

    internal static EndPoint HostEnd(int port) => new IPEndPoint(IPAddress.Loopback, port);

    internal static EndPoint NetworkEnd(int port) => new IPEndPoint(IPAddress.Parse(LiveDriver.KernelAddress), port);

    /// <summary>A port of the kernel's address of the family.</summary>
    internal EndPoint FarEnd(int port) => new IPEndPoint(Driver.Peer, port);

    /// <summary>A socket of the host, whose loopback is always IPv4.</summary>
    internal Socket HostSocket(SocketType type = SocketType.Stream) => Driver.Namespace.OpenSocket(type);

    /// <summary>Skips a spec where a program that it needs is missing.</summary>
    internal static void Need(NetworkNamespace network, params string[] programs)
    {
        foreach (var program in programs)
            Skip.If(network.TryExec("sh", "-c", $"PATH=$PATH:/usr/sbin command -v {program}").ExitCode != 0, $"there is no {program}");
    }

    /// <summary>Makes a directory of the system's; skips the spec where that is not allowed.</summary>
    internal static DirectoryInfo MakeDirectory(string path)
    {
        try
        {
            return Directory.CreateDirectory(path);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            Skip.If(true, $"{path} cannot be made: {e.Message}");
            throw;
        }
    }

    /// <summary>Connects a socket of the host.</summary>
    internal async Task<NetworkStream> ConnectAsync(int port)
    {
        var socket = HostSocket();
        socket.NoDelay = true;
        await socket.ConnectAsync(HostEnd(port)).WaitAsync(TimeSpan.FromSeconds(30));
        return new NetworkStream(socket, ownsSocket: true);
    }

    /// <summary>The entry of a port in the driver's status.</summary>
    internal static async Task<JsonElement> PortAsync(LiveDriver driver, string name) =>
        (await driver.StatusAsync()).GetProperty("ports").EnumerateArray().Single(port => port.GetProperty("name").GetString() == name);

    private LiveDriver Start()
    {
        MakeDirectory(Etc);
        var peer = LiveDriver.HostOf(LiveDriver.KernelAddressOf(_family));
        var driver = LiveDriver.StartOver(_family, "", $"tap:{LiveDriver.Device}",
            "--socks", $"127.0.0.1:{Socks}",
            "--forward", $"tcp:{Forwarded}={peer}:{Served},udp:127.0.0.1:{Forwarded}={peer}:{Served}",
            "--expose", $"tcp:{Exposed}=127.0.0.1:{HostService},udp:{Exposed}=localhost:{HostService}");

        // 'ip netns exec' puts these files in the place of /etc's: the driver, started again, knows the name, and so does nobody else.
        var directory = Directory.CreateDirectory(Path.Combine(Etc, driver.Namespace.Name));
        File.WriteAllText(Path.Combine(directory.FullName, "hosts"), $"127.0.0.1 localhost\n{LiveDriver.KernelAddressOf(_family)} {Name}\n");
        driver.StopCleanly();
        driver.Restart();
        return driver;
    }
}

/// <summary>The same, whose network is of IPv6.</summary>
public sealed class ProxiedDriverV6() : ProxiedDriver(AddressFamily.InterNetworkV6);

/// <summary>A TCP server of a spec: every connection is served by one function, and closed after it.</summary>
internal sealed class Server : IDisposable
{
    private readonly Socket _listener;
    private readonly List<Task> _served = [];
    private readonly Task _accepting;

    public Server(LiveDriver driver, EndPoint local, Func<NetworkStream, Task> serve)
    {
        _listener = driver.Namespace.OpenSocket(SocketType.Stream, local.AddressFamily);
        _listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        _listener.Bind(local);
        _listener.Listen(1024);
        _accepting = Task.Run(() => AcceptAsync(serve));
    }

    /// <summary>Sends back what comes, and then its end.</summary>
    public static async Task EchoAsync(NetworkStream stream)
    {
        await stream.CopyToAsync(stream);
        stream.Socket.Shutdown(SocketShutdown.Send);
    }

    /// <summary>Answers any request with a body of that many bytes.</summary>
    public static Func<NetworkStream, Task> Http(int length) => async stream =>
    {
        var request = new byte[4096];
        var count = 0;
        while (!request.AsSpan(0, count).EndsWith("\r\n\r\n"u8))
            count += await stream.ReadAtLeastAsync(request.AsMemory(count), 1);
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"));
        await stream.WriteAsync(new byte[length]);
        stream.Socket.Shutdown(SocketShutdown.Send);
        _ = await stream.ReadAsync(request);
    };

    public void Dispose()
    {
        _listener.Dispose();
        _accepting.Wait();
        Assert.True(Task.WaitAll([.. _served], TimeSpan.FromSeconds(30)), "A connection of the server has not ended.");
    }

    private async Task AcceptAsync(Func<NetworkStream, Task> serve)
    {
        try
        {
            while (true)
                _served.Add(ServeAsync(await _listener.AcceptAsync(), serve));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The spec is over.
        }
    }

    private static async Task ServeAsync(Socket socket, Func<NetworkStream, Task> serve)
    {
        await using var stream = new NetworkStream(socket, ownsSocket: true);
        await serve(stream);
    }
}

/// <summary>A SOCKS5 client that says what a spec wants it to say.</summary>
internal static class SocksClient
{
    public static async Task<byte[]> ReadAsync(NetworkStream stream, int count)
    {
        var bytes = new byte[count];
        await stream.ReadExactlyAsync(bytes).AsTask().WaitAsync(TimeSpan.FromSeconds(30));
        return bytes;
    }

    /// <summary>Offers no authentication, which must be taken.</summary>
    public static async Task GreetAsync(NetworkStream stream)
    {
        await stream.WriteAsync(new byte[] { 5, 1, 0 });
        Assert.Equal([5, 0], await ReadAsync(stream, 2));
    }

    /// <summary>Greets, asks and returns the reply.</summary>
    public static async Task<(byte Code, IPEndPoint Bound)> AskAsync(NetworkStream stream, byte command, EndPoint destination)
    {
        await GreetAsync(stream);
        await stream.WriteAsync(Request(command, destination));
        return await ReplyAsync(stream);
    }

    public static byte[] Request(byte command, EndPoint destination) => [5, command, 0, .. Address(destination)];

    public static async Task<(byte Code, IPEndPoint Bound)> ReplyAsync(NetworkStream stream)
    {
        var head = await ReadAsync(stream, 4);
        Assert.Equal(5, head[0]);
        Assert.Contains(head[3], (byte[])[1, 4]);
        var bound = await ReadAsync(stream, head[3] == 1 ? 6 : 18);
        return (head[1], new IPEndPoint(new IPAddress(bound.AsSpan(..^2)), (bound[^2] << 8) | bound[^1]));
    }

    public static byte[] Address(EndPoint destination)
    {
        if (destination is DnsEndPoint name)
            return [3, (byte)name.Host.Length, .. Encoding.ASCII.GetBytes(name.Host), (byte)(name.Port >> 8), (byte)name.Port];
        var endpoint = (IPEndPoint)destination;
        return [(byte)(endpoint.AddressFamily == AddressFamily.InterNetwork ? 1 : 4), .. endpoint.Address.GetAddressBytes(), (byte)(endpoint.Port >> 8), (byte)endpoint.Port];
    }
}
