using System.Net;
using Akka.Actor;
using Akka.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Tapwire.Actors;
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

/// <summary>What the host's health checks say of a driver that works, stops, or has died.</summary>
[Collection(HostCollection.Name)]
public sealed class ActorHealthSpecs : IDisposable
{
    private const string ActorSystem = "akka.actorsystem";
    private const string Liveness = "tapwire.driver.liveness";
    private const string Readiness = "tapwire.driver.readiness";

    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-health-");
    private readonly Cable _cable = new(new CableOptions(), TimeProvider.System);

    public void Dispose()
    {
        _cable.Dispose();
        _directory.Delete(recursive: true);
    }

    [Fact]
    public async Task A_driver_that_serves_is_alive_and_ready()
    {
        await using var driver = await StartAsync("left", _cable.A);
        var report = await CheckAsync(driver);
        Assert.Equal(HealthStatus.Healthy, report.Status);
        Assert.Equal([ActorSystem, Liveness, Readiness], report.Entries.Keys.Order(StringComparer.Ordinal));
        Assert.Equal([ActorSystem, Liveness], (await CheckAsync(driver, ActorHealth.Liveness)).Entries.Keys.Order(StringComparer.Ordinal));
        Assert.Equal([Readiness], (await CheckAsync(driver, ActorHealth.Readiness)).Entries.Keys);
    }

    [Fact]
    public async Task A_driver_that_has_lost_its_stack_is_neither_alive_nor_ready()
    {
        await using var driver = await StartAsync("left", _cable.A);
        driver.Ready.Stack.Tell(PoisonPill.Instance);
        await driver.Ended.WaitAsync(Soon);
        await driver.WaitForShutdownAsync().WaitAsync(Soon);
        var report = await CheckAsync(driver);
        Assert.Equal(HealthStatus.Healthy, report.Entries[ActorSystem].Status);
        Assert.Equal((HealthStatus.Unhealthy, "The driver actor has ended."), Verdict(report, Liveness));
        Assert.Equal((HealthStatus.Unhealthy, "The driver actor has ended."), Verdict(report, Readiness));
    }

    [Fact]
    public async Task A_driver_that_stops_is_alive_but_not_ready()
    {
        await using var left = await StartAsync("left", _cable.A);
        await using var right = await StartAsync("right", _cable.B);
        using var client = await TapwireClient.ConnectAsync(LinkPath("left"));
        await using var connection = await client.ConnectTcpAsync(new IPEndPoint(IPAddress.Parse("10.99.0.2"), 7));

        // Nobody acknowledges the FIN, and so the driver is busy stopping for as long as its patience lasts.
        _cable.B.Dispose();
        left.Services.GetRequiredService<IReadOnlyActorRegistry>().Get<DriverActor>().Tell(StopDriver.Instance);
        var report = await CheckAsync(left);
        Assert.Equal(HealthStatus.Healthy, report.Entries[Liveness].Status);
        Assert.Equal((HealthStatus.Unhealthy, "The driver is stopping."), Verdict(report, Readiness));
    }

    [Fact]
    public async Task An_actor_system_that_has_ended_is_not_alive()
    {
        await using var driver = await StartAsync("left", _cable.A);
        await driver.System.Terminate().WaitAsync(Soon);
        var report = await CheckAsync(driver);
        Assert.Equal(HealthStatus.Unhealthy, report.Entries[ActorSystem].Status);
        Assert.Equal(HealthStatus.Unhealthy, report.Entries[Liveness].Status);
        Assert.Equal(HealthStatus.Unhealthy, report.Entries[Readiness].Status);
    }

    private static Task<HealthReport> CheckAsync(RunningDriver driver, string? tag = null) =>
        driver.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(check => tag is null || check.Tags.Contains(tag)).WaitAsync(Soon);

    private static (HealthStatus Status, string? Description) Verdict(HealthReport report, string check) =>
        (report.Entries[check].Status, report.Entries[check].Description);

    private string LinkPath(string name) => Path.Combine(_directory.FullName, $"{name}.sock");

    private Task<RunningDriver> StartAsync(string name, IWire wire)
    {
        var configuration = HostConfiguration.Load(null, "akka.loglevel = OFF\nakka.stdout-loglevel = OFF\nakka.loggers = []");
        var settings = configuration.Settings with
        {
            Addresses = [IpPrefix.Parse(name == "left" ? "10.99.0.1/24" : "10.99.0.2/24")],
            Serve = [ServiceSpec.Parse("echo:7")!],
        };
        return RunningDriver.StartAsync(name, configuration.Config, settings, [[wire]], _ => throw new WireException("The cable is cut."),
            LinkListener.Listen(LinkPath(name)), new BufferPool()).WaitAsync(Soon);
    }
}
