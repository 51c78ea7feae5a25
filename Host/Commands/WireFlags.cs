using System.CommandLine;
using System.CommandLine.Parsing;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;
using Tapwire.Messages;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Host.Commands;

/// <summary>
/// The wires of a driver on the command line. <c>--wire</c> can be repeated. Addresses and other options of a wire follow its <c>--wire</c>; those before the first
/// <c>--wire</c> belong to the first wire.
/// </summary>
internal static class WireFlags
{
    private static readonly Flag<IReadOnlyList<WireSpec>> Wire = Flags.List<WireSpec>("--wire",
        "The network side: a TAP or TUN device, made if it is not there, wg: and a WireGuard configuration, vxlan: and a VXLAN's identifier and peers, or qemu:unix: and the socket of a virtual machine; repeatable, each followed by what belongs to it. tap:tw0 when not given.", "KIND:NAME",
        (string text, out WireSpec value) => (value = WireSpec.Parse(text)!) is not null, WireSpec.Accepted);

    public static readonly Flag<IReadOnlyList<IpPrefix>> Addresses = Flags.List<IpPrefix>("--address",
        "An address of the stack with the length of its prefix, as in 10.99.0.2/24 or fd00::2/64; repeatable. At least one is needed, --dhcp or --slaac; those of the configuration with wg: when not given.", "CIDR", OwnAddress.TryParse, OwnAddress.Accepted);

    public static readonly Flag<IReadOnlyList<IpPrefix>> PeerAddresses = Flags.List<IpPrefix>("--peer-address",
        "An address for the kernel's end of the device, as in 10.99.0.1/24, which also brings it up; repeatable.", "CIDR", OwnAddress.TryParse, OwnAddress.Accepted);

    private static readonly Flag<IReadOnlyList<IpAddress>> Gateway = Flags.List<IpAddress>("--gateway", "Where packets to other networks go; nowhere when not given. Once for each family.", "IP",
        OwnAddress.TryParseGateway, OwnAddress.AcceptedGateway);

    public static readonly Flag<IReadOnlyList<GatewayRoute>> Routes = Flags.List<GatewayRoute>("--via",
        "A route to another network than the gateway's, as in 10.20.0.0/16=10.99.0.9; repeatable.", "NETWORK=GATEWAY", RouteSpec.TryParse, "NETWORK/LENGTH=GATEWAY, as in 10.20.0.0/16=10.99.0.9");

    public static readonly Option<DhcpFamilies?> Dhcp = Flags.Word("--dhcp",
        "A DHCP server gives the wire its address, routes and name servers; with 4 or 6 by that family's DHCP only. With --slaac routers say whether there is DHCPv6.", DhcpFamilies.Both, DriverSettingsReader.DhcpWords);

    private static readonly Flag<IReadOnlyList<MacAddress>> Mac = Flags.List<MacAddress>("--mac", "The stack's Ethernet address; the device's, or one at random, when not given.",
        "MAC", DriverSettingsReader.TryParseHardware, "a unicast address, as in 02:00:5e:10:00:01");

    private static readonly Flag<IReadOnlyList<int>> Mtu = Flags.Numbers("--mtu", "Largest IP packet in bytes; the device's when not given.",
        InterfaceSettings.MinMtu, InterfaceSettings.MaxMtu);

    public static readonly Option<SlaacMode?> Slaac = Flags.Word("--slaac",
        "Takes IPv6 addresses, routes and name servers from the link's routers; with 'temporary' a random address beside the stable one.", SlaacMode.Stable, DriverSettingsReader.SlaacModes);

    private static readonly Option<bool> Masquerade = Flags.Switch("--masquerade",
        "Forwards packets between the wires, and gives those that leave by this wire its address, so that its network needs no route back.");

    /// <summary>The option whose word "dhcp" belongs to the wire before it; the others are services of the driver's.</summary>
    public const string ServeName = "--serve";

    /// <summary>The most used options.</summary>
    public static IReadOnlyList<Option> Main { get; } = [Wire, Addresses, Dhcp, Slaac, PeerAddresses, Gateway];

    public static IReadOnlyList<Option> Further { get; } = [Mtu, Mac, Routes, Masquerade];

    /// <summary>True when the command line names a wire or an address, or where it comes from.</summary>
    public static bool AreGiven(ParseResult parsed) =>
        parsed.Read(Wire).Count > 0 || parsed.Read(Addresses).Count > 0 || parsed.GetResult(Dhcp) is { Implicit: false } || parsed.GetResult(Slaac) is { Implicit: false };

    /// <summary>The settings, overridden by the command line.</summary>
    /// <exception cref="SettingsException">A wire has been given two values of an option that it has once.</exception>
    public static DriverSettings Merge(DriverSettings settings, ParseResult parsed)
    {
        var lines = parsed.Read(Wire).Select(static wire => new Line(wire)).DefaultIfEmpty(new Line(null)).ToList();
        Deal(parsed, Addresses, lines, static (line, value) => line.Addresses.Add(value));
        Deal(parsed, PeerAddresses, lines, static (line, value) => line.PeerAddresses.Add(value));
        Deal(parsed, Routes, lines, static (line, value) => line.Routes.Add(value));
        Deal(parsed, Gateway, lines, static (line, value) => line.AddGateway(value));
        Deal(parsed, Mac, lines, static (line, value) => line.Mac = line.Once("--mac", line.Mac, value));
        Deal(parsed, Mtu, lines, static (line, value) => line.Mtu = line.Once("--mtu", line.Mtu, value));
        DealSwitches(parsed, lines);
        return lines.Skip(1).Aggregate(lines[0].MergeMain(settings), static (merged, line) => line.MergeFurther(merged));
    }

    /// <summary>Assigns each value of a flag to the last wire before it.</summary>
    private static void Deal<T>(ParseResult parsed, Flag<IReadOnlyList<T>> flag, List<Line> lines, Action<Line, T> take)
    {
        var values = parsed.Read(flag);
        if (values.Count == 0)
            return;
        var (wires, next, current) = (0, 0, "");
        foreach (var token in parsed.Tokens)
        {
            if (token.Type == TokenType.Option)
                current = token.Value;
            if (token.Type != TokenType.Argument)
                continue;
            var count = token.Value.Split(',').Length;
            if (current == Wire.Name)
                wires += count;
            for (var i = 0; current == flag.Name && i < count && next < values.Count; i++)
                take(lines[Math.Max(wires - 1, 0)], values[next++]);
            current = "";
        }
    }

    /// <summary>Assigns each <c>--masquerade</c>, each <c>--serve dhcp</c>, and each <c>--dhcp</c> and <c>--slaac</c>, whose values may be missing, to the last wire before it.</summary>
    private static void DealSwitches(ParseResult parsed, List<Line> lines)
    {
        var (wires, current) = (0, "");
        foreach (var token in parsed.Tokens)
        {
            var line = lines[Math.Max(wires - 1, 0)];
            if (token.Type == TokenType.Option && token.Value == Slaac.Name)
                line.Slaac = SlaacMode.Stable;
            else if (token.Type == TokenType.Option && token.Value == Dhcp.Name)
                line.Dhcp = DhcpFamilies.Both;
            else if (token.Type == TokenType.Option && token.Value == Masquerade.Name)
                line.Masquerades = true;
            else if (current == ServeName && token.Type == TokenType.Argument)
                line.ServesDhcp |= token.Value.Split(',').Contains(ServiceSpec.Dhcp);
            else if (current == Dhcp.Name && token.Type == TokenType.Argument)
                line.Dhcp = DriverSettingsReader.DhcpWords[token.Value];
            else if (current == Slaac.Name && token.Type == TokenType.Argument)
                line.Slaac = DriverSettingsReader.SlaacModes[token.Value];
            else if (current == Wire.Name && token.Type == TokenType.Argument)
                wires += token.Value.Split(',').Length;
            current = token.Type == TokenType.Option ? token.Value : "";
        }
    }

    /// <summary>A wire of the command line with its options.</summary>
    /// <param name="wire">Null: the options stand without a wire.</param>
    private sealed class Line(WireSpec? wire)
    {
        public List<IpPrefix> Addresses { get; } = [];

        public List<IpPrefix> PeerAddresses { get; } = [];

        public List<GatewayRoute> Routes { get; } = [];

        public IpAddress? Gateway { get; private set; }

        public MacAddress? Mac { get; set; }

        public int? Mtu { get; set; }

        public DhcpFamilies? Dhcp { get; set; }

        public SlaacMode? Slaac { get; set; }

        public bool Masquerades { get; set; }

        public bool ServesDhcp { get; set; }

        /// <summary>Takes a gateway; a second one, if it is of the other family, as a route.</summary>
        public void AddGateway(IpAddress gateway)
        {
            if (Gateway is { } first && first.IsV4 != gateway.IsV4 && !Routes.Exists(static route => route.Destination.Length == 0))
                Routes.Add(RouteSpec.Default(gateway));
            else
                Gateway = Once("--gateway", Gateway, gateway);
        }

        public T Once<T>(string flag, T? before, T value)
            where T : struct => before is null
            ? value
            : throw new SettingsException($"{flag} is given 2 times{(wire is null ? "" : $" for the wire {wire}")}: {before} and {value}; give it once, behind the --wire that it is for.");

        public DriverSettings MergeMain(DriverSettings settings) => settings with
        {
            Wire = wire ?? settings.Wire,
            Addresses = Addresses.Count > 0 ? Addresses : settings.Addresses,
            Tap = PeerAddresses.Count > 0 ? settings.Tap with { PeerAddresses = PeerAddresses } : settings.Tap,
            Routes = Routes.Count > 0 ? Routes : settings.Routes,
            Gateway = Gateway ?? settings.Gateway,
            HardwareAddress = Mac ?? settings.HardwareAddress,
            Mtu = Mtu ?? settings.Mtu,
            Slaac = Slaac ?? settings.Slaac,
            Dhcp = Dhcp ?? settings.Dhcp,
            Masquerades = Masquerades || settings.Masquerades,
            ServesDhcp = ServesDhcp || settings.ServesDhcp,
            IsRouter = Masquerades || settings.IsRouter,
        };

        /// <summary>Adds the wire as a further interface, named after its device. It replaces an interface of that name in the settings.</summary>
        public DriverSettings MergeFurther(DriverSettings settings)
        {
            var added = new InterfaceSettings(wire!.Name, wire, Addresses, Gateway, Mac, Mtu ?? 0, Routes, PeerAddresses) 
            {
                Slaac = Slaac ?? SlaacMode.Off,
                Dhcp = Dhcp ?? DhcpFamilies.None,
                Masquerades = Masquerades,
                ServesDhcp = ServesDhcp,
            };
            return settings with { IsRouter = Masquerades || settings.IsRouter, Interfaces = [.. settings.Interfaces.Where(other => other.Name != added.Name), added] };
        }
    }
}
