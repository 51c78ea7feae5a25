using System.Net;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>The same traffic over wires of other kinds and sizes.</summary>
[Collection(LiveNetworksCollection.Name)]
public sealed class WireSpec
{
    private const int HeadersOfAPing = 28;
    private const string InSoftware = "tapwire.tap { offload = off, software-offload = on }";
    private const string AllOff = "tapwire.tap { offload = off, software-offload = off }";

    [SkippableTheory]
    [InlineData("tap:tw0", 576, "")]
    [InlineData("tap:tw0", 9000, "")]
    [InlineData("tap:tw0", 1500, InSoftware)]
    [InlineData("tap:tw0", 1500, AllOff)]
    [InlineData("tap:tw0", 9000, InSoftware)]
    [InlineData("tap:tw0", 9000, AllOff)]
    [InlineData("tun:tw0", 1500, "")]
    [InlineData("tun:tw0", 576, "tapwire.tap.offload = off")]
    public async Task Ping_and_bulk_work_over(string wire, int mtu, string settings)
    {
        using var driver = LiveDriver.Start(settings, wire, "--mtu", $"{mtu}");
        Assert.Contains($"mtu {mtu} ", driver.Namespace.Ip($"link show {LiveDriver.Device}"), StringComparison.Ordinal);
        driver.Namespace.Exec("ping", "-c", "3", "-i", "0.01", "-W", "10", "-M", "do", "-s", $"{mtu - HeadersOfAPing}", LiveDriver.Address);
        await using (var connection = await driver.ConnectFromKernelAsync(LiveDriver.Echo))
            await Transfer.EchoAsync(connection, LiveSize.Bulk / 8);

        using var client = await driver.ConnectToLinkAsync();
        await using (var own = await client.ConnectTcpAsync(new IPEndPoint(IPAddress.Parse(LiveDriver.Address), LiveDriver.Echo)))
            await Transfer.EchoAsync(own, 4 << 20);
        driver.StopCleanly();
    }

    [SkippableTheory]
    [InlineData("tapwire.tap.offload = on", "Checksum, TcpSegmentationV4, TcpSegmentationV6")]
    [InlineData(InSoftware, "Checksum, TcpSegmentationV4, TcpSegmentationV6 (software)")]
    [InlineData(AllOff, "None")]
    public async Task The_status_says_which_offloads_there_are_and_who_does_them(string settings, string expected)
    {
        using var driver = LiveDriver.Start(settings);
        // A newer kernel has more of its own.
        Assert.StartsWith(expected, (await driver.StatusAsync()).GetProperty("wire").GetProperty("offloads").GetString(), StringComparison.Ordinal);
        driver.StopCleanly();
    }

    /// <summary>The driver's frames are super-frames, the kernel's are not.</summary>
    [SkippableFact]
    public async Task With_software_offload_the_stack_works_on_super_frames_and_the_wire_on_frames_of_MTU_size()
    {
        using var driver = LiveDriver.Start(InSoftware);
        var before = (await driver.StatusAsync()).GetProperty("wire");
        await using (var connection = await driver.ConnectFromKernelAsync(LiveDriver.Echo))
            await Transfer.EchoAsync(connection, LiveSize.Bulk / 8);
        var wire = (await driver.StatusAsync()).GetProperty("wire");
        long Of(string name) => wire.GetProperty(name).GetInt64() - before.GetProperty(name).GetInt64();
        Assert.InRange(Of("bytesSent") / Of("framesSent"), 1514, 65549);
        Assert.Equal(0, wire.GetProperty("framesRefused").GetInt64());
        var kernel = driver.Namespace.Exec("cat", $"/sys/class/net/{LiveDriver.Device}/statistics/rx_packets");
        Assert.InRange(long.Parse(kernel.Trim(), System.Globalization.CultureInfo.InvariantCulture), LiveSize.Bulk / 8 / 1460, long.MaxValue);
        driver.StopCleanly();
    }

    [SkippableFact]
    public async Task An_address_taken_away_ends_its_connections_and_one_given_is_answered()
    {
        using var driver = LiveDriver.Start();
        using var client = await driver.ConnectToLinkAsync();
        await client.AddAddressAsync(IPAddress.Parse("10.99.0.3"), 24);
        driver.Namespace.Exec("ping", "-c", "1", "-W", "10", "10.99.0.3");

        using var listener = driver.ListenInKernel();
        var accepting = listener.AcceptAsync();
        await using var doomed = await client.ConnectTcpAsync((IPEndPoint)listener.LocalEndPoint!, new IPEndPoint(IPAddress.Parse("10.99.0.3"), 0));
        using var kernel = await accepting.WaitAsync(TimeSpan.FromSeconds(30));
        await using var spared = await driver.ConnectFromKernelAsync(LiveDriver.Echo);
        await client.RemoveAddressAsync(IPAddress.Parse("10.99.0.3"));

        var aborted = await Assert.ThrowsAsync<IOException>(() => doomed.ReadAsync(new byte[1]).AsTask().WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal(System.Net.Sockets.SocketError.ConnectionAborted, Assert.IsType<System.Net.Sockets.SocketException>(aborted.InnerException).SocketErrorCode);
        await Transfer.EchoAsync(spared, 100_000);
        Assert.NotEqual(0, driver.Namespace.TryExec("ping", "-c", "1", "-W", "1", "10.99.0.3").ExitCode);
        driver.StopCleanly();
    }

    [SkippableFact]
    public async Task Many_programs_on_the_link_at_once_get_each_its_own_answers()
    {
        using var driver = LiveDriver.Start();
        using var listener = driver.ListenInKernel();
        var remote = (IPEndPoint)listener.LocalEndPoint!;
        var kernel = Task.Run(async () =>
        {
            for (var i = 0; i < 16 * 25; i++)
            {
                using var accepted = await listener.AcceptAsync();
                var port = BitConverter.GetBytes(((IPEndPoint)accepted.RemoteEndPoint!).Port);
                await accepted.SendAsync(port);
            }
        });
        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(async () =>
        {
            using var client = await driver.ConnectToLinkAsync();
            for (var i = 0; i < 25; i++)
            {
                await using var stream = await client.ConnectTcpAsync(remote);
                Assert.Equal(stream.LocalEndPoint, await stream.Socket.GetLocalEndPointAsync());
                var port = new byte[sizeof(int)];
                await stream.ReadExactlyAsync(port);
                Assert.Equal(stream.LocalEndPoint.Port, BitConverter.ToInt32(port));
            }
        }))).WaitAsync(TimeSpan.FromSeconds(60));
        await kernel.WaitAsync(TimeSpan.FromSeconds(30));
        driver.StopCleanly();
    }
}
