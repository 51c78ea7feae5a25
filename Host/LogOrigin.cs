using Serilog.Core;
using Serilog.Events;

namespace Tapwire.Host;

/// <summary>Adds where an event comes from, short enough for a line of the log: the actor's path below the user guardian, or else the class.</summary>
internal sealed class LogOrigin : ILogEventEnricher
{
    public const string Property = "Origin";

    // Both are properties of what Akka.NET logs. A source that is no actor has a name of its own form there; it has a class, as events of the host have.
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
