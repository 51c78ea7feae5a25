using System.Globalization;
using Akka.Actor;
using Serilog;
using Serilog.Core;
using Serilog.Events;

namespace Tapwire.Host;

/// <summary>Where log events go: to standard error, so that standard output stays the command's own; to a file where one is named.</summary>
internal static class HostLog
{
    /// <summary>The origin comes last, where it does not push aside what happened.</summary>
    internal const string Template = "{Timestamp:HH:mm:ss.fff} {Level:u3} {Message:lj} [{" + LogOrigin.Property + "}]{NewLine}{Exception}";

    public static Logger Create(LogEventLevel level, string? file) => Create(new LoggingLevelSwitch(level), file);

    /// <param name="level">Can be changed at any time.</param>
    public static Logger Create(LoggingLevelSwitch level, string? file)
    {
        var configuration = new LoggerConfiguration().MinimumLevel.ControlledBy(level).Enrich.With<LogOrigin>().Enrich.With<LogWords>()
            .WriteTo.Console(outputTemplate: Template, formatProvider: CultureInfo.InvariantCulture, standardErrorFromLevel: LogEventLevel.Verbose);
        if (file is not null)
            configuration = configuration.WriteTo.File(file, outputTemplate: Template, formatProvider: CultureInfo.InvariantCulture, shared: true);
        // It says at each stop why it stops, and an exit code that is not the program's. Only who looks for a fault wants its phases.
        var shutdown = new LoggingLevelSwitch(OfShutdown(level.MinimumLevel));
        level.MinimumLevelChanged += (_, change) => shutdown.MinimumLevel = OfShutdown(change.NewLevel);
        return configuration.MinimumLevel.Override(typeof(CoordinatedShutdown).FullName!, shutdown).CreateLogger();
    }

    private static LogEventLevel OfShutdown(LogEventLevel level) =>
        level > LogEventLevel.Debug ? (LogEventLevel)Math.Max((int)level, (int)LogEventLevel.Warning) : level;

    /// <summary>Serilog's level for the actor system's name of one. OFF lets only what is fatal through.</summary>
    public static LogEventLevel SerilogLevel(string? akkaLevel) => akkaLevel?.ToUpperInvariant() switch
    {
        "DEBUG" => LogEventLevel.Debug,
        "WARNING" => LogEventLevel.Warning,
        "ERROR" => LogEventLevel.Error,
        "OFF" => LogEventLevel.Fatal,
        _ => LogEventLevel.Information,
    };

    /// <summary>The actor system's name for a Serilog level.</summary>
    public static string AkkaLevel(LogEventLevel level) => level switch
    {
        LogEventLevel.Verbose or LogEventLevel.Debug => "DEBUG",
        LogEventLevel.Information => "INFO",
        LogEventLevel.Warning => "WARNING",
        LogEventLevel.Error => "ERROR",
        _ => "OFF",
    };
}
