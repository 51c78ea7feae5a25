using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Tapwire.Tests.Live.Support;
using Xunit;
using Xunit.Abstractions;

namespace Tapwire.Tests.Live.Interop;

/// <summary>Applications on a driver and a kernel's sockets, in both directions over a path that does something to packets; and, for the figure beside, two
/// kernels over the same path.</summary>
[Collection(LiveNetworksCollection.Name)]
public sealed class InteropSpec(InteropSpec.SharedPath shared, ITestOutputHelper output) : IClassFixture<InteropSpec.SharedPath>
{
    private const int TinyBuffer = 4096;

    private static long Size => LiveSize.Bulk / 16;

    public static TheoryData<string> Impairments =>
    [
        "--loss 0.1%", "--loss 1%", "--loss 1% --loss-burst 5", "--reorder 10% --reorder-delay 2ms", "--duplicate 10%", "--corrupt 1%",
        "--jitter 1ms --loss 0.5% --reorder 2% --duplicate 2% --corrupt 0.2%", "--bandwidth 200mbit --queue 20",
    ];

    [SkippableTheory]
    [MemberData(nameof(Impairments))]
    public async Task Bytes_arrive_intact_in_both_directions_over(string impairments) => await RunAsync(shared.Path, impairments, Size);

    [SkippableFact]
    public async Task Bytes_arrive_intact_when_every_tenth_packet_is_lost() => await RunAsync(shared.Path, "--loss 10%", Size / 16);

    [SkippableTheory]
    [InlineData("reno")]
    [InlineData("cubic")]
    [InlineData("bbr")]
    public async Task Bytes_arrive_intact_whatever_the_kernels_congestion_control_is(string congestion)
    {
        var available = await File.ReadAllTextAsync("/proc/sys/net/ipv4/tcp_available_congestion_control");
        Skip.IfNot(available.Split().Contains(congestion), $"this kernel has no {congestion}");
        await RunAsync(shared.Path, "--loss 0.5%", Size, congestion);
    }

    [SkippableTheory]
    [InlineData("tcp_ecn", "1")]
    [InlineData("tcp_sack", "0")]
    [InlineData("tcp_timestamps", "0")]
    [InlineData("tcp_window_scaling", "0")]
    public async Task Bytes_arrive_intact_with_a_kernel_that_has(string variable, string value)
    {
        var before = (await File.ReadAllTextAsync($"/proc/sys/net/ipv4/{variable}")).Trim();
        shared.Path.Sysctl($"net/ipv4/{variable}", value);
        try
        {
            await RunAsync(shared.Path, "--loss 0.5%", Size);
        }
        finally
        {
            shared.Path.Sysctl($"net/ipv4/{variable}", before);
        }
    }

    [SkippableFact]
    public async Task Bytes_arrive_intact_with_a_kernel_whose_buffers_are_tiny() =>
        await RunAsync(shared.Path, "--loss 0.5%", Size / 8, receiveBuffer: TinyBuffer);

    [SkippableFact]
    public async Task Bytes_arrive_intact_in_packets_of_576_bytes_between_small_buffers()
    {
        using var path = ImpairedPath.Create("tapwire.tcp { send-buffer = 128KiB, receive-buffer = 128KiB }", mtu: 576);
        await RunAsync(path, "--loss 1%", Size / 2);
        path.StopDriver();
    }

    private async Task RunAsync(ImpairedPath path, string impairments, long bytes, string congestion = "", int receiveBuffer = 0)
    {
        path.Plug(["--latency", "1ms", .. impairments.Split(' ')]);
        using (var client = await path.ConnectToLinkAsync())
        {
            using var far = KernelSocket.Listen(path.Far, ImpairedPath.FarAddress, congestion, receiveBuffer);
            using var own = await client.ListenAsync(IPEndPoint.Parse(ImpairedPath.OurAddress));

            // The driver opens one of the two connections, the kernel the other.
            await using var there = await client.ConnectTcpAsync((IPEndPoint)far.LocalEndPoint!);
            await using var thereEnd = new NetworkStream(await KernelSocket.AcceptAsync(far), ownsSocket: true);
            await using var back = new NetworkStream(await KernelSocket.ConnectAsync(path.Far, own.LocalEndPoint, congestion, receiveBuffer), ownsSocket: true);
            await using var backEnd = await own.AcceptAsync().WaitAsync(LiveSize.PatienceFor(bytes));
            var rates = await Task.WhenAll(MoveAsync(there, thereEnd, bytes, seed: 1), MoveAsync(back, backEnd, bytes, seed: 2));

            await using var near = new NetworkStream(await KernelSocket.ConnectAsync(path.Near, far.LocalEndPoint!, congestion, receiveBuffer), ownsSocket: true);
            await using var nearEnd = new NetworkStream(await KernelSocket.AcceptAsync(far), ownsSocket: true);
            var kernels = await MoveAsync(near, nearEnd, bytes, seed: 3);
            output.WriteLine($"{impairments} {congestion}: ours to kernel {rates[0]:0.0}, kernel to ours {rates[1]:0.0} at once, kernel to kernel {kernels:0.0} Mbit/s");
        }

        // What was asked for has happened.
        var table = path.Unplug();
        if (impairments.Contains("--loss", StringComparison.Ordinal))
            Assert.NotEqual(0, table["lost"].AToB + table["lost"].BToA);
        foreach (var impairment in (string[])["reorder", "duplicate", "corrupt"])
        {
            if (impairments.Contains($"--{impairment} ", StringComparison.Ordinal))
                Assert.True(table[$"{impairment.TrimEnd('e')}ed"] is { AToB: > 0, BToA: > 0 });
        }

        Assert.Equal((0, 0), table["refused"]);
    }

    /// <summary>Sends to the end, compares what has arrived, and returns megabits per second.</summary>
    private static async Task<double> MoveAsync(Stream from, Stream to, long bytes, int seed)
    {
        var clock = Stopwatch.StartNew();
        var sending = Transfer.SendToEndAsync(from, bytes, seed: seed);
        var received = await Transfer.ReceiveToEndAsync(to, bytes);
        var elapsed = clock.Elapsed;
        Assert.Equal(await sending, received);
        return bytes * 8 / elapsed.TotalSeconds / 1e6;
    }

    /// <summary>Namespaces and a driver for the specs that change only the cable, or the kernels.</summary>
    public sealed class SharedPath : IDisposable
    {
        private ImpairedPath? _path;

        internal ImpairedPath Path => _path ??= ImpairedPath.Create();

        public void Dispose()
        {
            if (_path is null)
                return;
            using (_path)
                _path.StopDriver();
        }
    }
}
