using System.Buffers.Binary;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Wires.Udp;

namespace Tapwire.Wires.Vxlan;

/// <summary>What a wire is made of. It owns the ports.</summary>
/// <param name="Port">Where datagrams come.</param>
/// <param name="Senders">By which frames leave, at least one: those of one inner flow by one of them.</param>
/// <param name="Clock">The system's, or one of virtual time.</param>
/// <param name="Mtu">Of the inner packets, in bytes.</param>
internal sealed record VxlanParts(string Name, VxlanOptions Options, IDatagramPort Port, IReadOnlyList<IDatagramPort> Senders, TimeProvider Clock, MacAddress HardwareAddress, int Mtu);

/// <summary>
/// One end of a VXLAN (RFC 7348) as an Ethernet wire: frames go in UDP datagrams to the peer that has their destination, or to all peers, which are the flood list (head-end replication; there are no groups). Frames that leave
/// together to one peer and have one length go with one system call (UDP_SEGMENT); that needs checksums, so the outer ones are computed, which RFC 7348 allows. A datagram without one is taken. Datagrams
/// that come from an address which is no peer's are dropped: the network between is not trusted to tell who belongs to it.
/// </summary>
internal sealed class VxlanWire : IDirectReadWire, IProtocolWire
{
    /// <summary>Datagrams without a frame for the stack that one read handles: a flood of them must not keep its caller.</summary>
    private const int MostIdle = 256;

    /// <summary>Room for a frame of a peer that has an MTU of Ethernet's size, whatever ours is.</summary>
    private const int LeastRoom = 2048;

    /// <summary>A VLAN tag more than the MTU allows for.</summary>
    private const int TagLength = 4;

    private readonly VxlanParts _parts;
    private readonly ObservedPort[] _ports;
    private readonly VxlanForwarding _forwarding;
    private readonly VxlanCounters _counters = new();
    private readonly SendBatch[] _batches;
    private readonly List<IpEndpoint> _peers = [];
    private readonly Dictionary<IpAddress, int> _byAddress = [];
    private readonly int _flooded;
    private readonly long _start;
    private readonly Queue<WireNotice> _notices = new();
    private PacketBuffer? _room;
    private Action<Readiness>? _ready;
    private Instant _now;
    private int _at;
    private int _count;
    private bool _toldFull;
    private bool _disposed;

    public VxlanWire(VxlanParts parts)
    {
        // The port may be among the senders.
        var receiving = new ObservedPort(parts.Port);
        _ports = [receiving, .. parts.Senders.Where(sender => sender != parts.Port).Select(static sender => new ObservedPort(sender))];
        _parts = parts = parts with { Port = receiving, Senders = parts.Senders.Contains(parts.Port) ? _ports : _ports[1..] };
        var options = parts.Options;
        _start = parts.Clock.GetTimestamp();
        _forwarding = new VxlanForwarding(options.MostAddresses, options.Ageing);
        _batches = [.. parts.Senders.Select(static port => new SendBatch(port))];
        foreach (var remote in options.Remotes)
            PeerOf(remote);
        _flooded = _peers.Count;
        foreach (var (address, remote) in options.Static)
            _forwarding.Add(address, PeerOf(remote));
        FrameRoom = Math.Max(LeastRoom, parts.Mtu + EthernetHeader.Length + TagLength);
        _notices.Enqueue(new WireNotice(WireNoticeLevel.Information,
            $"VXLAN {options.Vni} on UDP port {parts.Port.Port}, {(_peers.Count == 1 ? "one peer" : $"{_peers.Count} peers")}, from ports {string.Join(", ", parts.Senders.Select(static port => port.Port))}"));
    }

    public string Name => _parts.Name;

    public Medium Medium => Medium.Ethernet;

    public int Mtu => _parts.Mtu;

    public MacAddress? HardwareAddress => _parts.HardwareAddress;

    public WireOffloads Offloads => WireOffloads.None;

    public long Refused => _counters.AllDrops + PortsRefused;

    public int FrameRoom { get; }

    /// <summary>None of WireGuard's.</summary>
    public IReadOnlyList<WirePeer> Peers => [];

    public IReadOnlyDictionary<string, long> Counters => _counters.Describe(_forwarding.Count, PortsRefused);

    private long PortsRefused => _parts.Senders.Sum(static port => port.Refused);

    public void Start(IReactor reactor, Action<Readiness> ready)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_ready is not null)
            throw new InvalidOperationException($"{Name} has been started already.");
        Volatile.Write(ref _ready, ready);
        // What waits for room is sent by the next read, since the owner may have nothing more to write.
        _parts.Port.Start(reactor, readiness => Report((readiness & Readiness.Writable) == 0 ? readiness : readiness | Readiness.Readable));
        foreach (var sender in _parts.Senders)
        {
            // What comes there is nobody's.
            if (sender != _parts.Port)
                sender.Start(reactor, readiness => Report((readiness & Readiness.Writable) == 0 ? 0 : Readiness.Writable | Readiness.Readable));
        }

        // What has come already, and what there is to say, is taken by a read.
        ready(Readiness.Readable);
    }

    public bool BeginRead()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _now = Now();
        Flush();
        return false;
    }

    public int ReadFrame(Span<byte> room)
    {
        for (var idle = 0; idle < MostIdle; idle++)
        {
            if (_at >= _count && !TryReceive())
                return -1;
            var batch = _parts.Port.Latest;
            var datagram = batch.Bytes.Slice(_at, Math.Min(batch.Size, _count - _at));
            _at += datagram.Length;
            if (Take(datagram, batch.Path) is not { } drop)
            {
                var frame = datagram[VxlanHeader.Length..];
                if (frame.Length <= room.Length)
                {
                    frame.CopyTo(room);
                    _counters.FramesReceived++;
                    return frame.Length;
                }

                drop = VxlanDrop.TooLong;
            }

            _counters.Count(drop);
        }

        return 0;
    }

    public int Read(BufferPool pool, Span<PacketBuffer> frames, out bool more) => this.ReadEach(pool, ref _room, frames, out more);

    public int Write(ReadOnlySpan<PacketBuffer> frames)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _now = Now();
        var taken = 0;
        // A batch that does not fit its socket blocks, and the rest is offered again when it has gone.
        for (var isFree = Flush(); isFree && taken < frames.Length; taken++)
        {
            var frame = frames[taken];
            if (frame.Length < EthernetHeader.Length)
                _counters.Count(VxlanDrop.TooShort);
            else if (frame.TotalLength > Mtu + EthernetHeader.Length || frame.Offload is not { Checksum: not ChecksumState.Partial, Segmentation: Segmentation.None })
                _counters.Count(VxlanDrop.TooLong);
            else
                isFree = Send(frame);
        }

        Flush();
        return taken;
    }

    public ITunnelObserver? TunnelObserver
    {
        get => _ports[0].Observer;
        set
        {
            foreach (var port in _ports)
                port.Observer = value;
        }
    }

    public bool TryTakeNotice(out WireNotice notice)
    {
        foreach (var sender in _parts.Senders)
        {
            if (_notices.Count == 0 && sender.TakeRefusal() is { Length: > 0 } refusal)
                _notices.Enqueue(new WireNotice(WireNoticeLevel.Debug, $"The host's network takes no datagram: {refusal}"));
        }

        return _notices.TryDequeue(out notice);
    }

    /// <summary>All its configuration is its name, which stays.</summary>
    public void Reread() => ObjectDisposedException.ThrowIf(_disposed, this);

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Volatile.Write(ref _ready, null);
        _parts.Port.Dispose();
        foreach (var sender in _parts.Senders)
            sender.Dispose();
        _room?.Release();
    }

    /// <summary>The IP packet in a frame, behind at most one VLAN tag; empty: there is none.</summary>
    private static Span<byte> PacketIn(Span<byte> frame)
    {
        var at = EthernetHeader.Length;
        if (frame.Length >= at + TagLength && EtherTypeAt(frame, at - 2) == EtherType.Vlan)
            at += TagLength;
        return frame.Length >= at && EtherTypeAt(frame, at - 2) is EtherType.Ipv4 or EtherType.Ipv6 ? frame[at..] : [];
    }

    private static ushort EtherTypeAt(ReadOnlySpan<byte> frame, int at) => BinaryPrimitives.ReadUInt16BigEndian(frame[at..]);

    private int PeerOf(IpEndpoint remote)
    {
        if (_byAddress.TryGetValue(remote.Address, out var peer))
            return peer;
        _byAddress.Add(remote.Address, _peers.Count);
        _peers.Add(remote);
        return _peers.Count - 1;
    }

    /// <summary>Looks at a datagram that has come, and learns from it (RFC 7348, 4.1).</summary>
    /// <returns>Null: the frame in it is for the stack.</returns>
    private VxlanDrop? Take(Span<byte> datagram, in DatagramPath from)
    {
        if (datagram.Length < VxlanHeader.Length + EthernetHeader.Length)
            return VxlanDrop.TooShort;
        if (VxlanHeader.ReadVni(datagram) is var vni && vni != _parts.Options.Vni)
            return vni < 0 ? VxlanDrop.BadFlags : VxlanDrop.UnknownVni;
        if (!_byAddress.TryGetValue(from.Remote.Address, out var peer))
            return VxlanDrop.UnknownPeer;
        var source = MacAddress.FromBytes(datagram.Slice(VxlanHeader.Length + 6, 6));
        if (source.IsGroup || source.Value == 0 || source == _parts.HardwareAddress)
            return VxlanDrop.BadSource;
        if (!TunnelEcn.Decapsulate(PacketIn(datagram[VxlanHeader.Length..]), from.TrafficClass))
            return VxlanDrop.CongestionMark;
        if (!_parts.Options.Learns)
            return _forwarding.MayCome(source, peer) ? null : VxlanDrop.MovedStatic;
        switch (_forwarding.Learn(source, peer, _now))
        {
            case VxlanLearning.Refused:
                return VxlanDrop.MovedStatic;
            case VxlanLearning.Learned:
                _counters.Learned++;
                _toldFull = false;
                break;
            case VxlanLearning.Moved:
                _counters.Moved++;
                break;
            case VxlanLearning.Full:
                _counters.NotLearned++;
                TellFull();
                break;
        }

        return null;
    }

    private void TellFull()
    {
        if (_toldFull)
            return;
        _toldFull = true;
        _notices.Enqueue(new WireNotice(WireNoticeLevel.Warning, $"{_parts.Options.MostAddresses} Ethernet addresses are known, and no more are learned: frames to others go to all peers (maxaddress=)"));
    }

    /// <returns>False: a socket is full; what has been put before it waits there.</returns>
    private bool Send(PacketBuffer frame)
    {
        var batch = _batches[VxlanHeader.FlowOf(frame.Span) % (uint)_batches.Length];
        var destination = MacAddress.FromBytes(frame.Span[..6]);
        var peer = destination.IsGroup ? -1 : _forwarding.Find(destination, _now);
        if (peer >= 0)
        {
            _counters.FramesSent++;
            Put(batch, frame, _peers[peer]);
        }
        else
        {
            _counters.FramesFlooded++;
            for (var i = 0; i < _flooded; i++)
                Put(batch, frame, _peers[i]);
        }

        return !batch.IsBlocked;
    }

    private void Put(SendBatch batch, PacketBuffer frame, in IpEndpoint to)
    {
        var datagram = batch.Begin(new DatagramPath(to, default, TunnelEcn.Encapsulate(PacketIn(frame.Span))), VxlanHeader.Length + frame.TotalLength);
        if (datagram.IsEmpty)
        {
            _counters.Count(VxlanDrop.SocketFull);
            return;
        }

        VxlanHeader.Write(datagram, _parts.Options.Vni);
        frame.CopyTo(datagram[VxlanHeader.Length..]);
        batch.End();
    }

    /// <returns>False: a socket is full.</returns>
    private bool Flush()
    {
        var isFree = true;
        foreach (var batch in _batches)
            isFree &= batch.Flush();
        return isFree;
    }

    private bool TryReceive()
    {
        (_at, _count) = (0, 0);
        if (!_parts.Port.TryReceive())
            return false;
        _count = _parts.Port.Latest.Bytes.Length;
        return true;
    }

    private void Report(Readiness readiness)
    {
        if (readiness != 0)
            Volatile.Read(ref _ready)?.Invoke(readiness);
    }

    private Instant Now() => new(_parts.Clock.GetElapsedTime(_start).Ticks);
}
