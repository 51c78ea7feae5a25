using Tapwire.Stack;
using Tapwire.Stack.Interfaces;

namespace Tapwire.Actors.Settings;

/// <summary>The attachments to networks: each is complete, and none is in another's way.</summary>
public static class InterfacesCheck
{
    /// <exception cref="SettingsException">It is not so.</exception>
    public static void Check(IReadOnlyList<InterfaceSettings> interfaces)
    {
        if (interfaces.Count > NetworkStack.MaxInterfaces)
            throw new SettingsException($"There are {interfaces.Count} wires; a driver has {NetworkStack.MaxInterfaces} at most.");
        if (interfaces.GroupBy(static each => each.Wire.Name).FirstOrDefault(static group => group.Count() > 1) is { } device)
            throw new SettingsException($"The device {device.Key} is there twice; give each wire one of its own.");
        if (interfaces.GroupBy(static each => each.Name).FirstOrDefault(static group => group.Count() > 1) is { } name)
            throw new SettingsException($"Two interfaces are called {name.Key}; the first one has the name of its device.");
        foreach (var each in interfaces)
            Check(each);
        foreach (var each in interfaces.Skip(1))
        {
            if (each.Addresses.Count == 0 && !each.ConfiguresItself)
                throw new SettingsException($"The interface {each.Name} has no address; give it one, as in --wire {each.Wire} --address 10.99.0.2/24, or in tapwire.interfaces.{each.Name}.addresses.");
        }

        if (interfaces.SelectMany(static each => each.Addresses).GroupBy(static prefix => prefix.Address).FirstOrDefault(static group => group.Count() > 1) is { } twice)
            throw new SettingsException($"The address {twice.Key} is on two interfaces; give each one of its own.");
    }

    /// <summary>What a router and a translator of addresses need.</summary>
    /// <exception cref="SettingsException">It is not so.</exception>
    public static void CheckRouter(DriverSettings settings)
    {
        if (settings.AllInterfaces.FirstOrDefault(static each => each.Masquerades) is not { } masquerading)
            return;
        if (!settings.IsRouter)
            throw new SettingsException($"The interface {masquerading.Name} masquerades what is forwarded, and nothing is; set tapwire.forwarding = on.");
        if (settings.Shards > 1)
            throw new SettingsException($"The interface {masquerading.Name} masquerades, which one shard does: what comes back may reach another than it has left. Set tapwire.shards = 1.");
    }

    /// <summary>What a DHCP server needs.</summary>
    /// <exception cref="SettingsException">It is not so.</exception>
    public static void CheckServer(DriverSettings settings)
    {
        foreach (var each in settings.AllInterfaces.Where(static each => each.ServesDhcp))
        {
            if (each.Wire.Medium != Medium.Ethernet)
                throw new SettingsException($"The wire {each.Wire} has no Ethernet, whose stations DHCP serves; take tap:{each.Wire.Name}, or qemu:unix:PATH for a virtual machine.");
            if (each.Dhcp != DhcpFamilies.None || each.Slaac != SlaacMode.Off)
                throw new SettingsException($"The interface {each.Name} cannot serve DHCP and be served; give it an address in place of --dhcp and --slaac.");
            if (each.Addresses.All(static own => own.Address.IsLinkLocal))
                throw new SettingsException($"The interface {each.Name} serves DHCP and has no address of the network that it serves; give it one, as in --address 10.0.2.2/24.");
            if (each.Addresses.FirstOrDefault(static own => own.Address.IsV4 && own.Length > 30) is { Length: > 0 } narrow)
                throw new SettingsException($"The network of {narrow}, which DHCP serves, has no address for a station; give it a prefix of 30 bits at most.");
            if (settings.Shards > 1)
                throw new SettingsException($"The interface {each.Name} serves DHCP, which one shard does. Set tapwire.shards = 1.");
        }
    }

    /// <summary>One interface by itself.</summary>
    /// <exception cref="SettingsException">Its addresses and gateways do not go together.</exception>
    public static void Check(InterfaceSettings settings)
    {
        if (settings.Dhcp != DhcpFamilies.None && settings.Wire.Medium != Medium.Ethernet)
            throw new SettingsException($"The wire {settings.Wire} has no Ethernet, which DHCP needs; give it an address, or take tap:{settings.Wire.Name}.");
        OwnAddress.Check(settings.Addresses, settings.Gateway);
        foreach (var route in settings.Routes.Where(static route => !route.IsDirect))
            OwnAddress.CheckGateway(route.Gateway, settings.Addresses);
        if (settings.AllRoutes.GroupBy(static route => (route.Destination, route.Metric)).FirstOrDefault(static group => group.Count() > 1) is { } twice)
            throw new SettingsException($"There are two routes to {twice.Key.Destination} by {settings.Name} with the metric {twice.Key.Metric}; give each one of its own, as in {RouteSpec.Format(twice.Last() with { Metric = twice.Key.Metric + 100 })}.");
        foreach (var peer in settings.PeerAddresses)
        {
            var (own, address) = (settings.Addresses, peer.Address);
            if (own.Any(prefix => prefix.Address == address))
                throw new SettingsException($"The peer address {peer} is the stack's own; the kernel's end of the wire needs another one of that network.");
            if (own.Count > 0 && !settings.ConfiguresItself && !own.Any(prefix => prefix.Contains(address)))
                throw new SettingsException($"The peer address {peer} is not in the stack's network, {string.Join(", ", own)}: neither end would find the other.");
        }
    }
}
