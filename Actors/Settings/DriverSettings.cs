using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Neighbors;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;
using Tapwire.Wires;

namespace Tapwire.Actors.Settings;

/// <summary>Everything below <c>tapwire</c> in <c>akka.hocon</c>, typed. The command line replaces single values with <c>with</c>.</summary>
public sealed record DriverSettings
{
    public static readonly TimeSpan LongestShutdownTimeout = TimeSpan.FromMinutes(5);

    public required WireSpec Wire { get; init; }

    public required IReadOnlyList<IpPrefix> Addresses { get; init; }

    /// <summary>The gateway of the first interface. Null: packets leave by its own prefixes and routes only.</summary>
    public required IpAddress? Gateway { get; init; }

    /// <summary>The hardware address of the first interface. Null: the wire's, or a random one.</summary>
    public required MacAddress? HardwareAddress { get; init; }

    /// <summary>The MTU in bytes; 0 takes the wire's.</summary>
    public required int Mtu { get; init; }

    /// <summary>IPv6 addresses and routes of the first interface from its link's routers.</summary>
    public SlaacMode Slaac { get; init; }

    /// <summary>Routes through other gateways than <see cref="Gateway"/>.</summary>
    public IReadOnlyList<GatewayRoute> Routes { get; init; } = [];

    /// <summary>Further interfaces. The settings above, and <see cref="TapSettings.PeerAddresses"/>, make the first.</summary>
    public IReadOnlyList<InterfaceSettings> Interfaces { get; init; } = [];

    /// <summary>Name servers that the wires' own configurations have: the place from which a resolver of the driver would take them.</summary>
    public IReadOnlyList<WireNames> WireNames { get; init; } = [];

    /// <summary>All interfaces, the first included, which has the name of its device.</summary>
    public IReadOnlyList<InterfaceSettings> AllInterfaces =>
        [new InterfaceSettings(Wire.Name, Wire, Addresses, Gateway, HardwareAddress, Mtu, Routes, Tap.PeerAddresses) { Slaac = Slaac, Dhcp = Dhcp, Masquerades = Masquerades, ServesDhcp = ServesDhcp }, .. Interfaces];

    /// <summary>All interfaces on one line.</summary>
    public string InterfaceSummary => string.Join("; ", AllInterfaces.Select(static each => each.Summary));

    /// <summary>The same, with other addresses and routes of an interface.</summary>
    /// <param name="changed">One of <see cref="AllInterfaces"/> by its name.</param>
    public DriverSettings With(InterfaceSettings changed) => changed.Name == Wire.Name
        ? this with { Addresses = changed.Addresses, Gateway = changed.Gateway, Routes = changed.Routes }
        : this with { Interfaces = [.. Interfaces.Select(each => each.Name == changed.Name ? changed : each)] };

    /// <summary>This host's name: a label, which multicast DNS publishes as NAME.local; empty: none.</summary>
    public string Name { get; init; } = "";

    /// <summary>The DHCP clients of the first interface.</summary>
    public DhcpFamilies Dhcp { get; init; }

    public required DhcpSettings DhcpClient { get; init; }

    /// <summary>Packets are forwarded between the interfaces.</summary>
    public bool IsRouter { get; init; }

    /// <summary>What is forwarded by the first interface gets its address as the source.</summary>
    public bool Masquerades { get; init; }

    public NatOptions Nat { get; init; } = new();

    /// <summary>Stations on the first wire get their addresses from here.</summary>
    public bool ServesDhcp { get; init; }

    public required DhcpServerSettings DhcpServer { get; init; }

    /// <summary>Domains in which stations look for short names: those in which the driver does, of the settings or of the wires' own configurations.</summary>
    public IReadOnlyList<string> ServedDomains => [.. Dns.Search.Select(static domain => domain.ToString().TrimEnd('.')).Concat(WireNames.SelectMany(static named => named.SearchDomains)).Distinct().Take(8)];

    /// <summary>Threads that share the work, each with a queue of the wire and a stack, 1..<see cref="FlowSteering.MaxShards"/>.</summary>
    public required int Shards { get; init; }

    /// <summary>Time for an orderly stop, up to <see cref="LongestShutdownTimeout"/>.</summary>
    public required TimeSpan ShutdownTimeout { get; init; }

    public required TapSettings Tap { get; init; }

    public required QueueSettings Queues { get; init; }

    public required byte HopLimit { get; init; }

    public required FragmentOptions Fragments { get; init; }

    public required NeighborOptions Neighbors { get; init; }

    public required IcmpOptions Icmp { get; init; }

    public required UdpOptions Udp { get; init; }

    public required TcpOptions Tcp { get; init; }

    public required LinkSettings Link { get; init; }

    public required IReadOnlyList<ServiceSpec> Serve { get; init; }

    public required int ServeBacklog { get; init; }

    public required SocksSettings Socks { get; init; }

    public required IReadOnlyList<ForwardSpec> Forward { get; init; }

    public required IReadOnlyList<ExposeSpec> Expose { get; init; }

    public required ProxySettings Proxy { get; init; }

    public required GuestSettings Guests { get; init; }

    public required DnsSettings Dns { get; init; }

    public required CaptureSettings Capture { get; init; }

    public HttpSettings Http { get; init; } = HttpSettings.Default;

    public MetricsSettings Metrics { get; init; } = MetricsSettings.Off;

    /// <summary>These settings, with no more sessions, sockets, connections and flows than there are descriptors: each uses one of the driver's.</summary>
    /// <param name="descriptors">Number of descriptors for all of these together.</param>
    public DriverSettings Within(int descriptors)
    {
        descriptors = Math.Max(descriptors, 1);
        return this with
        {
            Link = Link with { MaxSessions = Math.Min(Link.MaxSessions, descriptors), MaxSockets = Math.Min(Link.MaxSockets, descriptors) },
            Proxy = Proxy with { MaxConnections = Math.Min(Proxy.MaxConnections, descriptors), MaxFlows = Math.Min(Proxy.MaxFlows, descriptors) },
        };
    }

    /// <summary>Opens a queue of an interface's wire.</summary>
    /// <exception cref="WireException">It does not open, and why.</exception>
    public IWire OpenWire(InterfaceSettings each)
    {
        ArgumentNullException.ThrowIfNull(each);
        return each.Wire.Open(new WireRequest
        {
            MultiQueue = Shards > 1,
            Mtu = each.Mtu == 0 ? null : each.Mtu,
            HardwareAddress = each.HardwareAddress,
            PeerAddresses = each.PeerAddresses,
            Offload = Tap.Offload,
        });
    }
}

/// <summary>Section <c>tapwire.tap</c>.</summary>
/// <param name="PeerAddresses">Addresses for the kernel's end of the device.</param>
public sealed record TapSettings(bool Offload, bool SoftwareOffload, int ReadBatch, int QueueFrames, TimeSpan ReopenMinimum, TimeSpan ReopenMaximum,
    IReadOnlyList<IpPrefix> PeerAddresses);

/// <summary>Section <c>tapwire.dhcp-server</c>: what each interface's DHCP server gives away.</summary>
/// <param name="MostLeases">Leases and offers at once.</param>
public sealed record DhcpServerSettings(TimeSpan LeaseTime, int MostLeases);

/// <summary>Section <c>tapwire.stack</c>: the stack actor's queues.</summary>
public sealed record QueueSettings(int Frames, int Bytes, int FramesPerPoll, int EgressCredit, int EgressFrames, int EgressBytes, int LoopbackFrames, TimeSpan MaximumTick);

/// <summary>Section <c>tapwire.link</c>.</summary>
/// <param name="Path">Empty: the user's default path; "off": no link.</param>
public sealed record LinkSettings(string Path, int MaxSessions, int MaxSockets, IReadOnlyList<string> Users)
{
    public bool IsOff => Path == "off";
}
