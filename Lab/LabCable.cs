using System.Buffers.Binary;
using Tapwire.Wires;

namespace Tapwire;

/// <summary>
/// The cable that joins all hosts of a lab, as a switch does. Its own properties are those of all its paths: setting one sets it on every path, also of hosts that come later. <see cref="Path"/> has one direction, and
/// <see cref="Of"/> all paths of a host; of several settings the latest holds.
/// </summary>
public sealed class LabCable : LabConditions
{
    private const int MacLength = 6;

    private readonly LabTimers _timers;
    private readonly LabCapture _capture;
    private readonly LabSeed _seed;
    private readonly List<LabHost> _hosts = [];
    private readonly Dictionary<(LabHost From, LabHost To), LabPath> _paths = [];

    // What has been set on more than one path, for those that come later. A property that is set again is set once.
    private readonly List<(LabHost? Host, string Property, Func<CableImpairments, CableImpairments> Change)> _changes = [];

    // Which host has sent from an Ethernet address.
    private readonly Dictionary<ulong, LabHost> _stations = [];
    private CableImpairments _current = CableImpairments.None;

    internal LabCable(LabTimers timers, LabCapture capture, LabSeed seed) => (_timers, _capture, _seed) = (timers, capture, seed);

    /// <summary>Every direction between two hosts.</summary>
    public IReadOnlyCollection<LabPath> Paths => _paths.Values;

    /// <summary>What has become of all frames.</summary>
    public LabCounters Counters => _paths.Values.Aggregate(default(LabCounters), static (sum, path) => LabCounters.Sum(sum, path.Counters));

    private protected override CableImpairments Current => _current;

    /// <summary>One direction.</summary>
    /// <exception cref="ArgumentException">There is no such host, or both are the same.</exception>
    public LabPath Path(string from, string to)
    {
        var (sender, receiver) = (HostOf(from, nameof(from)), HostOf(to, nameof(to)));
        return sender != receiver ? _paths[(sender, receiver)] : throw new ArgumentException($"A path is between two hosts, not from '{from}' to itself.", nameof(to));
    }

    /// <summary>All paths from and to a host, also those to hosts that come later.</summary>
    /// <exception cref="ArgumentException">There is no such host.</exception>
    public LabConditions Of(string host) => new HostConditions(this, HostOf(host, nameof(host)));

    internal IReadOnlyList<LabHost> Hosts => _hosts;

    internal LabHost HostOf(string name, string parameter)
    {
        ArgumentNullException.ThrowIfNull(name, parameter);
        return _hosts.Find(host => host.Name == name)
            ?? throw new ArgumentException($"There is no host '{name}' in the lab{(_hosts.Count == 0 ? "" : $"; there is {string.Join(", ", _hosts.Select(static host => host.Name))}")}.", parameter);
    }

    internal void Join(LabHost host)
    {
        foreach (var other in _hosts)
        {
            Lay(other, host);
            Lay(host, other);
        }

        _hosts.Add(host);
    }

    /// <summary>Sends a host's frame to whom it is for. On the loop.</summary>
    internal void Send(LabHost from, byte[] frame)
    {
        _stations[AddressAt(frame, MacLength)] = from;
        var to = AddressAt(frame, 0);
        var isGroup = (frame[0] & 1) != 0;
        string? fate = null;
        if (!isGroup && _stations.TryGetValue(to, out var station))
        {
            if (station != from)
                fate = _paths[(from, station)].Send(frame);
        }
        else
        {
            foreach (var host in _hosts)
            {
                if (host != from && _paths[(from, host)].Send(frame) is { } each)
                    fate = fate is null ? $"{each} to {host.Name}" : $"{fate}, {each} to {host.Name}";
            }
        }

        _capture.Add(from, frame, isSent: true, fate);
    }

    private protected override void Change(string property, Func<CableImpairments, CableImpairments> change)
    {
        _current = change(_current);
        // What was set on single hosts before does not hold any more.
        _changes.RemoveAll(each => each.Property == property);
        _changes.Add((null, property, change));
        foreach (var path in _paths.Values)
            path.Apply(change);
    }

    private void Change(LabHost host, string property, Func<CableImpairments, CableImpairments> change)
    {
        _changes.RemoveAll(each => each.Property == property && each.Host == host);
        _changes.Add((host, property, change));
        foreach (var path in _paths.Values.Where(path => path.From == host || path.To == host))
            path.Apply(change);
    }

    private void Lay(LabHost from, LabHost to)
    {
        var conditions = CableImpairments.None;
        foreach (var (host, _, change) in _changes)
        {
            if (host is null || host == from || host == to)
                conditions = change(conditions);
        }

        _paths.Add((from, to), new LabPath(from, to, _timers, conditions, _seed.Number($"path {from.Name} {to.Name}")));
    }

    private static ulong AddressAt(byte[] frame, int at) =>
        ((ulong)BinaryPrimitives.ReadUInt32BigEndian(frame.AsSpan(at)) << 16) | BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(at + sizeof(uint)));

    private sealed class HostConditions(LabCable cable, LabHost host) : LabConditions
    {
        private protected override CableImpairments Current => cable._changes.Where(each => each.Host is null || each.Host == host)
            .Aggregate(CableImpairments.None, static (now, each) => each.Change(now));

        private protected override void Change(string property, Func<CableImpairments, CableImpairments> change) => cable.Change(host, property, change);
    }
}
