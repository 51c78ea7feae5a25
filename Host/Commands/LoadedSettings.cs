using System.CommandLine;
using Serilog.Events;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;

namespace Tapwire.Host.Commands;

/// <summary>The settings of a driver: defaults, overridden by the user's own file, overridden by the command line.</summary>
/// <param name="Settings">The settings, including the command line's.</param>
/// <param name="Level">The log level.</param>
/// <param name="LinkUsers">Ids of the users that the settings name.</param>
internal sealed record LoadedSettings(HostConfiguration Configuration, DriverSettings Settings, LogEventLevel Level, IReadOnlyCollection<uint> LinkUsers)
{
    /// <param name="link">The link's path, which overrides all settings; or null.</param>
    /// <param name="level">The log level if the command line gives none; null: the settings' level.</param>
    /// <exception cref="SettingsException">A setting is wrong, with its file and line; or settings contradict each other.</exception>
    public static LoadedSettings Load(ParseResult parsed, string? link = null, LogEventLevel? level = null)
    {
        var (configuration, logged) = LogFlags.LoadSettings(parsed, parsed.Read(UpCommand.Config), level);
        var settings = UpCommand.Merge(configuration.Settings, parsed);
        if (link is not null)
            settings = settings with { Link = settings.Link with { Path = link } };
        settings = WirePlans.Complete(settings);
        if (settings.Addresses.Count == 0 && !settings.AllInterfaces[0].ConfiguresItself)
            throw new SettingsException(settings.Interfaces.Count == 0
                ? "The stack has no address; give one with --address, as in --address 10.99.0.2/24, or in tapwire.addresses, or have it given by a DHCP server with --dhcp, or by routers with --slaac."
                : $"The wire {settings.Wire} has no address; give it one, as in --wire {settings.Wire} --address 10.99.0.2/24, or in tapwire.addresses.");
        SettingsCheck.Check(settings);
        return new LoadedSettings(configuration, settings, logged, settings.Link.IsOff ? [] : UserNames.Resolve(settings.Link.Users));
    }
}
