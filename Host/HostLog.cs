using System.Globalization;
using Akka.Actor;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Formatting.Compact;
using Serilog.Formatting.Display;
using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>How lines of the log look.</summary>
internal enum LogFormat
{
    /// <summary>Date, time with its offset, level, message, origin.</summary>
    Text,

    /// <summary>One object of JSON a line, in Serilog's compact form: @t, @mt, @l, @x, and a property for each name in the message.</summary>
    Json,

    /// <summary>For the journal, which has the time: the level as sd-daemon(3) has it, message, origin.</summary>
    Journal,
}

/// <summary>The destinations of the log: standard error, because standard output belongs to the command; and a file if one is named.</summary>
internal static class HostLog
{
    /// <summary>The origin comes last, so that the message begins in the same column.</summary>
    private const string Message = "{Message:lj} [{" + LogOrigin.Property + "}]{NewLine}{Exception}";
    private const string Template = "{Timestamp:yyyy-MM-dd HH:mm:ss.fff zzz} {Level:u3} " + Message;

    public static Logger Create(LogEventLevel level, string? file) => Create(new LoggingLevelSwitch(level), file, null);

    /// <param name="level">The level, which may change at any time.</param>
    /// <param name="format">Null: the journal's where standard error is the journal, else text.</param>
    public static Logger Create(LoggingLevelSwitch level, string? file, LogFormat? format)
    {
        var configuration = new LoggerConfiguration().MinimumLevel.ControlledBy(level).Enrich.With<LogOrigin>().Enrich.With<LogWords>()
            .WriteTo.Console(FormatterOf(format ?? (JournalStream.IsStandardError ? LogFormat.Journal : LogFormat.Text)), standardErrorFromLevel: LogEventLevel.Verbose);
        if (file is not null)
            configuration = configuration.WriteTo.File(FormatterOf(format == LogFormat.Json ? LogFormat.Json : LogFormat.Text), file, shared: true);
        // CoordinatedShutdown logs at every stop its reason and an exit code that is not the program's. Its messages help only in debugging.
        var shutdown = new LoggingLevelSwitch(OfShutdown(level.MinimumLevel));
        level.MinimumLevelChanged += (_, change) => shutdown.MinimumLevel = OfShutdown(change.NewLevel);
        return configuration.MinimumLevel.Override(typeof(CoordinatedShutdown).FullName!, shutdown).CreateLogger();
    }

    internal static ITextFormatter FormatterOf(LogFormat format) => format switch
    {
        LogFormat.Json => new CompactJsonFormatter(),
        LogFormat.Journal => new JournalFormatter(Message),
        _ => new MessageTemplateTextFormatter(Template, CultureInfo.InvariantCulture),
    };

    private static LogEventLevel OfShutdown(LogEventLevel level) =>
        level > LogEventLevel.Debug ? (LogEventLevel)Math.Max((int)level, (int)LogEventLevel.Warning) : level;

    /// <summary>Serilog's level for an Akka.NET level. OFF passes only fatal events.</summary>
    public static LogEventLevel SerilogLevel(string? akkaLevel) => akkaLevel?.ToUpperInvariant() switch
    {
        "DEBUG" => LogEventLevel.Debug,
        "WARNING" => LogEventLevel.Warning,
        "ERROR" => LogEventLevel.Error,
        "OFF" => LogEventLevel.Fatal,
        _ => LogEventLevel.Information,
    };

    /// <summary>Akka.NET's name for a Serilog level.</summary>
    public static string AkkaLevel(LogEventLevel level) => level switch
    {
        LogEventLevel.Verbose or LogEventLevel.Debug => "DEBUG",
        LogEventLevel.Information => "INFO",
        LogEventLevel.Warning => "WARNING",
        LogEventLevel.Error => "ERROR",
        _ => "OFF",
    };
}
