using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Labs;

/// <summary>A lab as its user has it: hosts, the cable, time, and what a run says at its end.</summary>
[Collection(AloneCollection.Name)]
public sealed class LabSpecs
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_stream_brings_all_bytes_over_a_cable_that_loses_delays_and_reorders()
    {
        var began = Stopwatch.GetTimestamp();
        var report = await Lab.RunAsync(1, async lab =>
        {
            var (server, client) = await TwoHostsAsync(lab);
            (lab.Cable.Loss, lab.Cable.Latency, lab.Cable.Jitter, lab.Cable.Reordering) = (0.05, Milliseconds(20), Milliseconds(5), 0.02);
            var sent = new byte[300_000];
            lab.Random.NextBytes(sent);
            await using var listener = await server.Network.ListenAsync(80);
            var receiving = Task.Run(async () =>
            {
                await using var accepted = await listener.AcceptAsync();
                var all = new MemoryStream();
                await accepted.CopyToAsync(all);
                await accepted.WriteAsync("all of it"u8.ToArray());
                return all.ToArray();
            });
            await using var stream = await client.Network.ConnectAsync("server", 80);
            await stream.WriteAsync(sent);
            stream.Shutdown(SocketShutdown.Send);
            Assert.Equal(sent, await receiving);
            Assert.Equal("all of it", await ReadTextAsync(stream));
            Assert.True(lab.Elapsed > Milliseconds(100));
        });
        Assert.True(report.Frames.Lost > 3, report.ToString());
        Assert.True(report.Frames.Reordered > 0, report.ToString());
        Assert.Equal(report.Frames.Lost, report.Frames.Dropped);
        Assert.True(Stopwatch.GetElapsedTime(began) < Long);
    }

    [Fact]
    public async Task Datagrams_are_lost_and_doubled_as_the_cable_says_and_each_is_counted()
    {
        var report = await Lab.RunAsync(2, async lab =>
        {
            var (server, client) = await TwoHostsAsync(lab);
            using var to = await server.Network.BindUdpAsync(5000);
            using var from = await client.Network.BindUdpAsync();
            await from.SendToAsync("first"u8.ToArray(), new IPEndPoint(server.Address, 5000));
            var buffer = new byte[100];
            Assert.Equal(5, (await to.ReceiveFromAsync(buffer)).ReceivedBytes);
            var way = lab.Cable.Path("client", "server");
            (way.Loss, way.Duplication, way.Corruption) = (0.2, 0.1, 0.1);
            var before = way.Counters;
            for (var i = 0; i < 200; i++)
                await from.SendToAsync(BitConverter.GetBytes(i), new IPEndPoint(server.Address, 5000));
            var received = new List<int>();
            using var over = new CancellationTokenSource(TimeSpan.FromSeconds(1), lab.Time);
            try
            {
                while (true)
                {
                    Assert.Equal(sizeof(int), (await to.ReceiveFromAsync(buffer, over.Token)).ReceivedBytes);
                    received.Add(BitConverter.ToInt32(buffer));
                }
            }
            catch (OperationCanceledException)
            {
            }

            var counted = way.Counters;
            // A question to the neighbour, and the answer to one, may be among them.
            Assert.InRange(counted.Arrived - before.Arrived, 200 - counted.Lost + counted.Duplicated, 203 - counted.Lost + counted.Duplicated);
            Assert.InRange(counted.Lost, 20, 60);
            Assert.InRange(counted.Duplicated, 5, 40);
            Assert.InRange(counted.Corrupted, 5, 40);
            // A changed bit of the Ethernet addresses, or of a header, is noticed by the stack: such a frame is no datagram.
            Assert.InRange(received.Count, counted.Arrived - before.Arrived - (2 * counted.Corrupted), counted.Arrived - before.Arrived);
            Assert.Equal(received.Order(), received);
        });
        Assert.Contains("lost", report.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Across_a_partition_a_call_times_out_by_the_labs_time_and_after_it_a_connection_goes_on()
    {
        await Lab.RunAsync(3, async lab =>
        {
            var (server, client) = await TwoHostsAsync(lab);
            await using var listener = await server.Network.ListenAsync(80);
            await using var stream = await client.Network.ConnectAsync("10.0.0.1", 80);
            await using var accepted = await listener.AcceptAsync();
            lab.Partition("client", "server");
            var began = lab.Elapsed;
            var failure = await Assert.ThrowsAsync<SocketException>(() => client.Network.ConnectAsync("server", 80, new TapwireConnectOptions { Timeout = TimeSpan.FromSeconds(3) }));
            Assert.Equal(SocketError.TimedOut, failure.SocketErrorCode);
            Assert.Equal(3, (lab.Elapsed - began).TotalSeconds, 3);
            await stream.WriteAsync("held up"u8.ToArray());
            var arriving = accepted.ReadExactlyAsync(new byte[7]).AsTask();
            await Task.Delay(TimeSpan.FromSeconds(20), lab.Time);
            Assert.False(arriving.IsCompleted);
            Assert.True(lab.Cable.Path("client", "server").Counters.Partitioned > 2);
            lab.Heal("client", "server");
            await arriving;
        });
    }

    [Fact]
    public async Task Sockets_outlive_a_device_that_fails_and_comes_back()
    {
        await Lab.RunAsync(4, async lab =>
        {
            var (server, client) = await TwoHostsAsync(lab);
            await using var listener = await server.Network.ListenAsync(80);
            await using var stream = await client.Network.ConnectAsync(new IPEndPoint(server.Address, 80));
            await using var accepted = await listener.AcceptAsync();
            server.FailDevice();
            await stream.WriteAsync("through"u8.ToArray());
            await Task.Delay(TimeSpan.FromSeconds(10), lab.Time);
            Assert.False(server.HasDevice);
            Assert.True(lab.Cable.Path("client", "server").Counters.NotReceived > 0);
            server.RestoreDevice();
            await accepted.ReadExactlyAsync(new byte[7]);
            Assert.True(server.HasDevice);
        });
    }

    [Fact]
    public async Task Hosts_know_each_other_by_name_in_both_families_also_those_that_come_later()
    {
        await Lab.RunAsync(5, async lab =>
        {
            var (server, client) = await TwoHostsAsync(lab);
            var late = await lab.AddHostAsync("late", "fd00::3");
            Assert.Equal([IPAddress.Parse("10.0.0.1"), IPAddress.Parse("fd00::1")], (await client.Network.ResolveAsync("server")).Addresses.OrderBy(static each => each.AddressFamily == AddressFamily.InterNetworkV6));
            Assert.Equal([late.Address], (await server.Network.ResolveAsync("late")).Addresses);
            await using var listener = await late.Network.ListenAsync(80);
            await using var stream = await client.Network.ConnectAsync("late", 80);
            Assert.Equal(late.Address, stream.RemoteEndPoint.Address);
            var unknown = await Assert.ThrowsAsync<SocketException>(() => client.Network.ConnectAsync("nobody", 80));
            Assert.True(unknown.SocketErrorCode is SocketError.HostNotFound or SocketError.NoRecovery, unknown.ToString());
            var refused = await Assert.ThrowsAsync<SocketException>(() => client.Network.ConnectAsync("server", 81));
            Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
        });
    }

    [Fact]
    public async Task A_line_with_a_rate_takes_its_time_and_drops_what_its_queue_does_not_hold()
    {
        await Lab.RunAsync(6, async lab =>
        {
            var (server, client) = await TwoHostsAsync(lab);
            lab.Cable.Of("client").BitsPerSecond = 1_000_000;
            lab.Cable.Path("client", "server").QueueFrames = 5;
            using var to = await server.Network.BindUdpAsync(5000);
            using var from = await client.Network.BindUdpAsync();
            await from.SendToAsync(new byte[10], new IPEndPoint(server.Address, 5000));
            await to.ReceiveFromAsync(new byte[10]);
            var way = lab.Cable.Path("client", "server");
            var (began, before) = (lab.Elapsed, way.Counters);
            for (var i = 0; i < 20; i++)
                await from.SendToAsync(new byte[1000], new IPEndPoint(server.Address, 5000));
            for (var i = 0; i < 5; i++)
                await to.ReceiveFromAsync(new byte[1000]);
            // 5 frames of 1042 bytes at 1 Mbit/s.
            Assert.Equal(5 * 1042 * 8 / 1e6, (lab.Elapsed - began).TotalSeconds, 4);
            Assert.Equal((5, 15), (way.Counters.Arrived - before.Arrived, way.Counters.QueueFull - before.QueueFull));
        });
    }

    [Fact]
    public async Task An_hour_of_pauses_timers_and_dates_passes_at_once()
    {
        var began = Stopwatch.GetTimestamp();
        var report = await Lab.RunAsync(new LabOptions { TimeLimit = TimeSpan.FromHours(2), Start = new DateTimeOffset(2030, 1, 1, 12, 0, 0, TimeSpan.Zero) }, async lab =>
        {
            using var timer = new PeriodicTimer(TimeSpan.FromMinutes(1), lab.Time);
            for (var i = 0; i < 30; i++)
                Assert.True(await timer.WaitForNextTickAsync());
            await Task.Delay(TimeSpan.FromMinutes(30), lab.Time);
            Assert.Equal(new DateTimeOffset(2030, 1, 1, 13, 0, 0, TimeSpan.Zero), lab.Time.GetUtcNow());
            using var over = new CancellationTokenSource(TimeSpan.FromSeconds(5), lab.Time);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.Delay(Timeout.InfiniteTimeSpan, lab.Time, over.Token));
            await Assert.ThrowsAsync<TimeoutException>(() => new TaskCompletionSource().Task.WaitAsync(TimeSpan.FromSeconds(1), lab.Time));
            var fired = new List<string>();
            await using var second = lab.Time.CreateTimer(_ => fired.Add("second"), null, TimeSpan.FromSeconds(2), Timeout.InfiniteTimeSpan);
            await using var first = lab.Time.CreateTimer(_ => fired.Add("first"), null, TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);
            await using var never = lab.Time.CreateTimer(_ => fired.Add("never"), null, TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);
            Assert.True(never.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan));
            await Task.Delay(TimeSpan.FromSeconds(3), lab.Time);
            Assert.Equal(["first", "second"], fired);
            Assert.Throws<ArgumentOutOfRangeException>(() => lab.Time.CreateTimer(static _ => { }, null, TimeSpan.FromSeconds(-2), TimeSpan.Zero));
        });
        Assert.Equal(new TimeSpan(1, 0, 9), report.Duration);
        Assert.True(Stopwatch.GetElapsedTime(began) < Long);
    }

    [Fact]
    public async Task A_run_that_fails_says_its_seed_the_reason_and_where_its_packets_are()
    {
        var folder = Directory.CreateTempSubdirectory("tapwire-lab-spec-");
        try
        {
            var failure = await Assert.ThrowsAsync<LabException>(() => Lab.RunAsync(new LabOptions { Seed = 41, Runs = 3, CaptureDirectory = folder.FullName }, async lab =>
            {
                var (_, client) = await TwoHostsAsync(lab);
                var refused = await Assert.ThrowsAsync<SocketException>(() => client.Network.ConnectAsync("server", 80));
                if (lab.Seed == 42)
                    throw new InvalidOperationException("It is not as it should be.", refused);
            }));
            Assert.Contains("seed 42 ", failure.Message, StringComparison.Ordinal);
            Assert.Contains("It is not as it should be.", failure.Message, StringComparison.Ordinal);
            Assert.Contains("TAPWIRE_LAB_SEED=42", failure.Message, StringComparison.Ordinal);
            Assert.IsType<InvalidOperationException>(failure.InnerException);
            Assert.Equal(42, failure.Report!.Seed);
            Assert.Contains(failure.CapturePath!, failure.Message, StringComparison.Ordinal);
            var bytes = await File.ReadAllBytesAsync(failure.CapturePath!);
            Assert.Equal(failure.Report.Capture.ToArray(), bytes);
            var packets = PcapngFile.Read(bytes);
            Assert.Equal(["server", "client"], packets.Interfaces.Select(static each => each.Name));
            Assert.True(packets.Packets.Count >= 4, $"{packets.Packets.Count} packets");
            Assert.Contains(packets.Packets, static packet => packet.IsInbound);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Packets_that_were_dropped_say_so_in_the_capture()
    {
        var report = await Lab.RunAsync(8, async lab =>
        {
            var (server, client) = await TwoHostsAsync(lab);
            await using var listener = await server.Network.ListenAsync(80);
            lab.Cable.Loss = 0.3;
            await using var stream = await client.Network.ConnectAsync("server", 80);
            lab.Isolate("server");
            await stream.WriteAsync(new byte[10]);
            await Task.Delay(TimeSpan.FromSeconds(30), lab.Time);
            lab.Heal();
        });
        var packets = PcapngFile.Read(report.Capture.Span).Packets;
        Assert.Equal(report.Frames.Lost, packets.Count(static packet => packet.Comment?.StartsWith("lost", StringComparison.Ordinal) == true));
        Assert.Equal(report.Frames.Partitioned, packets.Count(static packet => packet.Comment?.StartsWith("partitioned", StringComparison.Ordinal) == true));
        Assert.Equal(report.Frames.Arrived, packets.Count(static packet => packet.IsInbound));
        Assert.Equal(packets.Select(static packet => packet.Time).Order(), packets.Select(static packet => packet.Time));
    }

    [Fact]
    public async Task A_program_that_waits_for_what_does_not_come_fails_with_the_reason()
    {
        var nothing = await FailureOfAsync(new LabOptions(), static _ => new TaskCompletionSource().Task);
        Assert.Contains("nothing is left in the lab", nothing.Message, StringComparison.Ordinal);
        var limit = await FailureOfAsync(new LabOptions { TimeLimit = TimeSpan.FromMinutes(1) }, static lab => Task.Delay(TimeSpan.FromMinutes(2), lab.Time));
        Assert.Contains("00:01:00", limit.Message, StringComparison.Ordinal);
        Assert.Null(limit.InnerException);
        using var enough = new CancellationTokenSource();
        var busy = await FailureOfAsync(new LabOptions { Patience = TimeSpan.FromMilliseconds(200) }, _ => Task.Run(() =>
        {
            while (!enough.IsCancellationRequested)
                Thread.SpinWait(100);
        }));
        await enough.CancelAsync();
        Assert.Contains("thread pool", busy.Message, StringComparison.Ordinal);
        var cancelled = await FailureOfAsync(new LabOptions(), static _ => Task.FromCanceled(new CancellationToken(canceled: true)));
        Assert.Contains("cancelled", cancelled.Message, StringComparison.Ordinal);
        // And the next run is as ever.
        await Lab.RunAsync(1, static async lab => await TwoHostsAsync(lab));
    }

    [Fact]
    public async Task A_program_that_blocks_a_thread_for_the_labs_time_goes_on_with_it()
    {
        var report = await Lab.RunAsync(1, static lab => Task.Run(() =>
        {
            for (var i = 0; i < 3; i++)
                Task.Run(() => Task.Delay(Milliseconds(10), lab.Time)).Wait();
        }));
        Assert.Equal(Milliseconds(30), report.Duration);
    }

    [Fact]
    public async Task What_cannot_be_is_refused_with_a_sentence()
    {
        await Assert.ThrowsAsync<ArgumentException>(() => Lab.RunAsync(new LabOptions { Runs = 0 }, static _ => Task.CompletedTask));
        await Assert.ThrowsAsync<ArgumentException>(() => Lab.RunAsync(new LabOptions { TimeLimit = TimeSpan.Zero }, static _ => Task.CompletedTask));
        await Assert.ThrowsAsync<ArgumentNullException>(() => Lab.RunAsync(1, null!));
        await Lab.RunAsync(9, async lab =>
        {
            await TwoHostsAsync(lab);
            await RefusedAsync("There is a host 'server'", () => lab.AddHostAsync("server", "10.0.0.9"));
            await RefusedAsync("is no name of a host", () => lab.AddHostAsync("not a name", "10.0.0.9"));
            await RefusedAsync("needs an address", () => lab.AddHostAsync("empty"));
            await RefusedAsync("is no address", () => lab.AddHostAsync("wrong", "10.0.0.300"));
            await RefusedAsync("broadcast", () => lab.AddHostAsync("wrong", "10.0.0.255"));
            await RefusedAsync("is that of 'server'", () => lab.AddHostAsync("wrong", "10.0.0.1"));
            await RefusedAsync("congestion-control", () => lab.AddHostAsync(new LabHostOptions { Name = "wrong", Addresses = ["10.0.0.9"], Settings = "tcp.congestion-control = fastest" }));
            await RefusedAsync("leads out of the lab", () => lab.AddHostAsync(new LabHostOptions { Name = "wrong", Addresses = ["10.0.0.9"], Settings = "socks.listen = [\"1080\"]" }));
            await RefusedAsync("There is no host 'nobody'", () => Task.FromResult(lab.Cable.Path("nobody", "server")));
            await RefusedAsync("to itself", () => Task.FromResult(lab.Cable.Path("server", "server")));
            await RefusedAsync("0 to 1", () => Task.FromResult(lab.Cable.Loss = 5));
            await RefusedAsync("0 to an hour", () => Task.FromResult(lab.Cable.Latency = -Milliseconds(1)));
            await RefusedAsync("at least 1", () => Task.FromResult(lab.Cable.QueueFrames = 0));
            await Assert.ThrowsAsync<InvalidOperationException>(() => Lab.RunAsync(1, static _ => Task.CompletedTask));
        });
    }

    [Fact]
    public async Task The_latest_setting_of_cable_host_or_path_holds_also_for_hosts_that_come_later()
    {
        await Lab.RunAsync(10, async lab =>
        {
            lab.Cable.Loss = 0.1;
            await TwoHostsAsync(lab);
            lab.Cable.Of("server").Loss = 0.2;
            lab.Cable.Path("client", "server").Loss = 0.3;
            await lab.AddHostAsync("third", "10.0.0.3");
            Assert.Equal((0.3, 0.2, 0.2, 0.1), (LossOf("client", "server"), LossOf("server", "client"), LossOf("third", "server"), LossOf("third", "client")));
            Assert.Equal((0.1, 0.2), (lab.Cable.Loss, lab.Cable.Of("server").Loss));
            lab.Cable.Loss = 0;
            Assert.All(lab.Cable.Paths, static path => Assert.Equal(0, path.Loss));

            double LossOf(string from, string to) => lab.Cable.Path(from, to).Loss;
        });
    }

    [Theory]
    [InlineData(null, null, 5, 2)]
    [InlineData("7", "100", 7, 1)]
    [InlineData("-7", null, -7, 1)]
    [InlineData("", "100", 5, 100)]
    public void The_environment_says_which_seeds_run(string? seed, string? runs, long first, int count) =>
        Assert.Equal((first, count), LabRun.SeedsOf(new LabOptions { Seed = 5, Runs = 2 }, name => name == LabRun.SeedVariable ? seed : name == LabRun.RunsVariable ? runs : null));

    [Theory]
    [InlineData("seven", null)]
    [InlineData(null, "0")]
    [InlineData(null, "many")]
    public void A_variable_that_is_no_number_is_refused(string? seed, string? runs) =>
        Assert.Throws<ArgumentException>(() => LabRun.SeedsOf(new LabOptions(), name => name == LabRun.SeedVariable ? seed : runs));

    internal static TimeSpan Milliseconds(int count) => TimeSpan.FromMilliseconds(count);

    internal static async Task<(LabHost Server, LabHost Client)> TwoHostsAsync(Lab lab) =>
        (await lab.AddHostAsync("server", "10.0.0.1", "fd00::1"), await lab.AddHostAsync("client", "10.0.0.2", "fd00::2"));

    internal static async Task<string> ReadTextAsync(TapwireStream stream)
    {
        var all = new MemoryStream();
        await stream.CopyToAsync(all);
        return Encoding.UTF8.GetString(all.ToArray());
    }

    private static async Task<LabException> FailureOfAsync(LabOptions options, Func<Lab, Task> program)
    {
        var folder = Directory.CreateTempSubdirectory("tapwire-lab-spec-");
        try
        {
            return await Assert.ThrowsAsync<LabException>(() => Lab.RunAsync(options with { CaptureDirectory = folder.FullName }, program));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task RefusedAsync<T>(string says, Func<Task<T>> call) =>
        Assert.Contains(says, (await Assert.ThrowsAnyAsync<ArgumentException>(call)).Message, StringComparison.Ordinal);
}
