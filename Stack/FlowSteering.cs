using System.Buffers.Binary;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Link;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack;

/// <summary>
/// Says which of several stacks with the same addresses, the shards, a packet is for. TCP and UDP go by the local port: ports of the ephemeral range are dealt out
/// among the shards, another port belongs to the shard that has claimed it first, and a TCP port that all shards listen on is spread, connection by connection.
/// Everything else is shard 0's, but ARP, which all need. Any thread may ask, and gets the same answer.
/// </summary>
/// <remarks>
/// The answer does not depend on where a packet has come in. A device with queues learns from what each shard sends where its flows belong (Linux's tun does);
/// until it has, or when it has forgotten, packets cross from one shard to another, and are not lost.
/// </remarks>
public sealed class FlowSteering
{
    /// <summary>All shards.</summary>
    public const int All = -1;

    public const int MaxShards = 64;

    private const byte Unclaimed = 0xFF;
    private const byte Spread = 0xFE;
    private const int PortsLength = 4;

    private readonly SipHash _hash;
    private readonly byte[] _tcp;
    private readonly byte[] _udp;

    /// <param name="shards">1..<see cref="MaxShards"/>.</param>
    /// <param name="secret">32 bytes: nobody else can tell which connections of a spread port meet in a shard.</param>
    public FlowSteering(int shards, ReadOnlySpan<byte> secret)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(shards, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(shards, MaxShards);
        Shards = shards;
        _hash = new KeyedRandom(secret).NextHash();
        _tcp = DealOut(shards);
        _udp = DealOut(shards);
    }

    public int Shards { get; }

    /// <summary>The shard on which a TCP port is to be bound.</summary>
    /// <param name="port">Not 0.</param>
    /// <param name="shard">Gets the port, for good, if it is nobody's.</param>
    public int ClaimTcp(ushort port, int shard) => Claim(ref _tcp[port], shard);

    /// <inheritdoc cref="ClaimTcp"/>
    public int ClaimUdp(ushort port, int shard) => Claim(ref _udp[port], shard);

    /// <summary>All shards listen on a TCP port. To be said before they do.</summary>
    public void SpreadTcp(ushort port) => Volatile.Write(ref _tcp[port], Spread);

    /// <summary>The shard that a frame is for, or <see cref="All"/>. One that makes no sense is somebody's, too, to be counted and dropped.</summary>
    public int OwnerOfFrame(ReadOnlySpan<byte> frame, LinkKind link)
    {
        if (link == LinkKind.Ip)
            return OwnerOfPacket(frame);
        if (!EthernetView.TryParse(frame, out var header))
            return 0;
        return header.EtherType switch
        {
            EtherType.Ipv4 => OwnerOfPacket(frame[EthernetHeader.Length..]),
            EtherType.Arp => All,
            _ => 0,
        };
    }

    /// <summary>The shard that a packet is for which begins with its IP header.</summary>
    public int OwnerOfPacket(ReadOnlySpan<byte> packet)
    {
        if (!TryReadTransport(packet, out var header, out var transport))
            return 0;
        return header.Protocol == IpProtocol.Icmp
            ? OwnerOfIcmp(transport)
            : Owner(header.Protocol, header.Destination, header.Source, transport, outgoing: false);
    }

    /// <summary>An error belongs to whoever has sent the packet that it quotes.</summary>
    private int OwnerOfIcmp(ReadOnlySpan<byte> message)
    {
        if (!Icmpv4View.TryParse(message, out var icmp) || !IsError(icmp.Type) || !TryReadTransport(message[Icmpv4Header.Length..], out var quoted, out var transport))
            return 0;
        return Owner(quoted.Protocol, quoted.Source, quoted.Destination, transport, outgoing: true);
    }

    private static bool IsError(byte type) => type is Icmpv4Type.DestinationUnreachable or Icmpv4Type.TimeExceeded or Icmpv4Type.ParameterProblem;

    private static bool TryReadTransport(ReadOnlySpan<byte> packet, out Ipv4View header, out ReadOnlySpan<byte> transport)
    {
        transport = default;
        if (!Ipv4View.TryParse(packet, out header) || header.Version != 4 || header.IsFragment || header.HeaderLength < Ipv4Header.Length
            || packet.Length < header.HeaderLength + PortsLength)
        {
            return false;
        }

        transport = packet[header.HeaderLength..];
        return true;
    }

    /// <param name="outgoing">The packet is one of ours: its source port is the local one.</param>
    private int Owner(byte protocol, uint local, uint remote, ReadOnlySpan<byte> transport, bool outgoing)
    {
        var first = BinaryPrimitives.ReadUInt16BigEndian(transport);
        var second = BinaryPrimitives.ReadUInt16BigEndian(transport[2..]);
        var (localPort, remotePort) = outgoing ? (first, second) : (second, first);
        var owner = protocol switch
        {
            IpProtocol.Tcp => Volatile.Read(ref _tcp[localPort]),
            IpProtocol.Udp => Volatile.Read(ref _udp[localPort]),
            _ => Unclaimed,
        };
        return owner switch
        {
            Unclaimed => 0,
            Spread => (int)(_hash.TableHash((ulong)local << 32 | remote, (uint)(localPort << 16 | remotePort)) % (uint)Shards),
            _ => owner,
        };
    }

    private static byte[] DealOut(int shards)
    {
        var ports = new byte[ushort.MaxValue + 1];
        ports.AsSpan().Fill(Unclaimed);
        for (int port = EphemeralPorts.First; port <= EphemeralPorts.Last; port++)
            ports[port] = (byte)(port % shards);
        return ports;
    }

    /// <summary>A spread port is in use on every shard; any of them says so.</summary>
    private static int Claim(ref byte owner, int shard)
    {
        var before = Interlocked.CompareExchange(ref owner, (byte)shard, Unclaimed);
        return before switch
        {
            Unclaimed => shard,
            Spread => 0,
            _ => before,
        };
    }
}

/// <summary>One of several stacks that share their addresses. Shard 0 speaks for all where one is enough: it announces and defends addresses, and answers ARP requests and pings.</summary>
/// <param name="Index">0 up to, not including, <see cref="FlowSteering.Shards"/>.</param>
/// <param name="Steering">The same object for all of them.</param>
public sealed record StackShard(int Index, FlowSteering Steering)
{
    /// <summary>An ephemeral port is one of this shard's.</summary>
    internal bool Has(ushort port) => port % Steering.Shards == Index;
}
