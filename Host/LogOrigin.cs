using Serilog.Core;
using Serilog.Events;

namespace Tapwire.Host;

/// <summary>Adds the origin of a log event in short form: an actor's path below the user guardian, or else the class.</summary>
internal sealed class LogOrigin : ILogEventEnricher
{
    public const string Property = "Origin";

    // Akka.NET sets both properties on its events. LogSource is useful only for actors; for other sources, and for the host's events, the class is.
    private const string Source = "LogSource";
    private const string Class = "SourceContext";

    private const string Guardian = "/user/";

    public void Enrich(LogEvent logEvent, ILogEventPropertyFactory propertyFactory)
    {
        var source = Text(logEvent, Source);
        var actor = source?.IndexOf(Guardian, StringComparison.Ordinal) ?? -1;
        var origin = actor >= 0 ? source![(actor + Guardian.Length)..].TrimEnd(']') : Text(logEvent, Class)?.Split('.')[^1] ?? "tapwire";
        logEvent.AddPropertyIfAbsent(propertyFactory.CreateProperty(Property, origin));
    }

    private static string? Text(LogEvent logEvent, string property) =>
        logEvent.Properties.TryGetValue(property, out var value) && value is ScalarValue { Value: string text } ? text : null;
}
