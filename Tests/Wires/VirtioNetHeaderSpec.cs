using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Wires;

public sealed class VirtioNetHeaderSpec
{
    private const int Ethernet = 14;
    private const WireOffloads All =
        WireOffloads.Checksum | WireOffloads.TcpSegmentationV4 | WireOffloads.TcpSegmentationV6 | WireOffloads.UdpSegmentation;

    private readonly BufferPool _pool = new();

    // flags, type, length of headers, segment size, checksum start, checksum offset: as Linux 6 sends them.
    public static TheoryData<string, byte, OffloadNote> Golden => new()
    {
        { "00 00 0000 0000 0000 0000", 0x45, default },
        { "01 00 0000 0000 2200 1000", 0x45, Partial(34, 16) },
        { "01 01 3600 B405 2200 1000", 0x45, Partial(34, 16) with { Segmentation = Segmentation.TcpV4, SegmentSize = 1460, HeaderLength = 54 } },
        { "01 81 3600 B405 2200 1000", 0x45, Partial(34, 16) with { Segmentation = Segmentation.TcpV4, SegmentSize = 1460, HeaderLength = 54, Ecn = true } },
        { "01 04 4A00 A005 3600 1000", 0x60, Partial(54, 16) with { Segmentation = Segmentation.TcpV6, SegmentSize = 1440, HeaderLength = 74 } },
        { "01 84 4A00 A005 3600 1000", 0x60, Partial(54, 16) with { Segmentation = Segmentation.TcpV6, SegmentSize = 1440, HeaderLength = 74, Ecn = true } },
        { "01 05 3E00 C005 3600 0600", 0x60, Partial(54, 6) with { Segmentation = Segmentation.Udp, SegmentSize = 1472, HeaderLength = 62 } },
        { "01 05 2A00 C005 2200 0600", 0x45, Partial(34, 6) with { Segmentation = Segmentation.Udp, SegmentSize = 1472, HeaderLength = 42 } },
    };

    [Theory]
    [MemberData(nameof(Golden))]
    public void Golden_bytes_both_ways(string hex, byte version, OffloadNote note)
    {
        var bytes = Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
        var frame = Frame(4000, version, note.ChecksumStart);
        Assert.True(VirtioNetHeader.TryParse(bytes, frame.Span, Ethernet, out var parsed));
        Assert.Equal(note, parsed);

        frame.Offload = note;
        var emitted = new byte[VirtioNetHeader.Length];
        Array.Fill(emitted, (byte)0xA5);
        Assert.True(VirtioNetHeader.TryEmit(frame, All, emitted));
        Assert.Equal(Convert.ToHexString(bytes), Convert.ToHexString(emitted));
    }

    [Fact]
    public void A_device_that_vouches_for_the_checksum_makes_it_verified()
    {
        Assert.True(VirtioNetHeader.TryParse(Header(flags: 2), Frame(60, 0x45, 34).Span, Ethernet, out var note));
        Assert.Equal(new OffloadNote { Checksum = ChecksumState.Verified }, note);
    }

    [Fact]
    public void The_length_of_headers_comes_from_the_tcp_header_not_from_the_hint()
    {
        var frame = Frame(4000, 0x45, 34);
        frame.Span[34 + 12] = 0x80;
        Assert.True(VirtioNetHeader.TryParse(Header(1, 1, headerLength: 3000, size: 1000, start: 34, offset: 16), frame.Span, Ethernet, out var note));
        Assert.Equal(34 + 32, note.HeaderLength);
    }

    [Theory]
    [InlineData("a checksum in the link header", 1, 0, 0, 13, 16)]
    [InlineData("a checksum past the end", 1, 0, 0, 3983, 16)]
    [InlineData("a checksum far past the end", 1, 0, 0, 65535, 65535)]
    [InlineData("segments without a partial checksum", 0, 1, 1460, 34, 16)]
    [InlineData("segments of no size", 1, 1, 0, 34, 16)]
    [InlineData("an unknown type", 1, 2, 1460, 34, 16)]
    [InlineData("UDP fragmentation", 1, 3, 1460, 34, 6)]
    [InlineData("a type of all bits", 1, 0x7F, 1460, 34, 16)]
    [InlineData("ECN without a type", 1, 0x80, 1460, 34, 16)]
    [InlineData("ECN of UDP", 1, 0x85, 1460, 34, 6)]
    [InlineData("TCP segments with UDP's checksum", 1, 1, 1460, 34, 6)]
    [InlineData("UDP segments with TCP's checksum", 1, 5, 1460, 34, 16)]
    [InlineData("IPv6 segments of an IPv4 packet", 1, 4, 1460, 34, 16)]
    [InlineData("a TCP header past the end", 1, 1, 1460, 3981, 16)]
    [InlineData("a TCP header to the very end", 1, 1, 1460, 3980, 16)]
    [InlineData("a UDP header to the very end", 1, 5, 1460, 3992, 6)]
    public void A_header_that_contradicts_itself_or_the_frame_is_refused(string what, byte flags, byte type, ushort size, ushort start, ushort offset)
    {
        var frame = Frame(4000, 0x45, start <= 3980 ? start : 34);
        var header = Header(flags, type, size: size, start: start, offset: offset);
        Assert.False(VirtioNetHeader.TryParse(header, frame.Span, Ethernet, out _), what);
    }

    [Fact]
    public void A_tcp_header_shorter_than_the_minimum_is_refused()
    {
        var frame = Frame(4000, 0x45, 34);
        frame.Span[34 + 12] = 0x40;
        Assert.False(VirtioNetHeader.TryParse(Header(1, 1, size: 1460, start: 34, offset: 16), frame.Span, Ethernet, out _));
    }

    [Fact]
    public void Random_headers_never_throw_and_what_they_say_lies_within_the_frame()
    {
        var random = new Random(7);
        var header = new byte[VirtioNetHeader.Length];
        var accepted = 0;
        for (var i = 0; i < 20_000; i++)
        {
            random.NextBytes(header);
            header[0] &= 3;
            header[1] &= 0x85;
            header[7] &= 0x07;
            header[9] = 0;
            var bytes = new byte[random.Next(14, 2000)];
            random.NextBytes(bytes);
            if (!VirtioNetHeader.TryParse(header, bytes, Ethernet, out var note))
                continue;
            accepted++;
            Assert.True(note.Checksum != ChecksumState.Partial || note.ChecksumStart + note.ChecksumOffset + 2 <= bytes.Length);
            Assert.True(note.Segmentation == Segmentation.None || (note.HeaderLength < bytes.Length && note.HeaderLength > note.ChecksumStart && note.SegmentSize > 0));
        }

        Assert.InRange(accepted, 1000, 19_000);
    }

    [Fact]
    public void What_the_device_does_not_do_is_not_asked_of_it()
    {
        var header = new byte[VirtioNetHeader.Length];
        var frame = Frame(4000, 0x45, 34);
        frame.Offload = Partial(34, 16);
        Assert.False(VirtioNetHeader.TryEmit(frame, WireOffloads.None, header));
        frame.Offload = frame.Offload with { Segmentation = Segmentation.TcpV4, SegmentSize = 1460, HeaderLength = 54 };
        Assert.False(VirtioNetHeader.TryEmit(frame, All & ~WireOffloads.TcpSegmentationV4, header));
        Assert.True(VirtioNetHeader.TryEmit(frame, All, header));
        frame.Offload = Partial(54, 16) with { Segmentation = Segmentation.TcpV6, SegmentSize = 1440, HeaderLength = 74 };
        Assert.False(VirtioNetHeader.TryEmit(frame, All & ~WireOffloads.TcpSegmentationV6, header));
        Assert.True(VirtioNetHeader.TryEmit(frame, All, header));
    }

    [Fact]
    public void A_note_that_contradicts_its_frame_is_not_emitted()
    {
        var header = new byte[VirtioNetHeader.Length];
        var frame = Frame(100, 0x45, 34);
        var good = Partial(34, 16) with { Segmentation = Segmentation.TcpV4, SegmentSize = 20, HeaderLength = 54 };
        OffloadNote[] bad =
        [
            Partial(83, 16), good with { SegmentSize = 0 }, good with { HeaderLength = 34 }, good with { HeaderLength = 100 }, good with { Checksum = ChecksumState.Verified },
        ];
        foreach (var note in bad)
        {
            frame.Offload = note;
            Assert.False(VirtioNetHeader.TryEmit(frame, All, header));
        }

        frame.Offload = good;
        Assert.True(VirtioNetHeader.TryEmit(frame, All, header));
    }

    private static OffloadNote Partial(ushort start, ushort offset) =>
        new() { Checksum = ChecksumState.Partial, ChecksumStart = start, ChecksumOffset = offset };

    private static byte[] Header(byte flags, byte type = 0, ushort headerLength = 0, ushort size = 0, ushort start = 0, ushort offset = 0)
    {
        var header = new byte[VirtioNetHeader.Length];
        header[0] = flags;
        header[1] = type;
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(2), headerLength);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(4), size);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(6), start);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(8), offset);
        return header;
    }

    /// <summary>A frame of which only matters where its IP version and the length of its TCP header are.</summary>
    private PacketBuffer Frame(int length, byte version, int transport)
    {
        var frame = _pool.Rent(length);
        frame.Append(length).Clear();
        frame.Span[Ethernet] = version;
        if (transport > 0 && transport + 12 < length)
            frame.Span[transport + 12] = 0x50;
        return frame;
    }
}
