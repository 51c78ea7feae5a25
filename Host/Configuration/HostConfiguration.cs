using System.Text;
using Akka.Configuration;
using Tapwire.Actors.Settings;

namespace Tapwire.Host.Configuration;

/// <summary>The configuration of a run: <c>akka.hocon</c> beside the program, and a file of the user's own before it.</summary>
/// <param name="Sources">The texts that it was made from, the user's own first.</param>
internal sealed record HostConfiguration(Config Config, DriverSettings Settings, IReadOnlyList<SettingsSource> Sources)
{
    public const string LogLevel = "akka.loglevel";

    private const string FileName = "akka.hocon";

    /// <summary>What <c>akka.hocon</c> says: the file beside the program, or, where there is none, the one within it.</summary>
    public static SettingsSource Defaults =>
        File.Exists(OwnFile.Beside(FileName)) ? SettingsSource.Read(OwnFile.Beside(FileName), FileName) : SettingsSource.Parse(FileName, DefaultText);

    /// <summary>The text of <c>akka.hocon</c> as the program was built with it.</summary>
    public static string DefaultText => Encoding.UTF8.GetString(OwnFile.Within(FileName)!);

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
        return new HostConfiguration(config, DriverSettingsReader.Read(config, sources), sources);
    }

    /// <summary>The settings of the actor system that differ, all but its log level. Only a new one would read them.</summary>
    public IReadOnlyList<string> RuntimeDifferences(HostConfiguration other) =>
    [
        .. Sources.Concat(other.Sources).SelectMany(static source => source.Keys).Where(static key => !key.Value.IsSection).Select(static key => key.Key)
            .Where(static key => key != LogLevel && (key.StartsWith("akka.", StringComparison.Ordinal) || key.StartsWith("tapwire.dispatcher.", StringComparison.Ordinal)))
            .Distinct().Where(key => $"{Config.GetValue(key)}" != $"{other.Config.GetValue(key)}").Order(StringComparer.Ordinal),
    ];

    /// <summary>The actor system says nothing of use when it does not know a level.</summary>
    private static void CheckLevels(SettingsReader read)
    {
        foreach (var key in (string[])["loglevel", "stdout-loglevel"])
            read.Word(key, "OFF", "ERROR", "WARNING", "INFO", "DEBUG");
    }
}
