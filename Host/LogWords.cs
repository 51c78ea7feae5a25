using Serilog.Core;
using Serilog.Events;
using Tapwire.Actors;
using Tapwire.Actors.Settings;
using Tapwire.Stack;

namespace Tapwire.Host;

/// <summary>Replaces values of certain types in log events by words that an operator knows. Events that are not logged cost nothing.</summary>
internal sealed class LogWords : ILogEventEnricher
{
    public void Enrich(LogEvent logEvent, ILogEventPropertyFactory propertyFactory)
    {
        // A list, because properties cannot be replaced during their enumeration. It rarely has more than one element.
        List<LogEventProperty>? replaced = null;
        foreach (var (name, value) in logEvent.Properties)
        {
            if (value is ScalarValue scalar && Words(scalar.Value) is { } words)
                (replaced ??= []).Add(new LogEventProperty(name, new ScalarValue(words)));
        }

        replaced?.ForEach(logEvent.AddOrUpdateProperty);
    }

    private static string? Words(object? value) => value switch
    {
        StackError.None => "in order",
        StackError error => error.Describe(),
        TimeSpan time => Duration.Format(time),
        _ => null,
    };
}
