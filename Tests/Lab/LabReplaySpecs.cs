using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Labs;

/// <summary>The same seed runs alike: packet by packet, with their times.</summary>
[Collection(AloneCollection.Name)]
public sealed class LabReplaySpecs
{
    private const int Times = 100;

    [Fact]
    public async Task The_same_seed_gives_the_same_packets_a_hundred_times()
    {
        var first = await RunAsync(77);
        for (var i = 1; i < Times; i++)
            Assert.Equal(first, await RunAsync(77));
        Assert.NotEqual(first.Packets, (await RunAsync(78)).Packets);
    }

    [Fact]
    public async Task A_program_that_fails_under_a_seed_fails_alike_each_time()
    {
        var folder = Directory.CreateTempSubdirectory("tapwire-lab-spec-");
        try
        {
            var all = new HashSet<(string, TimeSpan)>();
            for (var i = 0; i < 20; i++)
            {
                var failure = await Assert.ThrowsAsync<LabException>(() => Lab.RunAsync(new LabOptions { Seed = 5, CaptureDirectory = folder.FullName }, async lab =>
                {
                    var (server, client) = await LabSpecs.TwoHostsAsync(lab);
                    (lab.Cable.Loss, lab.Cable.Latency) = (0.2, LabSpecs.Milliseconds(10));
                    await using var listener = await server.Network.ListenAsync(80);
                    for (var attempt = 0; ; attempt++)
                    {
                        await using var stream = await client.Network.ConnectAsync(new IPEndPoint(server.Address, 80), new TapwireConnectOptions { Timeout = LabSpecs.Milliseconds(800) });
                        if (attempt > 50)
                            return;
                    }
                }));
                all.Add((failure.InnerException!.Message, failure.Report!.Duration));
            }

            Assert.Single(all);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Several clients at once, each in a task of its own, over a bad cable with a partition: what a pool of threads would mix.</summary>
    private static async Task<(TimeSpan Duration, string Packets, string Log)> RunAsync(long seed)
    {
        var log = new List<string>();
        var report = await Lab.RunAsync(seed, async lab =>
        {
            var (server, client) = await LabSpecs.TwoHostsAsync(lab);
            var third = await lab.AddHostAsync("third", "10.0.0.3", "fd00::3");
            (lab.Cable.Loss, lab.Cable.Latency, lab.Cable.Jitter, lab.Cable.Duplication, lab.Cable.Corruption) = (0.05, LabSpecs.Milliseconds(15), LabSpecs.Milliseconds(10), 0.01, 0.01);
            await using var listener = await server.Network.ListenAsync(80);
            var serving = ServeAsync(listener);
            var asking = Enumerable.Range(0, 4).Select(number => Task.Run(() => AskAsync(number % 2 == 0 ? client : third, number))).ToList();
            await Task.Delay(LabSpecs.Milliseconds(60), lab.Time);
            lab.Partition("client", "server");
            await Task.Delay(TimeSpan.FromSeconds(1), lab.Time);
            lab.Heal();
            await Task.WhenAll(asking);
            await listener.DisposeAsync();
            await serving;

            async Task AskAsync(LabHost host, int number)
            {
                for (var i = 0; i < 2; i++)
                {
                    await using var stream = await host.Network.ConnectAsync("server", 80);
                    await stream.WriteAsync(new byte[] { (byte)number });
                    var answer = new MemoryStream();
                    await stream.CopyToAsync(answer);
                    lock (log)
                        log.Add($"{number} {i} {answer.Length} {lab.Elapsed}");
                    await Task.Delay(LabSpecs.Milliseconds(lab.Random.Next(50)), lab.Time);
                }
            }
        });
        return (report.Duration, Convert.ToHexString(SHA256.HashData(report.Capture.Span)), string.Join('\n', log));
    }

    private static async Task ServeAsync(TapwireListener listener)
    {
        var all = new List<Task>();
        try
        {
            while (true)
            {
                var stream = await listener.AcceptAsync();
                all.Add(Task.Run(() => AnswerAsync(stream)));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(all);
        }
    }

    private static async Task AnswerAsync(TapwireStream stream)
    {
        await using (stream)
        {
            var one = new byte[1];
            await stream.ReadExactlyAsync(one);
            await stream.WriteAsync(new byte[3000 * (one[0] + 1)]);
        }
    }
}
