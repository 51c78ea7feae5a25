using System.Buffers.Binary;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack;

/// <summary>What <see cref="FlowSteering"/> has to know of a packet of either family.</summary>
internal readonly ref struct SteeredPacket
{
    /// <summary>TCP's and UDP's two ports; an ICMP message needs to be no longer either.</summary>
    private const int LeastTransport = 4;

    public IpAddress Source { get; private init; }

    public IpAddress Destination { get; private init; }

    public byte Protocol { get; private init; }

    /// <summary>Only a part of a datagram.</summary>
    public bool IsFragment { get; private init; }

    /// <summary>Of a fragment.</summary>
    public uint Identification { get; private init; }

    /// <summary>The transport header and what follows, at least 4 bytes. Of a fragment other than the first: empty.</summary>
    public ReadOnlySpan<byte> Transport { get; private init; }

    public IpEndpoint Sender => new(Source, BinaryPrimitives.ReadUInt16BigEndian(Transport));

    public IpEndpoint Receiver => new(Destination, BinaryPrimitives.ReadUInt16BigEndian(Transport[2..]));

    public bool IsIcmp => Protocol == (Source.IsV4 ? IpProtocol.Icmp : IpProtocol.Icmpv6);

    /// <summary>An ICMP message that quotes a packet.</summary>
    public bool IsIcmpError => Transport.Length > Icmpv4Header.Length && (Source.IsV4
        ? Icmpv4Type.IsError(Transport[0])
        : Icmpv6Type.IsError(Transport[0]));

    /// <summary>Reads a packet, which may be cut short as those in ICMP errors are.</summary>
    /// <returns>False: it is malformed, or has no whole header.</returns>
    public static bool TryRead(ReadOnlySpan<byte> packet, out SteeredPacket read)
    {
        read = default;
        if (packet.IsEmpty)
            return false;
        return packet[0] >> 4 == 6 ? TryReadV6(packet, out read) : TryReadV4(packet, out read);
    }

    private static bool TryReadV4(ReadOnlySpan<byte> packet, out SteeredPacket read)
    {
        read = default;
        if (!Ipv4View.TryParse(packet, out var header) || header.Version != 4 || header.HeaderLength < Ipv4Header.Length)
            return false;
        var hasPorts = header.FragmentOffset == 0 && packet.Length >= header.HeaderLength + LeastTransport;
        if (!hasPorts && !header.IsFragment)
            return false;
        read = new SteeredPacket
        {
            Source = IpAddress.FromV4(header.Source),
            Destination = IpAddress.FromV4(header.Destination),
            Protocol = header.Protocol,
            IsFragment = header.IsFragment,
            Identification = header.Identification,
            Transport = hasPorts ? packet[header.HeaderLength..] : default,
        };
        return true;
    }

    private static bool TryReadV6(ReadOnlySpan<byte> packet, out SteeredPacket read)
    {
        read = default;
        if (!Ipv6View.TryParse(packet, out var header))
            return false;
        var chain = Ipv6HeaderChain.Walk(packet);
        var fragment = default(Ipv6FragmentHeader);
        if (chain.Problem == Ipv6ChainProblem.None && chain.NextHeader == Ipv6Extension.Fragment)
        {
            if (!Ipv6FragmentHeader.TryParse(packet[chain.Length..], out fragment))
                return false;
            if (fragment.Offset == 0)
                chain = Ipv6HeaderChain.Walk(packet, chain.Length, chain.Length + Ipv6FragmentHeader.Length);
        }

        var isFragment = fragment.Offset != 0 || fragment.MoreFragments;
        var hasPorts = chain.Problem == Ipv6ChainProblem.None && fragment.Offset == 0 && packet.Length >= chain.Length + LeastTransport;
        if (!hasPorts && !isFragment)
            return false;
        read = new SteeredPacket
        {
            Source = header.Source,
            Destination = header.Destination,
            Protocol = chain.NextHeader,
            IsFragment = isFragment,
            Identification = fragment.Identification,
            Transport = hasPorts ? packet[chain.Length..] : default,
        };
        return true;
    }
}
