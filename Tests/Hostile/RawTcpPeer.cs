using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Hostile;

/// <summary>
/// One end of a connection that is no TCP: it follows what the stack at the other end sends, and says what its owner likes. Its segments' checksums are vouched for,
/// as by a device.
/// </summary>
internal sealed class RawTcpPeer(BufferPool pool, MacAddress ownMac, MacAddress itsMac, IpEndpoint own, IpEndpoint its, Action<PacketBuffer> send, uint iss)
{
    public IpEndpoint Own => own;

    /// <summary>Options of the SYN.</summary>
    public ushort Mss { get; set; } = 1460;

    public byte WindowScale { get; set; } = 14;

    public bool Timestamps { get; set; } = true;

    public bool Ecn { get; set; }

    /// <summary>The other end has answered the SYN.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>The other end has sent a reset.</summary>
    public bool IsReset { get; private set; }

    /// <summary>The other end has sent its FIN.</summary>
    public bool IsEnded { get; private set; }

    /// <summary>Next sequence number of this end. Its owner moves it.</summary>
    public uint SndNxt { get; set; } = iss + 1;

    /// <summary>What the other end acknowledges.</summary>
    public uint Acknowledged { get; private set; } = iss;

    /// <summary>The window that it announces, in bytes.</summary>
    public uint Window { get; private set; }

    /// <summary>Everything of the other end has come up to here, if nothing is lost.</summary>
    public uint RcvNxt { get; private set; }

    /// <summary>What this end acknowledges. Its owner moves it.</summary>
    public uint Una { get; set; }

    /// <summary>Timestamp to be sent.</summary>
    public uint Clock { get; set; } = 1;

    /// <summary>The other end's last timestamp.</summary>
    public uint Echo { get; private set; }

    /// <summary>Segments with data that have come, those that only repeat included, and segments without.</summary>
    public long DataSegments { get; private set; }

    public long ControlSegments { get; private set; }

    public int SackRoom => Timestamps ? 3 : 4;

    private readonly uint _iss = iss;
    private byte _itsScale;

    public void Connect()
    {
        var header = Header(TcpFlags.Syn | (Ecn ? TcpFlags.Ece | TcpFlags.Cwr : 0));
        header.Sequence = _iss;
        header.Acknowledgment = 0;
        header.Mss = Mss;
        header.SackPermitted = true;
        header.HasWindowScale = true;
        header.WindowScale = WindowScale;
        Send(header);
    }

    /// <summary>A segment's header as an honest peer's would be now, with the largest window.</summary>
    public TcpHeader Header(TcpFlags flags = TcpFlags.Ack) => new()
    {
        SourcePort = own.Port,
        DestinationPort = its.Port,
        Sequence = SndNxt,
        Acknowledgment = Una,
        Flags = flags,
        Window = ushort.MaxValue,
        HasTimestamp = Timestamps,
        TimestampValue = Clock,
        TimestampEcho = Echo,
    };

    /// <summary>Sends a segment with so many zeros as payload.</summary>
    public void Send(in TcpHeader header, int payload = 0, byte trafficClass = 0) => send(Frame(header, payload, trafficClass));

    public PacketBuffer Frame(in TcpHeader header, int payload = 0, byte trafficClass = 0)
    {
        var length = header.Length + payload;
        var isV6 = own.Address.IsV6;
        var frame = pool.Rent(EthernetHeader.Length + Ipv6Header.Length + length);
        new EthernetHeader(itsMac, ownMac, isV6 ? EtherType.Ipv6 : EtherType.Ipv4).Emit(frame.Append(EthernetHeader.Length));
        if (isV6)
        {
            new Ipv6Header
            {
                Source = own.Address,
                Destination = its.Address,
                NextHeader = IpProtocol.Tcp,
                HopLimit = 64,
                TrafficClass = trafficClass,
                PayloadLength = (ushort)length,
            }.Emit(frame.Append(Ipv6Header.Length));
        }
        else
        {
            new Ipv4Header
            {
                Source = own.Address,
                Destination = its.Address,
                Protocol = IpProtocol.Tcp,
                HopLimit = 64,
                TrafficClass = trafficClass,
                PayloadLength = (ushort)length,
            }.Emit(frame.Append(Ipv4Header.Length));
        }

        header.Emit(frame.Append(header.Length));
        frame.Append(payload).Clear();
        frame.Offload.Checksum = ChecksumState.Verified;
        return frame;
    }

    /// <summary>Takes note of a segment of the other end's.</summary>
    public void Hear(in TcpHeader header, int payload)
    {
        if (payload > 0)
            DataSegments++;
        else
            ControlSegments++;
        if (header.Has(TcpFlags.Rst))
        {
            IsReset = true;
            return;
        }

        if (header.HasTimestamp)
            Echo = header.TimestampValue;
        if (header.Has(TcpFlags.Syn))
        {
            if (IsOpen)
                return;
            IsOpen = true;
            _itsScale = header.HasWindowScale ? header.WindowScale : (byte)0;
            Timestamps &= header.HasTimestamp;
            RcvNxt = header.Sequence + 1;
            Una = RcvNxt;
            Acknowledged = header.Acknowledgment;
            Window = header.Window;
            Send(Header());
            return;
        }

        Window = (uint)header.Window << _itsScale;
        Acknowledged = Seq.Max(Acknowledged, header.Acknowledgment);
        var end = header.Sequence + (uint)payload + (header.Has(TcpFlags.Fin) ? 1u : 0);
        if (IsOpen && Seq.Gt(end, RcvNxt))
            RcvNxt = end;
        IsEnded |= header.Has(TcpFlags.Fin);
    }
}
