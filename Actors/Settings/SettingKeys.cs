namespace Tapwire.Actors.Settings;

/// <summary>One setting.</summary>
/// <param name="Value">A value that can be compared with an earlier one.</param>
/// <param name="IsLive">A running driver adopts a change; other changes wait for the next start.</param>
public sealed record SettingKey(string Name, Func<DriverSettings, object?> Value, bool IsLive = false);

/// <summary>Every setting below <c>tapwire</c>, to compare two sets of them. The section <c>dispatcher</c> belongs to the actor system.</summary>
public static class SettingKeys
{
    public static readonly IReadOnlyList<SettingKey> All =
    [
        new("tapwire.wire", static settings => settings.Wire),
        new("tapwire.addresses", static settings => Text(settings.Addresses), IsLive: true),
        new("tapwire.gateway", static settings => settings.Gateway, IsLive: true),
        new("tapwire.mac", static settings => settings.HardwareAddress),
        new("tapwire.mtu", static settings => settings.Mtu),
        new("tapwire.routes", static settings => Text(settings.Routes.Select(RouteSpec.Format)), IsLive: true),
        new("tapwire.interfaces", static settings => string.Join('\n', settings.Interfaces), IsLive: true),
        new("tapwire.shards", static settings => settings.Shards),
        new("tapwire.shutdown-timeout", static settings => settings.ShutdownTimeout, IsLive: true),
        new("tapwire.tap.offload", static settings => settings.Tap.Offload),
        new("tapwire.tap.software-offload", static settings => settings.Tap.SoftwareOffload),
        new("tapwire.tap.read-batch", static settings => settings.Tap.ReadBatch),
        new("tapwire.tap.queue-frames", static settings => settings.Tap.QueueFrames),
        new("tapwire.tap.peer-address", static settings => Text(settings.Tap.PeerAddresses)),
        new("tapwire.tap.reopen-minimum", static settings => settings.Tap.ReopenMinimum),
        new("tapwire.tap.reopen-maximum", static settings => settings.Tap.ReopenMaximum),
        new("tapwire.stack.queue-frames", static settings => settings.Queues.Frames),
        new("tapwire.stack.queue-bytes", static settings => settings.Queues.Bytes),
        new("tapwire.stack.frames-per-poll", static settings => settings.Queues.FramesPerPoll),
        new("tapwire.stack.egress-credit", static settings => settings.Queues.EgressCredit),
        new("tapwire.stack.egress-frames", static settings => settings.Queues.EgressFrames),
        new("tapwire.stack.egress-bytes", static settings => settings.Queues.EgressBytes),
        new("tapwire.stack.loopback-frames", static settings => settings.Queues.LoopbackFrames),
        new("tapwire.stack.maximum-tick", static settings => settings.Queues.MaximumTick),
        new("tapwire.stack.hop-limit", static settings => settings.HopLimit),
        new("tapwire.neighbor.entries", static settings => settings.Neighbors.Entries),
        new("tapwire.neighbor.queued-packets", static settings => settings.Neighbors.QueuedPackets),
        new("tapwire.neighbor.queued-bytes", static settings => settings.Neighbors.QueuedBytes),
        new("tapwire.neighbor.all-queued-bytes", static settings => settings.Neighbors.AllQueuedBytes),
        new("tapwire.neighbor.probes", static settings => settings.Neighbors.Solicitations),
        new("tapwire.neighbor.retransmit-time", static settings => settings.Neighbors.RetransmitTime),
        new("tapwire.neighbor.reachable-time", static settings => settings.Neighbors.ReachableTime),
        new("tapwire.neighbor.unused-time", static settings => settings.Neighbors.UnusedTime),
        new("tapwire.icmp.errors-per-second", static settings => settings.Icmp.ErrorsPerSecond),
        new("tapwire.icmp.error-burst", static settings => settings.Icmp.ErrorBurst),
        new("tapwire.icmp.echo-outstanding", static settings => settings.Icmp.EchoOutstanding),
        new("tapwire.udp.sockets", static settings => settings.Udp.Sockets),
        new("tapwire.udp.queued-datagrams", static settings => settings.Udp.QueuedDatagrams),
        new("tapwire.tcp.receive-buffer", static settings => settings.Tcp.ReceiveBuffer),
        new("tapwire.tcp.send-buffer", static settings => settings.Tcp.SendBuffer),
        new("tapwire.tcp.max-receive-buffer", static settings => settings.Tcp.MaxReceiveBuffer),
        new("tapwire.tcp.max-send-buffer", static settings => settings.Tcp.MaxSendBuffer),
        new("tapwire.tcp.memory", static settings => settings.Tcp.Memory),
        new("tapwire.tcp.max-sockets", static settings => settings.Tcp.MaxSockets),
        new("tapwire.tcp.max-embryonic", static settings => settings.Tcp.MaxEmbryonic),
        new("tapwire.tcp.max-embryonic-per-listener", static settings => settings.Tcp.MaxEmbryonicPerListener),
        new("tapwire.tcp.orphan-retries", static settings => settings.Tcp.OrphanRetries),
        new("tapwire.tcp.challenge-acks-per-second", static settings => settings.Tcp.ChallengeAcksPerSecond),
        new("tapwire.tcp.resets-per-second", static settings => settings.Tcp.ResetsPerSecond),
        new("tapwire.tcp.invalid-rate-limit", static settings => settings.Tcp.InvalidRateLimit),
        new("tapwire.tcp.syn-cookies", static settings => settings.Tcp.SynCookies),
        new("tapwire.tcp.fast-open", static settings => settings.Tcp.FastOpen),
        new("tapwire.tcp.max-time-wait", static settings => settings.Tcp.MaxTimeWait),
        new("tapwire.tcp.time-wait", static settings => settings.Tcp.TimeWait),
        new("tapwire.tcp.fin-wait-2", static settings => settings.Tcp.FinWait2),
        new("tapwire.tcp.initial-rto", static settings => settings.Tcp.InitialRto),
        new("tapwire.tcp.min-rto", static settings => settings.Tcp.MinRto),
        new("tapwire.tcp.max-rto", static settings => settings.Tcp.MaxRto),
        new("tapwire.tcp.syn-retries", static settings => settings.Tcp.SynRetries),
        new("tapwire.tcp.syn-ack-retries", static settings => settings.Tcp.SynAckRetries),
        new("tapwire.tcp.retries", static settings => settings.Tcp.Retries),
        new("tapwire.tcp.delayed-ack", static settings => settings.Tcp.DelayedAck),
        new("tapwire.tcp.congestion-control", static settings => settings.Tcp.CongestionControl),
        new("tapwire.tcp.ecn", static settings => settings.Tcp.Ecn),
        new("tapwire.tcp.mtu-probing", static settings => settings.Tcp.MtuProbing),
        new("tapwire.tcp.timestamps", static settings => settings.Tcp.Timestamps),
        new("tapwire.tcp.selective-ack", static settings => settings.Tcp.SelectiveAck),
        new("tapwire.tcp.window-scaling", static settings => settings.Tcp.WindowScaling),
        new("tapwire.link.path", static settings => settings.Link.Path),
        new("tapwire.link.users", static settings => Text(settings.Link.Users), IsLive: true),
        new("tapwire.link.max-sessions", static settings => settings.Link.MaxSessions, IsLive: true),
        new("tapwire.link.max-sockets", static settings => settings.Link.MaxSockets, IsLive: true),
        new("tapwire.serve", static settings => Text(settings.Serve), IsLive: true),
        new("tapwire.serve-backlog", static settings => settings.ServeBacklog),
        new("tapwire.socks.listen", static settings => Text(settings.Socks.Listen), IsLive: true),
        new("tapwire.socks.user", static settings => settings.Socks.User, IsLive: true),
        new("tapwire.socks.password", static settings => settings.Socks.Password, IsLive: true),
        new("tapwire.socks.allow-remote", static settings => settings.Socks.AllowRemote, IsLive: true),
        new("tapwire.socks.destinations", static settings => Text(settings.Socks.Destinations), IsLive: true),
        new("tapwire.forward", static settings => Text(settings.Forward), IsLive: true),
        new("tapwire.expose", static settings => Text(settings.Expose), IsLive: true),
        new("tapwire.proxy.max-connections", static settings => settings.Proxy.MaxConnections, IsLive: true),
        new("tapwire.proxy.handshake-timeout", static settings => settings.Proxy.HandshakeTimeout, IsLive: true),
        new("tapwire.proxy.connect-timeout", static settings => settings.Proxy.ConnectTimeout, IsLive: true),
        new("tapwire.proxy.max-flows", static settings => settings.Proxy.MaxFlows, IsLive: true),
        new("tapwire.guests.max-guests", static settings => settings.Guests.MaxGuests),
        new("tapwire.guests.max-connections", static settings => settings.Guests.MaxConnections),
        new("tapwire.guests.max-flows", static settings => settings.Guests.MaxFlows),
        new("tapwire.guests.flow-idle", static settings => settings.Guests.FlowIdle),
        new("tapwire.proxy.flow-idle", static settings => settings.Proxy.FlowIdle, IsLive: true),
    ];

    /// <summary>The settings that differ.</summary>
    public static IReadOnlyList<SettingKey> Differences(DriverSettings one, DriverSettings other) =>
        [.. All.Where(key => !Equals(key.Value(one), key.Value(other)))];

    /// <summary>The current settings of a running driver with the live ones of other settings.</summary>
    public static DriverSettings TakeLive(DriverSettings current, DriverSettings wanted) => current with
    {
        Addresses = wanted.Addresses,
        Gateway = wanted.Gateway,
        Routes = wanted.Routes,
        Interfaces = wanted.Interfaces,
        ShutdownTimeout = wanted.ShutdownTimeout,
        Link = wanted.Link with { Path = current.Link.Path },
        Serve = wanted.Serve,
        Socks = wanted.Socks,
        Forward = wanted.Forward,
        Expose = wanted.Expose,
        Proxy = wanted.Proxy,
    };

    private static string Text<T>(IEnumerable<T> items) => string.Join(", ", items);
}
