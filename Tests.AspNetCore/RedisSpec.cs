using System.Diagnostics;
using System.Threading.Channels;
using StackExchange.Redis;
using Tapwire.Samples.Redis;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.AspNetCore;

/// <summary>StackExchange.Redis on a driver in this process, with a server at the kernel's end of the wire. Only the driver knows the server's name.</summary>
public sealed class RedisSpec
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    [SkippableFact]
    public async Task Commands_in_a_pipeline_and_subscriptions_work_and_come_back_when_the_server_does()
    {
        using var space = NetworkNamespace.Create();
        Skip.If(space.TryExec("redis-server", "--version").ExitCode != 0, "there is no redis-server");
        await using var network = await TapwireNetwork.StartAsync(new()
        {
            Wire = "tap:tw0",
            Addresses = ["10.99.0.2/24"],
            Settings = "tap.peer-address = \"10.99.0.1/24\", dns { hosts { \"redis.office\" = \"10.99.0.1\" }\n hosts-file = \"\" }",
            OpenWithin = space.Run,
        }).WaitAsync(Patience);
        var server = await ServeAsync(space);
        var options = new ConfigurationOptions
        {
            EndPoints = { { "redis.office", 6379 } },
            Tunnel = new TapwireTunnel(network),
            ReconnectRetryPolicy = new LinearRetry(100),
            ConnectTimeout = (int)Patience.TotalMilliseconds,
            AsyncTimeout = (int)Patience.TotalMilliseconds,
        };
        await using var redis = await ConnectionMultiplexer.ConnectAsync(options).WaitAsync(Patience);
        var database = redis.GetDatabase();
        Assert.True(await database.StringSetAsync("greeting", "hello"));
        Assert.Equal("hello", await database.StringGetAsync("greeting"));

        var counted = await Task.WhenAll(Enumerable.Range(0, 10_000).Select(_ => database.StringIncrementAsync("count"))).WaitAsync(Patience);
        Assert.Equal(Enumerable.Range(1, 10_000).Select(static n => (long)n), counted);

        var heard = Channel.CreateUnbounded<string>();
        await redis.GetSubscriber().SubscribeAsync(RedisChannel.Literal("news"), (_, text) => heard.Writer.TryWrite(text!));
        Assert.Equal(1, await database.PublishAsync(RedisChannel.Literal("news"), "first"));
        Assert.Equal("first", await heard.Reader.ReadAsync().AsTask().WaitAsync(Patience));
        Assert.Contains("addr=10.99.0.2:", space.Exec("redis-cli", "-h", "10.99.0.1", "client", "list"), StringComparison.Ordinal);

        server.Kill();
        await server.WaitForExitAsync().WaitAsync(Patience);
        await ServeAsync(space);
        Assert.True(await UntilAsync(() => database.StringSetAsync("greeting", "again")));
        Assert.Equal("again", await database.StringGetAsync("greeting"));
        Assert.True(await UntilAsync(async () => await database.PublishAsync(RedisChannel.Literal("news"), "second") == 1));
        Assert.Equal("second", await heard.Reader.ReadAsync().AsTask().WaitAsync(Patience));
    }

    [SkippableFact]
    public async Task The_sample_sends_a_command_and_prints_the_answer()
    {
        using var space = NetworkNamespace.Create();
        Skip.If(space.TryExec("redis-server", "--version").ExitCode != 0, "there is no redis-server");
        KernelEnd.MakeDevice(space);
        await ServeAsync(space);
        var program = SampleProgramsSpec.Start(space, "Redis", "tap:tw0", "10.99.0.2/24", "10.99.0.1", "SET", "greeting", "hello");
        Assert.Equal("OK\n", await program.StandardOutput.ReadToEndAsync().WaitAsync(Patience));
        Assert.Equal(0, NetworkNamespace.ExitCodeOf(program));
        Assert.Equal("hello\n", space.Exec("redis-cli", "-h", "10.99.0.1", "get", "greeting"));
    }

    private static async Task<Process> ServeAsync(NetworkNamespace space)
    {
        var server = space.Start("redis-server", "--bind", "10.99.0.1", "--protected-mode", "no", "--save", "", "--loglevel", "warning");
        Assert.True(await UntilAsync(() => Task.Run(() => space.TryExec("redis-cli", "-h", "10.99.0.1", "ping").Output.Trim() == "PONG")), "redis-server does not answer.");
        return server;
    }

    /// <summary>Tries until it succeeds: a client whose server is gone fails what is under way.</summary>
    private static async Task<bool> UntilAsync(Func<Task<bool>> attempt)
    {
        for (var end = Stopwatch.GetTimestamp() + (long)(Patience.TotalSeconds * Stopwatch.Frequency); Stopwatch.GetTimestamp() < end;)
        {
            try
            {
                if (await attempt().WaitAsync(Patience))
                    return true;
            }
            catch (Exception e) when (e is RedisException or TimeoutException)
            {
                // Not yet.
            }
        }

        return false;
    }
}
