using Akka.Configuration;
using Tapwire.Actors.Settings;

namespace Tapwire.Configuration;

/// <summary>The configuration of a run: <c>akka.hocon</c> beside the program, overridden by the user's own file.</summary>
/// <param name="Sources">The texts that the configuration was made from, the user's own first.</param>
internal sealed record HostConfiguration(Config Config, DriverSettings Settings, IReadOnlyList<SettingsSource> Sources)
{
    public const string LogLevel = "akka.loglevel";

    private const string FileName = "akka.hocon";

    /// <summary>The defaults: <c>akka.hocon</c> beside the program, or the embedded one if there is no such file.</summary>
    public static SettingsSource Defaults =>
        File.Exists(Beside) ? SettingsSource.Read(Beside, FileName) : Embedded;

    /// <summary>The defaults of a program that has a driver within: what is beside it is its own.</summary>
    public static SettingsSource Embedded => SettingsSource.Parse(FileName, DefaultText);

    /// <summary>The <c>akka.hocon</c> that is embedded in this assembly.</summary>
    public static string DefaultText
    {
        get
        {
            using var text = new StreamReader(typeof(HostConfiguration).Assembly.GetManifestResourceStream(FileName)!);
            return text.ReadToEnd();
        }
    }

    private static string Beside => Path.Combine(AppContext.BaseDirectory, FileName);

    /// <param name="file">The user's own file, or null.</param>
    /// <param name="overrides">HOCON of the program's own that overrides both.</param>
    /// <exception cref="SettingsException">A file does not exist, is not HOCON, or has a bad setting.</exception>
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

    /// <summary>The settings of the actor system that differ, except its log level. They take effect only in a new actor system.</summary>
    public IReadOnlyList<string> RuntimeDifferences(HostConfiguration other) =>
    [
        .. Sources.Concat(other.Sources).SelectMany(static source => source.Keys).Where(static key => !key.Value.IsSection).Select(static key => key.Key)
            .Where(static key => key != LogLevel && (key.StartsWith("akka.", StringComparison.Ordinal) || key.StartsWith("tapwire.dispatcher.", StringComparison.Ordinal)))
            .Distinct().Where(key => $"{Config.GetValue(key)}" != $"{other.Config.GetValue(key)}").Order(StringComparer.Ordinal),
    ];

    /// <summary>Checks log levels, because the actor system's own message about an unknown level is of no use.</summary>
    private static void CheckLevels(SettingsReader read)
    {
        foreach (var key in (string[])["loglevel", "stdout-loglevel"])
            read.Word(key, "OFF", "ERROR", "WARNING", "INFO", "DEBUG");
    }
}
