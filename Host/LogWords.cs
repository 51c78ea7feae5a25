using Serilog.Core;
using Serilog.Events;
using Tapwire.Actors;
using Tapwire.Actors.Settings;
using Tapwire.Stack;

namespace Tapwire.Host;

/// <summary>Says what the code has a name or a type for in the words of the system and of settings. It costs nothing for what is not logged.</summary>
internal sealed class LogWords : ILogEventEnricher
{
    public void Enrich(LogEvent logEvent, ILogEventPropertyFactory propertyFactory)
    {
        // Rarely more than one; the properties cannot be replaced while they are walked through.
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
