using System.CommandLine;
using Serilog.Events;
using Tapwire.Actors.Settings;
using Tapwire.Host.Configuration;
using Tapwire.Posix;

namespace Tapwire.Host.Commands;

/// <summary>What is logged, and where to.</summary>
internal static class LogFlags
{
    // As in a file that a shell makes; the umask takes from it what others are not to have.
    private const int Mode = 0x1B6;

    /// <summary>Names of the log's library and of the actor system beside our own.</summary>
    private static readonly Dictionary<string, LogEventLevel> Levels = new(StringComparer.OrdinalIgnoreCase)
    {
        ["debug"] = LogEventLevel.Debug,
        ["verbose"] = LogEventLevel.Verbose,
        ["trace"] = LogEventLevel.Verbose,
        ["info"] = LogEventLevel.Information,
        ["information"] = LogEventLevel.Information,
        ["warning"] = LogEventLevel.Warning,
        ["warn"] = LogEventLevel.Warning,
        ["error"] = LogEventLevel.Error,
        ["off"] = LogEventLevel.Fatal,
        ["fatal"] = LogEventLevel.Fatal,
    };

    public static readonly Flag<LogEventLevel?> Level = WithChoices(Flags.Value<LogEventLevel?>("--log-level",
        "What is logged: debug, info, warning, error or off. What akka.loglevel says when not given.", "LEVEL",
        static (string text, out LogEventLevel? value) => (value = Levels.TryGetValue(text, out var level) ? level : null) is not null,
        "debug, info, warning, error or off", null));

    public static readonly Flag<string?> File = Flags.File("--log-file", "Logs to this file, too, at its end.");

    /// <summary>Reads the settings, with what the command line says of the log for the actor system, too.</summary>
    /// <param name="file">The user's own file, or null.</param>
    /// <param name="level">What is logged when the command line does not say; null: what the settings say.</param>
    /// <returns>The settings, and what is logged.</returns>
    /// <exception cref="SettingsException">A file is not there, is not HOCON, or has a bad setting.</exception>
    public static (HostConfiguration Configuration, LogEventLevel Level) LoadSettings(ParseResult parsed, string? file, LogEventLevel? level = null)
    {
        var asked = parsed.Read(Level) ?? level;
        var configuration = HostConfiguration.Load(file, asked is { } given ? $"{HostConfiguration.LogLevel} = {HostLog.AkkaLevel(given)}" : "");
        return (configuration, asked ?? HostLog.SerilogLevel(configuration.Config.GetString(HostConfiguration.LogLevel)));
    }

    /// <summary>A shell offers our words, not the names of the log's library.</summary>
    private static Flag<LogEventLevel?> WithChoices(Flag<LogEventLevel?> level)
    {
        level.CompletionSources.Clear();
        level.CompletionSources.Add("debug", "info", "warning", "error", "off");
        return level;
    }

    /// <summary>The log's library would say nothing and log nowhere. The directory is not made: a mistyped path must not come true.</summary>
    /// <exception cref="SettingsException">The file cannot be written.</exception>
    public static void CheckFile(string path)
    {
        // Nothing may wait here for somebody who reads a pipe.
        var descriptor = Libc.open(path, Libc.O_WRONLY | Libc.O_APPEND | Libc.O_CREAT | Libc.O_NONBLOCK | Libc.O_CLOEXEC, Mode);
        if (descriptor >= 0)
        {
            _ = Libc.close(descriptor);
            return;
        }

        var errno = Libc.Errno;
        throw new SettingsException($"The log file '{Complaint.Short(path)}' cannot be written: {Errors.Describe(errno)}; {errno switch
        {
            Errors.EISDIR => "name a file in it",
            Errors.ENOENT => "make its directory first, or name another file",
            _ => "name another file",
        }}.");
    }
}
