using System.CommandLine;
using Serilog.Events;
using Tapwire.Actors.Settings;
using Tapwire.Host.Configuration;

namespace Tapwire.Host.Commands;

/// <summary>What a driver is to be: defaults, the user's own file, and the command line, which goes before.</summary>
/// <param name="Settings">With the command line's.</param>
/// <param name="Level">What is logged.</param>
/// <param name="LinkUsers">The ids of the users that the settings name.</param>
internal sealed record LoadedSettings(HostConfiguration Configuration, DriverSettings Settings, LogEventLevel Level, IReadOnlyCollection<uint> LinkUsers)
{
    /// <param name="link">Where applications connect, whatever is said elsewhere; or null.</param>
    /// <param name="level">What is logged when neither command line nor settings are asked.</param>
    /// <exception cref="SettingsException">A setting is wrong, with its file and line; or they do not go together.</exception>
    public static LoadedSettings Load(ParseResult parsed, string? link = null, LogEventLevel? level = null)
    {
        var (configuration, logged) = LogFlags.LoadSettings(parsed, parsed.Read(UpCommand.Config), level);
        var settings = UpCommand.Merge(configuration.Settings, parsed);
        if (link is not null)
            settings = settings with { Link = settings.Link with { Path = link } };
        if (settings.Addresses.Count == 0)
            throw new SettingsException(settings.Interfaces.Count == 0
                ? "The stack has no address; give one with --address, as in --address 10.99.0.2/24, or in tapwire.addresses."
                : $"The wire {settings.Wire} has no address; give it one, as in --wire {settings.Wire} --address 10.99.0.2/24, or in tapwire.addresses.");
        SettingsCheck.Check(settings);
        return new LoadedSettings(configuration, settings, logged, settings.Link.IsOff ? [] : UserNames.Resolve(settings.Link.Users));
    }
}
