using System.Diagnostics.Metrics;
using Tapwire.Links.Protocol;

namespace Tapwire.Actors;

/// <summary>
/// A driver's figures as instruments of System.Diagnostics.Metrics, for OpenTelemetry, dotnet-counters and whatever else listens; docs/metrics.md lists them. Nothing is counted for them: who collects has the
/// driver asked, once for all instruments. Names and units follow OpenTelemetry's conventions. No attribute has more values than the settings name, so none has an address of a peer.
/// </summary>
public sealed class DriverMetrics : IDisposable
{
    public const string MeterName = "Tapwire";

    /// <summary>Instruments that are read within this time are of one look at the driver.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromMilliseconds(200);

    private static readonly KeyValuePair<string, object?> Received = new("network.io.direction", "receive");
    private static readonly KeyValuePair<string, object?> Sent = new("network.io.direction", "transmit");

    private readonly Meter _meter;
    private readonly Func<DriverStatus?> _ask;
    private readonly TimeProvider _clock;
    private readonly Lock _lock = new();
    private DriverStatus? _latest;
    private long _latestAt;

    /// <param name="ask">Asks the driver for its status, without its sockets; null: it does not answer. Called on a collector's thread, which it may hold.</param>
    public DriverMetrics(Func<DriverStatus?> ask, TimeProvider clock)
    {
        _ask = ask;
        _clock = clock;
        _meter = new Meter(MeterName, typeof(DriverMetrics).Assembly.GetName().Version?.ToString(3));
        _meter.CreateObservableGauge("tapwire.uptime", () => Of(static status => One(status.Uptime.TotalSeconds)), "s", "Time since the driver's start.");
        AddInterfaces();
        AddTransports();
        AddApplications();
        AddNames();
        AddPeers();
        Count("tapwire.stack.events", "{event}", "The stack's counters, which 'tapwire status' lists, by name: what was received, sent, refused and dropped, and why.",
            static status => status.Counters.Select(static counter => With(counter.Value, Tag("tapwire.counter", counter.Key))));
        Measure("tapwire.buffers", "{buffer}", "Packet buffers in use.", static status => [new(status.BuffersRented)]);
    }

    /// <summary>Whether an instrument is one of this driver's: a process may have several.</summary>
    public bool Owns(Instrument instrument)
    {
        ArgumentNullException.ThrowIfNull(instrument);
        return ReferenceEquals(instrument.Meter, _meter);
    }

    public void Dispose() => _meter.Dispose();

    private void AddInterfaces()
    {
        Count("tapwire.interface.io", "By", "Bytes of frames.", static status => Each(status, static wire => (wire.BytesReceived, wire.BytesSent)));
        Count("tapwire.interface.packets", "{packet}", "Frames; one that is cut by the device counts once.", static status => Each(status, static wire => (wire.FramesReceived, wire.FramesSent)));
        Count("tapwire.interface.dropped", "{packet}", "Frames to the wire that were dropped because it took nothing.", static status => status.Interfaces.Select(static each => With(each.Wire.FramesDropped, NameOf(each))));
        Count("tapwire.interface.errors", "{packet}", "Frames that the wire refused.", static status => status.Interfaces.Select(static each => With(each.Wire.FramesRefused, NameOf(each))));
        Measure("tapwire.interface.up", "1", "1: the wire is there.", static status => status.Interfaces.Select(static each => With(each.Wire.Up ? 1 : 0, NameOf(each))));
        Measure("tapwire.interface.neighbors", "{neighbor}", "Stations on the network by what is known of them.", static status => status.Interfaces.SelectMany(static each =>
            each.Neighbors.GroupBy(static neighbor => neighbor.State).Select(state => With(state.Count(), NameOf(each), Tag("tapwire.neighbor.state", state.Key.ToLowerInvariant())))));
    }

    private void AddTransports()
    {
        Measure("tapwire.tcp.connections", "{connection}", "TCP connections at this moment.", static status => [new(status.ConnectionCount)]);
        Count("tapwire.tcp.segments", "{segment}", "TCP segments.", static status => [With(Counter(status, "TcpInSegs"), Received), With(Counter(status, "TcpOutSegs"), Sent)]);
        Count("tapwire.tcp.retransmissions", "{segment}", "TCP segments that were sent again.", static status => [new(Counter(status, "TcpRetransSegs"))]);
        Count("tapwire.tcp.opens", "{connection}", "TCP connections that were begun.", static status =>
            [With(Counter(status, "TcpActiveOpens"), Tag("tapwire.open", "active")), With(Counter(status, "TcpPassiveOpens"), Tag("tapwire.open", "passive"))]);
        Count("tapwire.tcp.failures", "{connection}", "TCP connections that were not established.", static status => [new(Counter(status, "TcpAttemptFails"))]);
        Count("tapwire.tcp.resets", "{segment}", "RST segments sent.", static status => [new(Counter(status, "TcpOutRsts"))]);
        Measure("tapwire.tcp.limited", "{connection}", "TCP connections, of the first 4096 sockets of each shard, by what keeps them from sending; those that wait for their programs are left out.", static status =>
            status.Limits.Select(static each => With(each.Value, Tag("tapwire.limit", SocketJson.NameOf(each.Key)))));
        Measure("tapwire.tcp.listeners.full", "{listener}", "Listeners with as many waiting connections as may wait, up to 16.", static status => [new(status.FullListeners.Count)]);
        Count("tapwire.udp.datagrams", "{datagram}", "UDP datagrams.", static status => [With(Counter(status, "UdpInDatagrams"), Received), With(Counter(status, "UdpOutDatagrams"), Sent)]);
    }

    private void AddApplications()
    {
        Measure("tapwire.link.sessions", "{session}", "Control connections of applications.", static status => [new(status.Sessions)]);
        Measure("tapwire.link.sockets", "{socket}", "Sockets of applications.", static status => [new(status.Sockets)]);
        Measure("tapwire.port.connections", "{connection}", "Connections, or UDP clients, of a forwarded, exposed or proxy port at this moment.", static status => Ports(status, static port => port.Open));
        Count("tapwire.port.accepted", "{connection}", "Connections, or UDP clients, so far.", static status => Ports(status, static port => port.Accepted));
        Count("tapwire.port.refused", "{connection}", "Those for which there was no room.", static status => Ports(status, static port => port.Refused));
        Count("tapwire.port.failed", "{connection}", "Those whose destination could not be reached.", static status => Ports(status, static port => port.Failed));
        Count("tapwire.port.dropped", "{datagram}", "Datagrams that could not be passed on.", static status => Ports(status, static port => port.DatagramsDropped));
        Measure("tapwire.guests", "{guest}", "Network namespaces that the driver serves.", static status => [new(status.Guests.Count)]);
    }

    private void AddNames()
    {
        Count("tapwire.dns.queries", "{query}", "Questions to name servers.", static status => Names(status, static names => names.Queries));
        Count("tapwire.dns.answers", "{answer}", "Their answers that were used.", static status => Names(status, static names => names.Answers));
        Count("tapwire.dns.cache.hits", "{query}", "Questions that the cache has answered.", static status => Names(status, static names => names.FromCache));
        Count("tapwire.dns.timeouts", "{query}", "Questions that were not answered in time.", static status => Names(status, static names => names.TimeOuts));
    }

    private void AddPeers()
    {
        Count("tapwire.wireguard.peer.io", "By", "Bytes to and from a peer.", static status => Peers(status).SelectMany(static each => (Measurement<long>[])
            [With(each.Peer.BytesReceived, NameOf(each.On), KeyOf(each.Peer), Received), With(each.Peer.BytesSent, NameOf(each.On), KeyOf(each.Peer), Sent)]));
        _meter.CreateObservableGauge("tapwire.wireguard.peer.handshake_age", () => Of(static status => Peers(status).Where(static each => each.Peer.SinceHandshake is not null)
            .Select(static each => new Measurement<double>(each.Peer.SinceHandshake!.Value.TotalSeconds, NameOf(each.On), KeyOf(each.Peer)))), "s", "Time since the latest handshake with a peer.");
        Measure("tapwire.wireguard.peer.unanswered", "1", "1: a handshake message to the peer is not answered.", static status =>
            Peers(status).Select(static each => With(each.Peer.UnansweredFor is null ? 0 : 1, NameOf(each.On), KeyOf(each.Peer))));
    }

    private void Count(string name, string unit, string description, Func<DriverStatus, IEnumerable<Measurement<long>>> select) => _meter.CreateObservableCounter(name, () => Of(select), unit, description);

    private void Measure(string name, string unit, string description, Func<DriverStatus, IEnumerable<Measurement<long>>> select) =>
        _meter.CreateObservableUpDownCounter(name, () => Of(select), unit, description);

    private IEnumerable<Measurement<T>> Of<T>(Func<DriverStatus, IEnumerable<Measurement<T>>> select)
        where T : struct => Latest() is { } status ? select(status) : [];

    /// <summary>The instruments of one collection are read one after the other, on one thread: the first one asks.</summary>
    private DriverStatus? Latest()
    {
        lock (_lock)
        {
            if (_latest is null || _clock.GetElapsedTime(_latestAt) > Fresh)
            {
                _latest = _ask();
                _latestAt = _clock.GetTimestamp();
            }

            return _latest;
        }
    }

    private static IEnumerable<Measurement<long>> Each(DriverStatus status, Func<WireStatus, (long Received, long Sent)> figures) => status.Interfaces.SelectMany(each =>
    {
        var (received, sent) = figures(each.Wire);
        return (Measurement<long>[])[With(received, NameOf(each), Received), With(sent, NameOf(each), Sent)];
    });

    private static IEnumerable<Measurement<long>> Ports(DriverStatus status, Func<PortStatus, long> figure) => status.Ports.Select(port => With(figure(port), Tag("tapwire.port", port.Name)));

    private static IEnumerable<Measurement<long>> Names(DriverStatus status, Func<NamesStatus, long> figure) => status.Names is { } names ? [new(figure(names))] : [];

    private static IEnumerable<(InterfaceStatus On, PeerStatus Peer)> Peers(DriverStatus status) => status.Interfaces.SelectMany(static each => each.Wire.Peers.Select(peer => (each, peer)));

    private static long Counter(DriverStatus status, string name) => status.Counters.GetValueOrDefault(name);

    private static IEnumerable<Measurement<double>> One(double value) => [new(value)];

    private static Measurement<long> With(long value, params ReadOnlySpan<KeyValuePair<string, object?>> tags) => new(value, tags);

    private static KeyValuePair<string, object?> Tag(string name, object value) => new(name, value);

    private static KeyValuePair<string, object?> NameOf(InterfaceStatus of) => new("network.interface.name", of.Name);

    private static KeyValuePair<string, object?> KeyOf(PeerStatus peer) => Tag("tapwire.wireguard.peer", peer.PublicKey);
}
