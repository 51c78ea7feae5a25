using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Tapwire.Wires;
using Tapwire.Wires.Offload;
using Xunit;

namespace Tapwire.Tests.Wires.Offload;

/// <summary>What a wire without offloads gets when a super-frame is written.</summary>
public sealed class SegmentationSpec : SoftwareOffloadSetup
{
    private const WireOffloads BothFamilies = WireOffloads.TcpSegmentationV4 | WireOffloads.TcpSegmentationV6;

    [Fact]
    public void A_super_frame_is_cut_byte_by_byte_as_a_device_would()
    {
        var frame = Pool.Rent(200);
        var bytes = Convert.FromHexString(
            "02000000000202000000000108004502003cffff4000400626b80a0000010a00000203e80050fffffffe0000138880992000143100000101080a0000000700000005" + "6162636465666768");
        bytes.CopyTo(frame.Append(bytes.Length));
        frame.Offload = new OffloadNote
        {
            Checksum = ChecksumState.Partial, Segmentation = Segmentation.TcpV4, Ecn = true, ChecksumStart = 34, ChecksumOffset = 16, HeaderLength = 66, SegmentSize = 3,
        };
        Write(frame);

        // IP identification and sequence number run over; FIN and PSH come last, CWR first; the last payload is shorter.
        Assert.Equal(
        [
            "020000000002020000000001080045020037ffff4000400626bd0a0000010a00000203e80050fffffffe0000138880902000660a00000101080a0000000700000005616263",
            "02000000000202000000000108004502003700004000400626bd0a0000010a00000203e80050000000010000138880102000608500000101080a0000000700000005646566",
            "02000000000202000000000108004502003600014000400626bd0a0000010a00000203e80050000000040000138880192000c37700000101080a00000007000000056768",
        ], Device.Sent.Select(Convert.ToHexStringLower));
    }

    [Fact]
    public void A_super_frame_over_IPv6_is_cut_byte_by_byte_as_a_device_would()
    {
        const string ethernetAndClass = "020000000002020000000001" + "86dd" + "60212345";
        const string addresses = "fd000000000000000000000000000001" + "fd000000000000000000000000000002";
        var frame = Pool.Rent(200);
        var bytes = Convert.FromHexString(ethernetAndClass + "00280640" + addresses + "03e80050fffffffe0000138880992000" + "fa320000" + "0101080a0000000700000005" + "6162636465666768");
        bytes.CopyTo(frame.Append(bytes.Length));
        frame.Offload = new OffloadNote
        {
            Checksum = ChecksumState.Partial, Segmentation = Segmentation.TcpV6, Ecn = true, ChecksumStart = 54, ChecksumOffset = 16, HeaderLength = 86, SegmentSize = 3,
        };
        Write(frame);

        // Checksums by Python, over pseudo-headers that it has made of the addresses.
        Assert.Equal(
        [
            ethernetAndClass + "00230640" + addresses + "03e80050fffffffe0000138880902000" + "80080000" + "0101080a0000000700000005" + "616263",
            ethernetAndClass + "00230640" + addresses + "03e80050000000010000138880102000" + "7a830000" + "0101080a0000000700000005" + "646566",
            ethernetAndClass + "00220640" + addresses + "03e80050000000040000138880192000" + "dd750000" + "0101080a0000000700000005" + "6768",
        ], Device.Sent.Select(Convert.ToHexStringLower));
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    public void Whatever_pieces_a_super_frame_is_made_of_its_segments_are_a_plain_senders(int seed, bool isV6)
    {
        var random = new Random(seed);
        for (var i = 0; i < 100; i++)
        {
            var made = SegmentFrame.Chance(random, 2, 20_000, isV6) with { Flags = (byte)(SegmentFrame.Ack | random.Next(256) & 0xC9) };
            var size = random.Next(1000, 1449);
            Write(made.ToSuperFrame(Pool, size, random));
            Assert.Equal(made.ToSegments(size), Device.Sent);
            Device.Sent.Clear();
        }
    }

    [Fact]
    public void The_segments_of_a_super_frame_are_written_in_calls_of_up_to_64()
    {
        var made = SegmentFrame.Chance(new Random(3), 150, 151);
        Write(made.ToSuperFrame(Pool, 1));
        Assert.Equal([64, 64, 22], Device.Writes);
        Assert.Equal(made.ToSegments(1), Device.Sent);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_segment_of_more_pieces_than_a_buffer_can_have_is_cut_shorter(bool isV6)
    {
        var made = SegmentFrame.Chance(new Random(4), 60, 61, isV6);
        var bytes = made.ToBytes(partial: true);
        using var whole = new Held(made.ToSuperFrame(Pool, 58));
        var frame = Pool.Rent(200);
        bytes.AsSpan(0, made.HeaderLength + 1).CopyTo(frame.Append(made.HeaderLength + 1));
        for (var i = 1; i <= PacketBuffer.MaxFragments; i++)
            frame.AddFragment(whole.Frame, made.HeaderLength + i, i < PacketBuffer.MaxFragments ? 1 : 60 - i);
        frame.Offload = whole.Frame.Offload;
        Write(frame);

        // 1 byte of the frame's own and 16 fragments; the rest in the last fragment.
        Assert.Equal([17, 43], Device.Sent.Select(segment => segment.Length - made.HeaderLength));
        Assert.Equal(made.Payload, Device.Sent.SelectMany(segment => segment[made.HeaderLength..]));
        Assert.Equal((made with { Sequence = made.Sequence + 17, Identification = (ushort)(made.Identification + 1), Payload = made.Payload[17..] }).ToBytes(),
            Device.Sent.Last());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_wire_that_is_full_within_a_super_frame_gets_each_segment_once_wherever_it_stops(bool isV6)
    {
        var made = SegmentFrame.Chance(new Random(5), 7000, 7001, isV6);
        var expected = made.ToSegments(1000);
        for (var first = 0; first <= expected.Count; first++)
        {
            for (var second = 0; second <= expected.Count - first; second++)
            {
                var frame = made.ToSuperFrame(Pool, 1000, new Random(first));
                Device.Room = first;
                Assert.Equal(first == expected.Count ? 1 : 0, Wire.Write([frame]));
                if (first < expected.Count)
                {
                    Device.Room = second;
                    Assert.Equal(first + second == expected.Count ? 1 : 0, Wire.Write([frame]));
                    if (first + second < expected.Count)
                    {
                        Device.Room = -1;
                        Assert.Equal(1, Wire.Write([frame]));
                    }
                }

                frame.Release();
                Assert.Equal(expected, Device.Sent);
                Device.Sent.Clear();
            }
        }
    }

    [Fact]
    public void Frames_of_all_kinds_stay_in_order_wherever_the_wire_stops()
    {
        var random = new Random(6);
        var one = SegmentFrame.Chance(random, 3000, 3001);
        var other = SegmentFrame.Chance(random, 130, 131, isV6: true);
        byte[] plain = [.. Enumerable.Repeat((byte)7, 60)];
        List<byte[]> expected = [plain, .. one.ToSegments(1000), .. other.ToSegments(1), plain, plain];
        for (var room = 0; room <= expected.Count; room++)
        {
            PacketBuffer[] frames = [Frame(plain), one.ToSuperFrame(Pool, 1000, random), other.ToSuperFrame(Pool, 1, random), Frame(plain), Frame(plain)];
            Device.Room = room;
            var taken = Wire.Write(frames);
            Device.Room = -1;
            Assert.Equal(frames.Length - taken, Wire.Write(frames.AsSpan(taken)));
            Array.ForEach(frames, frame => frame.Release());
            Assert.Equal(expected, Device.Sent);
            Device.Sent.Clear();
        }
    }

    [Fact]
    public void A_super_frame_given_up_halfway_leaves_the_next_one_whole()
    {
        var random = new Random(7);
        var dropped = SegmentFrame.Chance(random, 3000, 3001);
        var next = SegmentFrame.Chance(random, 3000, 3001, isV6: true);
        var frame = dropped.ToSuperFrame(Pool, 1000);
        Device.Room = 2;
        Assert.Equal(0, Wire.Write([frame]));
        frame.Release();
        Device.Room = -1;
        Write(next.ToSuperFrame(Pool, 1000));
        Assert.Equal([.. dropped.ToSegments(1000).Take(2), .. next.ToSegments(1000)], Device.Sent);
    }

    [Fact]
    public void A_wire_that_fails_within_a_super_frame_says_so_and_nothing_is_held_after_its_end()
    {
        var frame = SegmentFrame.Chance(new Random(8), 3000, 3001).ToSuperFrame(Pool, 1000);
        Device.Room = 1;
        Assert.Equal(0, Wire.Write([frame]));
        Device.Broken = true;
        Assert.Throws<WireException>(() => Wire.Write([frame]));
        frame.Release();
        Wire.Dispose();
        Assert.Equal(0, Pool.Rented);
        Assert.True(Device.Disposed);
    }

    [Theory]
    [InlineData(0x0001, 0xFFFE)]
    [InlineData(0xFFFF, 0xFFFF)]
    public void A_partial_checksum_is_filled_in_and_is_never_zero(ushort word, ushort expected)
    {
        // Summed are the field, which holds the pseudo-header's part, and the word behind it.
        var frame = Frame([.. new byte[14], .. new byte[6], 0, 0, (byte)(word >> 8), (byte)word, .. new byte[40]]);
        frame.Offload = new OffloadNote { Checksum = ChecksumState.Partial, ChecksumStart = 14, ChecksumOffset = 6 };
        Write(frame);
        var sent = Assert.Single(Device.Sent);
        Assert.Equal(expected, (ushort)(sent[20] << 8 | sent[21]));
    }

    [Fact]
    public void A_partial_checksum_covers_the_fragments_too()
    {
        var made = SegmentFrame.Chance(new Random(9), 1001, 1002);
        var frame = made.ToSuperFrame(Pool, 1001, new Random(10));
        frame.Offload = frame.Offload with { Segmentation = Segmentation.None, SegmentSize = 0, HeaderLength = 0 };
        Write(frame);
        Assert.Equal(made.ToBytes(), Assert.Single(Device.Sent));
    }

    [Fact]
    public void A_wire_that_fills_in_checksums_keeps_that_part()
    {
        var device = new MemoryWire { Offloads = WireOffloads.Checksum };
        using var wire = SoftwareOffloadWire.Over(device, Pool);
        Assert.Equal((WireOffloads.Checksum | BothFamilies, BothFamilies), (wire.Offloads, wire.SoftwareOffloads));
        using var frame = new Held(Frame(new byte[60]));
        frame.Frame.Offload = new OffloadNote { Checksum = ChecksumState.Partial, ChecksumStart = 14, ChecksumOffset = 6 };
        Assert.Equal(1, wire.Write([frame.Frame]));
        Assert.Equal(ChecksumState.Partial, frame.Frame.Offload.Checksum);
    }

    [Fact]
    public void A_wire_with_segmentation_of_its_own_is_left_as_it_is()
    {
        using var device = new MemoryWire { Offloads = WireOffloads.Checksum | BothFamilies };
        Assert.Same(device, SoftwareOffloadWire.Over(device, Pool));
    }

    [Theory]
    [InlineData(WireOffloads.TcpSegmentationV4, false)]
    [InlineData(WireOffloads.TcpSegmentationV6, true)]
    public void A_wire_with_segmentation_for_one_family_keeps_that_and_the_other_is_cut(WireOffloads own, bool isV6)
    {
        var device = new MemoryWire { Offloads = WireOffloads.Checksum | own };
        using var wire = SoftwareOffloadWire.Over(device, Pool);
        Assert.Equal((WireOffloads.Checksum | BothFamilies, BothFamilies & ~own), (wire.Offloads, wire.SoftwareOffloads));
        var (kept, cut) = (SegmentFrame.Chance(new Random(13), 3000, 3001, isV6), SegmentFrame.Chance(new Random(14), 3000, 3001, !isV6));
        using var first = new Held(kept.ToSuperFrame(Pool, 1000));
        using var second = new Held(cut.ToSuperFrame(Pool, 1000));
        Assert.Equal(2, wire.Write([first.Frame, second.Frame]));
        Assert.Equal([kept.ToBytes(partial: true), .. cut.ToSegments(1000)], device.Sent);
    }

    public static TheoryData<string> Contradictions =>
        ["no checksum", "checksum elsewhere", "no segment size", "headers too short", "headers beyond the data", "no payload", "another family", "the other family's note", "not TCP", "IP options", "TCP options"];

    [Theory]
    [MemberData(nameof(Contradictions))]
    public void A_super_frame_that_contradicts_its_note_is_refused_and_counted(string contradiction) => AssertRefused(contradiction, isV6: false);

    [Theory]
    [MemberData(nameof(Contradictions))]
    public void A_super_frame_over_IPv6_that_contradicts_its_note_is_refused_and_counted(string contradiction) => AssertRefused(contradiction, isV6: true);
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Cutting_allocates_nothing(bool isV6)
    {
        var pool = new BufferPool();
        using var segmenter = new TcpSegmenter(pool, SegmentFrame.EthernetLength);
        var frame = SegmentFrame.Chance(new Random(11), 64_000, 64_001, isV6).ToSuperFrame(pool, 1448, new Random(12));
        Assert.Equal(0, Allocated.Least(Cut));
        frame.Release();

        void Cut()
        {
            segmenter.TryBegin(frame);
            while (segmenter.Cut() is { IsEmpty: false } segments)
                segmenter.Sent(segments.Length);
        }
    }

    private PacketBuffer Frame(byte[] bytes)
    {
        var frame = Pool.Rent(bytes.Length);
        bytes.CopyTo(frame.Append(bytes.Length));
        return frame;
    }

    private void AssertRefused(string contradiction, bool isV6)
    {
        var made = new SegmentFrame { IsV6 = isV6, Payload = new byte[10] };
        var frame = made.ToSuperFrame(Pool, 3);
        ref var note = ref frame.Offload;
        switch (contradiction)
        {
            case "no checksum":
                note.Checksum = ChecksumState.Verified;
                break;
            case "checksum elsewhere":
                note.ChecksumOffset = 6;
                break;
            case "no segment size":
                note.SegmentSize = 0;
                break;
            case "headers too short":
                note.HeaderLength = (ushort)(made.TcpAt + 19);
                break;
            case "headers beyond the data":
                note.HeaderLength = 300;
                break;
            case "no payload":
                frame.Truncate(made.HeaderLength);
                break;
            case "another family":
                frame.Span[14] = (byte)(isV6 ? 0x50 : 0x65);
                break;
            case "the other family's note":
                note.Segmentation = isV6 ? Segmentation.TcpV4 : Segmentation.TcpV6;
                break;
            case "not TCP":
                frame.Span[14 + (isV6 ? 6 : 9)] = IpProtocol.Udp;
                break;
            case "IP options" when isV6:
                frame.Span[14 + 6] = 0;
                break;
            case "IP options":
                frame.Span[14] = 0x46;
                break;
            case "TCP options":
                frame.Span[made.TcpAt + 12] = 0x90;
                break;
        }

        Write(frame);
        Assert.Empty(Device.Sent);
        Assert.Equal(1, Wire.Refused);
    }

    private void Write(PacketBuffer frame)
    {
        Assert.Equal(1, Wire.Write([frame]));
        frame.Release();
    }

    private readonly record struct Held(PacketBuffer Frame) : IDisposable
    {
        public void Dispose() => Frame.Release();
    }
}
