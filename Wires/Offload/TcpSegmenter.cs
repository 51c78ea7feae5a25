using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Wires.Offload;

/// <summary>
/// Cuts TCP super-frames over IPv4 or IPv6 into segments, one super-frame after the other. A segment has its own small buffer for its headers, and refers to the
/// super-frame's payload without a copy. Parts of the checksum that do not depend on the segment are summed once per super-frame.
/// </summary>
/// <param name="pool">Rents the headers' buffers, which are kept until the end.</param>
/// <param name="linkHeader">14 on Ethernet, 0 on raw IP.</param>
internal sealed class TcpSegmenter(BufferPool pool, int linkHeader) : IDisposable
{
    /// <summary>Segments per call of the wire.</summary>
    public const int Batch = 64;

    private const int MaxHeaders = 256;

    private const byte Fin = (byte)TcpFlags.Fin;
    private const byte Psh = (byte)TcpFlags.Psh;
    private const byte Cwr = (byte)TcpFlags.Cwr;

    private readonly PacketBuffer?[] _segments = new PacketBuffer?[Batch];
    private PacketBuffer? _frame;
    private int _cut;

    // State of the super-frame. The sums leave out what differs between segments.
    private bool _isV6;
    private int _headers;
    private int _tcpAt;
    private int _segmentSize;
    private uint _sequence;

    // IPv4 only: IPv6 has neither an identification nor a checksum.
    private ushort _identification;
    private uint _ipSum;
    private byte _offset;
    private byte _flags;
    private uint _tcpSum;

    // The next byte of the super-frame to be sent, and the number of segments before it.
    private int _next;
    private int _sent;

    /// <summary>Takes a super-frame to cut, or continues with an unfinished one that is offered again. The frame is held until it is finished.</summary>
    /// <returns>False if the frame is no super-frame, or contradicts its note.</returns>
    public bool TryBegin(PacketBuffer frame)
    {
        if (frame == _frame)
            return true;
        Forget();
        if (!IsConsistent(frame, linkHeader))
            return false;
        _frame = frame.Retain();
        Span<byte> headers = stackalloc byte[MaxHeaders];
        headers = headers[..frame.Offload.HeaderLength];
        frame.Span[..headers.Length].CopyTo(headers);
        _isV6 = frame.Offload.Segmentation == Segmentation.TcpV6;
        _headers = headers.Length;
        _tcpAt = frame.Offload.ChecksumStart;
        _segmentSize = frame.Offload.SegmentSize;
        _next = _headers;
        _sent = 0;
        ReadIp(headers[linkHeader.._tcpAt]);
        ReadTcp(headers[_tcpAt..]);
        return true;
    }

    /// <summary>The next segments, at most <see cref="Batch"/>; none at the end of the super-frame. They stay this object's. The caller reports how many it has
    /// <see cref="Sent"/>.</summary>
    public ReadOnlySpan<PacketBuffer> Cut()
    {
        if (_frame is not { } frame)
            return default;
        var (next, end) = (_next, frame.TotalLength);
        for (_cut = 0; _cut < Batch && next < end; _cut++)
        {
            var segment = _segments[_cut] ??= pool.Rent(MaxHeaders);
            next += Fill(segment, frame, next, _sent + _cut);
        }

        if (_cut == 0)
            Forget();
        return _segments.AsSpan(0, _cut)!;
    }

    /// <summary>Counts segments that have been sent; the others of the last cut will be cut again.</summary>
    public void Sent(int count)
    {
        for (var i = 0; i < _cut; i++)
        {
            var segment = _segments[i]!;
            if (i < count)
                _next += segment.TotalLength - _headers;
            segment.Reset(0);
        }

        _sent += count;
        _cut = 0;
    }

    public void Dispose()
    {
        Forget();
        foreach (ref var segment in _segments.AsSpan())
        {
            segment?.Release();
            segment = null;
        }
    }

    /// <summary>Checks what the code below relies on: a device would refuse or misread such a frame.</summary>
    private static bool IsConsistent(PacketBuffer frame, int linkHeader)
    {
        ref readonly var note = ref frame.Offload;
        var tcp = note.ChecksumStart;
        if (note.Checksum != ChecksumState.Partial || note.ChecksumOffset != TcpField.Checksum || note.SegmentSize == 0
            || note.HeaderLength > Math.Min(frame.Length, MaxHeaders) || note.HeaderLength >= frame.TotalLength || note.HeaderLength < tcp + TcpField.MinLength
            || note.HeaderLength != tcp + TcpField.LengthOf(frame.Span[tcp + TcpField.DataOffset]))
        {
            return false;
        }

        return note.Segmentation switch
        {
            Segmentation.TcpV4 => Ipv4View.TryParse(frame.Span[linkHeader..], out var ip) && ip.Version == 4 && ip.HeaderLength >= Ipv4Header.Length && ip.Protocol == IpProtocol.Tcp
                && tcp == linkHeader + ip.HeaderLength,
            Segmentation.TcpV6 => Ipv6View.TryParse(frame.Span[linkHeader..], out var ip) && ip.Version == 6 && ip.NextHeader == IpProtocol.Tcp && tcp == linkHeader + Ipv6Header.Length,
            _ => false,
        };
    }

    private void ReadIp(Span<byte> ip)
    {
        if (_isV6)
        {
            _tcpSum = Checksum.Sum(ip[Ipv6Field.Source..], ip[Ipv6Field.NextHeader]);
            return;
        }

        _identification = BinaryPrimitives.ReadUInt16BigEndian(ip[Ipv4Field.Identification..]);
        // TCP's pseudo-header contains protocol and addresses.
        _tcpSum = Checksum.Sum(ip.Slice(Ipv4Field.Source, 8), ip[Ipv4Field.Protocol]);
        ip[Ipv4Field.TotalLength..Ipv4Field.Fragment].Clear();
        ip.Slice(Ipv4Field.Checksum, 2).Clear();
        _ipSum = Checksum.Sum(ip);
    }

    private void ReadTcp(Span<byte> tcp)
    {
        _sequence = BinaryPrimitives.ReadUInt32BigEndian(tcp[TcpField.Sequence..]);
        (_offset, _flags) = (tcp[TcpField.DataOffset], tcp[TcpField.Flags]);
        tcp.Slice(TcpField.Sequence, 4).Clear();
        tcp.Slice(TcpField.DataOffset, 2).Clear();
        tcp.Slice(TcpField.Checksum, 2).Clear();
        _tcpSum = Checksum.Sum(tcp, _tcpSum);
    }

    /// <summary>Makes segment <paramref name="number"/>, whose payload begins at <paramref name="offset"/> of the super-frame.</summary>
    /// <returns>Length of its payload. It is less than the segment size for the last segment, and for one that would need more fragments than a buffer can
    /// have.</returns>
    private int Fill(PacketBuffer segment, PacketBuffer frame, int offset, int number)
    {
        var headers = segment.Append(_headers);
        frame.Span[.._headers].CopyTo(headers);
        var payload = segment.AddFragments(frame, offset, Math.Min(_segmentSize, frame.TotalLength - offset));
        var flags = _flags;
        if (number > 0)
            flags &= unchecked((byte)~Cwr);
        if (offset + payload < frame.TotalLength)
            flags &= unchecked((byte)~(Fin | Psh));
        if (_isV6)
            BinaryPrimitives.WriteUInt16BigEndian(headers[(linkHeader + Ipv6Field.PayloadLength)..], (ushort)(_headers - _tcpAt + payload));
        else
            PutIpv4(headers[linkHeader..], _headers - linkHeader + payload, (ushort)(_identification + number));
        PutTcp(segment, headers[_tcpAt..], _sequence + (uint)(offset - _headers), flags, payload);
        return payload;
    }

    private void PutIpv4(Span<byte> ip, int length, ushort identification)
    {
        BinaryPrimitives.WriteUInt16BigEndian(ip[Ipv4Field.TotalLength..], (ushort)length);
        BinaryPrimitives.WriteUInt16BigEndian(ip[Ipv4Field.Identification..], identification);
        BinaryPrimitives.WriteUInt16BigEndian(ip[Ipv4Field.Checksum..], Checksum.Finish(_ipSum + (uint)length + identification));
    }

    private void PutTcp(PacketBuffer segment, Span<byte> tcp, uint sequence, byte flags, int payload)
    {
        BinaryPrimitives.WriteUInt32BigEndian(tcp[TcpField.Sequence..], sequence);
        tcp[TcpField.Flags] = flags;
        var sum = _tcpSum + (uint)(tcp.Length + payload) + (sequence >> 16) + (ushort)sequence + (uint)(_offset << 8 | flags);
        BinaryPrimitives.WriteUInt16BigEndian(tcp[TcpField.Checksum..], Checksum.Finish(Checksum.Sum(segment, _headers, Checksum.Fold(sum))));
    }

    private void Forget()
    {
        _frame?.Release();
        _frame = null;
    }
}
