using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Tapwire.Stack.Packets;

/// <summary>The control bits (RFC 9293, 3.1; RFC 3168).</summary>
[Flags]
public enum TcpFlags : byte
{
    None = 0,
    Fin = 1,
    Syn = 2,
    Rst = 4,
    Psh = 8,
    Ack = 16,
    Urg = 32,
    Ece = 64,
    Cwr = 128,
}

/// <summary>A range of sequence numbers that has arrived (RFC 2018): from <see cref="Start"/> up to, not including, <see cref="End"/>.</summary>
internal readonly record struct SackBlock(uint Start, uint End)
{
    public bool IsEmpty => Start == End;
}

/// <summary>Up to four SACK blocks: what fits into 40 bytes of options.</summary>
[InlineArray(4)]
internal struct SackBlocks
{
    private SackBlock _first;
}

/// <summary>The outcome of parsing a TCP header.</summary>
internal enum TcpParseResult : byte
{
    Ok,

    /// <summary>Fewer than 20 bytes.</summary>
    Truncated,

    /// <summary>Data offset below 5, or beyond the segment.</summary>
    BadOffset,

    /// <summary>An option whose length is below 2, or that runs over the end of the header.</summary>
    BadOptions,
}

/// <summary>
/// A TCP header with its options (RFC 9293, 3.1; RFC 7323; RFC 2018; RFC 7413). Options of an unknown kind, or of a length that their kind cannot have, are
/// skipped, as in Linux; a list of options that cannot be walked is refused.
/// </summary>
internal struct TcpHeader
{
    public const int MinLength = TcpField.MinLength;
    public const int MaxLength = TcpField.MaxLength;
    public const int ChecksumOffset = 16;

    /// <summary>NOP, NOP, kind, length, two times four bytes.</summary>
    public const int TimestampLength = 12;

    private const byte KindEnd = 0;
    private const byte KindNop = 1;
    private const byte KindMss = 2;
    private const byte KindWindowScale = 3;
    private const byte KindSackPermitted = 4;
    private const byte KindSack = 5;
    private const byte KindTimestamp = 8;
    private const byte KindFastOpen = 34;
    private const uint AlignedTimestamp = KindNop << 24 | KindNop << 16 | KindTimestamp << 8 | 10;

    public ushort SourcePort;
    public ushort DestinationPort;
    public uint Sequence;
    public uint Acknowledgment;
    public TcpFlags Flags;
    public ushort Window;
    public ushort UrgentPointer;

    /// <summary>The MSS option; 0: absent (an MSS of 0 means nothing either).</summary>
    public ushort Mss;

    public bool HasWindowScale;
    public bool SackPermitted;
    public bool HasTimestamp;
    public bool HasFastOpen;
    public byte WindowScale;
    public byte SackCount;

    /// <summary>The packet's ECN field was "congestion experienced" (RFC 3168). Not part of the header.</summary>
    public bool IsMarked;
    public uint TimestampValue;
    public uint TimestampEcho;
    public SackBlocks Sacks;
    public FastOpenCookie FastOpenCookie;

    public readonly bool Has(TcpFlags flags) => (Flags & flags) != 0;

    /// <summary>Length of the header when emitted: 20 bytes, options, padding to a multiple of four.</summary>
    public readonly int Length
    {
        get
        {
            var length = MinLength;
            if (Mss != 0)
                length += 4;
            if (HasTimestamp)
                length += TimestampLength;
            else if (SackPermitted)
                length += 4;
            if (HasWindowScale)
                length += 4;
            if (HasFastOpen)
                length += FastOpenLength;
            if (SackCount != 0)
                length += 4 + 8 * SackCount;
            return length;
        }
    }

    /// <summary>Kind, length, cookie, and NOPs up to a multiple of four. With all other options of a SYN a cookie of 16 bytes fills the header.</summary>
    private readonly int FastOpenLength => (2 + FastOpenCookie.Length + 3) / 4 * 4;

    /// <summary>Reads the header at the front of a segment.</summary>
    /// <param name="headerLength">20..60: offset of the payload.</param>
    public static TcpParseResult TryParse(ReadOnlySpan<byte> segment, out TcpHeader header, out int headerLength)
    {
        header = default;
        headerLength = 0;
        if (segment.Length < MinLength)
            return TcpParseResult.Truncated;
        headerLength = TcpField.LengthOf(segment[TcpField.DataOffset]);
        if (headerLength < MinLength || headerLength > segment.Length)
            return TcpParseResult.BadOffset;
        header.SourcePort = BinaryPrimitives.ReadUInt16BigEndian(segment);
        header.DestinationPort = BinaryPrimitives.ReadUInt16BigEndian(segment[TcpField.DestinationPort..]);
        header.Sequence = BinaryPrimitives.ReadUInt32BigEndian(segment[TcpField.Sequence..]);
        header.Acknowledgment = BinaryPrimitives.ReadUInt32BigEndian(segment[TcpField.Acknowledgment..]);
        header.Flags = (TcpFlags)segment[TcpField.Flags];
        header.Window = BinaryPrimitives.ReadUInt16BigEndian(segment[TcpField.Window..]);
        header.UrgentPointer = BinaryPrimitives.ReadUInt16BigEndian(segment[TcpField.UrgentPointer..]);
        return header.ParseOptions(segment[MinLength..headerLength]) ? TcpParseResult.Ok : TcpParseResult.BadOptions;
    }

    /// <summary>Writes the header and its options, <see cref="Length"/> bytes, with a checksum of zero.</summary>
    public readonly void Emit(Span<byte> destination)
    {
        var length = Length;
        BinaryPrimitives.WriteUInt16BigEndian(destination, SourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(destination[TcpField.DestinationPort..], DestinationPort);
        BinaryPrimitives.WriteUInt32BigEndian(destination[TcpField.Sequence..], Sequence);
        BinaryPrimitives.WriteUInt32BigEndian(destination[TcpField.Acknowledgment..], Acknowledgment);
        destination[TcpField.DataOffset] = (byte)(length / 4 << 4);
        destination[TcpField.Flags] = (byte)Flags;
        BinaryPrimitives.WriteUInt16BigEndian(destination[TcpField.Window..], Window);
        BinaryPrimitives.WriteUInt16BigEndian(destination[ChecksumOffset..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(destination[TcpField.UrgentPointer..], UrgentPointer);
        EmitOptions(destination[MinLength..length]);
    }

    private readonly void EmitOptions(Span<byte> to)
    {
        if (Mss != 0)
        {
            to[0] = KindMss;
            to[1] = 4;
            BinaryPrimitives.WriteUInt16BigEndian(to[2..], Mss);
            to = to[4..];
        }

        if (HasTimestamp)
        {
            // On a SYN, "SACK permitted" takes the place of the two NOPs.
            BinaryPrimitives.WriteUInt32BigEndian(to, SackPermitted ? KindSackPermitted << 24 | 2 << 16 | KindTimestamp << 8 | 10 : AlignedTimestamp);
            BinaryPrimitives.WriteUInt32BigEndian(to[4..], TimestampValue);
            BinaryPrimitives.WriteUInt32BigEndian(to[8..], TimestampEcho);
            to = to[TimestampLength..];
        }
        else if (SackPermitted)
        {
            BinaryPrimitives.WriteUInt32BigEndian(to, KindNop << 24 | KindNop << 16 | KindSackPermitted << 8 | 2);
            to = to[4..];
        }

        if (HasWindowScale)
        {
            BinaryPrimitives.WriteUInt32BigEndian(to, (uint)(KindNop << 24 | KindWindowScale << 16 | 3 << 8 | WindowScale));
            to = to[4..];
        }

        if (HasFastOpen)
        {
            to[..FastOpenLength].Fill(KindNop);
            to[0] = KindFastOpen;
            to[1] = (byte)(2 + FastOpenCookie.Length);
            FastOpenCookie.Write(to[2..]);
            to = to[FastOpenLength..];
        }

        if (SackCount == 0)
            return;
        BinaryPrimitives.WriteUInt32BigEndian(to, (uint)(KindNop << 24 | KindNop << 16 | KindSack << 8 | (2 + 8 * SackCount)));
        for (var i = 0; i < SackCount; i++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(to[(4 + 8 * i)..], Sacks[i].Start);
            BinaryPrimitives.WriteUInt32BigEndian(to[(8 + 8 * i)..], Sacks[i].End);
        }
    }

    private bool ParseOptions(ReadOnlySpan<byte> options)
    {
        // Fast path: nearly every segment of a connection with timestamps has only these options (RFC 7323, appendix A).
        if (options.Length == TimestampLength && BinaryPrimitives.ReadUInt32BigEndian(options) == AlignedTimestamp)
        {
            ParseOption(KindTimestamp, options[4..]);
            return true;
        }

        while (!options.IsEmpty)
        {
            var kind = options[0];
            if (kind == KindEnd)
                return true;
            if (kind == KindNop)
            {
                options = options[1..];
                continue;
            }

            if (options.Length < 2 || options[1] < 2 || options[1] > options.Length)
                return false;
            ParseOption(kind, options[2..options[1]]);
            options = options[options[1]..];
        }

        return true;
    }

    private void ParseOption(byte kind, ReadOnlySpan<byte> value)
    {
        switch (kind)
        {
            case KindMss when value.Length == 2:
                Mss = BinaryPrimitives.ReadUInt16BigEndian(value);
                break;
            case KindWindowScale when value.Length == 1:
                HasWindowScale = true;
                WindowScale = value[0];
                break;
            case KindSackPermitted when value.Length == 0:
                SackPermitted = true;
                break;
            case KindTimestamp when value.Length == 8:
                HasTimestamp = true;
                TimestampValue = BinaryPrimitives.ReadUInt32BigEndian(value);
                TimestampEcho = BinaryPrimitives.ReadUInt32BigEndian(value[4..]);
                break;
            case KindFastOpen when FastOpenCookie.IsValidLength(value.Length):
                HasFastOpen = true;
                FastOpenCookie = FastOpenCookie.Read(value);
                break;
            case KindSack when value.Length is 8 or 16 or 24 or 32:
                SackCount = (byte)(value.Length / 8);
                for (var i = 0; i < SackCount; i++)
                    Sacks[i] = new SackBlock(BinaryPrimitives.ReadUInt32BigEndian(value[(8 * i)..]), BinaryPrimitives.ReadUInt32BigEndian(value[(8 * i + 4)..]));
                break;
        }
    }
}
