using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Client;
using Tapwire.Links.Protocol;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>TCP Fast Open and SYN cookies with the kernel at the other end.</summary>
[Collection(LiveCollection.Name)]
public sealed class HandshakeSpec
{
    private const int HalfOpenPort = 5555;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [SkippableTheory]
    [InlineData(false, AddressFamily.InterNetwork)]
    [InlineData(true, AddressFamily.InterNetwork)]
    [InlineData(false, AddressFamily.InterNetworkV6)]
    [InlineData(true, AddressFamily.InterNetworkV6)]
    public async Task A_kernel_client_sends_its_request_with_the_syn_once_it_has_a_cookie(bool setWhileListening, AddressFamily family)
    {
        using var driver = StartWithFastOpen(family);
        using var client = await driver.ConnectToLinkAsync();
        using var listener = await client.ListenAsync(new IPEndPoint(driver.Own, 0), fastOpenQueue: setWhileListening ? 0 : 16);
        if (setWhileListening)
            await listener.Socket.SetOptionAsync(LinkOption.IpProtoTcp, LinkOption.TcpFastOpen, 16);
        Assert.Equal(16, await listener.Socket.GetOptionAsync(LinkOption.IpProtoTcp, LinkOption.TcpFastOpen));
        var address = new IPEndPoint(driver.Own, listener.LocalEndPoint.Port);
        for (var i = 0; i < 3; i++)
        {
            using var kernel = driver.KernelSocket();
            kernel.SetRawSocketOption(LinkOption.IpProtoTcp, LinkOption.TcpFastOpenConnect, BitConverter.GetBytes(1));
            kernel.Connect(address);
            kernel.Send("request"u8);
            kernel.Shutdown(SocketShutdown.Send);
            await using var application = await listener.AcceptAsync().WaitAsync(Patience);
            Assert.Equal("request"u8.ToArray(), await ReadToEndAsync(application));
            await application.WriteAsync("answer"u8.ToArray());
            application.Shutdown(SocketShutdown.Send);
            Assert.Equal("answer"u8.ToArray(), await ReadToEndAsync(kernel));
        }

        // The first one has asked for the cookie.
        Assert.Equal(2, KernelCounter(driver, "TCPFastOpenActive"));
        Assert.Equal((1, 2), (await CounterAsync(driver, "TcpExtTCPFastOpenCookieReqd"), await CounterAsync(driver, "TcpExtTCPFastOpenPassive")));
        driver.StopCleanly();
    }

    [SkippableTheory]
    [InlineData(AddressFamily.InterNetwork)]
    [InlineData(AddressFamily.InterNetworkV6)]
    public async Task An_application_sends_its_request_with_the_syn_once_the_driver_has_a_cookie_of_the_kernel(AddressFamily family)
    {
        using var driver = StartWithFastOpen(family);
        using var client = await driver.ConnectToLinkAsync();
        using var listener = driver.KernelSocket();
        listener.Bind(new IPEndPoint(driver.Peer, 0));
        listener.SetRawSocketOption(LinkOption.IpProtoTcp, LinkOption.TcpFastOpen, BitConverter.GetBytes(16));
        listener.Listen(16);
        for (var i = 0; i < 3; i++)
        {
            await using var application = await client.ConnectTcpAsync((IPEndPoint)listener.LocalEndPoint!, fastOpen: true).WaitAsync(Patience);
            await application.WriteAsync("request"u8.ToArray());
            application.Shutdown(SocketShutdown.Send);
            using var kernel = await listener.AcceptAsync().WaitAsync(Patience);
            Assert.Equal("request"u8.ToArray(), await ReadToEndAsync(kernel));
            kernel.Send("answer"u8);
            kernel.Shutdown(SocketShutdown.Send);
            Assert.Equal("answer"u8.ToArray(), await ReadToEndAsync(application));
        }

        Assert.Equal(2, KernelCounter(driver, "TCPFastOpenPassive"));
        Assert.Equal((2, 0), (await CounterAsync(driver, "TcpExtTCPFastOpenActive"), await CounterAsync(driver, "TcpExtTCPFastOpenActiveFail")));
        driver.StopCleanly();
    }

    [SkippableTheory]
    [InlineData(AddressFamily.InterNetwork)]
    [InlineData(AddressFamily.InterNetworkV6)]
    public async Task A_kernel_that_knows_no_fast_open_is_talked_to_in_the_ordinary_way(AddressFamily family)
    {
        using var driver = LiveDriver.StartOver(family);
        using var client = await driver.ConnectToLinkAsync();
        using var listener = driver.ListenInKernel();
        await using var application = await client.ConnectTcpAsync((IPEndPoint)listener.LocalEndPoint!, fastOpen: true).WaitAsync(Patience);
        using var kernel = await listener.AcceptAsync().WaitAsync(Patience);
        await using var stream = new NetworkStream(kernel);
        var received = Transfer.ReceiveToEndAsync(stream, LiveSize.Bulk / 8, read: 65536);
        Assert.Equal(await Transfer.SendToEndAsync(application, LiveSize.Bulk / 8, write: 65536, seed: 1), await received);
    }

    /// <summary>One connection hangs in the handshake and fills what there is of SYN-RECEIVED; the next ones travel on cookies, with all options.</summary>
    [SkippableTheory]
    [InlineData(AddressFamily.InterNetwork)]
    [InlineData(AddressFamily.InterNetworkV6)]
    public async Task With_the_syn_cache_full_a_kernel_client_connects_by_cookie(AddressFamily family)
    {
        using var driver = LiveDriver.StartOver(family, "tapwire.tcp.max-embryonic = 1");
        var available = driver.Namespace.TryExec("nft",
            $"table inet half {{ chain in {{ type filter hook input priority 0; tcp dport {HalfOpenPort} drop; }}; }}");
        Skip.If(available.ExitCode == 127, "there is no 'nft' command");
        Assert.True(available.ExitCode == 0, available.Error);
        using var half = driver.KernelSocket();
        half.Bind(new IPEndPoint(driver.Peer, HalfOpenPort));
        var hanging = half.ConnectAsync(new IPEndPoint(driver.Own, LiveDriver.Discard));
        await LiveDriver.EventuallyAsync(
            async () =>
            {
                await using var connection = await driver.ConnectFromKernelAsync(LiveDriver.Echo);
                await Transfer.EchoAsync(connection, LiveSize.Bulk / 8, seed: 1);
                return await CounterAsync(driver, "TcpExtSyncookiesRecv") > 0;
            },
            () => "No cookie has come back.");
        Assert.Equal(0, await CounterAsync(driver, "TcpExtSyncookiesFailed"));
        half.Dispose();
        await Assert.ThrowsAnyAsync<Exception>(() => hanging);
        driver.StopCleanly();
    }

    private static LiveDriver StartWithFastOpen(AddressFamily family)
    {
        // Each shard learns a server's cookie by itself.
        var driver = LiveDriver.StartOver(family, "tapwire.shards = 1");
        driver.Namespace.Exec("sh", "-c", "echo 3 > /proc/sys/net/ipv4/tcp_fastopen");
        return driver;
    }

    private static async Task<byte[]> ReadToEndAsync(Stream stream)
    {
        using var received = new MemoryStream();
        await stream.CopyToAsync(received).WaitAsync(Patience);
        return received.ToArray();
    }

    /// <summary>Not as a NetworkStream: .NET does not take a socket for connected whose connecting waits for data.</summary>
    private static async Task<byte[]> ReadToEndAsync(Socket socket)
    {
        using var received = new MemoryStream();
        var buffer = new byte[4096];
        while (await socket.ReceiveAsync(buffer).WaitAsync(Patience) is > 0 and var bytes)
            received.Write(buffer, 0, bytes);
        return received.ToArray();
    }

    /// <summary>A counter of the driver; those that are zero are not listed.</summary>
    private static async Task<long> CounterAsync(LiveDriver driver, string name) =>
        (await driver.StatusAsync()).GetProperty("counters").TryGetProperty(name, out var value) ? value.GetInt64() : 0;

    /// <summary>A counter of /proc/net/netstat, where a line of names is followed by one of values.</summary>
    private static long KernelCounter(LiveDriver driver, string name)
    {
        var lines = driver.Namespace.Exec("cat", "/proc/net/netstat").Split('\n').Where(static line => line.StartsWith("TcpExt:", StringComparison.Ordinal)).ToArray();
        var index = Array.IndexOf(lines[0].Split(' '), name);
        Assert.True(index > 0, $"The kernel does not count {name}.");
        return long.Parse(lines[1].Split(' ')[index], CultureInfo.InvariantCulture);
    }
}
