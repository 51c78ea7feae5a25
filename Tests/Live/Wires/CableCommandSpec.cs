using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Tapwire.Tests.Live.Support;
using Xunit;
using Xunit.Abstractions;

namespace Tapwire.Tests.Live.Wires;

/// <summary>The program <c>tapwire cable</c> between two kernels.</summary>
[Collection(LiveNetworksCollection.Name)]
public sealed partial class CableCommandSpec(ITestOutputHelper output)
{
    private const int SIGUSR1 = 10;

    [SkippableFact]
    public void A_round_trip_takes_the_latency_of_both_directions()
    {
        using var cable = LiveCable.Start("--latency", "a-b:12ms", "--latency", "b-a:8ms");

        // Never less; and no more, in those moments in which the machine lets both kernels and the cable run at once.
        var least = double.MaxValue;
        for (var trial = 0; trial < 10 && least > 25; trial++)
        {
            var report = cable.Ping("-c", "20", "-i", "0.01", "-W", "10");
            Assert.Contains(" 20 received", report, StringComparison.Ordinal);
            var times = RoundTrip().Matches(report).Select(match => double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)).Order().ToList();
            output.WriteLine($"least {times[0]} ms, median {times[10]} ms");
            least = Math.Min(least, times[0]);
        }

        Assert.InRange(least, 20, 25);
        Assert.True(cable.Stop()["frames"].AToB >= 20);
    }

    [SkippableFact]
    public void Loss_duplication_and_their_counters_are_what_was_asked_for()
    {
        const int Pings = 1000;
        using var cable = LiveCable.Start("--loss", "a-b:10%", "--loss-burst", "a-b:2", "--duplicate", "b-a:0.2", "--seed", "3");

        // ARP goes over the cable, too, and may be lost.
        cable.Right.Exec("ping", "-c", "10", "-i", "0.1", "-W", "1", LiveCable.LeftAddress);
        var summary = PingSummary().Match(cable.Ping("-c", $"{Pings}", "-i", "0.001", "-W", "1", "-q"));
        var received = int.Parse(summary.Groups["received"].Value, CultureInfo.InvariantCulture);
        var duplicates = int.Parse(summary.Groups["duplicates"].Value, CultureInfo.InvariantCulture);

        // Four standard deviations; of bursts of two the variance is more than doubled.
        Assert.InRange(Pings - received, 100 - 60, 100 + 60);
        Assert.InRange(duplicates, (received * 0.2) - 50, (received * 0.2) + 50);
        var table = cable.Stop();
        Assert.InRange(table["lost"].AToB, Pings - received, Pings - received + 15);
        Assert.InRange(table["duplicated"].BToA, duplicates, duplicates + 15);
        Assert.Equal((0, 0, 0), (table["lost"].BToA, table["duplicated"].AToB, table["queue full"].AToB));
    }

    [SkippableTheory]
    [InlineData("tap")]
    [InlineData("tun")]
    public async Task Bulk_arrives_intact_in_frames_of_MTU_size_no_faster_than_the_line_and_what_the_queue_drops_is_counted(string kind)
    {
        const int Megabit = 1_000_000;
        string[] line = ["--latency", "2ms", "--bandwidth", "100mbit", "--queue", "20", "--reorder", "0.5%", "--corrupt", "0.2%"];
        using var cable = kind == "tap" ? LiveCable.Start(line) : LiveCable.StartTun(line);
        using var listener = cable.Right.OpenSocket();
        listener.Bind(new IPEndPoint(IPAddress.Parse(LiveCable.RightAddress), 0));
        listener.Listen();
        using var sender = cable.Left.OpenSocket();
        var accepting = listener.AcceptAsync();
        await sender.ConnectAsync(listener.LocalEndPoint!).WaitAsync(TimeSpan.FromSeconds(30));
        await using var from = new NetworkStream(sender);
        await using var to = new NetworkStream(await accepting.WaitAsync(TimeSpan.FromSeconds(30)), ownsSocket: true);

        var bytes = LiveSize.Bulk / 16;
        var clock = Stopwatch.StartNew();
        var sending = Transfer.SendToEndAsync(from, bytes);
        Assert.Equal(await Transfer.ReceiveToEndAsync(to, bytes), await sending);
        var rate = bytes * 8 / clock.Elapsed.TotalSeconds / Megabit;
        output.WriteLine($"{rate:0.0} Mbit/s");
        Assert.InRange(rate, 0, 100);

        var table = cable.Stop();
        Assert.InRange(table["bytes"].AToB / table["frames"].AToB, 1, kind == "tap" ? 1514 : 1500);
        Assert.True(table["frames"].AToB > bytes / 1448, $"{table["frames"].AToB} frames for {bytes} bytes");
        Assert.All([table["queue full"].AToB, table["reordered"].AToB, table["corrupted"].AToB], count => Assert.NotEqual(0, count));
        Assert.Equal((0, 0), table["refused"]);
    }

    [SkippableFact]
    public async Task Without_impairments_it_carries_bulk_at_wire_speed()
    {
        using var cable = LiveCable.Start();
        using var listener = cable.Right.OpenSocket();
        listener.Bind(new IPEndPoint(IPAddress.Parse(LiveCable.RightAddress), 0));
        listener.Listen();
        using var sender = cable.Left.OpenSocket();
        var accepting = listener.AcceptAsync();
        await sender.ConnectAsync(listener.LocalEndPoint!).WaitAsync(TimeSpan.FromSeconds(30));
        await using var from = new NetworkStream(sender);
        await using var to = new NetworkStream(await accepting.WaitAsync(TimeSpan.FromSeconds(30)), ownsSocket: true);
        var clock = Stopwatch.StartNew();
        var before = cable.Program.ProcessorTime;
        var sending = Transfer.SendToEndAsync(from, LiveSize.Bulk);
        Assert.Equal(await Transfer.ReceiveToEndAsync(to, LiveSize.Bulk), await sending);
        var used = cable.Program.ProcessorTime - before;
        output.WriteLine($"{LiveSize.Bulk * 8 / clock.Elapsed.TotalSeconds / 1e9:0.00} Gbit/s, {LiveSize.Bulk * 8 / used.TotalSeconds / 1e9:0.00} Gbit per second of CPU");
        Assert.True(cable.Stop()["frames"].AToB >= LiveSize.Bulk / 1448);
    }

    [SkippableFact]
    public void A_device_that_vanishes_is_made_again_and_the_way_is_open()
    {
        using var cable = LiveCable.Start();
        Assert.Contains(" 1 received", cable.Ping("-c", "1", "-W", "10"), StringComparison.Ordinal);
        cable.Left.Ip($"link del {LiveCable.LeftDevice}");
        var deadline = DateTime.UtcNow + TimeSpan.FromSeconds(30);
        while (cable.Left.TryExec("ip", "link", "show", LiveCable.LeftDevice).ExitCode != 0)
            Assert.True(DateTime.UtcNow < deadline, "The device does not come back.");
        cable.ConnectLeft();
        Assert.Contains(" 1 received", cable.Ping("-c", "1", "-W", "10"), StringComparison.Ordinal);
        Assert.Contains("ca failed: ca has been removed.", cable.Program.Stop().Error, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void It_prints_its_counters_when_asked_by_a_signal_and_at_the_end_of_its_time()
    {
        using var network = NetworkNamespace.Create();
        var program = TapwireProgram.Start(network, "cable", "--a", "tap:ca", "--b", "tap:cb", "--duration", "2s", "--seed", "5");
        Assert.Equal("tapwire cable is up: tap:ca to tap:cb, seed 5", program.WaitForLine("tapwire cable is up"));
        program.Signal(SIGUSR1);
        program.WaitForLine("refused");
        var ended = program.WaitForExit();
        Assert.Equal(0, ended.ExitCode);
        Assert.Equal(2, ended.Output.Split('\n').Count(line => line.StartsWith("frames", StringComparison.Ordinal)));
    }

    [SkippableFact]
    public void It_prints_its_counters_in_an_interval_and_Ctrl_C_ends_it_with_130()
    {
        using var network = NetworkNamespace.Create();
        var program = TapwireProgram.Start(network, "cable", "--a", "tun:ca", "--b", "tun:cb", "--interval", "10ms");
        for (var i = 0; i < 3; i++)
            program.WaitForLine("refused");
        Assert.Equal(130, program.Stop(TapwireProgram.SIGINT).ExitCode);
        Assert.DoesNotContain("ca", network.Ip("link"), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_device_that_cannot_be_had_is_1_with_advice_and_nothing_is_left()
    {
        using var network = NetworkNamespace.Create();
        network.Ip("link add ca type veth peer name other");
        var ended = TapwireProgram.Run(network, "cable", "--a", "tap:cb", "--b", "tap:ca");
        Assert.Equal((1, "tapwire: ca exists and is not a single-queue tap device, or cannot be an interface's name; choose another name.\n"), (ended.ExitCode, ended.Error));
        Assert.NotEqual(0, network.TryExec("ip", "link", "show", "cb").ExitCode);
    }

    [SkippableFact]
    public void Devices_of_different_MTU_are_1_with_advice_and_one_option_makes_them_alike()
    {
        using var network = NetworkNamespace.Create();
        network.Ip("tuntap add dev ca mode tap");
        network.Ip("link set ca mtu 9000");
        var ended = TapwireProgram.Run(network, "cable", "--a", "tap:ca", "--b", "tap:cb");
        Assert.Equal((1, "tapwire: tap:ca has MTU 9000, tap:cb 1500: set both alike with --mtu 1500.\n"), (ended.ExitCode, ended.Error));
        Assert.Equal(0, TapwireProgram.Run(network, "cable", "--a", "tap:ca", "--b", "tap:cb", "--mtu", "1500", "--duration", "1ms").ExitCode);
    }

    [GeneratedRegex(@"time=([\d.]+) ms")]
    private static partial Regex RoundTrip();

    [GeneratedRegex(@" (?<received>\d+) received, \+(?<duplicates>\d+) duplicates")]
    private static partial Regex PingSummary();
}
