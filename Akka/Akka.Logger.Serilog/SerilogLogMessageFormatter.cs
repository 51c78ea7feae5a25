using System.Collections.Concurrent;
using System.Globalization;
using Akka.Event;
using Serilog.Events;
using Serilog.Parsing;

namespace Akka.Logger.Serilog;

/// <summary>
/// Makes text of Serilog's message templates. For all loggers of an actor system it is chosen with
/// <c>akka.logger-formatter = "Akka.Logger.Serilog.SerilogLogMessageFormatter, Akka.Logger.Serilog"</c>.
/// </summary>
public class SerilogLogMessageFormatter : ILogMessageFormatter
{
    public static readonly SerilogLogMessageFormatter Instance = new();

    // Templates are constants of the program; whoever makes them up as he goes only loses the benefit.
    private const int MaxCached = 1000;

    private readonly ConcurrentDictionary<string, MessageTemplate> _templates = new(StringComparer.Ordinal);
    private readonly MessageTemplateParser _parser = new();

    public string Format(string format, params object[] args)
    {
        var template = Parse(format);
        var properties = new Dictionary<string, LogEventPropertyValue>();
        var tokens = template.Tokens.OfType<PropertyToken>().ToList();
        var positional = tokens.TrueForAll(token => token.IsPositional);
        for (var i = 0; i < tokens.Count; i++)
        {
            var argument = positional && tokens[i].TryGetPositionalValue(out var position) ? position : i;
            if (argument < args.Length)
                properties.TryAdd(tokens[i].PropertyName, new ScalarValue(args[argument]));
        }
        return template.Render(properties, CultureInfo.InvariantCulture);
    }

    public string Format(string format, IEnumerable<object> args) => Format(format, args.ToArray());

    private MessageTemplate Parse(string format)
    {
        if (_templates.TryGetValue(format, out var template))
            return template;
        template = _parser.Parse(format);
        if (_templates.Count < MaxCached)
            _templates.TryAdd(format, template);
        return template;
    }
}
