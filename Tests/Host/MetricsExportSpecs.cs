using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Tapwire.Actors.Settings;
using Tapwire.Host;
using Tapwire.Configuration;
using Tapwire.Links;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Host;

/// <summary>Where a driver's figures come out: Prometheus' format, and OTLP to a collector.</summary>
[Collection(HostCollection.Name)]
public sealed class MetricsExportSpecs : IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-metrics-");
    private readonly Cable _cable = new(new CableOptions(), TimeProvider.System);

    public void Dispose()
    {
        _cable.Dispose();
        _directory.Delete(recursive: true);
    }

    [Fact]
    public async Task Prometheus_reads_what_the_document_names()
    {
        await using var driver = await StartAsync();
        var listen = FreePort();
        using var export = MetricsExport.Start(MetricsSettings.Off with { Listen = listen }, driver);
        using var client = new HttpClient { Timeout = Soon };
        var text = await client.GetStringAsync($"http://{listen}/metrics");
        Assert.Contains("# TYPE tapwire_interface_io_bytes_total counter", text, StringComparison.Ordinal);
        Assert.Matches("tapwire_interface_up\\{network_interface_name=\"[a-z0-9-]+\"\\} 1", text);
        Assert.Contains("tapwire_uptime_seconds", text, StringComparison.Ordinal);
        Assert.Contains("dotnet_gc_collections_total", text, StringComparison.Ordinal);
        // Each name in the document's second column that a driver without WireGuard, ports and names has.
        foreach (var name in (string[])["tapwire_tcp_connections", "tapwire_tcp_segments_total", "tapwire_tcp_retransmissions_total", "tapwire_stack_events_total", "tapwire_buffers", "tapwire_link_sockets", "tapwire_guests"])
            Assert.Contains($"# HELP {name} ", text, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task Promtool_has_nothing_to_say()
    {
        await using var driver = await StartAsync();
        var listen = FreePort();
        using var export = MetricsExport.Start(MetricsSettings.Off with { Listen = listen }, driver);
        using var client = new HttpClient { Timeout = Soon };
        var text = await client.GetStringAsync($"http://{listen}/metrics");
        using var tool = StartPromtool();
        await tool.StandardInput.WriteAsync(text);
        tool.StandardInput.Close();
        var (said, wrong) = (await tool.StandardOutput.ReadToEndAsync(), await tool.StandardError.ReadToEndAsync());
        await tool.WaitForExitAsync().WaitAsync(Soon);
        Assert.Equal((0, "", ""), (tool.ExitCode, said, wrong));
    }

    [Fact]
    public async Task A_collector_gets_the_same_by_otlp()
    {
        await using var driver = await StartAsync();
        var at = FreePort();
        using var collector = new HttpListener();
        collector.Prefixes.Add($"http://{at}/");
        collector.Start();
        using var export = MetricsExport.Start(MetricsSettings.Off with { Otlp = $"http://{at}/v1/metrics", Interval = TimeSpan.FromSeconds(1) }, driver);
        var got = await collector.GetContextAsync().WaitAsync(Soon);
        using var body = new MemoryStream();
        await got.Request.InputStream.CopyToAsync(body);
        got.Response.Close();
        Assert.Equal(("/v1/metrics", "application/x-protobuf"), (got.Request.Url!.AbsolutePath, got.Request.ContentType));
        // Protobuf has strings as they are.
        var text = Encoding.Latin1.GetString(body.ToArray());
        foreach (var name in (string[])["tapwire.interface.io", "network.interface.name", "tapwire.tcp.connections", "tapwire.uptime", "service.name", "tapwire.stack.events"])
            Assert.Contains(name, text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_that_is_taken_is_said_in_a_line()
    {
        await using var driver = await StartAsync();
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        taken.Listen();
        var failure = Assert.Throws<CommandFailedException>(() => MetricsExport.Start(MetricsSettings.Off with { Listen = (IPEndPoint)taken.LocalEndPoint! }, driver));
        Assert.Equal($"The metrics cannot be served at {taken.LocalEndPoint}: Address already in use; give another --metrics.", failure.Message);
    }

    [Fact]
    public async Task Off_is_off()
    {
        await using var driver = await StartAsync();
        Assert.Null(MetricsExport.Start(MetricsSettings.Off, driver));
    }

    private static Process StartPromtool()
    {
        try
        {
            return Process.Start(new ProcessStartInfo("promtool", ["check", "metrics"]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Skip.If(true, "there is no promtool");
            throw;
        }
    }

    private static IPEndPoint FreePort()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return (IPEndPoint)probe.LocalEndPoint!;
    }

    private Task<RunningDriver> StartAsync()
    {
        var configuration = HostConfiguration.Load(null, "akka.loglevel = OFF\nakka.stdout-loglevel = OFF\nakka.loggers = []");
        var settings = configuration.Settings with { Addresses = [IpPrefix.Parse("10.99.0.1/24")] };
        return RunningDriver.StartAsync("spec", configuration.Config, settings, [[_cable.A]], _ => throw new WireException("The cable is cut."),
            LinkListener.Listen(Path.Combine(_directory.FullName, "link.sock")), new BufferPool());
    }
}
