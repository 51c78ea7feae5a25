using System.Buffers.Binary;
using System.Text;
using Tapwire.Stack.Interfaces;

namespace Tapwire.Wires.Capture;

/// <summary>Which way a packet went, as the last two bits of epb_flags say it.</summary>
public enum CaptureDirection : byte
{
    Inbound = 1,
    Outbound = 2,
}

/// <summary>
/// The blocks of a pcapng file (draft-ietf-opsawg-pcapng), little-endian, with times in nanoseconds since 1970. A file of one section: its header, the description of each interface before its first packet,
/// the packets, and at the end the statistics of each interface.
/// </summary>
public static class Pcapng
{
    public const uint SectionHeader = 0x0A0D0D0A;
    public const uint InterfaceDescription = 1;
    public const uint InterfaceStatistics = 5;
    public const uint EnhancedPacket = 6;

    /// <summary>Bytes of an enhanced packet block before the packet's data.</summary>
    public const int PacketHeaderLength = 28;

    /// <summary>The most bytes of one block that <see cref="PacketTail"/> writes after the data and its padding, with a comment of <see cref="MaxComment"/> bytes.</summary>
    public const int MaxTailLength = 8 + 4 + MaxComment + 4 + 4;

    /// <summary>The longest comment on a packet, in bytes; longer ones are cut.</summary>
    public const int MaxComment = 64;

    public const ushort OptionEnd = 0;
    public const ushort OptionComment = 1;

    /// <summary>epb_flags.</summary>
    public const ushort PacketFlags = 2;

    /// <summary>isb_ifrecv: packets captured.</summary>
    public const ushort StatisticsReceived = 4;

    /// <summary>isb_ifdrop: packets dropped because the reader of the capture was too slow.</summary>
    public const ushort StatisticsDropped = 5;

    private const uint ByteOrderMagic = 0x1A2B3C4D;
    private const ushort LinkTypeEthernet = 1;
    private const ushort LinkTypeRaw = 101;
    private const ushort SectionApplication = 4;
    private const ushort InterfaceName = 2;
    private const ushort InterfaceText = 3;
    private const ushort InterfaceResolution = 9;
    private const ushort StatisticsStart = 2;
    private const ushort StatisticsEnd = 3;

    /// <summary>The header of the file.</summary>
    /// <param name="application">The program that writes it.</param>
    public static byte[] Header(string application)
    {
        var block = new BlockBuilder(SectionHeader);
        block.Put32(ByteOrderMagic);
        block.Put16(1);
        block.Put16(0);
        // The length of the section is not known.
        block.Put64(ulong.MaxValue);
        block.Option(SectionApplication, Encoding.UTF8.GetBytes(application));
        return block.Finish();
    }

    /// <summary>The description of an interface. Their order in the file makes their numbers.</summary>
    /// <param name="snapLength">Bytes recorded of each packet at most.</param>
    public static byte[] Describe(CapturedInterface captured, int snapLength)
    {
        var block = new BlockBuilder(InterfaceDescription);
        block.Put16(captured.Medium == Medium.Ethernet ? LinkTypeEthernet : LinkTypeRaw);
        block.Put16(0);
        block.Put32((uint)snapLength);
        block.Option(InterfaceName, Encoding.UTF8.GetBytes(captured.Name));
        block.Option(InterfaceText, Encoding.UTF8.GetBytes($"MTU {captured.Mtu}"));
        block.Option(InterfaceResolution, [9]);
        return block.Finish();
    }

    /// <summary>What an interface has counted, at the end of the file.</summary>
    /// <param name="start">When the capture began.</param>
    /// <param name="now">When it ends.</param>
    public static byte[] Statistics(CapturedInterface captured, long start, long now)
    {
        var block = new BlockBuilder(InterfaceStatistics);
        block.Put32((uint)captured.Id);
        block.PutTime(now);
        block.TimeOption(StatisticsStart, start);
        block.TimeOption(StatisticsEnd, now);
        block.NumberOption(StatisticsReceived, (ulong)captured.Received);
        block.NumberOption(StatisticsDropped, (ulong)captured.Dropped);
        return block.Finish();
    }

    /// <summary>Writes the beginning of a packet's block, <see cref="PacketHeaderLength"/> bytes; its length is written by <see cref="PacketTail"/>.</summary>
    /// <param name="captured">Bytes of data that follow, without padding.</param>
    /// <param name="original">Bytes that the packet has.</param>
    public static void PacketHeader(Span<byte> block, int id, long time, int captured, int original)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(block, EnhancedPacket);
        BinaryPrimitives.WriteUInt32LittleEndian(block[8..], (uint)id);
        BinaryPrimitives.WriteUInt32LittleEndian(block[12..], (uint)((ulong)time >> 32));
        BinaryPrimitives.WriteUInt32LittleEndian(block[16..], (uint)time);
        BinaryPrimitives.WriteUInt32LittleEndian(block[20..], (uint)captured);
        BinaryPrimitives.WriteUInt32LittleEndian(block[24..], (uint)original);
    }

    /// <summary>Writes the end of a packet's block, and the block's length at its start.</summary>
    /// <param name="block">Header, data and padding, with room for <see cref="MaxTailLength"/> bytes behind.</param>
    /// <param name="at">Where the tail begins.</param>
    /// <param name="comment">ASCII; null: none.</param>
    /// <returns>The length of the block.</returns>
    public static int PacketTail(Span<byte> block, int at, CaptureDirection direction, string? comment)
    {
        WriteOption(block[at..], PacketFlags, sizeof(uint));
        BinaryPrimitives.WriteUInt32LittleEndian(block[(at + 4)..], (uint)direction);
        at += 8;
        if (comment is not null)
        {
            var length = Math.Min(comment.Length, MaxComment);
            WriteOption(block[at..], OptionComment, length);
            block.Slice(at + 4, Padded(length)).Clear();
            Encoding.ASCII.GetBytes(comment.AsSpan(0, length), block[(at + 4)..]);
            at += 4 + Padded(length);
        }

        WriteOption(block[at..], OptionEnd, 0);
        at += 4;
        BinaryPrimitives.WriteUInt32LittleEndian(block[at..], (uint)(at + 4));
        BinaryPrimitives.WriteUInt32LittleEndian(block[4..], (uint)(at + 4));
        return at + 4;
    }

    /// <summary>A length with the padding to 32 bits.</summary>
    public static int Padded(int length) => (length + 3) & ~3;

    private static void WriteOption(Span<byte> to, ushort code, int length)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(to, code);
        BinaryPrimitives.WriteUInt16LittleEndian(to[2..], (ushort)length);
    }

    private sealed class BlockBuilder
    {
        private readonly List<byte> _bytes = [];

        public BlockBuilder(uint type)
        {
            Put32(type);
            Put32(0);
        }

        public void Put16(ushort value)
        {
            Span<byte> bytes = stackalloc byte[sizeof(ushort)];
            BinaryPrimitives.WriteUInt16LittleEndian(bytes, value);
            _bytes.AddRange(bytes);
        }

        public void Put32(uint value)
        {
            Span<byte> bytes = stackalloc byte[sizeof(uint)];
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
            _bytes.AddRange(bytes);
        }

        public void Put64(ulong value)
        {
            Put32((uint)value);
            Put32((uint)(value >> 32));
        }

        /// <summary>A time has its upper half first.</summary>
        public void PutTime(long value)
        {
            Put32((uint)((ulong)value >> 32));
            Put32((uint)value);
        }

        public void Option(ushort code, ReadOnlySpan<byte> value)
        {
            Put16(code);
            Put16((ushort)value.Length);
            _bytes.AddRange(value);
            for (var i = value.Length; i < Padded(value.Length); i++)
                _bytes.Add(0);
        }

        public void NumberOption(ushort code, ulong value)
        {
            Put16(code);
            Put16(sizeof(ulong));
            Put64(value);
        }

        public void TimeOption(ushort code, long value)
        {
            Put16(code);
            Put16(sizeof(ulong));
            PutTime(value);
        }

        public byte[] Finish()
        {
            Option(OptionEnd, []);
            Put32((uint)_bytes.Count + sizeof(uint));
            var block = _bytes.ToArray();
            BinaryPrimitives.WriteUInt32LittleEndian(block.AsSpan(4), (uint)block.Length);
            return block;
        }
    }
}
