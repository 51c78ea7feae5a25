using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using Tapwire.Actors;
using Tapwire.Links.Protocol;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Support;
using Tapwire.Tests.Wires;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>A driver's figures as instruments.</summary>
public sealed partial class DriverMetricsSpecs : IDisposable
{
    private readonly ManualTime _clock = new();
    private readonly List<(string Name, double Value, string Tags)> _seen = [];
    private readonly MeterListener _listener = new();
    private readonly HashSet<string> _instruments = [];
    private readonly DriverMetrics _metrics;
    private DriverStatus? _status = Status(100);
    private int _asked;

    public DriverMetricsSpecs()
    {
        _metrics = new DriverMetrics(
            () =>
            {
                _asked++;
                return _status;
            },
            _clock);
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            // Other specs have drivers of their own at the same time.
            if (!_metrics.Owns(instrument))
                return;
            _instruments.Add(instrument.Name);
            listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.Start();
    }

    public void Dispose()
    {
        _listener.Dispose();
        _metrics.Dispose();
    }

    [Fact]
    public void Figures_are_those_of_the_status()
    {
        _listener.RecordObservableInstruments();
        Assert.Contains(("tapwire.uptime", 12.5, ""), _seen);
        Assert.Contains(("tapwire.interface.io", 100.0, "network.interface.name=tw0 network.io.direction=receive"), _seen);
        Assert.Contains(("tapwire.interface.io", 200.0, "network.interface.name=tw0 network.io.direction=transmit"), _seen);
        Assert.Contains(("tapwire.interface.up", 1.0, "network.interface.name=tw0"), _seen);
        Assert.Contains(("tapwire.interface.dropped", 7.0, "network.interface.name=tw0"), _seen);
        Assert.Contains(("tapwire.interface.neighbors", 2.0, "network.interface.name=tw0 tapwire.neighbor.state=reachable"), _seen);
        Assert.Contains(("tapwire.tcp.connections", 9.0, ""), _seen);
        Assert.Contains(("tapwire.tcp.retransmissions", 4.0, ""), _seen);
        Assert.Contains(("tapwire.stack.events", 4.0, "tapwire.counter=TcpRetransSegs"), _seen);
        Assert.Contains(("tapwire.port.refused", 3.0, "tapwire.port=socks 127.0.0.1:1080"), _seen);
        Assert.Contains(("tapwire.wireguard.peer.handshake_age", 30.0, "network.interface.name=tw0 tapwire.wireguard.peer=KEY="), _seen);
        Assert.Contains(("tapwire.dns.cache.hits", 5.0, ""), _seen);
    }

    [Fact]
    public void Nobody_is_asked_before_somebody_collects_and_then_once_for_all()
    {
        Assert.Equal(0, _asked);
        _listener.RecordObservableInstruments();
        Assert.Equal(1, _asked);
        _clock.Advance(TimeSpan.FromSeconds(15));
        (_status, var before) = (Status(500), _seen.Count);
        _listener.RecordObservableInstruments();
        Assert.Equal(2, _asked);
        Assert.Contains(("tapwire.interface.io", 500.0, "network.interface.name=tw0 network.io.direction=receive"), _seen.Skip(before));
    }

    [Fact]
    public void A_driver_that_does_not_answer_has_no_figures()
    {
        _status = null;
        _listener.RecordObservableInstruments();
        Assert.Empty(_seen);
    }

    [Fact]
    public void The_document_names_every_instrument_and_no_other() => Assert.Equal(_instruments.Order(), Documented().Order());

    /// <summary>The first column of the table, where ".sockets" stands for the name before with another end.</summary>
    private static IEnumerable<string> Documented()
    {
        foreach (var line in File.ReadLines(Path.Combine(Repository.Root, "docs", "metrics.md")).Where(static line => line.StartsWith("| `tapwire.", StringComparison.Ordinal)))
        {
            var first = "";
            foreach (Match match in Name().Matches(line.Split('|')[1]))
            {
                var name = match.Groups[1].Value;
                first = name[0] == '.' ? first : name;
                yield return name[0] == '.' ? first[..first.LastIndexOf('.')] + name : name;
            }
        }
    }

    [GeneratedRegex("`([a-z_.]+)`")]
    private static partial Regex Name();

    private void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
        _seen.Add((instrument.Name, value, string.Join(' ', tags.ToArray().Select(static tag => $"{tag.Key}={tag.Value}"))));

    private static DriverStatus Status(long received)
    {
        var wire = new WireStatus("tw0", true, 1500, "", "None", 1, received, 2, 200, 0, 7)
        {
            Peers = [new PeerStatus("KEY=", null, [], TimeSpan.FromSeconds(30), null, 10, 20, TimeSpan.Zero)],
        };
        var neighbors = new[] { "10.99.0.1", "10.99.0.3" }.Select(static address => new NeighborStatus(IpAddress.Parse(address), null, "REACHABLE"));
        return new DriverStatus(TimeSpan.FromSeconds(12.5), [new InterfaceStatus("tw0", wire, [], []) { Neighbors = [.. neighbors] }], 1, 2, [new PortStatus("socks 127.0.0.1:1080", 1, 2, 3, 4, 5)], [], 9, [], 6,
            new Dictionary<string, long> { ["TcpRetransSegs"] = 4 }) { Names = new NamesStatus(["10.99.0.1"], [], 1, 2, 5, 4, 0, 0) { Refused = [] } };
    }
}
