using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Neighbors;

/// <summary>Hardware addresses of neighbours, kept by the neighbour unreachability detection of RFC 4861, 7.3, which serves ARP too, as in Linux. Entries, and the
/// packets that wait for an answer, are bounded. An idle table has timers only for forgetting unused entries.</summary>
/// <remarks>
/// A packet may claim that a live neighbour now has another hardware address. Linux believes the newest claim once the entry is a second old (locktime). Here a
/// claim does not move an entry that is in use or confirmed; the known holder is asked by unicast instead, in quick succession. If it answers, the entry stays; if it
/// is silent, the request is broadcast at once and the first answer counts, so that a fail-over to another station takes a fifth of a second. An entry that has not been confirmed recently moves at once.
/// </remarks>
internal sealed partial class NeighborTable(
    NeighborOptions options, INeighborOutput output, TimerWheel timers, KeyedRandom random, StackCounters counters)
{
    /// <summary>Time between two requests to the holder of a contested address. Such a burst begins once per <see cref="NeighborOptions.RetransmitTime"/> at most.</summary>
    private static readonly TimeSpan ContestedTime = TimeSpan.FromMilliseconds(50);

    /// <summary>DELAY_FIRST_PROBE_TIME of RFC 4861, 10.</summary>
    private static readonly TimeSpan DelayFirstProbeTime = TimeSpan.FromSeconds(5);

    private readonly Dictionary<IpAddress, Neighbor> _entries = [];
    private readonly HashSet<IpAddress> _moved = [];
    private BufferQueue _undeliverable;

    /// <summary>Transports are told of so many moves: each costs a walk over the connections, and whoever is on the network can claim addresses without end.</summary>
    private TokenBucket _tellsMoved = new(perSecond: 10, burst: 20);
    private int _queuedBytes;
    private Neighbor? _last;

    public NeighborTimes Times { get; } = new(options);

    /// <summary>Sends a packet to a neighbour, at once or after resolution, and takes it over.</summary>
    public void Send(PacketBuffer packet, IpAddress address, Instant now)
    {
        var neighbor = _last;
        if (neighbor is null || neighbor.Address != address)
        {
            if (!_entries.TryGetValue(address, out neighbor))
                neighbor = Add(address);
            _last = neighbor;
            MoveToNewest(neighbor);
        }

        neighbor.Used = now;
        if (neighbor.State == NeighborState.Permanent || (neighbor.State == NeighborState.Reachable && now < neighbor.ReachableUntil))
        {
            output.Transmit(packet, neighbor.HardwareAddress);
            return;
        }

        SendUnconfirmed(packet, neighbor, now);
    }

    /// <summary>The hardware address of a neighbour; null if it is not known.</summary>
    public MacAddress? Find(IpAddress address) => _entries.TryGetValue(address, out var neighbor) && neighbor.IsKnown ? neighbor.HardwareAddress : null;

    /// <summary>Traffic that came back through the neighbour shows that it is alive (RFC 4861, 7.3.1).</summary>
    public void ConfirmReachable(IpAddress address, Instant now)
    {
        var neighbor = _last;
        if ((neighbor is null || neighbor.Address != address) && !_entries.TryGetValue(address, out neighbor))
            return;
        if (neighbor.IsKnown && neighbor.State != NeighborState.Permanent && (neighbor.State != NeighborState.Reachable || neighbor.ReachableUntil - now < Times.Reachable(address) / 4))
            SetReachable(neighbor, now);
    }

    /// <summary>A neighbour has asked for one of our addresses. We will send to it soon, so it is remembered, though not as confirmed.</summary>
    public void HeardRequest(IpAddress address, MacAddress hardware, Instant now)
    {
        if (_entries.ContainsKey(address))
        {
            Heard(address, hardware, now);
            return;
        }

        // Added as the first entry to be forgotten: a flood of made-up neighbours cannot push out those in use.
        var neighbor = Add(address);
        neighbor.HardwareAddress = hardware;
        neighbor.Used = now;
        SetIdle(neighbor, NeighborState.Stale, now);
    }

    /// <summary>A packet that was no answer to us has shown a neighbour's address. Updates an existing entry.</summary>
    public void Heard(IpAddress address, MacAddress hardware, Instant now)
    {
        if (!_entries.TryGetValue(address, out var neighbor) || neighbor.State == NeighborState.Permanent)
            return;
        if (!neighbor.IsKnown)
        {
            Move(neighbor, hardware, now);
            SetIdle(neighbor, NeighborState.Stale, now);
            SendWaiting(neighbor, now);
        }
        else if (neighbor.HardwareAddress != hardware)
        {
            Claimed(neighbor, hardware, now);
        }
    }

    /// <summary>A neighbour has answered us.</summary>
    /// <returns>False: no request for it was outstanding.</returns>
    public bool HeardReply(IpAddress address, MacAddress hardware, Instant now)
    {
        if (!_entries.TryGetValue(address, out var neighbor))
            return false;
        var asked = neighbor.State is NeighborState.Incomplete or NeighborState.Probe;
        if (neighbor.State == NeighborState.Incomplete)
            Move(neighbor, hardware, now);
        if (!asked || neighbor.HardwareAddress != hardware)
        {
            Heard(address, hardware, now);
            return asked;
        }

        SetReachable(neighbor, now);
        SendWaiting(neighbor, now);
        return true;
    }

    /// <summary>Takes a packet whose neighbour did not answer.</summary>
    public bool TryTakeUndeliverable([NotNullWhen(true)] out PacketBuffer? packet)
    {
        if (!_undeliverable.TryDequeue(out packet))
            return false;
        _queuedBytes -= packet.TotalLength;
        return true;
    }

    /// <summary>Takes the neighbours that have changed their hardware address: what was in flight to the old one is lost.</summary>
    /// <returns>False: there are none.</returns>
    public bool TryTakeMoved(ICollection<IpAddress> moved)
    {
        if (_moved.Count == 0)
            return false;
        foreach (var address in _moved)
            moved.Add(address);
        _moved.Clear();
        return true;
    }

    internal void Fire(Neighbor neighbor, Instant now)
    {
        switch (neighbor.State)
        {
            case NeighborState.Incomplete when neighbor.Solicitations < options.Solicitations:
            case NeighborState.Probe when neighbor.Solicitations < options.Solicitations:
                Solicit(neighbor, now);
                break;
            case NeighborState.Incomplete:
                Fail(neighbor, now);
                break;
            case NeighborState.Probe:
                // The holder is silent. Another host may have the address by now: broadcast before giving up.
                if (neighbor.IsContested)
                    AskEverybody(neighbor, now);
                else
                    Begin(neighbor, NeighborState.Incomplete, now);
                break;
            case NeighborState.Delay:
                Begin(neighbor, NeighborState.Probe, now);
                break;
            default:
                if (now - neighbor.Used >= options.UnusedTime)
                    Remove(neighbor);
                else
                    timers.Arm(neighbor, neighbor.Used + options.UnusedTime);
                break;
        }
    }

    private void SendUnconfirmed(PacketBuffer packet, Neighbor neighbor, Instant now)
    {
        switch (neighbor.State)
        {
            case NeighborState.Incomplete:
                Queue(neighbor, packet);
                return;
            case NeighborState.Failed:
                Queue(neighbor, packet);
                Begin(neighbor, NeighborState.Incomplete, now);
                return;
            case NeighborState.Reachable or NeighborState.Stale:
                // Gives a transport time to confirm the neighbour before it is asked.
                neighbor.State = NeighborState.Delay;
                timers.Arm(neighbor, now + DelayFirstProbeTime);
                break;
        }

        output.Transmit(packet, neighbor.HardwareAddress);
    }

    private void Queue(Neighbor neighbor, PacketBuffer packet)
    {
        var length = packet.TotalLength;
        if (_queuedBytes + length > options.AllQueuedBytes)
        {
            counters.NeighborQueueOverflow++;
            packet.Release();
            return;
        }

        while (neighbor.Waiting.Count >= options.QueuedPackets
            || (neighbor.Waiting.Bytes + length > options.QueuedBytes && !neighbor.Waiting.IsEmpty))
        {
            counters.NeighborQueueOverflow++;
            DropOldest(neighbor);
        }

        neighbor.Waiting.Enqueue(packet);
        _queuedBytes += length;
    }

    private void SendWaiting(Neighbor neighbor, Instant now)
    {
        // The list is detached first: sending may change the entry's state, but never back to waiting.
        var waiting = neighbor.Waiting;
        neighbor.Waiting = default;
        while (waiting.TryDequeue(out var packet))
        {
            _queuedBytes -= packet.TotalLength;
            if (neighbor.State is NeighborState.Reachable or NeighborState.Permanent)
                output.Transmit(packet, neighbor.HardwareAddress);
            else
                SendUnconfirmed(packet, neighbor, now);
        }
    }

    private void DropOldest(Neighbor neighbor)
    {
        if (!neighbor.Waiting.TryDequeue(out var packet))
            return;
        _queuedBytes -= packet.TotalLength;
        packet.Release();
    }

    /// <summary>Starts requests, the first one when the neighbour may be asked again.</summary>
    private void Begin(Neighbor neighbor, NeighborState state, Instant now)
    {
        neighbor.State = state;
        neighbor.Solicitations = 0;
        var earliest = neighbor.Solicited + Times.Retransmit(neighbor.Address);
        if (now >= earliest)
            Solicit(neighbor, now);
        else
            timers.Arm(neighbor, earliest);
    }

    /// <summary>The holder of a contested address is silent: whoever has it now is asked without a pause.</summary>
    private void AskEverybody(Neighbor neighbor, Instant now)
    {
        neighbor.IsContested = false;
        neighbor.State = NeighborState.Incomplete;
        neighbor.Solicitations = 0;
        Solicit(neighbor, now);
    }

    private void Solicit(Neighbor neighbor, Instant now)
    {
        neighbor.Solicitations++;
        neighbor.Solicited = now;
        timers.Arm(neighbor, now + (neighbor.IsContested ? ContestedTime : Times.Retransmit(neighbor.Address)));
        output.Solicit(neighbor.Address, neighbor.State == NeighborState.Probe ? neighbor.HardwareAddress : null);
    }

    private void SetReachable(Neighbor neighbor, Instant now)
    {
        // Half to one and a half times, so that entries made together do not expire together (RFC 4861, 6.3.2).
        neighbor.ReachableUntil = now + Times.Reachable(neighbor.Address) * (0.5 + random.Next(1024) / 1024.0);
        SetIdle(neighbor, NeighborState.Reachable, now);
    }

    private void SetIdle(Neighbor neighbor, NeighborState state, Instant now)
    {
        neighbor.IsContested = false;
        neighbor.State = state;
        timers.Arm(neighbor, Instant.Max(now, neighbor.Used) + options.UnusedTime);
    }

    private void Claimed(Neighbor neighbor, MacAddress hardware, Instant now)
    {
        if (neighbor.State == NeighborState.Stale || (neighbor.State == NeighborState.Reachable && now >= neighbor.ReachableUntil))
        {
            counters.ArpMoves++;
            Move(neighbor, hardware, now);
            SetIdle(neighbor, NeighborState.Stale, now);
            return;
        }

        counters.ArpMovesRefused++;
        if (neighbor.IsContested)
            return;
        neighbor.IsContested = true;
        if (neighbor.State == NeighborState.Probe)
            timers.Arm(neighbor, Instant.Min(neighbor.Deadline, neighbor.Solicited + ContestedTime));
        else
            Begin(neighbor, NeighborState.Probe, now);
    }

    private void Move(Neighbor neighbor, MacAddress hardware, Instant now)
    {
        if (neighbor.HardwareAddress != default && neighbor.HardwareAddress != hardware && _tellsMoved.TryTake(now))
            _moved.Add(neighbor.Address);
        neighbor.HardwareAddress = hardware;
    }

    private void Fail(Neighbor neighbor, Instant now)
    {
        counters.NeighborUnreachable++;
        counters.NeighborQueueDropped += neighbor.Waiting.Count;
        while (neighbor.Waiting.TryDequeue(out var packet))
            _undeliverable.Enqueue(packet);
        SetIdle(neighbor, NeighborState.Failed, now);
        output.Unreachable(neighbor.Address);
    }
}
