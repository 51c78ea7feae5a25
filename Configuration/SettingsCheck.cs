using Tapwire.Actors.Settings;

namespace Tapwire.Configuration;

/// <summary>Checks that settings do not contradict each other, which no single setting shows. Called after the command line has been merged.</summary>
internal static class SettingsCheck
{
    /// <exception cref="SettingsException">Two settings contradict each other.</exception>
    public static void Check(DriverSettings settings)
    {
        InterfacesCheck.Check(settings.AllInterfaces);
        InterfacesCheck.CheckServer(settings);
        InterfacesCheck.CheckRouter(settings);
        settings.Socks.Check();
        settings.Dns.Check();
        CheckPorts(settings);
        if (settings.Forward.GroupBy(static spec => (spec.Transport, spec.Listen)).FirstOrDefault(static group => group.Count() > 1) is { } same)
            throw new SettingsException($"The forwarded ports {string.Join(" and ", same)} are one port of the host; give each one of its own.");
    }

    private static void CheckPorts(DriverSettings settings)
    {
        var twice = settings.Serve.GroupBy(service => service.Port).FirstOrDefault(group => group.Count() > 1);
        if (twice is not null)
            throw new SettingsException($"Two services on port {twice.Key}: {string.Join(", ", twice)}; give each a port of its own.");
        foreach (var spec in settings.Expose)
        {
            if (!spec.Listen.Address.IsUnspecified && !settings.AllInterfaces.SelectMany(each => each.Addresses).Any(prefix => prefix.Address == spec.Listen.Address))
                throw new SettingsException($"The exposed port {spec} is on no address of the stack; give one of {string.Join(", ", settings.AllInterfaces.SelectMany(each => each.Addresses))}, or the port alone.");
            if (spec.Transport == Transport.Tcp && settings.Serve.FirstOrDefault(service => service.Port == spec.Listen.Port) is { } service)
                throw new SettingsException($"The service {service} and the exposed port {spec} have the same port; give each one of its own.");
        }

        if (settings.Expose.GroupBy(static spec => (spec.Transport, spec.Listen)).FirstOrDefault(static group => group.Count() > 1) is { } same)
            throw new SettingsException($"The exposed ports {string.Join(" and ", same)} are one port of the stack; give each one of its own.");
    }
}
