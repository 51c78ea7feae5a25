using System.Globalization;
using Akka.Actor;
using Serilog;
using Serilog.Core;
using Serilog.Events;

namespace Tapwire.Host;

/// <summary>The destinations of the log: standard error, because standard output belongs to the command; and a file if one is named.</summary>
internal static class HostLog
{
    /// <summary>The origin comes last, so that the message begins in the same column.</summary>
    internal const string Template = "{Timestamp:HH:mm:ss.fff} {Level:u3} {Message:lj} [{" + LogOrigin.Property + "}]{NewLine}{Exception}";

    public static Logger Create(LogEventLevel level, string? file) => Create(new LoggingLevelSwitch(level), file);

    /// <param name="level">The level, which may change at any time.</param>
    public static Logger Create(LoggingLevelSwitch level, string? file)
    {
        var configuration = new LoggerConfiguration().MinimumLevel.ControlledBy(level).Enrich.With<LogOrigin>().Enrich.With<LogWords>()
            .WriteTo.Console(outputTemplate: Template, formatProvider: CultureInfo.InvariantCulture, standardErrorFromLevel: LogEventLevel.Verbose);
        if (file is not null)
            configuration = configuration.WriteTo.File(file, outputTemplate: Template, formatProvider: CultureInfo.InvariantCulture, shared: true);
        // CoordinatedShutdown logs at every stop its reason and an exit code that is not the program's. Its messages help only in debugging.
        var shutdown = new LoggingLevelSwitch(OfShutdown(level.MinimumLevel));
        level.MinimumLevelChanged += (_, change) => shutdown.MinimumLevel = OfShutdown(change.NewLevel);
        return configuration.MinimumLevel.Override(typeof(CoordinatedShutdown).FullName!, shutdown).CreateLogger();
    }

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
