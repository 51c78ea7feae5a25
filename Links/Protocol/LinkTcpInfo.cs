using Tapwire.Stack.Tcp;
using static System.Buffers.Binary.BinaryPrimitives;

namespace Tapwire.Links.Protocol;

/// <summary>struct tcp_info of linux/tcp.h, the value of TCP_INFO. Fields that the stack does not count are zero.</summary>
public static class LinkTcpInfo
{
    /// <summary>Bytes of the struct up to and including tcpi_rcv_wnd.</summary>
    public const int Size = 240;

    private const byte Timestamps = 1;
    private const byte SelectiveAck = 2;
    private const byte Ecn = 8;

    /// <summary>Writes <see cref="Size"/> bytes.</summary>
    public static void Write(in TcpInfo info, Span<byte> to)
    {
        to = to[..Size];
        to.Clear();
        var segment = Math.Max(1, info.SegmentSize);
        to[0] = StateNumber(info.State);
        to[2] = (byte)Math.Min(info.Timeouts, byte.MaxValue);
        to[4] = (byte)Math.Min(info.Backoff, byte.MaxValue);
        to[5] = (byte)((info.Timestamps ? Timestamps : 0) | (info.SelectiveAck ? SelectiveAck : 0) | (info.Ecn ? Ecn : 0));
        WriteUInt32LittleEndian(to[8..], Microseconds(info.Rto));
        WriteUInt32LittleEndian(to[16..], (uint)info.SegmentSize);
        WriteUInt32LittleEndian(to[20..], (uint)info.SegmentSize);
        WriteUInt32LittleEndian(to[24..], Segments(info.BytesInFlight));
        WriteUInt32LittleEndian(to[68..], Microseconds(info.RoundTrip));
        WriteUInt32LittleEndian(to[72..], Microseconds(info.RoundTripVariation));
        WriteUInt32LittleEndian(to[76..], Segments(info.SlowStartThreshold));
        WriteUInt32LittleEndian(to[80..], Segments(info.CongestionWindow));
        WriteUInt32LittleEndian(to[84..], (uint)info.SegmentSize);
        WriteUInt32LittleEndian(to[100..], (uint)info.Retransmits);
        WriteInt64LittleEndian(to[104..], info.PacingRate == 0 ? -1 : info.PacingRate);
        WriteInt64LittleEndian(to[112..], -1);
        WriteInt64LittleEndian(to[120..], info.BytesDelivered);
        WriteUInt32LittleEndian(to[144..], (uint)Math.Max(0, info.SendQueue - info.BytesInFlight));
        WriteUInt32LittleEndian(to[148..], Microseconds(info.MinRoundTrip));
        WriteUInt32LittleEndian(to[192..], Segments(info.BytesDelivered));
        WriteUInt32LittleEndian(to[220..], info.ReorderingSeen ? 1u : 0);
        WriteUInt32LittleEndian(to[228..], (uint)Math.Min(info.SendWindow, uint.MaxValue));
        WriteUInt32LittleEndian(to[232..], (uint)Math.Min(info.ReceiveWindow, uint.MaxValue));

        uint Segments(long bytes) => (uint)Math.Min((bytes + segment - 1) / segment, int.MaxValue);
    }

    /// <summary>net/tcp_states.h.</summary>
    private static byte StateNumber(TcpState state) => state switch
    {
        TcpState.Established => 1,
        TcpState.SynSent => 2,
        TcpState.SynReceived => 3,
        TcpState.FinWait1 => 4,
        TcpState.FinWait2 => 5,
        TcpState.TimeWait => 6,
        TcpState.CloseWait => 8,
        TcpState.LastAck => 9,
        TcpState.Closing => 11,
        _ => 7,
    };

    private static uint Microseconds(TimeSpan time) => (uint)Math.Min(time.Ticks / TimeSpan.TicksPerMicrosecond, uint.MaxValue);
}
