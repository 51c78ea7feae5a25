using System.Buffers.Binary;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Multicast;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;

namespace Tapwire.Stack;

/// <summary>
/// Says which shard, one of several stacks with the same addresses, a packet is for. TCP and UDP go by the local port. Ports of the ephemeral range are divided
/// among the shards; any other port belongs to the shard that claimed it first. On a spread TCP port all shards listen, and a connection belongs to the shard
/// whose queue received its SYN. A port with several sockets (SO_REUSEPORT) is grouped: they may be on any shards, and a keyed hash of the flow chooses among them
/// (<see cref="SharedPorts"/>). A fragment goes by addresses, identification and protocol, since only the first one has ports (of IPv6 without the protocol, which only the first one has, too): the datagram crosses over when it is whole.
/// ARP goes to all shards, and everything else to shard 0. Any thread may ask.
/// </summary>
/// <remarks>
/// Correctness does not depend on the device's choice of queue. A device with queues keeps a flow on the queue that it has chosen, and learns from what a shard
/// sends where the shard's flows belong (as Linux's tun does). A packet that arrives at the wrong shard crosses over and is not lost.
/// </remarks>
public sealed class FlowSteering
{
    /// <summary>All shards.</summary>
    public const int All = -1;

    public const int MaxShards = 64;

    private const byte Unclaimed = 0xFF;
    private const byte Spread = 0xFE;
    private const byte Grouped = 0xFD;

    private readonly SipHash _hash;
    private readonly byte[] _tcp;
    private readonly byte[] _udp;

    /// <param name="shards">1..<see cref="MaxShards"/>.</param>
    /// <param name="secret">32 bytes.</param>
    public FlowSteering(int shards, ReadOnlySpan<byte> secret)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(shards, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(shards, MaxShards);
        Shards = shards;
        _hash = new KeyedRandom(secret).NextHash();
        Groups = new SharedGroups(shards);
        _tcp = DealOut(shards);
        _udp = DealOut(shards);
    }

    public int Shards { get; }

    /// <summary>The sockets of all shards that have a TCP port, without those on spread ports.</summary>
    internal SharedPorts Tcp { get; } = new();

    /// <summary>The sockets of all shards that have a UDP port.</summary>
    internal SharedPorts Udp { get; } = new();

    /// <summary>The groups that all shards are in.</summary>
    internal SharedGroups Groups { get; }

    /// <summary>Returns the shard that must bind a TCP port.</summary>
    /// <param name="port">Not 0.</param>
    /// <param name="shard">Claims the port for good if no shard has it.</param>
    public int ClaimTcp(ushort port, int shard) => Claim(ref _tcp[port], shard);

    /// <inheritdoc cref="ClaimTcp"/>
    public int ClaimUdp(ushort port, int shard) => Claim(ref _udp[port], shard);

    /// <summary>Returns the shard that must bind a TCP port for a socket that shares it so. It is the one with the fewest sockets on the port if there are others
    /// that share it (SO_REUSEPORT), and else as with <see cref="ClaimTcp"/>.</summary>
    /// <inheritdoc cref="ClaimTcp"/>
    public int JoinTcp(ushort port, in PortSharing sharing, int shard) => Join(ref _tcp[port], Tcp.At(port), sharing, shard);

    /// <inheritdoc cref="JoinTcp"/>
    public int JoinUdp(ushort port, in PortSharing sharing, int shard) => Join(ref _udp[port], Udp.At(port), sharing, shard);

    /// <summary>Makes all shards listen on a TCP port. Must be called before they do.</summary>
    public void SpreadTcp(ushort port) => Volatile.Write(ref _tcp[port], Spread);

    /// <summary>All shards listen on that port: a segment without a connection here may have one elsewhere.</summary>
    internal bool IsSpreadTcp(ushort port) => Volatile.Read(ref _tcp[port]) == Spread;

    /// <summary>The sockets on that port may be on several shards. A segment without a connection here may have one elsewhere.</summary>
    internal bool IsGroupedTcp(ushort port) => Volatile.Read(ref _tcp[port]) == Grouped;

    /// <summary>The shard with the listener for a connection to a grouped port, or <see cref="PortHolders.Nobody"/>.</summary>
    internal int ListenerOf(in TcpPair pair) => Tcp.At(pair.Local.Port).Find(pair.Local, pair.Remote, HashOf(pair.Local, pair.Remote));

    /// <summary>The shard that <see cref="ListenerOf"/> has named before a listener came or went lately, or <see cref="PortHolders.Nobody"/>.</summary>
    internal int ListenerBefore(in TcpPair pair, Instant now) => Tcp.At(pair.Local.Port).FindBefore(pair.Local.Address, HashOf(pair.Local, pair.Remote), now);

    /// <summary>The shard that a frame off the wire is for, or <see cref="All"/>. A malformed frame has an owner too, which counts and drops it.</summary>
    /// <param name="here">The shard whose queue received the frame.</param>
    public int OwnerOfFrame(ReadOnlySpan<byte> frame, Medium medium, int here)
    {
        if (medium == Medium.Ip)
            return OwnerOfArrival(frame, here);
        if (!EthernetView.TryParse(frame, out var header))
            return 0;
        return header.EtherType switch
        {
            EtherType.Ipv4 or EtherType.Ipv6 => OwnerOfArrival(frame[EthernetHeader.Length..], here, header.Destination.IsGroup),
            EtherType.Arp => All,
            _ => 0,
        };
    }

    /// <summary>The shard that a packet between own addresses is for. Every shard gets the same answer for a connection at any time, but for one to a grouped TCP port:
    /// it is the shard that is asked first.</summary>
    /// <param name="here">The shard that sends the packet.</param>
    internal int OwnerOfOwn(ReadOnlySpan<byte> packet, int here)
    {
        if (!SteeredPacket.TryRead(packet, out var header) || header.IsFragment)
            return 0;
        var owner = Owner(header.Protocol, header.Transport[2..]);
        if (owner == Spread)
            return (int)(HashOf(header.Destination, header.Source, BinaryPrimitives.ReadUInt32BigEndian(header.Transport)) % (uint)Shards);
        return owner == Grouped ? OwnerInGroup(header.Protocol == IpProtocol.Tcp ? Tcp : Udp, header.Receiver, header.Sender, here) : owner;
    }

    /// <summary>The shard that a packet off the wire is for, or <see cref="All"/>.</summary>
    /// <param name="packet">Begins with its IP header.</param>
    /// <param name="here">The shard that has it.</param>
    /// <param name="isToGroup">The frame is for many hosts: every socket on the port gets a copy.</param>
    internal int OwnerOfArrival(ReadOnlySpan<byte> packet, int here, bool isToGroup = false)
    {
        if (!SteeredPacket.TryRead(packet, out var header))
            return 0;
        if (header.IsFragment)
            return (int)(HashOf(header.Destination, header.Source, (ulong)header.Identification << 8 | (header.Source.IsV4 ? header.Protocol : 0u)) % (uint)Shards);
        if (header.IsIcmp)
            return OwnerOfIcmp(header);
        var owner = Owner(header.Protocol, header.Transport[2..]);
        return owner switch
        {
            Spread => here,
            // The shard itself looks whether it has the connection, and if not, whose it may be.
            Grouped when header.Protocol == IpProtocol.Tcp => here,
            Grouped when isToGroup || header.Destination.IsMulticast => All,
            Grouped => OwnerInGroup(Udp, header.Receiver, header.Sender, here),
            _ => owner,
        };
    }

    private int OwnerInGroup(SharedPorts ports, IpEndpoint local, IpEndpoint remote, int otherwise)
    {
        var owner = ports.At(local.Port).Find(local, remote, HashOf(local, remote));
        return owner == PortHolders.Nobody ? otherwise : owner;
    }

    private uint HashOf(IpEndpoint local, IpEndpoint remote) => HashOf(local.Address, remote.Address, (ulong)remote.Port << 16 | local.Port);

    private uint HashOf(IpAddress local, IpAddress remote, ulong flow)
    {
        if (local.IsV4)
            return (uint)_hash.TableHash((ulong)local.V4 << 32 | remote.V4, flow);
        var (localHigh, localLow) = local.Halves;
        var (remoteHigh, remoteLow) = remote.Halves;
        return (uint)_hash.TableHash(localHigh, localLow, remoteHigh, remoteLow, flow);
    }

    /// <summary>An ICMP error belongs to the shard that sent the quoted packet; what neighbour discovery says, all want to know.</summary>
    private int OwnerOfIcmp(in SteeredPacket message)
    {
        if (message.Protocol == IpProtocol.Icmpv6 && Icmpv6Type.IsNeighborDiscovery(message.Transport[0]))
            return All;
        if (!message.IsIcmpError || !SteeredPacket.TryRead(message.Transport[Icmpv4Header.Length..], out var quoted) || quoted.Transport.IsEmpty)
            return 0;
        var owner = Owner(quoted.Protocol, quoted.Transport);
        return owner switch
        {
            Spread => All,
            Grouped when quoted.Protocol == IpProtocol.Tcp => All,
            Grouped => OwnerInGroup(Udp, quoted.Sender, quoted.Receiver, 0), // we have sent it: its source is our end
            _ => owner,
        };
    }

    /// <param name="port">Bytes that begin with the local port.</param>
    private int Owner(byte protocol, ReadOnlySpan<byte> port)
    {
        var local = BinaryPrimitives.ReadUInt16BigEndian(port);
        var owner = protocol switch
        {
            IpProtocol.Tcp => Volatile.Read(ref _tcp[local]),
            IpProtocol.Udp => Volatile.Read(ref _udp[local]),
            _ => Unclaimed,
        };
        return owner == Unclaimed ? 0 : owner;
    }

    private static byte[] DealOut(int shards)
    {
        var ports = new byte[ushort.MaxValue + 1];
        ports.AsSpan().Fill(Unclaimed);
        for (int port = EphemeralPorts.First; port <= EphemeralPorts.Last; port++)
            ports[port] = (byte)(port % shards);
        return ports;
    }

    /// <summary>Any shard will report EADDRINUSE for a spread port; pick 0.</summary>
    private static int Claim(ref byte owner, int shard)
    {
        var before = Interlocked.CompareExchange(ref owner, (byte)shard, Unclaimed);
        return before switch
        {
            Unclaimed => shard,
            Spread => 0,
            Grouped => shard,
            _ => before,
        };
    }

    /// <summary>The first socket claims the port as any does. With the second one the port becomes grouped, for good.</summary>
    private int Join(ref byte owner, PortHolders holders, in PortSharing sharing, int shard)
    {
        if (!holders.AreGroupFor(sharing))
            return Claim(ref owner, shard);
        for (var before = Volatile.Read(ref owner); before != Grouped;)
        {
            if (before == Spread)
                return 0;
            before = Interlocked.CompareExchange(ref owner, Grouped, before) == before ? Grouped : Volatile.Read(ref owner);
        }

        return holders.Emptiest(Shards, shard);
    }
}

/// <summary>One of several stacks that share their addresses. Shard 0 acts for all where one is enough: it announces and defends addresses, and answers ARP
/// requests and pings.</summary>
/// <param name="Index">0 up to, not including, <see cref="FlowSteering.Shards"/>.</param>
/// <param name="Steering">The same object for all of them.</param>
public sealed record StackShard(int Index, FlowSteering Steering)
{
    /// <summary>This shard may choose the ephemeral port.</summary>
    internal bool Has(ushort port) => port % Steering.Shards == Index;
}
