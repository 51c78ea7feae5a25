using Akka.Configuration;
using Tapwire.Actors.Settings;

namespace Tapwire.Host.Configuration;

/// <summary>The configuration of a run: <c>akka.hocon</c> beside the program, and a file of the user's own before it.</summary>
internal sealed record HostConfiguration(Config Config, DriverSettings Settings)
{
    private const string FileName = "akka.hocon";

    /// <summary>What <c>akka.hocon</c> says.</summary>
    public static SettingsSource Defaults => SettingsSource.Read(Path.Combine(AppContext.BaseDirectory, FileName), FileName);

    /// <param name="file">The user's own file, or null.</param>
    /// <param name="overrides">HOCON that goes before both; from the program, not from the user.</param>
    /// <exception cref="SettingsException">A file is not there, is not HOCON, or has a bad setting.</exception>
    public static HostConfiguration Load(string? file, string overrides = "") =>
        Combine(file is null ? null : SettingsSource.Read(file, file), Defaults, overrides);

    /// <exception cref="SettingsException">A bad setting.</exception>
    public static HostConfiguration Combine(SettingsSource? own, SettingsSource defaults, string overrides = "")
    {
        var config = defaults.Config;
        IReadOnlyList<SettingsSource> sources = [defaults];
        if (own is not null)
        {
            new KnownKeys(defaults).Check(own);
            config = own.Config.WithFallback(config);
            sources = [own, defaults];
        }

        CheckLevels(new SettingsReader(config, "akka", sources));
        if (overrides.Length > 0)
            config = ConfigurationFactory.ParseString(overrides).WithFallback(config);
        return new HostConfiguration(config, DriverSettingsReader.Read(config, sources));
    }

    /// <summary>The actor system says nothing of use when it does not know a level.</summary>
    private static void CheckLevels(SettingsReader read)
    {
        foreach (var key in (string[])["loglevel", "stdout-loglevel"])
            read.Word(key, "OFF", "ERROR", "WARNING", "INFO", "DEBUG");
    }
}
