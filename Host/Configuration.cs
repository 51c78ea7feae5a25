using Akka.Configuration;
using Tapwire.Actors.Settings;

namespace Tapwire.Host;

/// <summary>The configuration of a run: <c>akka.hocon</c> beside the program, and a file of the user's own before it.</summary>
internal sealed record Configuration(Config Config, DriverSettings Settings)
{
    private const string FileName = "akka.hocon";

    /// <param name="file">The user's own file, or null.</param>
    /// <param name="overrides">HOCON that goes before both; from the program, not from the user.</param>
    /// <exception cref="SettingsException">A file is not there, is not HOCON, or has a bad setting.</exception>
    public static Configuration Load(string? file, string overrides = "")
    {
        var defaults = ReadSource(Path.Combine(AppContext.BaseDirectory, FileName), FileName);
        var sources = new List<SettingsSource> { defaults };
        var config = defaults.Parse();
        if (file is not null)
        {
            var own = ReadSource(file, file);
            sources.Insert(0, own);
            config = own.Parse().WithFallback(config);
        }

        if (overrides.Length > 0)
            config = ConfigurationFactory.ParseString(overrides).WithFallback(config);
        return new Configuration(config, DriverSettings.Read(config, sources));
    }

    private static SettingsSource ReadSource(string path, string name)
    {
        try
        {
            return new SettingsSource(name, File.ReadAllText(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"The configuration file '{path}' cannot be read: {e.Message}", e);
        }
    }
}
