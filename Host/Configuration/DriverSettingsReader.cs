using Akka.Configuration;
using Tapwire.Actors.Settings;
using Tapwire.Links.Proxy;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Link;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Host.Configuration;

/// <summary>Reads everything below <c>tapwire</c> and checks it.</summary>
internal static class DriverSettingsReader
{
    /// <exception cref="SettingsException">A value that cannot be used, or a key that is not a setting.</exception>
    public static DriverSettings Read(Config config, IReadOnlyList<SettingsSource> sources)
    {
        var read = new SettingsReader(config, "tapwire", sources);
        CheckDispatcher(read);
        var settings = new DriverSettings
        {
            Wire = WireSpec.Parse(read.Text("wire")) ?? throw read.Bad("wire", read.Text("wire"), WireSpec.Accepted),
            Addresses = Prefixes(read, "addresses", "10.99.0.2/24"),
            Gateway = Optional(read, "gateway", static (string? text, out IpAddress address) => IpAddress.TryParse(text, out address), "an IP address or empty"),
            HardwareAddress = Optional(read, "mac", static (string? text, out MacAddress mac) => MacAddress.TryParse(text, null, out mac) && !mac.IsGroup,
                "a unicast address, as in 02:00:5e:10:00:01, or empty"),
            Mtu = read.Number("mtu", 0, 65535) is var mtu && mtu is 0 or >= 68 ? mtu : throw read.Bad("mtu", read.Text("mtu"), "0 or 68..65535"),
            Shards = read.Number("shards", 1, FlowSteering.MaxShards),
            ShutdownTimeout = read.Time("shutdown-timeout", TimeSpan.Zero, TimeSpan.FromMinutes(5)),
            Tap = ReadTap(read),
            Queues = ReadQueues(read),
            HopLimit = (byte)read.Number("stack.hop-limit", 1, 255),
            Neighbors = ReadNeighbors(read),
            Icmp = new IcmpOptions
            {
                ErrorsPerSecond = read.Number("icmp.errors-per-second", 1, 1_000_000),
                ErrorBurst = read.Number("icmp.error-burst", 1, 1_000_000),
            },
            Udp = new UdpOptions { Sockets = read.Number("udp.sockets", 1, 1 << 20) },
            Tcp = ReadTcp(read),
            Link = ReadLink(read),
            Serve = read.List("serve", ServiceSpec.Parse, ServiceSpec.Accepted),
            ServeBacklog = read.Number("serve-backlog", 1, 65535),
            Socks = ReadSocks(read),
            Forward = read.List<ForwardSpec>("forward", ForwardSpec.TryParse, ForwardSpec.Accepted),
            Expose = read.List<ExposeSpec>("expose", ExposeSpec.TryParse, ExposeSpec.Accepted),
            Proxy = ReadProxy(read),
        };
        read.RefuseUnknownKeys();
        return settings;
    }

    /// <summary>The runtime reads this section itself when it makes the dispatcher.</summary>
    private static void CheckDispatcher(SettingsReader read)
    {
        read.Text("dispatcher.type");
        read.Number("dispatcher.throughput", 1, 1_000_000);
        read.Time("dispatcher.spin", TimeSpan.Zero, TimeSpan.FromMilliseconds(1));
    }

    private static NeighborOptions ReadNeighbors(SettingsReader read) => new()
    {
        Entries = read.Number("neighbor.entries", 1, 1 << 20),
        QueuedPackets = read.Number("neighbor.queued-packets", 1, 65536),
        QueuedBytes = read.Size("neighbor.queued-bytes", 2048, 1 << 30),
        Probes = read.Number("neighbor.probes", 1, 100),
        RetransmitTime = read.Time("neighbor.retransmit-time", TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1)),
        ReachableTime = read.Time("neighbor.reachable-time", TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1)),
    };

    private static readonly Dictionary<string, EcnMode> EcnModes = new() { ["off"] = EcnMode.Off, ["passive"] = EcnMode.Passive, ["on"] = EcnMode.On };

    private static TcpOptions ReadTcp(SettingsReader read)
    {
        var millisecond = TimeSpan.FromMilliseconds(1);
        var hour = TimeSpan.FromHours(1);
        var options = new TcpOptions
        {
            ReceiveBuffer = read.Size("tcp.receive-buffer", 128 << 10, 1 << 30),
            SendBuffer = read.Size("tcp.send-buffer", 128 << 10, 1 << 30),
            MaxReceiveBuffer = read.Size("tcp.max-receive-buffer", 0, 1 << 30),
            MaxSendBuffer = read.Size("tcp.max-send-buffer", 0, 1 << 30),
            Memory = read.LongSize("tcp.memory", 16 << 20, 1L << 50),
            MaxSockets = read.Number("tcp.max-sockets", 1, 1 << 26),
            MaxEmbryonic = read.Number("tcp.max-embryonic", 1, 1 << 24),
            SynCookies = read.Switch("tcp.syn-cookies"),
            FastOpen = read.Switch("tcp.fast-open"),
            MaxTimeWait = read.Number("tcp.max-time-wait", 1, 1 << 24),
            TimeWait = read.Time("tcp.time-wait", millisecond, hour),
            FinWait2 = read.Time("tcp.fin-wait-2", millisecond, hour),
            InitialRto = read.Time("tcp.initial-rto", millisecond, hour),
            MinRto = read.Time("tcp.min-rto", millisecond, hour),
            MaxRto = read.Time("tcp.max-rto", millisecond, hour),
            SynRetries = read.Number("tcp.syn-retries", 0, 127),
            SynAckRetries = read.Number("tcp.syn-ack-retries", 0, 127),
            Retries = read.Number("tcp.retries", 1, 127),
            DelayedAck = read.Time("tcp.delayed-ack", TimeSpan.Zero, TimeSpan.FromMilliseconds(499)),
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
            read.Number("tap.queue-frames", 1, 1 << 20), minimum, read.Time("tap.reopen-maximum", minimum, TimeSpan.FromHours(1)));
    }

    private static QueueSettings ReadQueues(SettingsReader read) => new(
        read.Number("stack.queue-frames", 1, 1 << 20),
        read.Size("stack.queue-bytes", 64 << 10, 1 << 30),
        read.Number("stack.frames-per-poll", 1, 65536),
        read.Number("stack.egress-credit", 64, 1 << 20),
        read.Time("stack.maximum-tick", TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1), infinite: true));

    private static LinkSettings ReadLink(SettingsReader read) => new(
        read.Text("link.path"), read.Number("link.max-sessions", 1, 65536), read.Number("link.max-sockets", 1, 1 << 20),
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
            Prefixes(read, "socks.destinations", "10.99.0.0/24"));
    }

    private static ProxySettings ReadProxy(SettingsReader read)
    {
        var least = TimeSpan.FromMilliseconds(1);
        var most = TimeSpan.FromHours(1);
        return new ProxySettings(read.Number("proxy.max-connections", 1, 1 << 20), read.Time("proxy.handshake-timeout", least, most),
            read.Time("proxy.connect-timeout", least, most), read.Number("proxy.max-flows", 1, 65536), read.Time("proxy.flow-idle", least, TimeSpan.FromDays(1)));
    }

    private delegate bool TryParser<T>(string? text, out T value);

    private static T? Optional<T>(SettingsReader read, string key, TryParser<T> parse, string accepted)
        where T : struct
    {
        var text = read.Text(key);
        if (text.Length == 0)
            return null;
        return parse(text, out var value) ? value : throw read.Bad(key, text, accepted);
    }

    private static IReadOnlyList<IpPrefix> Prefixes(SettingsReader read, string key, string example) =>
        [.. read.List(key, static text => IpPrefix.TryParse(text, null, out var prefix) ? new Boxed(prefix) : null, $"ADDRESS/LENGTH, as in {example}").Select(box => box.Prefix)];

    private sealed record Boxed(IpPrefix Prefix);
}
