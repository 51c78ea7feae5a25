using System.Net;

namespace Tapwire.Actors.Settings;

/// <summary>Section <c>tapwire.metrics</c>.</summary>
/// <param name="Listen">Where Prometheus finds the driver's figures on the host; null: nowhere.</param>
/// <param name="Otlp">The collector that gets them, an http or https URL; "environment": as OTEL_EXPORTER_OTLP_ENDPOINT and its like say; empty: none.</param>
/// <param name="Interval">How often the collector gets them.</param>
public sealed record MetricsSettings(IPEndPoint? Listen, string Otlp, TimeSpan Interval)
{
    public const string FromEnvironment = "environment";

    public const string AcceptedListen = "ADDRESS:PORT of the host, as in 127.0.0.1:9464, or empty";

    public const string AcceptedOtlp = "an http or https URL, as in http://127.0.0.1:4318/v1/metrics, environment, or empty";

    public static MetricsSettings Off { get; } = new(null, "", TimeSpan.FromMinutes(1));

    public bool IsOff => Listen is null && Otlp.Length == 0;

    public static bool TryParseListen(string text, out IPEndPoint? endpoint) => IPEndPoint.TryParse(text, out endpoint) && endpoint.Port != 0;

    public static bool IsOtlp(string text) => text is "" or FromEnvironment || (Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && url.Host.Length > 0);
}
