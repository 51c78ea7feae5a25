using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Forwarding;

/// <summary>A packet whose addresses and ports are to be changed, or one that an ICMP error quotes, of which the end may be missing.</summary>
internal readonly ref struct NatPacket
{
    private readonly Span<byte> _bytes;
    private readonly bool _isV4;

    private NatPacket(Span<byte> bytes, bool isV4, int transport, byte protocol)
    {
        _bytes = bytes;
        _isV4 = isV4;
        TransportAt = transport;
        Protocol = protocol;
    }

    /// <summary>Where the transport header begins.</summary>
    public int TransportAt { get; }

    public byte Protocol { get; }

    public IpAddress Source => AddressAt(_isV4 ? Ipv4Field.Source : Ipv6Field.Source);

    public IpAddress Destination => AddressAt(_isV4 ? Ipv4Field.Destination : Ipv6Field.Destination);

    public ReadOnlySpan<byte> Transport => _bytes[TransportAt..];

    /// <summary>An echo request or reply.</summary>
    public bool IsEcho => IsIcmp && Transport[0] is var type && (_isV4 ? type is Icmpv4Type.Echo or Icmpv4Type.EchoReply : type is Icmpv6Type.EchoRequest or Icmpv6Type.EchoReply);

    /// <summary>It asks, rather than answers.</summary>
    public bool IsEchoRequest => IsIcmp && Transport[0] == (_isV4 ? Icmpv4Type.Echo : Icmpv6Type.EchoRequest);

    /// <summary>An ICMP error, behind whose header is the packet that it is about.</summary>
    public bool IsError => IsIcmp && (_isV4 ? Icmpv4Type.IsError(Transport[0]) : Icmpv6Type.IsError(Transport[0]));

    /// <summary>0 unless it is a TCP segment, or its flags are missing.</summary>
    public TcpFlags Flags => Protocol == IpProtocol.Tcp && Transport.Length > TcpField.Flags ? (TcpFlags)Transport[TcpField.Flags] : 0;

    private bool IsIcmp => Protocol == (_isV4 ? IpProtocol.Icmp : IpProtocol.Icmpv6);

    /// <summary>The two ends of a datagram or segment that its source has sent. Of echo messages the identifier is the near end's port.</summary>
    /// <param name="isInbound">The near end is the destination.</param>
    public NatFlow FlowOf(bool isInbound)
    {
        var (from, to) = IsEcho ? (Get(4), Get(4)) : (Get(0), Get(2));
        var (near, remote) = isInbound ? (new IpEndpoint(Destination, to), new IpEndpoint(Source, from)) : (new IpEndpoint(Source, from), new IpEndpoint(Destination, to));
        return new NatFlow(Protocol, near, IsEcho ? remote with { Port = 0 } : remote);
    }

    /// <summary>Reads a packet.</summary>
    /// <returns>False: it is malformed, a later fragment, or has fewer than 8 bytes behind its headers.</returns>
    public static bool TryRead(Span<byte> bytes, out NatPacket packet)
    {
        packet = default;
        if (bytes.IsEmpty)
            return false;
        if (bytes[0] >> 4 == 4)
        {
            if (!Ipv4View.TryParse(bytes, out var v4) || v4.HeaderLength < Ipv4Header.Length || v4.FragmentOffset != 0 || bytes.Length < v4.HeaderLength + UdpHeader.Length)
                return false;
            packet = new NatPacket(bytes, true, v4.HeaderLength, v4.Protocol);
            return true;
        }

        if (bytes.Length < Ipv6Header.Length)
            return false;
        var chain = Ipv6HeaderChain.Walk(bytes);
        if (chain.Problem == Ipv6ChainProblem.None && chain.NextHeader == Ipv6Extension.Fragment)
        {
            if (!Ipv6FragmentHeader.TryParse(bytes[Math.Min(chain.Length, bytes.Length)..], out var fragment) || fragment.Offset != 0)
                return false;
            chain = Ipv6HeaderChain.Walk(bytes, chain.Length, chain.Length + Ipv6FragmentHeader.Length);
        }

        if (chain.Problem != Ipv6ChainProblem.None || bytes.Length < chain.Length + UdpHeader.Length)
            return false;
        packet = new NatPacket(bytes, false, chain.Length, chain.NextHeader);
        return true;
    }

    /// <summary>The packet that an error quotes.</summary>
    public bool TryReadQuote(out NatPacket quote) => TryRead(_bytes[(TransportAt + Icmpv4Header.Length)..], out quote);

    /// <summary>Puts another end in the place of the source, or of the destination, and mends the checksums.</summary>
    /// <param name="hasPort">False: only the address is changed.</param>
    /// <param name="state">What the checksum of the transport is.</param>
    public void Put(IpEndpoint end, bool isSource, bool hasPort, ChecksumState state)
    {
        var at = _isV4 ? isSource ? Ipv4Field.Source : Ipv4Field.Destination : isSource ? Ipv6Field.Source : Ipv6Field.Destination;
        Span<byte> address = stackalloc byte[_isV4 ? 4 : 16];
        end.Address.CopyTo(address);
        var checksumAt = ChecksumAt;
        var isSummed = checksumAt >= 0 && Protocol != IpProtocol.Icmp; // whose checksum has no pseudo-header
        for (var i = 0; i < address.Length; i += 2)
        {
            var (before, after) = (BinaryPrimitives.ReadUInt16BigEndian(_bytes[(at + i)..]), BinaryPrimitives.ReadUInt16BigEndian(address[i..]));
            BinaryPrimitives.WriteUInt16BigEndian(_bytes[(at + i)..], after);
            if (_isV4)
                Update(Ipv4Field.Checksum, before, after);
            if (isSummed && state == ChecksumState.Partial)
                BinaryPrimitives.WriteUInt16BigEndian(_bytes[checksumAt..], (ushort)Checksum.Fold((uint)BinaryPrimitives.ReadUInt16BigEndian(_bytes[checksumAt..]) + (ushort)~before + after));
            else if (isSummed)
                Update(checksumAt, before, after);
        }

        if (!hasPort)
            return;
        var portAt = TransportAt + (IsEcho ? 4 : isSource ? 0 : 2);
        var port = BinaryPrimitives.ReadUInt16BigEndian(_bytes[portAt..]);
        BinaryPrimitives.WriteUInt16BigEndian(_bytes[portAt..], end.Port);
        if (checksumAt >= 0 && state != ChecksumState.Partial)
            Update(checksumAt, port, end.Port);
    }

    /// <summary>Computes the checksum of an ICMP message anew.</summary>
    public void CompleteIcmp()
    {
        var message = _bytes[TransportAt..];
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], Checksum.Finish(Checksum.Sum(message, _isV4 ? 0 : Checksum.PseudoHeader(Source, Destination, IpProtocol.Icmpv6, message.Length))));
    }

    /// <summary>Where the transport's checksum is; negative: it has none, or it is not quoted.</summary>
    private int ChecksumAt
    {
        get
        {
            var at = TransportAt + Protocol switch
            {
                IpProtocol.Tcp => TcpField.Checksum,
                IpProtocol.Udp => UdpHeader.ChecksumOffset,
                _ => Icmpv6Header.ChecksumOffset,
            };
            if (at + sizeof(ushort) > _bytes.Length)
                return -1;
            // 0 means that a datagram has no checksum (RFC 768).
            return Protocol == IpProtocol.Udp && BinaryPrimitives.ReadUInt16BigEndian(_bytes[at..]) == 0 ? -1 : at;
        }
    }

    private void Update(int at, ushort before, ushort after)
    {
        var checksum = Checksum.Update(BinaryPrimitives.ReadUInt16BigEndian(_bytes[at..]), before, after);
        if (checksum == 0 && Protocol == IpProtocol.Udp && at != Ipv4Field.Checksum)
            checksum = 0xFFFF;
        BinaryPrimitives.WriteUInt16BigEndian(_bytes[at..], checksum);
    }

    private ushort Get(int at) => BinaryPrimitives.ReadUInt16BigEndian(_bytes[(TransportAt + at)..]);

    private IpAddress AddressAt(int at) => IpAddress.FromBytes(_bytes.Slice(at, _isV4 ? 4 : 16));
}
