using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Client;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>Datagrams of every length between the kernel and an application, over devices with other MTUs: each side sends, and each side answers.</summary>
[Collection(LiveCollection.Name)]
public sealed class FragmentSpec
{
    private const int V4Headers = 28;
    private const int V6Headers = 48;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [SkippableTheory]
    [InlineData(1280, 1, AddressFamily.InterNetwork)]
    [InlineData(1500, 1, AddressFamily.InterNetwork)]
    [InlineData(9000, 1, AddressFamily.InterNetwork)]
    [InlineData(1500, 3, AddressFamily.InterNetwork)]
    [InlineData(1280, 1, AddressFamily.InterNetworkV6)]
    [InlineData(1500, 1, AddressFamily.InterNetworkV6)]
    [InlineData(9000, 1, AddressFamily.InterNetworkV6)]
    [InlineData(1500, 3, AddressFamily.InterNetworkV6)]
    public async Task Datagrams_of_every_length_go_both_ways(int mtu, int shards, AddressFamily family)
    {
        using var driver = LiveDriver.Start("", $"tap:{LiveDriver.Device}", ["--mtu", $"{mtu}", "--shards", $"{shards}", .. LiveDriver.V6]);
        using (var client = await driver.ConnectToLinkAsync())
        using (var application = await client.OpenUdpAsync(new IPEndPoint(LiveDriver.AddressOf(family), 0)).WaitAsync(Patience))
        using (var kernel = driver.BindInKernel(family))
        {
            kernel.ReceiveBufferSize = 4 << 20;
            var random = new Random(mtu);
            foreach (var size in SizesAround(mtu, family))
            {
                var question = new byte[size];
                random.NextBytes(question);
                var answer = question.Reverse().ToArray();

                await application.SendToAsync(question, (IPEndPoint)kernel.LocalEndPoint!);
                await ExpectAtKernelAsync(kernel, question, application.LocalEndPoint!);
                await kernel.SendToAsync(answer, application.LocalEndPoint!);
                await ExpectAtApplicationAsync(application, answer, (IPEndPoint)kernel.LocalEndPoint!);

                await kernel.SendToAsync(question, application.LocalEndPoint!);
                await ExpectAtApplicationAsync(application, question, (IPEndPoint)kernel.LocalEndPoint!);
                await application.SendToAsync(answer, (IPEndPoint)kernel.LocalEndPoint!);
                await ExpectAtKernelAsync(kernel, answer, application.LocalEndPoint!);
            }

            var tooLong = new byte[LongestTo(family) + 1];
            var refused = await Assert.ThrowsAsync<SocketException>(() => application.SendToAsync(tooLong, (IPEndPoint)kernel.LocalEndPoint!).AsTask());
            Assert.Equal(SocketError.MessageSize, refused.SocketErrorCode);
            refused = await Assert.ThrowsAsync<SocketException>(() => kernel.SendToAsync(tooLong, application.LocalEndPoint!));
            Assert.Equal(SocketError.MessageSize, refused.SocketErrorCode);
            var counters = (await driver.StatusAsync()).GetRawText();
            Assert.DoesNotContain("\"IpReasmFails\":", counters.Replace("\"IpReasmFails\":0", "", StringComparison.Ordinal), StringComparison.Ordinal);
        }

        driver.StopCleanly();
    }

    [SkippableTheory]
    [InlineData(1280, AddressFamily.InterNetwork)]
    [InlineData(9000, AddressFamily.InterNetwork)]
    [InlineData(1280, AddressFamily.InterNetworkV6)]
    [InlineData(9000, AddressFamily.InterNetworkV6)]
    public void Pings_of_every_length_are_answered(int mtu, AddressFamily family)
    {
        using var driver = LiveDriver.Start("", $"tap:{LiveDriver.Device}", ["--mtu", $"{mtu}", .. LiveDriver.V6]);
        Skip.If(driver.Namespace.TryExec("sh", "-c", "command -v ping").ExitCode != 0, "there is no 'ping'");
        var headers = HeadersOf(family);
        foreach (var size in new[] { 56, mtu - headers, mtu - headers + 1, 20_000, LongestTo(family) })
        {
            var theirs = driver.Namespace.TryExec("ping", "-c", "1", "-W", "10", "-s", $"{size}", $"{LiveDriver.AddressOf(family)}");
            Assert.True(theirs.ExitCode == 0, theirs.Output);
            var ours = TapwireProgram.Run(driver.Namespace, "ping", "--link", driver.LinkPath, "-c", "1", "--timeout", "10s", "--size", $"{size}", $"{LiveDriver.KernelAddressOf(family)}");
            Assert.True(ours.ExitCode == 0, ours.Output + ours.Error);
        }

        driver.StopCleanly();
    }

    /// <summary>Bytes of the headers of IP, and of UDP or ICMP.</summary>
    private static int HeadersOf(AddressFamily family) => family == AddressFamily.InterNetwork ? V4Headers : V6Headers;

    /// <summary>The longest payload of UDP, and of a ping: the length field of IPv6 does not count its header.</summary>
    private static int LongestTo(AddressFamily family) => family == AddressFamily.InterNetwork ? TapwireDatagramSocket.MaxPayloadV4 : TapwireDatagramSocket.MaxPayload;

    /// <summary>Lengths at which the number of fragments changes, or nearly so, and a spread of others; with TAPWIRE_LIVE_LENGTHS=all every one.</summary>
    private static IEnumerable<int> SizesAround(int mtu, AddressFamily family)
    {
        var (headers, longest) = (HeadersOf(family), LongestTo(family));
        if (LiveSize.HasAllLengths)
            return Enumerable.Range(0, longest + 1);
        var fragment = (mtu - headers + 8 - (headers == V6Headers ? 8 : 0)) & ~7;
        int[] edges = [0, mtu - headers, fragment - 8, 2 * fragment - 8, 3 * fragment - 8, 32768, longest];
        return edges.SelectMany(edge => new[] { edge - 1, edge, edge + 1 }).Concat([548, 1000, 5000, 20_000, 50_000, 65_507])
            .Where(size => size >= 0 && size <= longest).Distinct().Order();
    }

    private static async Task ExpectAtKernelAsync(Socket kernel, byte[] datagram, IPEndPoint sender)
    {
        var buffer = new byte[65536];
        var received = await kernel.ReceiveFromAsync(buffer, new IPEndPoint(sender.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0)).WaitAsync(Patience);
        Assert.True(buffer.AsSpan(0, received.ReceivedBytes).SequenceEqual(datagram), $"{datagram.Length} bytes have become {received.ReceivedBytes}");
        Assert.Equal(sender, received.RemoteEndPoint);
    }

    private static async Task ExpectAtApplicationAsync(TapwireDatagramSocket application, byte[] datagram, IPEndPoint sender)
    {
        var buffer = new byte[65536];
        var received = await application.ReceiveFromAsync(buffer).AsTask().WaitAsync(Patience);
        Assert.True(buffer.AsSpan(0, received.ReceivedBytes).SequenceEqual(datagram), $"{datagram.Length} bytes have become {received.ReceivedBytes}");
        Assert.Equal(sender, received.RemoteEndPoint);
    }
}
