using System.Globalization;
using Serilog;
using Serilog.Core;
using Serilog.Events;

namespace Tapwire.Host;

/// <summary>Where log events go: to standard error, so that standard output stays the command's own; to a file where one is named.</summary>
internal static class HostLog
{
    private const string Template = "{Timestamp:HH:mm:ss.fff} {Level:u3} {Message:lj}{NewLine}{Exception}";

    public static Logger Create(LogEventLevel level, string? file)
    {
        var configuration = new LoggerConfiguration().MinimumLevel.Is(level)
            .WriteTo.Console(outputTemplate: Template, formatProvider: CultureInfo.InvariantCulture, standardErrorFromLevel: LogEventLevel.Verbose);
        if (file is not null)
            configuration = configuration.WriteTo.File(file, outputTemplate: Template, formatProvider: CultureInfo.InvariantCulture, shared: true);
        return configuration.CreateLogger();
    }

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
        _ => "ERROR",
    };
}
