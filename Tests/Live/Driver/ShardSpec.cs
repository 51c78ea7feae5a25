using System.Net;
using System.Net.Sockets;
using Tapwire.Tests.Live.Support;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>A driver of two shards, each with a queue of the kernel's device.</summary>
[Collection(LiveCollection.Name)]
public sealed class ShardSpec
{
    private const int Connections = 64;
    private const int Bytes = 256 << 10;

    [SkippableTheory]
    [InlineData(AddressFamily.InterNetwork)]
    [InlineData(AddressFamily.InterNetworkV6)]
    public async Task Many_connections_are_dealt_out_and_the_kernel_keeps_each_on_its_queue(AddressFamily family)
    {
        using var driver = LiveDriver.StartOver(family, "", $"tap:{LiveDriver.Device}", "--shards", "2");
        var echoes = Enumerable.Range(0, Connections).Select(async _ =>
        {
            await using var connection = await driver.ConnectFromKernelAsync(LiveDriver.Echo);
            await Transfer.EchoAsync(connection, Bytes);
        });
        await Task.WhenAll(echoes);
        var status = await driver.StatusAsync();
        var counters = status.GetProperty("counters");
        Assert.Equal(Connections, counters.GetProperty("TcpPassiveOpens").GetInt64());

        // ARP and neighbour discovery go to both, and the first segments of connections that the driver's threads accept at once; with connections by the dozen a queue is learnt at once.
        var crossings = counters.TryGetProperty("ShardCrossings", out var crossed) ? crossed.GetInt64() : 0;
        Assert.True(crossings < counters.GetProperty("TcpInSegs").GetInt64() / 20, $"{crossings} of {counters.GetProperty("TcpInSegs")} segments crossed.");
        Assert.Equal("2", driver.Namespace.Exec("sh", "-c", $"ls -d /sys/class/net/{LiveDriver.Device}/queues/rx-* | wc -l").Trim());
    }

    [SkippableTheory]
    [InlineData(AddressFamily.InterNetwork)]
    [InlineData(AddressFamily.InterNetworkV6)]
    public async Task Applications_on_all_shards_connect_listen_and_are_refused_a_port_that_is_taken(AddressFamily family)
    {
        using var driver = LiveDriver.StartOver(family, "", $"tap:{LiveDriver.Device}", "--shards", "2");
        using var client = await driver.ConnectToLinkAsync();
        using var kernel = driver.ListenInKernel();
        var local = new IPEndPoint(driver.Own, 8080);
        using var listener = await client.ListenAsync(local, 16);
        for (var i = 0; i < 4; i++)
        {
            var refused = await Assert.ThrowsAnyAsync<SocketException>(() => client.ListenAsync(local, 16));
            Assert.Equal(SocketError.AddressAlreadyInUse, refused.SocketErrorCode);

            await using var outgoing = await client.ConnectTcpAsync((IPEndPoint)kernel.LocalEndPoint!);
            using var accepted = new NetworkStream(await kernel.AcceptAsync(), ownsSocket: true);
            await ExchangeAsync(outgoing, accepted);

            await using var incoming = await driver.ConnectFromKernelAsync(local.Port);
            await using var served = await listener.AcceptAsync();
            await ExchangeAsync(incoming, served);
        }
    }

    [SkippableFact]
    public void A_device_with_one_queue_is_refused_with_what_to_do()
    {
        using var space = NetworkNamespace.Create();
        space.Ip("tuntap add dev tw0 mode tap");
        var refused = Assert.Throws<WireException>(() => space.OpenTap(new TapWireOptions { Name = "tw0", MultiQueue = true }));
        Assert.Equal(
            "tw0 exists and is not a multi-queue tap device, or cannot be an interface's name; 'ip tuntap add dev tw0 mode tap multi_queue' makes one.", refused.Message);
    }

    private static async Task ExchangeAsync(Stream one, Stream other)
    {
        var sent = new byte[100_000];
        new Random(1).NextBytes(sent);
        var received = new byte[sent.Length];
        foreach (var (from, to) in new[] { (one, other), (other, one) })
        {
            var writing = from.WriteAsync(sent).AsTask();
            await to.ReadExactlyAsync(received).AsTask().WaitAsync(TimeSpan.FromSeconds(30));
            await writing;
            Assert.Equal(sent, received);
        }
    }
}
