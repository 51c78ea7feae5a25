using Tapwire.Stack.Interfaces;
using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Support;
using Tapwire.Wires;

namespace Tapwire.Tests.Hostile;

/// <summary>
/// Makes hostile frames of those that are on their way, with the sequence numbers of now.
/// </summary>
/// <remarks>
/// No stack can tell a forged segment from a true one if addresses, ports, checksum and numbers are right: it would put wrong bytes into the stream, and
/// rightly so. Frames that would pass as segments of an honest connection, and are no mere copies, are therefore made into what RFC 9293, RFC 5961 and RFC 7323
/// want ignored (numbers outside of the window, an acknowledgement of what was never sent, a SYN, a reset that is not exact), or sent to a sacrificial
/// connection, which gets everything. So a spoofer that sees the traffic is tried on the sacrificial connections; one that does not, on all.
/// </remarks>
internal sealed class FrameMutator(FrameCase @case, SeededRandom random)
{
    private const WireOffloads All =
        WireOffloads.Checksum | WireOffloads.TcpSegmentationV4 | WireOffloads.TcpSegmentationV6 | WireOffloads.UdpSegmentation;

    private const int TcpMinimum = 20;
    private const int SequenceAt = 4;
    private const int AcknowledgmentAt = 8;
    private const int FlagsAt = 13;
    private const int TcpChecksumAt = 16;

    /// <summary>Far outside of any window, and no further than half the numbers.</summary>
    private const uint Far = 0x4000_0000;

    private readonly int _link = @case.Link == Medium.Ip ? 0 : EthernetHeader.Length;
    private readonly byte[] _frame = new byte[FrameMemory.MaxLength + Tampering.MaxGrowth];
    private readonly byte[] _header = new byte[VirtioNetHeader.Length];
    private int _length;

    /// <summary>The frame made last, for the message of a failure.</summary>
    public string Last => $"note {Convert.ToHexString(_header)}, frame {Convert.ToHexString(_frame.AsSpan(0, _length))}";

    /// <summary>Hostile frames that would have got into an honest connection, and were turned aside.</summary>
    public long TurnedAside { get; private set; }

    /// <summary>Notes that the parser has refused, with their frames.</summary>
    public long RefusedNotes { get; private set; }

    /// <summary>Makes one more frame.</summary>
    /// <param name="to">Who will get it.</param>
    /// <param name="direct">Before anything else happens.</param>
    /// <returns>Null: its virtio-net header has been refused.</returns>
    public PacketBuffer? Make(FrameMemory live, FrameMemory known, HostileHost to, BufferPool pool, bool direct)
    {
        var from = random.OneIn(6) ? known : live;
        var template = from.Any(random, out var note);
        template.CopyTo(_frame);
        _length = template.Length;
        var kind = random.Next(16);
        if (kind == 0)
        {
            // A copy, as a network makes them.
        }
        else if (kind < 5 && IsPlainTcp(_frame.AsSpan(0, _length)))
        {
            Nudge();
            Tampering.Repair(_frame.AsSpan(0, _length), _link);
        }
        else
        {
            _length = Tampering.Mutate(_frame, _length, live.Any(random, out _), random, _link);
            if (random.OneIn(2))
                Tampering.Repair(_frame.AsSpan(0, _length), _link);
        }

        // Longer ones do not fit a device without offloads. Super-frames are put through the sender's wire.
        var isSuper = @case.Path == FramePath.Virtio || note.Segmentation != Segmentation.None;
        if (!isSuper)
            _length = Math.Min(_length, FrameQueueWire.Limit - 1);
        var frame = pool.RentFilled(_length);
        frame.Offload = note;
        if (isSuper || note.Checksum != ChecksumState.None)
        {
            if (!Annotate(frame, note))
            {
                RefusedNotes++;
                frame.Release();
                return null;
            }
        }
        else
        {
            _header.AsSpan().Clear();
        }

        if (@case.Spares && Hits(_frame.AsSpan(0, _length), frame.Offload.Checksum != ChecksumState.None, to, template, out var stream))
        {
            TurnedAside++;
            TurnAside(_frame.AsSpan(0, _length), to, stream!, direct);
        }

        _frame.AsSpan(0, _length).CopyTo(frame.Span);
        return frame;
    }

    /// <summary>Changes what a connection looks at: numbers by a little, flags, window.</summary>
    private void Nudge()
    {
        var ip = _link + (@case.IsV6 ? Ipv6Header.Length : Ipv4Header.Length);
        var tcp = _frame.AsSpan(ip, _length - ip);
        for (var changes = random.Next(1, 4); changes > 0; changes--)
        {
            switch (random.Next(5))
            {
                case 0:
                    Add(tcp[SequenceAt..], (uint)random.Next(-3000, 3000));
                    break;
                case 1:
                    Add(tcp[AcknowledgmentAt..], (uint)random.Next(-3000, 3000));
                    break;
                case 2:
                    tcp[FlagsAt] ^= (byte)(1 << random.Next(8));
                    break;
                case 3:
                    BinaryPrimitives.WriteUInt16BigEndian(tcp[14..], (ushort)(random.OneIn(3) ? 0 : random.Next(65536)));
                    break;
                default:
                    // Options, or the first bytes of data.
                    var at = Math.Min(tcp.Length - 1, random.Next(TcpMinimum, 60));
                    tcp[at] = (byte)random.Next(random.OneIn(2) ? 9 : 256);
                    break;
            }
        }
    }

    /// <summary>Gives the frame the note of a virtio-net header that may have been tampered with.</summary>
    /// <returns>False: such a header is refused.</returns>
    private bool Annotate(PacketBuffer frame, OffloadNote note)
    {
        _frame.AsSpan(0, _length).CopyTo(frame.Span);
        VirtioNetHeader.TryEmit(frame, All, _header);
        if (random.OneIn(3))
        {
            for (var changes = random.Next(1, 4); changes > 0; changes--)
                _header[random.Next(_header.Length)] = (byte)random.Next(random.OneIn(2) ? 8 : 256);
        }

        var good = VirtioNetHeader.TryParse(_header, frame.Span, _link, out note);
        frame.Offload = note;
        return good;
    }

    /// <summary>Whether a stack would take the frame for a segment of an honest connection, and it is more than a copy of one.</summary>
    /// <param name="trusted">Nobody looks at the checksum.</param>
    private bool Hits(ReadOnlySpan<byte> frame, bool trusted, HostileHost to, ReadOnlySpan<byte> template, out HonestStream? stream)
    {
        stream = null;
        if (!TryFindSegment(frame, out var ip, out var tcp))
            return false;
        int source = BinaryPrimitives.ReadUInt16BigEndian(tcp);
        int destination = BinaryPrimitives.ReadUInt16BigEndian(tcp[2..]);
        var index = (to.IsServer ? source : destination) - HostileHost.FirstClientPort;
        if ((to.IsServer ? destination : source) != HostileHost.HonestPort || (uint)index >= (uint)to.Streams.Length)
            return false;
        var isV6 = to.Address.IsV6;
        if (IpAddress.FromBytes(isV6 ? ip[24..40] : ip[16..20]) != to.Address || (!isV6 && Checksum.Sum(ip) != 0xFFFF))
            return false;
        if (!trusted && Checksum.Sum(tcp, Checksum.Sum(isV6 ? ip[8..40] : ip.Slice(12, 8), (uint)(IpProtocol.Tcp + tcp.Length))) != 0xFFFF)
            return false;
        stream = to.Streams[index];
        return stream is not null && !(TryFindSegment(template, out _, out var original) && original.SequenceEqual(tcp));
    }

    /// <param name="ip">The header, of IPv6 with its extension headers.</param>
    /// <param name="tcp">Header and payload.</param>
    private bool TryFindSegment(ReadOnlySpan<byte> frame, out ReadOnlySpan<byte> ip, out ReadOnlySpan<byte> tcp)
    {
        ip = tcp = default;
        if (@case.IsV6)
            return TryFindSegmentV6(frame, out ip, out tcp);
        if (frame.Length < _link + Ipv4Header.Length + TcpMinimum)
            return false;
        var packet = frame[_link..];
        var header = (packet[0] & 15) * 4;
        int total = BinaryPrimitives.ReadUInt16BigEndian(packet[2..]);
        if (packet[9] != IpProtocol.Tcp || header < Ipv4Header.Length || total < header + TcpMinimum || total > packet.Length)
            return false;
        ip = packet[..header];
        tcp = packet[header..total];
        return true;
    }

    private bool TryFindSegmentV6(ReadOnlySpan<byte> frame, out ReadOnlySpan<byte> ip, out ReadOnlySpan<byte> tcp)
    {
        ip = tcp = default;
        if (frame.Length < _link + Ipv6Header.Length + TcpMinimum)
            return false;
        var packet = frame[_link..];
        var total = Ipv6Header.Length + BinaryPrimitives.ReadUInt16BigEndian(packet[Ipv6Field.PayloadLength..]);
        if (total > packet.Length)
            return false;
        packet = packet[..total];
        var chain = Ipv6HeaderChain.Walk(packet);
        // A fragment that is a whole datagram (RFC 6946) is taken as if it had no such header.
        if (chain.Problem == Ipv6ChainProblem.None && chain.NextHeader == Ipv6Extension.Fragment && chain.Length + Ipv6FragmentHeader.Length <= total)
            chain = Ipv6HeaderChain.Walk(packet, chain.Length, chain.Length + Ipv6FragmentHeader.Length);
        if (chain.Problem != Ipv6ChainProblem.None || chain.NextHeader != IpProtocol.Tcp || chain.Length + TcpMinimum > total)
            return false;
        ip = packet[..chain.Length];
        tcp = packet[chain.Length..];
        return true;
    }

    private void TurnAside(Span<byte> frame, HostileHost to, HonestStream stream, bool direct)
    {
        TryFindSegment(frame, out var header, out _);
        var tcp = frame[(_link + header.Length)..];
        ref var flags = ref tcp[FlagsAt];
        switch (random.Next(direct ? 5 : 4))
        {
            case 0:
                BinaryPrimitives.WriteUInt16BigEndian(tcp[(to.IsServer ? 2 : 0)..], SacrificialSockets.Port);
                break;
            case 1:
                BinaryPrimitives.WriteUInt32BigEndian(tcp[SequenceAt..], stream.Socket.Connection.Receiver.RcvNxt + Far + (uint)random.Next((int)Far));
                break;
            case 2:
                flags = (byte)((flags | (byte)TcpFlags.Ack) & ~(byte)TcpFlags.Rst);
                BinaryPrimitives.WriteUInt32BigEndian(tcp[AcknowledgmentAt..], stream.Socket.SndNxt + Far / 2 + (uint)random.Next((int)Far / 2));
                break;
            case 3:
                flags = (byte)((flags | (byte)TcpFlags.Syn) & ~(byte)(TcpFlags.Rst | TcpFlags.Fin));
                break;
            default:
                flags |= (byte)TcpFlags.Rst;
                BinaryPrimitives.WriteUInt32BigEndian(tcp[SequenceAt..], stream.Socket.Connection.Receiver.RcvNxt + 1 + (uint)random.Next(1000));
                break;
        }

        Tampering.Repair(frame, _link);
    }

    private bool IsPlainTcp(ReadOnlySpan<byte> frame) =>
        @case.IsV6 ? frame.Length >= _link + Ipv6Header.Length + TcpMinimum && frame[_link] >> 4 == 6 && frame[_link + Ipv6Field.NextHeader] == IpProtocol.Tcp
            : frame.Length >= _link + Ipv4Header.Length + TcpMinimum && frame[_link] == 0x45 && frame[_link + 9] == IpProtocol.Tcp;

    private static void Add(Span<byte> word, uint summand) =>
        BinaryPrimitives.WriteUInt32BigEndian(word, BinaryPrimitives.ReadUInt32BigEndian(word) + summand);
}
