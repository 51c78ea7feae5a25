using System.CommandLine;
using Serilog.Events;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;
using Tapwire.Posix;

namespace Tapwire.Host.Commands;

/// <summary>The log's level and destination on the command line.</summary>
internal static class LogFlags
{
    // 0666, the mode of a file that a shell creates; the umask restricts it.
    private const int Mode = 0x1B6;

    /// <summary>Names of levels: ours, Serilog's and the actor system's.</summary>
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

    public static readonly Flag<LogFormat?> Format = Flags.Value<LogFormat?>("--log-format",
        "How lines of the log look: text, json (one object a line) or journal (for systemd). For the journal where standard error is it, else text when not given.", "FORMAT",
        static (string text, out LogFormat? value) => (value = text switch { "text" => LogFormat.Text, "json" => LogFormat.Json, "journal" => LogFormat.Journal, _ => null }) is not null,
        "text, json or journal", null);

    public static readonly Flag<string?> File = Flags.File("--log-file", "Logs to this file, too, at its end.");

    /// <summary>Reads the settings, and applies the command line's log level to the actor system, too.</summary>
    /// <param name="file">The user's own file, or null.</param>
    /// <param name="level">The level if the command line gives none; null: the settings' level.</param>
    /// <returns>The settings and the log level.</returns>
    /// <exception cref="SettingsException">A file does not exist, is not HOCON, or has a bad setting.</exception>
    public static (HostConfiguration Configuration, LogEventLevel Level) LoadSettings(ParseResult parsed, string? file, LogEventLevel? level = null)
    {
        var asked = parsed.Read(Level) ?? level;
        var configuration = HostConfiguration.Load(file, asked is { } given ? $"{HostConfiguration.LogLevel} = {HostLog.AkkaLevel(given)}" : "");
        return (configuration, asked ?? HostLog.SerilogLevel(configuration.Config.GetString(HostConfiguration.LogLevel)));
    }

    /// <summary>Lists our own names for a shell's completion, without Serilog's.</summary>
    private static Flag<LogEventLevel?> WithChoices(Flag<LogEventLevel?> level)
    {
        level.CompletionSources.Clear();
        level.CompletionSources.Add("debug", "info", "warning", "error", "off");
        return level;
    }

    /// <summary>
    /// Checks that the log file can be written, because Serilog would drop the log silently. A missing directory is not created: the path may be mistyped.
    /// </summary>
    /// <exception cref="SettingsException">The file cannot be written.</exception>
    public static void CheckFile(string path)
    {
        // Non-blocking: opening a FIFO must not wait for its reader.
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
