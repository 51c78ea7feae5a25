using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using Tapwire.Actors;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;

namespace Tapwire.Host;

/// <summary>Gives a driver's figures, and the runtime's, to Prometheus and to a collector.</summary>
internal sealed class MetricsExport : IDisposable
{
    private const string Count = ".count";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly DriverMetrics _metrics;
    private readonly List<MeterProvider> _providers = [];

    private MetricsExport(DriverMetrics metrics) => _metrics = metrics;

    /// <returns>Null: the settings want none.</returns>
    /// <exception cref="CommandFailedException">The port cannot be had; the message says why.</exception>
    public static MetricsExport? Start(MetricsSettings settings, RunningDriver driver)
    {
        if (settings.IsOff)
            return null;
        if (settings.Listen is { } listen)
            Check(listen);
        var export = new MetricsExport(new DriverMetrics(() => Ask(driver), TimeProvider.System));
        try
        {
            if (settings.Listen is { } endpoint)
                export.Add(builder => builder.AddView(static instrument => WithoutCount(instrument))
                    .AddPrometheusHttpListener(options => (options.Host, options.Port, options.ScopeInfoEnabled) = (HostOf(endpoint.Address), endpoint.Port, false)));
            if (settings.Otlp.Length > 0)
                export.Add(builder => builder.AddOtlpExporter((exporter, reader) => SetUp(exporter, reader, settings)));
            return export;
        }
        catch (Exception e) when (e is HttpListenerException or SocketException or InvalidOperationException or ArgumentException)
        {
            export.Dispose();
            throw new CommandFailedException($"The metrics cannot be served at {settings.Listen}: {e.GetBaseException().Message.TrimEnd('.')}; give another --metrics.", e);
        }
    }

    public void Dispose()
    {
        foreach (var provider in _providers)
            provider.Dispose();
        _metrics.Dispose();
    }

    /// <summary>Each exporter has a provider of its own, as only Prometheus' names have rules that the runtime's break.</summary>
    private void Add(Func<MeterProviderBuilder, MeterProviderBuilder> exporter) => _providers.Add(exporter(Sdk.CreateMeterProviderBuilder()
        .ConfigureResource(static resource => resource.AddService("tapwire", serviceVersion: typeof(MetricsExport).Assembly.GetName().Version?.ToString(3)))
        .AddMeter(DriverMetrics.MeterName, "System.Runtime")).Build());

    /// <summary>To Prometheus, "count" at the end of a name is the part of a histogram.</summary>
    private static MetricStreamConfiguration? WithoutCount(Instrument instrument) =>
        instrument.Name.EndsWith(Count, StringComparison.Ordinal) ? new MetricStreamConfiguration { Name = instrument.Name[..^Count.Length] } : null;

    private static DriverStatus? Ask(RunningDriver driver)
    {
        // A collector's thread has nothing else to do. A driver that is stopping, or hangs, has no figures.
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            return driver.FiguresAsync(patience.Token).GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is CommandFailedException or OperationCanceledException)
        {
            return null;
        }
    }

    private static void SetUp(OtlpExporterOptions exporter, MetricReaderOptions reader, MetricsSettings settings)
    {
        if (settings.Otlp != MetricsSettings.FromEnvironment)
        {
            exporter.Endpoint = new Uri(settings.Otlp);
            exporter.Protocol = OtlpExportProtocol.HttpProtobuf;
        }

        reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds = (int)settings.Interval.TotalMilliseconds;
    }

    /// <summary>The listener's own errors name neither address nor cause.</summary>
    private static void Check(IPEndPoint endpoint)
    {
        try
        {
            using var probe = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            probe.Bind(endpoint);
        }
        catch (SocketException e)
        {
            throw new CommandFailedException($"The metrics cannot be served at {endpoint}: {e.Message.TrimEnd('.')}; give another --metrics.", e);
        }
    }

    /// <summary>As HttpListener has it: a wildcard takes every name of the host.</summary>
    private static string HostOf(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any) ? "*" : address.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{address}]" : address.ToString();
}
