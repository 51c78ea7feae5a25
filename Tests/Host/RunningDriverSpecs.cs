using Akka.Actor;
using Akka.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Tapwire.Actors.Dispatch;
using Tapwire.Actors.Settings;
using Tapwire.Host;
using Tapwire.Configuration;
using Tapwire.Links;
using Tapwire.Links.Client;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Host;

/// <summary>A driver as the program starts it: a real actor system, on one end of a cable.</summary>
[Collection(HostCollection.Name)]
public sealed class RunningDriverSpecs : IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-host-");
    private readonly Cable _cable = new(new CableOptions(), TimeProvider.System);

    public void Dispose()
    {
        _cable.Dispose();
        _directory.Delete(recursive: true);
    }

    [Fact]
    public async Task A_driver_that_cannot_work_says_why_at_once()
    {
        var configuration = HostConfiguration.Load(null, "akka.loglevel = OFF\nakka.stdout-loglevel = OFF\nakka.loggers = []");
        var settings = configuration.Settings with { Addresses = [IpPrefix.Parse("10.99.0.1/24")], Gateway = IpAddress.Parse("192.0.2.1") };
        var failure = await Assert.ThrowsAsync<SettingsException>(() => StartAsync(configuration, settings)).WaitAsync(Soon);
        Assert.Contains("gateway 192.0.2.1", failure.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(LinkPath));
    }

    [Theory]
    [InlineData("akka.loglevel = LOUD", "LOUD")]
    [InlineData("akka.loggers = [\"No.Such\"]", "No.Such")]
    [InlineData("akka.actor.default-dispatcher.type = \"No.Such\"", "No.Such")]
    [InlineData("tapwire.dispatcher.type = \"No.Such\"", "No.Such")]
    [InlineData("akka.actor.default-mailbox.mailbox-type = \"No.Such\"", "No.Such")]
    [InlineData("akka.scheduler.implementation = \"No.Such, This\"", "Could not")]
    [InlineData("akka.actor.creation-timeout = soon", "soon")]
    [InlineData("akka.actor.provider = nowhere", "nowhere")]
    [InlineData("akka.log-dead-letters = perhaps", "perhaps")]
    public async Task What_the_actor_system_does_not_accept_is_a_setting_that_is_wrong_and_nothing_stays_open(string bad, string named)
    {
        var configuration = HostConfiguration.Load(null, "akka.loglevel = OFF\nakka.stdout-loglevel = OFF\nakka.loggers = []");
        var settings = configuration.Settings with { Addresses = [IpPrefix.Parse("10.99.0.1/24")] };
        configuration = configuration with { Config = ConfigurationFactory.ParseString(bad).WithFallback(configuration.Config) };
        var failure = await Assert.ThrowsAsync<SettingsException>(() => StartAsync(configuration, settings)).WaitAsync(Soon);
        Assert.StartsWith("The actor system does not start: ", failure.Message, StringComparison.Ordinal);
        Assert.Contains(named, failure.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(LinkPath));
    }

    [Fact]
    public async Task No_time_out_around_an_orderly_stop_is_shorter_than_the_stop_may_take()
    {
        var configuration = HostConfiguration.Load(null,
            "akka { loglevel = OFF, stdout-loglevel = OFF, loggers = [], coordinated-shutdown.phases.service-unbind.timeout = 1ms }");
        var settings = configuration.Settings with { Addresses = [IpPrefix.Parse("10.99.0.1/24")], ShutdownTimeout = TimeSpan.FromMinutes(5) };
        await using var driver = await StartAsync(configuration, settings).WaitAsync(Soon);
        var shutdown = CoordinatedShutdown.Get(driver.System);
        Assert.InRange(shutdown.Timeout(ActorHost.StopPhase), TimeSpan.FromMinutes(5.5), TimeSpan.FromMinutes(6));
        Assert.True(driver.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout > shutdown.TotalTimeout);
    }

    [Fact]
    public async Task P22_a_driver_starts_answers_stops_and_starts_again_on_the_same_link()
    {
        var configuration = HostConfiguration.Load(null, "akka.loglevel = WARNING");
        var settings = configuration.Settings with { Addresses = [IpPrefix.Parse("10.99.0.1/24")] };
        using var second = new Cable(new CableOptions(), TimeProvider.System);
        foreach (var wire in new[] { _cable.A, second.A })
        {
            await using var driver = await StartAsync(configuration, settings, wire).WaitAsync(Soon);
            using var client = await TapwireClient.ConnectAsync(LinkPath);
            Assert.Contains("10.99.0.1/24", await client.GetStatusAsync(), StringComparison.Ordinal);
            var reply = await client.PingAsync(System.Net.IPAddress.Parse("10.99.0.1"), 1, 56, Soon); // its own address
            Assert.Equal(IpAddress.Parse("10.99.0.1"), reply.From.Endpoint.Address);
            await driver.StopAsync().WaitAsync(Soon);
            Assert.False(File.Exists(LinkPath));
            await Assert.ThrowsAnyAsync<System.Net.Sockets.SocketException>(() => client.GetStatusAsync());
        }
    }

    [Fact]
    public async Task A_driver_that_loses_its_stack_ends_and_whoever_runs_it_is_told()
    {
        var configuration = HostConfiguration.Load(null, "akka.loglevel = OFF\nakka.stdout-loglevel = OFF\nakka.loggers = []");
        var settings = configuration.Settings with { Addresses = [IpPrefix.Parse("10.99.0.1/24")] };
        await using var driver = await StartAsync(configuration, settings).WaitAsync(Soon);
        Assert.False(driver.Ended.IsCompleted);
        driver.Ready.Stack.Tell(PoisonPill.Instance);
        await driver.Ended.WaitAsync(Soon);
        await driver.WaitForShutdownAsync().WaitAsync(Soon);
    }

    [Fact]
    public async Task Each_shard_has_a_dispatcher_of_its_own_like_the_one_that_is_set()
    {
        var configuration = HostConfiguration.Load(null, "akka.loglevel = WARNING\ntapwire.dispatcher { throughput = 7, spin = 30us }");
        var settings = configuration.Settings with { Addresses = [IpPrefix.Parse("10.99.0.1/24")], Shards = 2 };
        using var second = new Cable(new CableOptions(), TimeProvider.System);
        await using var driver = await StartAsync(configuration, settings, _cable.A, second.A).WaitAsync(Soon);
        var first = Assert.IsType<ReactorDispatcher>(driver.System.Dispatchers.Lookup("tapwire.dispatcher"));
        var other = Assert.IsType<ReactorDispatcher>(driver.System.Dispatchers.Lookup("tapwire.dispatcher-shard1"));
        Assert.Equal((7, 7), (first.Throughput, other.Throughput));
        Assert.NotSame(first.Reactor, other.Reactor);
    }

    private string LinkPath => Path.Combine(_directory.FullName, "link.sock");

    private Task<RunningDriver> StartAsync(HostConfiguration configuration, DriverSettings settings, params IWire[] wires) =>
        RunningDriver.StartAsync("spec", configuration.Config, settings, [wires.Length > 0 ? wires : [_cable.A]], _ => throw new WireException("The cable is cut."),
            LinkListener.Listen(LinkPath), new BufferPool());
}
