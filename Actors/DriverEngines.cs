using System.Security.Cryptography;
using System.Text;
using Tapwire.Actors.Settings;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Tcp;
using Tapwire.Wires;

namespace Tapwire.Actors;

/// <summary>Makes a driver's engines, one for each shard. Several engines share the addresses of each interface, and divide the limits among them.</summary>
internal static class DriverEngines
{
    /// <exception cref="SettingsException">The stack refuses an address or the gateway.</exception>
    public static IReadOnlyList<NetworkStack> Make(DriverContext context)
    {
        var settings = context.Settings;
        var interfaces = settings.AllInterfaces;
        var count = context.Shards.Count;
        var steering = count == 1 ? null : Steering(context);
        var hardware = interfaces.Select((each, i) => HardwareOf(each, context.Home.Wires[i].Wire)).ToList();
        var engines = new List<NetworkStack>();
        for (var i = 0; i < count; i++)
        {
            var wires = context.Shards[i].Wires;
            var options = OptionsOf(settings, [.. interfaces.Select((each, k) => InterfaceOf(settings, each, wires[k].Wire, hardware[k], context.HostKey))],
                steering is null ? null : new StackShard(i, steering));
            var engine = new NetworkStack(options, context.Pool, context.Secret);
            engines.Add(engine);
            if (interfaces.Select((each, k) => engine.Configure(engine.Interfaces[k], each.Addresses, each.AllRoutes, Instant.Zero)).FirstOrDefault(static problem => problem is not null)
                is not { } refusal)
                continue;
            foreach (var made in engines)
                Discard(made);
            throw new SettingsException(refusal);
        }

        return engines;
    }

    /// <summary>Translates settings into the options of an engine.</summary>
    /// <param name="shard">Null for the only engine of a driver.</param>
    internal static StackOptions OptionsOf(DriverSettings settings, IReadOnlyList<InterfaceOptions> interfaces, StackShard? shard, ForwardingOptions? forwarding = null) => new()
    {
        Forwarding = forwarding,
        IsRouter = settings.IsRouter && forwarding is null,
        Nat = settings.Nat,
        Interfaces = interfaces,
        HopLimit = settings.HopLimit,
        LoopbackFrames = settings.Queues.LoopbackFrames,
        Shard = shard,
        Fragments = shard is null ? settings.Fragments : PartOf(settings.Fragments, shard.Steering.Shards),
        Neighbors = settings.Neighbors,
        Icmp = settings.Icmp,
        Udp = settings.Udp,
        Tcp = shard is null ? settings.Tcp : PartOf(settings.Tcp, shard.Steering.Shards),
    };

    /// <summary>Translates settings into the options of an interface on a wire.</summary>
    internal static InterfaceOptions InterfaceOf(DriverSettings settings, InterfaceSettings each, IWire wire, MacAddress hardware, byte[] hostKey)
    {
        const WireOffloads superFrames = WireOffloads.TcpSegmentationV4 | WireOffloads.TcpSegmentationV6 | WireOffloads.Checksum;
        return new InterfaceOptions
        {
            Name = each.Name,
            Medium = wire.Medium,
            HardwareAddress = hardware,
            Mtu = each.Mtu == 0 ? wire.Mtu : Math.Min(each.Mtu, wire.Mtu),
            SuperFrame = (wire.Offloads & superFrames) == superFrames ? 65535 : 0,
            ChecksumOffload = (wire.Offloads & WireOffloads.Checksum) != 0,
            Masquerades = each.Masquerades,
            Advertisement = each.ServesDhcp ? new AdvertisementOptions { ServesNames = true, Domains = settings.ServedDomains, HasOtherConfiguration = true } : null,
            EgressFrames = settings.Queues.EgressFrames,
            EgressBytes = settings.Queues.EgressBytes,
            Autoconfiguration = each.Slaac == SlaacMode.Off || wire.Medium != Medium.Ethernet ? null : new AutoconfigurationOptions
            {
                UsesTemporaryAddresses = each.Slaac == SlaacMode.Temporary,
                // One interface's addresses tell nothing about another's.
                Secret = HMACSHA256.HashData(hostKey, Encoding.UTF8.GetBytes(each.Name)).AsMemory(0, DriverContext.HostKeyLength),
            },
        };
    }

    /// <summary>The Ethernet address of an interface, the same on all its queues: the configured one, else the wire's, else a random one.</summary>
    internal static MacAddress HardwareOf(InterfaceSettings settings, IWire wire) => settings.HardwareAddress ?? wire.HardwareAddress ?? HardwareAddresses.Random();

    /// <summary>Spreads the ports of services over all shards. An exposed port belongs to shard 0, where the proxies are.</summary>
    private static FlowSteering Steering(DriverContext context)
    {
        var steering = new FlowSteering(context.Shards.Count, context.Secret);
        // Answers of DHCP servers are for the first shard, which has the client.
        steering.ClaimUdp(DhcpMessage.ClientPort, 0);
        steering.ClaimUdp(Dhcp6.ClientPort, 0);
        foreach (var service in context.Settings.Serve)
            steering.SpreadTcp(service.Port);
        foreach (var exposed in context.Settings.Expose)
        {
            if (exposed.Transport == Transport.Tcp)
                steering.ClaimTcp(exposed.Listen.Port, 0);
            else
                steering.ClaimUdp(exposed.Listen.Port, 0);
        }

        return steering;
    }

    /// <summary>Divides the limits that hold for all connections together by the number of shards.</summary>
    private static TcpOptions PartOf(TcpOptions options, int shards) => options with
    {
        Memory = Math.Max(options.Memory / shards, TcpOptions.Ranges.Memory.Least),
        MaxSockets = Part(options.MaxSockets, shards),
        MaxEmbryonic = Part(options.MaxEmbryonic, shards),
        MaxTimeWait = Part(options.MaxTimeWait, shards),
    };

    /// <inheritdoc cref="PartOf(TcpOptions, int)"/>
    private static FragmentOptions PartOf(FragmentOptions options, int shards) => options with
    {
        Memory = Math.Max(options.Memory / shards, FragmentOptions.Ranges.Memory.Least),
        Datagrams = Part(options.Datagrams, shards),
    };

    private static int Part(int bound, int shards) => Math.Max(bound / shards, 1);

    private static void Discard(NetworkStack engine)
    {
        engine.Close(Instant.Zero);
        foreach (var each in engine.Interfaces)
            each.DropFrames();
    }
}
