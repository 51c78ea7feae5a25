using System.Security.Cryptography;
using Tapwire.Actors.Settings;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Link;
using Tapwire.Stack.Tcp;
using Tapwire.Wires;

namespace Tapwire.Actors;

/// <summary>Makes a driver's engines: one, or one for each shard, which then have one address of each kind among them and a part of each bound.</summary>
internal static class DriverEngines
{
    /// <exception cref="SettingsException">The stack refuses an address or the gateway.</exception>
    public static IReadOnlyList<NetworkStack> Make(DriverContext context)
    {
        var settings = context.Settings;
        var count = context.Shards.Count;
        var steering = count == 1 ? null : Steering(context);
        var hardware = settings.HardwareAddress ?? context.Home.Wire.HardwareAddress ?? RandomAddress();
        var engines = new List<NetworkStack>();
        for (var i = 0; i < count; i++)
        {
            var options = OptionsOf(settings, context.Shards[i].Wire, hardware, steering is null ? null : new StackShard(i, steering));
            var engine = new NetworkStack(options, context.Pool, context.Secret);
            engines.Add(engine);
            if (Configure(engine, settings) is not { } refusal)
                continue;
            foreach (var made in engines)
                Discard(made);
            throw new SettingsException(refusal);
        }

        return engines;
    }

    /// <summary>What the settings make of an engine on a wire.</summary>
    /// <param name="shard">Null: it is the only one.</param>
    internal static StackOptions OptionsOf(DriverSettings settings, IWire wire, MacAddress hardware, StackShard? shard)
    {
        var superFrames = WireOffloads.TcpSegmentationV4 | WireOffloads.Checksum;
        return new StackOptions
        {
            Link = wire.Medium == Medium.Ethernet ? LinkKind.Ethernet : LinkKind.Ip,
            HardwareAddress = hardware,
            Mtu = settings.Mtu == 0 ? wire.Mtu : Math.Min(settings.Mtu, wire.Mtu),
            SuperFrame = (wire.Offloads & superFrames) == superFrames ? 65535 : 0,
            ChecksumOffload = (wire.Offloads & WireOffloads.Checksum) != 0,
            HopLimit = settings.HopLimit,
            Shard = shard,
            Neighbors = settings.Neighbors,
            Icmp = settings.Icmp,
            Udp = settings.Udp,
            Tcp = shard is null ? settings.Tcp : PartOf(settings.Tcp, shard.Steering.Shards),
        };
    }

    /// <summary>Services are everybody's; a port that is exposed belongs to the shard of the proxies.</summary>
    private static FlowSteering Steering(DriverContext context)
    {
        var steering = new FlowSteering(context.Shards.Count, context.Secret);
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

    /// <summary>What is bounded for all connections together is dealt out.</summary>
    private static TcpOptions PartOf(TcpOptions options, int shards) => options with
    {
        Memory = Math.Max(options.Memory / shards, TcpOptions.Ranges.Memory.Least),
        MaxSockets = Part(options.MaxSockets, shards),
        MaxEmbryonic = Part(options.MaxEmbryonic, shards),
        MaxTimeWait = Part(options.MaxTimeWait, shards),
    };

    private static int Part(int bound, int shards) => Math.Max(bound / shards, 1);

    private static void Discard(NetworkStack engine)
    {
        engine.Close(Instant.Zero);
        while (engine.TryDequeueFrame(out var frame))
            frame.Release();
    }

    /// <summary>Null, or what the stack does not take.</summary>
    private static string? Configure(NetworkStack stack, DriverSettings settings)
    {
        foreach (var address in settings.Addresses)
        {
            if (stack.AddAddress(address, Instant.Zero) is not StackError.None and var error)
                return $"The stack refuses the address {address}: {error.Describe()}.";
        }

        return settings.Gateway is { } gateway
            && stack.AddRoute(new IpPrefix(gateway.IsV4 ? IpAddress.AnyV4 : IpAddress.Unspecified, 0), gateway) is not StackError.None and var refused
            ? $"The stack refuses the gateway {gateway}: {refused.Describe()}; it must be on the network of one of the addresses."
            : null;
    }

    /// <summary>A locally administered unicast address (IEEE 802).</summary>
    private static MacAddress RandomAddress()
    {
        Span<byte> bytes = stackalloc byte[6];
        RandomNumberGenerator.Fill(bytes);
        bytes[0] = (byte)(bytes[0] & 0xFC | 0x02);
        return MacAddress.FromBytes(bytes);
    }
}
