using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Neighbors;

/// <summary>
/// ARP (RFC 826, RFC 1122 2.3.2, RFC 5227): answers for own addresses, updates the neighbour table, announces and defends addresses.
/// </summary>
/// <param name="speaks">Announces, defends and answers. A shard that does not speak leaves that to another, but asks and learns for itself.</param>
internal sealed class ArpProtocol(
    NetworkInterface owner, BufferPool pool, RouteTable routes, NeighborTable neighbors, TimerWheel timers, StackCounters counters, bool speaks)
{
    /// <summary>ANNOUNCE_NUM and ANNOUNCE_INTERVAL of RFC 5227.</summary>
    private const int Announcements = 2;
    private static readonly TimeSpan AnnounceInterval = TimeSpan.FromSeconds(2);

    /// <summary>DEFEND_INTERVAL of RFC 5227: a conflict is answered with one announcement per interval.</summary>
    private static readonly TimeSpan DefendInterval = TimeSpan.FromSeconds(10);

    private readonly Dictionary<IpAddress, Announcer> _announcers = [];

    private readonly MacAddress _own = owner.Options.HardwareAddress;

    private TimerWheel Timers { get; } = timers;

    /// <param name="packet">The frame after its Ethernet header.</param>
    /// <param name="toUs">The frame was sent to this station alone.</param>
    public void Receive(ReadOnlySpan<byte> packet, bool toUs, Instant now)
    {
        if (!ArpView.TryParse(packet, out var arp))
        {
            counters.ArpTooShort++;
            return;
        }

        if (!arp.IsEthernetIpv4)
        {
            counters.ArpBadFormat++;
            return;
        }

        if (arp.Operation is not (ArpOperation.Request or ArpOperation.Reply))
        {
            counters.ArpBadOperation++;
            return;
        }

        var sender = arp.SenderProtocol;
        var hardware = arp.SenderHardware;
        var kind = owner.Own.KindOf(sender);
        if (hardware.IsGroup || hardware.Value == 0 || sender.IsLoopback || kind is AddressKind.Broadcast or AddressKind.Multicast)
        {
            counters.ArpBadSender++;
            return;
        }

        owner.Dhcp?.Heard(arp);
        if (kind == AddressKind.Own)
        {
            if (hardware != _own)
                Defend(sender, now);
            else
                counters.ArpOwnSender++;
            return;
        }

        if (arp.Operation == ArpOperation.Request)
            ReceiveRequest(arp, sender, hardware, now);
        else
            ReceiveReply(arp, sender, hardware, toUs, now);
    }

    /// <summary>Sends one request for an address.</summary>
    /// <param name="to">The broadcast address, or the neighbour itself to see whether it is still there (RFC 1122, 2.3.2.1).</param>
    public void Request(IpAddress target, MacAddress to)
    {
        counters.ArpOutRequests++;
        Send(new ArpPacket(ArpOperation.Request, _own, owner.Own.SourceTowards(target), default, target), to);
    }

    /// <summary>Announces a new address on the wire: now, and once more after two seconds.</summary>
    public void Announce(IpAddress address, Instant now)
    {
        if (!speaks)
            return;
        StopAnnouncing(address);
        var announcer = new Announcer(this, address);
        _announcers[address] = announcer;
        announcer.Fire(now);
    }

    public void StopAnnouncing(IpAddress address)
    {
        if (_announcers.Remove(address, out var announcer))
            Timers.Cancel(announcer);
    }

    private void ReceiveRequest(in ArpView arp, IpAddress sender, MacAddress hardware, Instant now)
    {
        counters.ArpInRequests++;
        var target = arp.TargetProtocol;
        if (!owner.Own.IsOwn(target))
        {
            // RFC 826's merge: any ARP packet updates a known entry, but creates none. Linux does the same (arp_accept = 0).
            counters.ArpNotForUs++;
            neighbors.Heard(sender, hardware, now);
            return;
        }

        // A sender of 0.0.0.0 is an ARP probe for the address (RFC 5227, 2.1.1): it is answered, and nothing is learnt from it.
        if (!sender.IsUnspecified && routes.IsOnLink(sender, owner))
            neighbors.HeardRequest(sender, hardware, now);
        if (!speaks)
            return;
        counters.ArpOutReplies++;
        Send(new ArpPacket(ArpOperation.Reply, _own, target, hardware, sender), hardware);
    }

    private void ReceiveReply(in ArpView arp, IpAddress sender, MacAddress hardware, bool toUs, Instant now)
    {
        counters.ArpInReplies++;
        if (toUs && owner.Own.IsOwn(arp.TargetProtocol))
        {
            if (!neighbors.HeardReply(sender, hardware, now))
                counters.ArpUnsolicited++;
        }
        else
        {
            counters.ArpUnsolicited++;
            neighbors.Heard(sender, hardware, now);
        }
    }

    private void Defend(IpAddress address, Instant now)
    {
        counters.ArpAddressConflicts++;
        if (_announcers.TryGetValue(address, out var announcer) && announcer.MayDefend(now))
            SendAnnouncement(address);
    }

    private void SendAnnouncement(IpAddress address)
    {
        counters.ArpOutAnnouncements++;
        Send(new ArpPacket(ArpOperation.Request, _own, address, default, address), MacAddress.Broadcast);
    }

    private void Send(in ArpPacket packet, MacAddress destination)
    {
        var buffer = pool.Rent(ArpPacket.Length, BufferPool.HeaderRoom);
        packet.Emit(buffer.Append(ArpPacket.Length));
        new EthernetHeader(destination, _own, EtherType.Arp).Emit(buffer.Prepend(EthernetHeader.Length));
        owner.Egress.Enqueue(buffer);
    }

    /// <summary>The announcements of one own address.</summary>
    private sealed class Announcer(ArpProtocol arp, IpAddress address) : Timer
    {
        private int _left = Announcements;
        private Instant _defendAgain;

        public bool MayDefend(Instant now)
        {
            if (now < _defendAgain)
                return false;
            _defendAgain = now + DefendInterval;
            return true;
        }

        protected internal override void Fire(Instant now)
        {
            arp.SendAnnouncement(address);
            if (--_left > 0)
                arp.Timers.Arm(this, now + AnnounceInterval);
        }
    }
}
