using System.Diagnostics.CodeAnalysis;
using System.Net;
using Akka.Configuration;
using Tapwire.Actors.Settings;
using Tapwire.Messages;
using Tapwire.Proxy;
using Tapwire.Stack.Dhcp.Server;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Neighbors;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;
using Tapwire.Wires.Capture;

namespace Tapwire.Configuration;

/// <summary>Reads and checks all settings below <c>tapwire</c>.</summary>
internal static class DriverSettingsReader
{
    private const string Dispatcher = "Tapwire.Actors.Dispatch.ReactorDispatcherConfigurator, Tapwire.Actors";

    /// <exception cref="SettingsException">A value is invalid, or a key is not a setting.</exception>
    public static DriverSettings Read(Config config, IReadOnlyList<SettingsSource> sources)
    {
        var read = new SettingsReader(config, "tapwire", sources);
        CheckDispatcher(read);
        var settings = new DriverSettings
        {
            Wire = WireSpec.Parse(read.Text("wire")) ?? throw read.Bad("wire", read.Text("wire"), WireSpec.Accepted),
            Addresses = read.List<IpPrefix>("addresses", OwnAddress.TryParse, OwnAddress.Accepted),
            Gateway = Optional<IpAddress>(read, "gateway", OwnAddress.TryParseGateway, OwnAddress.AcceptedGateway + ", or empty"),
            HardwareAddress = Optional<MacAddress>(read, "mac", TryParseHardware, "a unicast address, as in 02:00:5e:10:00:01, or empty"),
            Mtu = ReadMtu(read, "mtu"),
            Slaac = read.Choice("slaac", SlaacModes),
            Routes = read.List<GatewayRoute>("routes", RouteSpec.TryParse, RouteSpec.Accepted),
            Interfaces = [.. read.Sections("interfaces").Select(name => ReadInterface(read, name))],
            Name = ReadName(read),
            Dhcp = ReadFamilies(read, "dhcp"),
            DhcpClient = ReadDhcp(read),
            IsRouter = read.Switch("forwarding"),
            Masquerades = read.Switch("masquerade"),
            ServesDhcp = read.Switch("serve-dhcp"),
            DhcpServer = new DhcpServerSettings(read.Time("dhcp-server.lease-time", DhcpServerOptions.Ranges.LeaseTime), read.Number("dhcp-server.max-leases", DhcpServerOptions.Ranges.MostLeases)),
            Nat = new NatOptions { Sessions = read.Number("nat.sessions", NatOptions.Ranges.Sessions), SessionsPerHost = read.Number("nat.sessions-per-host", NatOptions.Ranges.SessionsPerHost) },
            Shards = read.Number("shards", 1, FlowSteering.MaxShards),
            ShutdownTimeout = read.Time("shutdown-timeout", TimeSpan.Zero, DriverSettings.LongestShutdownTimeout),
            Tap = ReadTap(read),
            Queues = ReadQueues(read),
            HopLimit = (byte)read.Number("stack.hop-limit", StackOptions.Ranges.HopLimit.Least, StackOptions.Ranges.HopLimit.Most),
            Fragments = new FragmentOptions
            {
                Memory = read.Size("fragments.memory", FragmentOptions.Ranges.Memory),
                MemoryPerSource = read.Size("fragments.memory-per-source", FragmentOptions.Ranges.MemoryPerSource),
                Datagrams = read.Number("fragments.datagrams", FragmentOptions.Ranges.Datagrams),
                PerDatagram = read.Number("fragments.per-datagram", FragmentOptions.Ranges.PerDatagram),
                Timeout = read.Time("fragments.timeout", FragmentOptions.Ranges.Timeout),
            },
            Neighbors = ReadNeighbors(read),
            Icmp = new IcmpOptions
            {
                ErrorsPerSecond = read.Number("icmp.errors-per-second", IcmpOptions.Ranges.ErrorsPerSecond),
                ErrorBurst = read.Number("icmp.error-burst", IcmpOptions.Ranges.ErrorBurst),
                EchoOutstanding = read.Number("icmp.echo-outstanding", IcmpOptions.Ranges.EchoOutstanding),
            },
            Udp = new UdpOptions
            {
                Sockets = read.Number("udp.sockets", UdpOptions.Ranges.Sockets),
                QueuedDatagrams = read.Number("udp.queued-datagrams", UdpOptions.Ranges.QueuedDatagrams),
            },
            Tcp = ReadTcp(read),
            Link = ReadLink(read),
            Serve = read.List("serve", ServiceSpec.Parse, ServiceSpec.Accepted),
            ServeBacklog = read.Number("serve-backlog", 1, 65535),
            Socks = ReadSocks(read),
            Forward = read.List<ForwardSpec>("forward", ForwardSpec.TryParse, ForwardSpec.Accepted),
            Expose = read.List<ExposeSpec>("expose", ExposeSpec.TryParse, ExposeSpec.Accepted),
            Proxy = ReadProxy(read),
            Guests = ReadGuests(read),
            Dns = DnsSettingsReader.Read(read),
            Capture = ReadCapture(read),
            Http = new HttpSettings(read.Text("http.token-file"), read.Size("http.capture-memory", HttpSettings.MinCaptureMemory, HttpSettings.MaxCaptureMemory)),
            Metrics = ReadMetrics(read),
        };
        read.RefuseUnknownKeys();
        if (settings.IsRouter && !settings.Tap.SoftwareOffload)
            throw read.Bad("forwarding", "on", "off where tapwire.tap.software-offload is off, since what one device merges another may have to cut");
        return settings;
    }

    /// <summary>Reads one section of <c>tapwire.interfaces</c>. Only the wire is mandatory.</summary>
    private static InterfaceSettings ReadInterface(SettingsReader read, string name)
    {
        var at = HoconKeys.Join("interfaces", name) + ".";
        if (!read.Has(at + "wire"))
            throw read.Missing(at + "wire", WireSpec.Accepted);
        return new InterfaceSettings(
            name,
            WireSpec.Parse(read.Text(at + "wire")) ?? throw read.Bad(at + "wire", read.Text(at + "wire"), WireSpec.Accepted),
            read.Has(at + "addresses") ? read.List<IpPrefix>(at + "addresses", OwnAddress.TryParse, OwnAddress.Accepted) : [],
            read.Has(at + "gateway") ? Optional<IpAddress>(read, at + "gateway", OwnAddress.TryParseGateway, OwnAddress.AcceptedGateway + ", or empty") : null,
            read.Has(at + "mac") ? Optional<MacAddress>(read, at + "mac", TryParseHardware, "a unicast address, as in 02:00:5e:10:00:01, or empty") : null,
            read.Has(at + "mtu") ? ReadMtu(read, at + "mtu") : 0,
            read.Has(at + "routes") ? read.List<GatewayRoute>(at + "routes", RouteSpec.TryParse, RouteSpec.Accepted) : [],
            read.Has(at + "peer-address") ? read.List<IpPrefix>(at + "peer-address", OwnAddress.TryParse, OwnAddress.Accepted, orOne: true) : [])
        {
            ServesDhcp = read.Has(at + "serve-dhcp") && read.Switch(at + "serve-dhcp"),
            Masquerades = read.Has(at + "masquerade") && read.Switch(at + "masquerade"),
            Slaac = read.Has(at + "slaac") ? read.Choice(at + "slaac", SlaacModes) : SlaacMode.Off,
            Dhcp = read.Has(at + "dhcp") ? ReadFamilies(read, at + "dhcp") : DhcpFamilies.None,
        };
    }

    private static string ReadName(SettingsReader read)
    {
        var name = read.Text("name");
        return name.Length == 0 || PublishedName.TryParse(name, out _, out _) ? name : throw read.Bad("name", name, $"{PublishedName.Accepted}, or empty");
    }

    private static DhcpSettings ReadDhcp(SettingsReader read)
    {
        var (name, directory) = (read.Text("dhcp-client.hostname"), read.Text("state-directory"));
        if (name.Length > 0 && !DhcpSettings.TryParseName(name, out _, out _))
            throw read.Bad("dhcp-client.hostname", name, $"{DhcpSettings.AcceptedName}, or empty");
        if (!DhcpSettings.IsDirectory(directory))
            throw read.Bad("state-directory", directory, DhcpSettings.AcceptedDirectory);
        return new DhcpSettings(name, read.Switch("dhcp-client.release"), read.Choice("dhcp-client.client-id", DhcpSettings.Identities), directory);
    }

    internal static readonly Dictionary<string, SlaacMode> SlaacModes = new() { ["off"] = SlaacMode.Off, ["stable"] = SlaacMode.Stable, ["temporary"] = SlaacMode.Temporary };

    internal static readonly Dictionary<string, DhcpFamilies> DhcpWords = new()
    {
        ["off"] = DhcpFamilies.None,
        ["on"] = DhcpFamilies.Both,
        ["4"] = DhcpFamilies.V4,
        ["6"] = DhcpFamilies.V6,
    };

    /// <summary>A switch, too, which it was when there was one family.</summary>
    private static DhcpFamilies ReadFamilies(SettingsReader read, string key) => read.Text(key).ToLowerInvariant() switch
    {
        "true" or "yes" => DhcpFamilies.Both,
        "false" or "no" => DhcpFamilies.None,
        _ => read.Choice(key, DhcpWords),
    };

    private static int ReadMtu(SettingsReader read, string key) =>
        read.Number(key, 0, InterfaceSettings.MaxMtu) is var mtu && mtu is 0 or >= InterfaceSettings.MinMtu
            ? mtu
            : throw read.Bad(key, read.Text(key), $"0 or {InterfaceSettings.MinMtu}..{InterfaceSettings.MaxMtu}");

    /// <summary>Checks the section of the dispatcher. The actor system itself reads it when it makes the dispatcher.</summary>
    private static void CheckDispatcher(SettingsReader read)
    {
        // The actors need a reactor for their descriptors, and only this dispatcher has one.
        if (read.Text("dispatcher.type") is var type && type != Dispatcher)
            throw read.Bad("dispatcher.type", type, $"\"{Dispatcher}\"");
        read.Number("dispatcher.throughput", 1, 1_000_000);
        read.Time("dispatcher.spin", TimeSpan.Zero, TimeSpan.FromMilliseconds(1));
    }

    private static NeighborOptions ReadNeighbors(SettingsReader read) => new()
    {
        Entries = read.Number("neighbor.entries", NeighborOptions.Ranges.Entries),
        QueuedPackets = read.Number("neighbor.queued-packets", NeighborOptions.Ranges.QueuedPackets),
        QueuedBytes = read.Size("neighbor.queued-bytes", NeighborOptions.Ranges.QueuedBytes),
        AllQueuedBytes = read.Size("neighbor.all-queued-bytes", NeighborOptions.Ranges.AllQueuedBytes),
        Solicitations = read.Number("neighbor.probes", NeighborOptions.Ranges.Solicitations),
        RetransmitTime = read.Time("neighbor.retransmit-time", NeighborOptions.Ranges.RetransmitTime),
        ReachableTime = read.Time("neighbor.reachable-time", NeighborOptions.Ranges.ReachableTime),
        DuplicateProbes = read.Number("neighbor.duplicate-probes", NeighborOptions.Ranges.DuplicateProbes),
        UnusedTime = read.Time("neighbor.unused-time", NeighborOptions.Ranges.UnusedTime),
    };

    private static readonly Dictionary<string, EcnMode> EcnModes = new() { ["off"] = EcnMode.Off, ["passive"] = EcnMode.Passive, ["on"] = EcnMode.On };

    private static TcpOptions ReadTcp(SettingsReader read)
    {
        var options = new TcpOptions
        {
            ReceiveBuffer = read.Size("tcp.receive-buffer", TcpOptions.Ranges.ReceiveBuffer with { Least = MemoryShares.LeastBuffer }, MemoryShares.OfProcess.ReceiveBuffer),
            SendBuffer = read.Size("tcp.send-buffer", TcpOptions.Ranges.SendBuffer with { Least = MemoryShares.LeastBuffer }),
            MaxReceiveBuffer = read.Size("tcp.max-receive-buffer", TcpOptions.Ranges.MaxReceiveBuffer),
            MaxSendBuffer = read.Size("tcp.max-send-buffer", TcpOptions.Ranges.MaxSendBuffer),
            Memory = read.LongSize("tcp.memory", TcpOptions.Ranges.Memory with { Least = MemoryShares.LeastTcp }, MemoryShares.OfProcess.Tcp),
            MaxSockets = read.Number("tcp.max-sockets", TcpOptions.Ranges.MaxSockets, MemoryShares.OfProcess.TcpSockets),
            MaxEmbryonic = read.Number("tcp.max-embryonic", TcpOptions.Ranges.MaxEmbryonic),
            MaxEmbryonicPerListener = read.Number("tcp.max-embryonic-per-listener", TcpOptions.Ranges.MaxEmbryonicPerListener),
            SynCookies = read.Switch("tcp.syn-cookies"),
            FastOpen = read.Switch("tcp.fast-open"),
            MaxTimeWait = read.Number("tcp.max-time-wait", TcpOptions.Ranges.MaxTimeWait),
            TimeWait = read.Time("tcp.time-wait", TcpOptions.Ranges.TimeWait),
            FinWait2 = read.Time("tcp.fin-wait-2", TcpOptions.Ranges.FinWait2),
            InitialRto = read.Time("tcp.initial-rto", TcpOptions.Ranges.InitialRto),
            MinRto = read.Time("tcp.min-rto", TcpOptions.Ranges.MinRto),
            MaxRto = read.Time("tcp.max-rto", TcpOptions.Ranges.MaxRto),
            SynRetries = read.Number("tcp.syn-retries", TcpOptions.Ranges.SynRetries),
            SynAckRetries = read.Number("tcp.syn-ack-retries", TcpOptions.Ranges.SynAckRetries),
            Retries = read.Number("tcp.retries", TcpOptions.Ranges.Retries),
            OrphanRetries = read.Number("tcp.orphan-retries", TcpOptions.Ranges.OrphanRetries),
            ChallengeAcksPerSecond = read.Number("tcp.challenge-acks-per-second", TcpOptions.Ranges.ChallengeAcksPerSecond),
            ResetsPerSecond = read.Number("tcp.resets-per-second", TcpOptions.Ranges.ResetsPerSecond),
            InvalidRateLimit = read.Time("tcp.invalid-rate-limit", TcpOptions.Ranges.InvalidRateLimit),
            DelayedAck = read.Time("tcp.delayed-ack", TcpOptions.Ranges.DelayedAck),
            CongestionControl = read.Choice("tcp.congestion-control", CongestionAlgorithms.ByName),
            Ecn = read.Choice("tcp.ecn", EcnModes),
            MtuProbing = read.Switch("tcp.mtu-probing"),
            Timestamps = read.Switch("tcp.timestamps"),
            SelectiveAck = read.Switch("tcp.selective-ack"),
            WindowScaling = read.Switch("tcp.window-scaling"),
        };
        if (options.MaxRto < options.InitialRto || options.MaxRto < options.MinRto)
            throw read.Bad("tcp.max-rto", Duration.Format(options.MaxRto), "no less than tcp.initial-rto and tcp.min-rto");
        return options;
    }

    private static TapSettings ReadTap(SettingsReader read)
    {
        var least = TimeSpan.FromMilliseconds(1);
        var minimum = read.Time("tap.reopen-minimum", least, TimeSpan.FromHours(1));
        return new TapSettings(read.Switch("tap.offload"), read.Switch("tap.software-offload"), read.Number("tap.read-batch", 1, 1024),
            read.Number("tap.queue-frames", 1, 1 << 20), minimum, read.Time("tap.reopen-maximum", minimum, TimeSpan.FromHours(1)),
            read.List<IpPrefix>("tap.peer-address", OwnAddress.TryParse, OwnAddress.Accepted, orOne: true));
    }

    private static QueueSettings ReadQueues(SettingsReader read) => new(
        read.Number("stack.queue-frames", 1, 1 << 20),
        read.Size("stack.queue-bytes", 64 << 10, 1 << 30),
        read.Number("stack.frames-per-poll", 1, 65536),
        read.Number("stack.egress-credit", 64, 1 << 20),
        read.Number("stack.egress-frames", InterfaceOptions.Ranges.EgressFrames),
        read.Size("stack.egress-bytes", InterfaceOptions.Ranges.EgressBytes),
        read.Number("stack.loopback-frames", StackOptions.Ranges.LoopbackFrames),
        read.Time("stack.maximum-tick", TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1), infinite: true));

    private static LinkSettings ReadLink(SettingsReader read) => new(
        read.Text("link.path"), read.Number("link.max-sessions", 1, 65536), read.Number("link.max-sockets", 1, 1 << 20, MemoryShares.OfProcess.LinkSockets),
        read.List("link.users", text => text.Length > 0 ? text : null, "names or numbers of users"));

    private static SocksSettings ReadSocks(SettingsReader read)
    {
        var user = read.Text("socks.user");
        var password = read.Text("socks.password");
        if (user.Length > 0 && !ProxyUser.IsUsable(user, isName: true))
            throw read.Bad("socks.user", user, "empty or from 1 to 255 bytes without a colon");
        if (password.Length > 0 && !ProxyUser.IsUsable(password, isName: false))
            throw read.Bad("socks.password", "...", "empty or from 1 to 255 bytes");
        return new SocksSettings(read.List<SocksSpec>("socks.listen", SocksSpec.TryParse, SocksSpec.Accepted), user, password, read.Switch("socks.allow-remote"),
            read.List<IpPrefix>("socks.destinations", TryParseDestination, "ADDRESS/LENGTH, as in 10.99.0.0/24"));
    }

    private static GuestSettings ReadGuests(SettingsReader read) => new(read.Number("guests.max-guests", 0, 1024), read.Number("guests.max-connections", 1, 65536),
        read.Number("guests.max-flows", 1, 65536), read.Time("guests.flow-idle", TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(1)));

    private static CaptureSettings ReadCapture(SettingsReader read) => new(read.Text("capture.file"),
        read.Size("capture.snaplen", CaptureOptions.MinSnapLength, CaptureOptions.MaxSnapLength),
        read.Size("capture.memory", CaptureOptions.MinMemory, CaptureOptions.MaxMemory), read.Number("capture.max-captures", 0, 64));

    private static MetricsSettings ReadMetrics(SettingsReader read)
    {
        var listen = read.Text("metrics.listen");
        IPEndPoint? endpoint = null;
        if (listen.Length > 0 && !MetricsSettings.TryParseListen(listen, out endpoint))
            throw read.Bad("metrics.listen", listen, MetricsSettings.AcceptedListen);
        var otlp = read.Text("metrics.otlp");
        if (!MetricsSettings.IsOtlp(otlp))
            throw read.Bad("metrics.otlp", otlp, MetricsSettings.AcceptedOtlp);
        return new MetricsSettings(endpoint, otlp, read.Time("metrics.interval", TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)));
    }

    private static ProxySettings ReadProxy(SettingsReader read)
    {
        var least = TimeSpan.FromMilliseconds(1);
        var most = TimeSpan.FromHours(1);
        return new ProxySettings(read.Number("proxy.max-connections", 1, 1 << 20), read.Time("proxy.handshake-timeout", least, most),
            read.Time("proxy.connect-timeout", least, most), read.Number("proxy.max-flows", 1, 65536), read.Time("proxy.flow-idle", least, TimeSpan.FromDays(1)));
    }

    /// <summary>Parses an Ethernet address for an interface: neither a group address nor all zeros.</summary>
    /// <param name="problem">With false: why the address cannot be used; empty if the text is no address at all.</param>
    public static bool TryParseHardware(string text, out MacAddress mac, [NotNullWhen(false)] out string? problem)
    {
        problem = !MacAddress.TryParse(text, null, out mac) ? ""
            : mac.IsGroup ? $"{mac} is the address of a group; its first byte must be even"
            : mac.Value == 0 ? $"{mac} stands for no address"
            : null;
        return problem is null;
    }

    private static bool TryParseDestination(string text, out IpPrefix prefix, [NotNullWhen(false)] out string? problem)
    {
        problem = IpPrefix.TryParse(text, null, out prefix) ? null : "";
        return problem is null;
    }

    private static T? Optional<T>(SettingsReader read, string key, ItemParser<T> parse, string accepted)
        where T : struct
    {
        var text = read.Text(key);
        if (text.Length == 0)
            return null;
        return parse(text, out var value, out var problem) ? value : throw read.Bad(key, text, SettingsReader.Because(accepted, problem));
    }
}
