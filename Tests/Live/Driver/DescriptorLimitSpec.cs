using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Tapwire.Links.Client;
using Tapwire.Links.Protocol;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>A driver whose limit on open files is reached, by applications and from the wire: it refuses, goes on, and says so.</summary>
[Collection(LiveCollection.Name)]
public sealed class DescriptorLimitSpec
{
    private const int Exposed = 8081;

    // More than the limit, so that no count of the driver's own descriptors can hide behind it.
    private const int TooMany = 700;

    private const string Told = "The driver had no descriptor left";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>601 is what was seen to kill: the last descriptor went to a socket pair, and the error's path found none.</summary>
    [SkippableTheory]
    [InlineData(256)]
    [InlineData(300)]
    [InlineData(600)]
    [InlineData(601)]
    public async Task Applications_that_take_all_descriptors_are_refused_and_all_works_again_when_they_let_go(int limit)
    {
        using var driver = Start(limit);
        var before = driver.Program.Descriptors;
        for (var round = 0; round < 2; round++)
        {
            var held = await TakeSocketsAsync(driver);
            Assert.InRange(held.Count, 1, limit);
            await AnswersSoonAsync(driver);
            held.ForEach(static socket => socket.Dispose());
            await WorksAsync(driver);
        }

        await DescriptorsFallToAsync(driver, before);
        StopsAndTold(driver);
    }

    [SkippableTheory]
    [InlineData(300)]
    [InlineData(601)]
    public async Task Connections_from_the_wire_that_take_all_descriptors_are_reset_and_all_works_again_when_they_let_go(int limit)
    {
        using var driver = Start(limit);
        using var service = Serve(driver);
        for (var round = 0; round < 2; round++)
        {
            var held = new List<Socket>();
            for (var i = 0; i < TooMany; i++)
            {
                var socket = driver.KernelSocket();
                held.Add(socket);
                try
                {
                    await socket.ConnectAsync(IPAddress.Parse(LiveDriver.Address), Exposed).WaitAsync(Patience);
                }
                catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
                {
                    // Reset before its handshake was looked at.
                }
            }

            await AnswersSoonAsync(driver);

            // Applications have none either, and are told so.
            using (var client = await driver.ConnectToLinkAsync())
                await Assert.ThrowsAsync<SocketException>(() => client.ListenAsync(new IPEndPoint(IPAddress.Any, 0)).WaitAsync(Patience));
            await AnswersSoonAsync(driver);
            held.ForEach(static socket => socket.Dispose());
            await WorksAsync(driver);
        }

        StopsAndTold(driver);
    }

    /// <summary>Each application has a session, and sessions take descriptors as sockets do.</summary>
    [SkippableFact]
    public async Task Sessions_that_take_all_descriptors_do_not_keep_out_the_one_who_asks_for_the_status()
    {
        using var driver = Start(300);
        var held = new List<TapwireClient>();
        for (var i = 0; i < TooMany; i++)
        {
            try
            {
                held.Add(await driver.ConnectToLinkAsync());
            }
            catch (Exception e) when (e is IOException or SocketException)
            {
                // Turned away.
            }
        }

        Assert.InRange(held.Count, 1, TooMany);
        await AnswersSoonAsync(driver);
        held.ForEach(static client => client.Dispose());
        await WorksAsync(driver);
        Assert.Equal(0, driver.Program.Stop().ExitCode);
    }

    /// <summary>While there is none left, too: what asks has descriptors of its own.</summary>
    [SkippableFact]
    public async Task A_driver_that_has_no_descriptor_left_says_so_wherever_it_is_asked()
    {
        var directory = Directory.CreateTempSubdirectory("tapwire-limit-");
        try
        {
            var token = Path.Combine(directory.FullName, "token");
            using var driver = LiveDriver.StartBy(["prlimit", "--nofile=300"], "--metrics", "127.0.0.1:9464", "--http-token", token);
            Assert.DoesNotContain(Told, TextOf(driver), StringComparison.Ordinal);
            Assert.DoesNotContain("DescriptorsRefused", Get(driver, "http://127.0.0.1:9464/metrics"), StringComparison.Ordinal);

            var held = await TakeSocketsAsync(driver);
            Assert.Matches($"(?m)^attention    {Told} [1-9]\\d* times, the last one \\d+ s ago: its limit on open files is 300\\.$", TextOf(driver));
            Assert.StartsWith(Told, Assert.Single(Problems(await driver.StatusAsync())), StringComparison.Ordinal);
            Assert.Matches("(?m)^tapwire_stack_events_total\\{tapwire_counter=\"DescriptorsRefused\"\\} [1-9]", Get(driver, "http://127.0.0.1:9464/metrics"));
            using (var page = JsonDocument.Parse(Get(driver, $"http://{LiveDriver.Address}/status.json", "-H", $"Authorization: Bearer {File.ReadAllText(token).Trim()}")))
                Assert.StartsWith(Told, Assert.Single(Problems(page.RootElement)), StringComparison.Ordinal);
            await driver.Program.WaitForErrorAsync($"Needs attention: {Told}");

            held.ForEach(static socket => socket.Dispose());
            await WorksAsync(driver);
            Assert.Equal(0, driver.Program.Stop().ExitCode);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [SkippableFact]
    public void The_soft_limit_is_raised_to_the_hard_one()
    {
        using var driver = Start("--nofile=256:5000");
        Assert.StartsWith("INF At most 5000 open files", driver.Program.Stop().Error.Split('\n')[0].Split(' ', 4)[3], StringComparison.Ordinal);
    }

    private static IEnumerable<string> Problems(JsonElement status) =>
        status.GetProperty("problems").EnumerateArray().Where(static each => each.GetProperty("cause").GetString() == StatusProblem.Descriptors).Select(static each => each.GetProperty("text").GetString()!);

    /// <summary>What <c>tapwire status</c> prints.</summary>
    private static string TextOf(LiveDriver driver)
    {
        var status = TapwireProgram.Run(driver.Namespace, "status", "--link", driver.LinkPath);
        Assert.True(status.ExitCode == 0, status.Error);
        return status.Output;
    }

    private static string Get(LiveDriver driver, string url, params string[] options)
    {
        var got = driver.Namespace.TryExec("curl", ["-sS", "--fail", "--max-time", "30", .. options, url]);
        Assert.True(got.ExitCode == 0, got.Error);
        return got.Output;
    }

    private static LiveDriver Start(int limit) => Start($"--nofile={limit}");

    private static LiveDriver Start(string limit) => LiveDriver.StartBy(["prlimit", limit], "--expose", $"tcp:{Exposed}={LiveDriver.KernelAddress}:9000");

    /// <summary>The service behind the exposed port: it keeps each connection until its client has gone.</summary>
    private static Socket Serve(LiveDriver driver)
    {
        var listener = driver.KernelSocket();
        listener.Bind(new IPEndPoint(IPAddress.Parse(LiveDriver.KernelAddress), 9000));
        listener.Listen(TooMany);
        _ = Task.Run(async () =>
        {
            while (true)
            {
                var accepted = await listener.AcceptAsync();
                _ = Task.Run(async () =>
                {
                    using (accepted)
                        await accepted.ReceiveAsync(new byte[1]);
                });
            }
        });
        return listener;
    }

    private static async Task<List<IDisposable>> TakeSocketsAsync(LiveDriver driver)
    {
        var held = new List<IDisposable>();
        var refused = 0;
        while (refused < 50 && held.Count < TooMany)
        {
            try
            {
                var client = await driver.ConnectToLinkAsync();
                held.Add(client);
                for (var i = 0; i < 3; i++)
                    held.Add(await client.ListenAsync(new IPEndPoint(IPAddress.Any, 0)).WaitAsync(Patience));
            }
            catch (Exception e) when (e is SocketException or IOException)
            {
                refused++;
            }
        }

        Assert.Equal(50, refused);
        return held;
    }

    private static async Task AnswersSoonAsync(LiveDriver driver)
    {
        for (var i = 0; i < 3; i++)
        {
            var begin = Stopwatch.StartNew();
            await driver.StatusAsync().WaitAsync(Patience);
            Assert.InRange(begin.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        }
    }

    private static async Task WorksAsync(LiveDriver driver)
    {
        await using (var echo = await driver.ConnectFromKernelAsync(LiveDriver.Echo))
            await Transfer.EchoAsync(echo, 10_000);
        var deadline = DateTime.UtcNow + Patience;
        while (true)
        {
            try
            {
                using var client = await driver.ConnectToLinkAsync();
                using var listener = await client.ListenAsync(new IPEndPoint(IPAddress.Any, 0)).WaitAsync(Patience);
                return;
            }
            catch (Exception e) when (e is SocketException or IOException && DateTime.UtcNow < deadline)
            {
                await Task.Delay(20); // what has been let go of is on its way
            }
        }
    }

    /// <summary>A library that the runtime has opened late stays open.</summary>
    private static Task DescriptorsFallToAsync(LiveDriver driver, int before) => driver.DescriptorsAreBackAtAsync(before + 30);

    private static void StopsAndTold(LiveDriver driver)
    {
        var ended = driver.Program.Stop();
        Assert.Equal(0, ended.ExitCode);
        var told = ended.Error.Split('\n').Where(static line => line.Contains("WRN", StringComparison.Ordinal) || line.Contains("Too many open files", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(told);
        Assert.DoesNotContain(" ERR ", ended.Error, StringComparison.Ordinal);

        // One line a second of each kind.
        Assert.InRange(told.Count, 1, 60);
    }
}
