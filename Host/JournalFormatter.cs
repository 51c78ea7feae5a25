using System.Globalization;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Formatting.Display;

namespace Tapwire.Host;

/// <summary>Lines for the journal: the level as a number in angle brackets, which it takes off again (sd-daemon(3)). Each line of an exception has it.</summary>
internal sealed class JournalFormatter(string template) : ITextFormatter
{
    private readonly MessageTemplateTextFormatter _text = new(template, CultureInfo.InvariantCulture);

    public void Format(LogEvent logEvent, TextWriter output)
    {
        using var whole = new StringWriter(CultureInfo.InvariantCulture);
        _text.Format(logEvent, whole);
        foreach (var line in whole.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries))
            output.Write($"<{PriorityOf(logEvent.Level)}>{line}\n");
    }

    /// <summary>As syslog(3) numbers them.</summary>
    private static int PriorityOf(LogEventLevel level) => level switch
    {
        LogEventLevel.Fatal => 2,
        LogEventLevel.Error => 3,
        LogEventLevel.Warning => 4,
        LogEventLevel.Information => 6,
        _ => 7,
    };
}
