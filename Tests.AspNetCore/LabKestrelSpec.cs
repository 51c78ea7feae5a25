using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Tapwire.AspNetCore;
using Xunit;

namespace Tapwire.Tests.AspNetCore;

/// <summary>A service of Kestrel's and a client with retries in a lab: a network that loses, and is cut for a while.</summary>
[Collection(LabCollection.Name)]
public sealed class LabKestrelSpec
{
    private const int Times = 20;

    [Fact]
    public async Task A_service_under_loss_and_a_partition_and_its_client_with_retries_come_to_the_same_end_each_time()
    {
        var first = await RunAsync(3);
        Assert.Contains("ok", first.Course, StringComparison.Ordinal);
        Assert.Contains("retry", first.Course, StringComparison.Ordinal);
        for (var i = 1; i < Times; i++)
            Assert.Equal(first, await RunAsync(3));
        Assert.NotEqual(first, await RunAsync(4));
    }

    /// <summary>20 requests, one after the other. An attempt has two seconds; a request has five attempts.</summary>
    private static async Task<(string Course, TimeSpan Duration, long Lost)> RunAsync(long seed)
    {
        var course = new List<string>();
        var report = await Lab.RunAsync(seed, async lab =>
        {
            var server = await lab.AddHostAsync("server", "10.0.0.1", "fd00::1");
            var client = await lab.AddHostAsync("client", "10.0.0.2", "fd00::2");
            (lab.Cable.Loss, lab.Cable.Latency) = (0.05, TimeSpan.FromMilliseconds(20));
            await using var app = await ServeAsync(server);
            using var http = new HttpClient(client.Network.CreateHttpHandler());
            for (var i = 0; i < 20; i++)
            {
                if (i == 5)
                    lab.Partition("client", "server");
                await AskAsync(i);
            }

            await app.StopAsync();

            async Task AskAsync(int number)
            {
                for (var attempt = 1; attempt <= 5; attempt++)
                {
                    try
                    {
                        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2), lab.Time);
                        var answer = await http.GetStringAsync(new Uri($"http://server/numbers/{number}"), limit.Token);
                        course.Add(string.Create(CultureInfo.InvariantCulture, $"{number} ok {answer.Length} {lab.Elapsed.TotalSeconds}"));
                        return;
                    }
                    catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
                    {
                        course.Add(string.Create(CultureInfo.InvariantCulture, $"{number} retry {lab.Elapsed.TotalSeconds}"));
                        await Task.Delay(TimeSpan.FromMilliseconds(500), lab.Time);
                        if (attempt == 2)
                            lab.Heal();
                    }
                }

                throw new InvalidOperationException($"The request {number} has failed five times.");
            }
        });
        return (string.Join('\n', course), report.Duration, report.Frames.Lost);
    }

    private static async Task<WebApplication> ServeAsync(LabHost server)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTapwire(server.Network).ConfigureKestrel(static kestrel => kestrel.ListenAnyIP(80));
        var app = builder.Build();
        app.MapGet("/numbers/{number:int}", static (int number) => Results.Text(new string('x', number * 1000)));
        await app.StartAsync();
        return app;
    }
}
