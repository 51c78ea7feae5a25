using Tapwire.Stack.Interfaces;
using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Tapwire.Wires;
using Tapwire.Wires.Offload;
using Xunit;

namespace Tapwire.Tests.Wires.Offload;

/// <summary>What the stack gets when a wire without offloads is read, whether it places frames or not, over either family.</summary>
public abstract class CoalescingSpec(bool inPlace, bool isV6) : SoftwareOffloadSetup(inPlace)
{
    private static readonly byte[] Stranger = Build.Udp(1000, 80, [1, 2, 3]);

    internal SegmentFrame First { get; } = new() { IsV6 = isV6, Payload = [1, 2, 3] };

    internal SegmentFrame Second => First with { Sequence = 4, Payload = [4, 5, 6] };

    /// <summary>How much longer the headers are than those of IPv4.</summary>
    private int Longer => isV6 ? 20 : 0;

    [Fact]
    public void Segments_that_follow_each_other_become_one_super_frame_as_from_a_device_with_offloads()
    {
        Device.DeliverAll([First.ToBytes(), Second.ToBytes(), (Second with { Sequence = 7, Payload = [7, 8], Flags = SegmentFrame.Ack | SegmentFrame.Psh }).ToBytes()]);
        using var frames = Read();
        var frame = Assert.Single(frames.List);
        Assert.Equal((First with { Payload = [1, 2, 3, 4, 5, 6, 7, 8], Flags = SegmentFrame.Ack | SegmentFrame.Psh }).ToBytes(partial: true), SegmentFrame.BytesOf(frame));
        Assert.Equal(new OffloadNote
        {
            Checksum = ChecksumState.Partial, Segmentation = First.Segmentation, ChecksumStart = (ushort)First.TcpAt, ChecksumOffset = 16, HeaderLength = (ushort)First.HeaderLength,
            SegmentSize = 3,
        }, frame.Offload);
    }

    [Fact]
    public void A_segment_that_stays_alone_is_in_a_small_buffer_and_counts_as_verified()
    {
        Device.Deliver(First.ToBytes());
        using var frames = Read();
        Assert.Equal(First.ToBytes(), SegmentFrame.BytesOf(Assert.Single(frames.List)));
        Assert.Equal(new OffloadNote { Checksum = ChecksumState.Verified }, frames.List[0].Offload);
        Assert.InRange(frames.List[0].Capacity, 0, 2048);
    }

    [Theory]
    [InlineData(2, 2048)]
    [InlineData(11, 16384)]
    [InlineData(12, BufferPool.MaxCapacity)]
    [InlineData(45, BufferPool.MaxCapacity)]
    public void A_super_frame_is_in_a_buffer_of_its_size(int segments, int capacity)
    {
        var made = SegmentFrame.Chance(new Random(segments), segments * (segments == 2 ? 900 : 1448), 1 + segments * (segments == 2 ? 900 : 1448), isV6);
        Device.DeliverAll(made.ToSegments(made.Payload.Length / segments));
        using var frames = Read();
        Assert.Equal(capacity, Assert.Single(frames.List).Capacity);
        Assert.Equal(made.ToBytes(partial: true), SegmentFrame.BytesOf(frames.List[0]));
    }

    [Fact]
    public void The_links_padding_is_no_part_of_a_super_frame()
    {
        var one = First with { Payload = [1], Options = [] };
        Device.DeliverAll([[.. one.ToBytes(), .. new byte[5]], [.. (one with { Sequence = 2, Payload = [2] }).ToBytes(), .. new byte[5]]]);
        using var frames = Read();
        Assert.Equal((one with { Payload = [1, 2] }).ToBytes(partial: true), SegmentFrame.BytesOf(Assert.Single(frames.List)));
    }

    /// <summary>What about the second of two segments makes it stand alone.</summary>
    public static TheoryData<string> Differences =>
    [
        "sequence behind", "sequence ahead", "acknowledgment", "window", "options", "no options", "reserved bits", "urgent pointer", "traffic class", "congestion mark", "hop limit",
        "fragments allowed or flow label", "Ethernet addresses", "larger payload", "no payload", "SYN", "FIN", "RST", "URG", "ECE", "CWR", "no ACK",
    ];

    [Theory]
    [MemberData(nameof(Differences))]
    public void A_segment_is_not_merged_if_it_differs_in(string what)
    {
        var different = what switch
        {
            "sequence behind" => Second with { Sequence = 3 },
            "sequence ahead" => Second with { Sequence = 5 },
            "acknowledgment" => Second with { Acknowledgment = 5001 },
            "window" => Second with { Window = 8193 },
            "options" => Second with { Options = [1, 1, 8, 10, 0, 0, 0, 8, 0, 0, 0, 5] },
            "no options" => Second with { Options = [] },
            "reserved bits" => Second with { Reserved = 1 },
            "urgent pointer" => Second with { UrgentPointer = 1 },
            "traffic class" => Second with { TrafficClass = 8 },
            "congestion mark" => Second with { TrafficClass = 3 },
            "hop limit" => Second with { HopLimit = 63 },
            "fragments allowed or flow label" => Second with { FragmentField = 0, FlowLabel = 0x12346 },
            "Ethernet addresses" => Second with { Macs = "ffffffffffff020000000001" },
            "larger payload" => Second with { Payload = [4, 5, 6, 7] },
            "no payload" => Second with { Payload = [] },
            "SYN" => Second with { Flags = SegmentFrame.Ack | 2 },
            "FIN" => Second with { Flags = SegmentFrame.Ack | 1 },
            "RST" => Second with { Flags = SegmentFrame.Ack | 4 },
            "URG" => Second with { Flags = SegmentFrame.Ack | 32 },
            "ECE" => Second with { Flags = SegmentFrame.Ack | 64 },
            "CWR" => Second with { Flags = SegmentFrame.Ack | 128 },
            _ => Second with { Flags = SegmentFrame.Psh },
        };
        AssertUnmerged(First.ToBytes(), different.ToBytes());
    }

    /// <summary>What makes a frame unreadable as a segment of a flow.</summary>
    public static TheoryData<string> Oddities =>
        ["IP options", "a fragment", "the last fragment", "TCP checksum", "IP checksum or an authentication header", "data offset too small", "data offset too large", "IP length too small", "IP length too large"];

    [Theory]
    [MemberData(nameof(Oddities))]
    public void A_frame_is_passed_on_untouched_and_ends_its_flows_super_frame_if_it_has(string what)
    {
        var odd = what switch
        {
            "IP options" => WithOptions(Second).ToBytes(),
            "a fragment" => Fragment(0, more: true).ToBytes(),
            "the last fragment" => Fragment(1, more: false).ToBytes(),
            "TCP checksum" => Changed(Second.ToBytes(), ^1, 1),
            "IP checksum or an authentication header" => isV6
                ? (Second with { FirstExtension = 51, Extensions = [6, 4, .. new byte[22]] }).ToBytes()
                : Changed(Second.ToBytes(), 24, 1),
            "data offset too small" => Changed(Second.ToBytes(), First.TcpAt + 12, 0x80 ^ 0x40),
            "data offset too large" => Changed(Second.ToBytes(), First.TcpAt + 12, 0x80 ^ 0xF0),
            "IP length too small" => WithLength(Second.ToBytes(), 39),
            _ => WithLength(Second.ToBytes(), 20 + 32 + 3 + 1),
        };
        var third = Second with { Sequence = 7, Payload = [7, 8, 9] };
        var fourth = Second with { Sequence = 10, Payload = [10, 11, 12] };
        Device.DeliverAll([First.ToBytes(), odd, Second.ToBytes(), third.ToBytes(), fourth.ToBytes(), odd, odd]);
        using var frames = Read();
        byte[][] expected = [First.ToBytes(), odd, (Second with { Payload = [4, 5, 6, 7, 8, 9, 10, 11, 12] }).ToBytes(partial: true), odd, odd];
        Assert.Equal(expected, frames.List.Select(SegmentFrame.BytesOf));
        Assert.Equal(ChecksumState.None, frames.List[1].Offload.Checksum);
    }

    [Fact]
    public void A_broken_checksum_is_for_the_engine_to_count()
    {
        using var harness = new StackHarness();
        var good = new SegmentFrame { Macs = "020000000001020000000002", Source = 0x0A000001, Payload = [1, 2, 3] };
        byte[] Towards(SegmentFrame segment)
        {
            // From the peer to the stack, which the other direction's checksums fit as well.
            var frame = segment.ToBytes();
            (frame[29], frame[33]) = (frame[33], frame[29]);
            return frame;
        }

        Device.DeliverAll([Towards(good), Changed(Towards(good with { Sequence = 4 }), ^1, 1), Towards(good with { Sequence = 4 })]);
        using var frames = Read();
        foreach (var frame in frames.List)
            harness.Stack.Receive(frame.Retain(), harness.Now);
        Assert.Equal((3, 1, 1), (harness.Counters.Tcp.TcpInSegs, harness.Counters.Tcp.TcpInErrs, harness.Counters.Tcp.TcpInCsumErrors));
        harness.Frames();
    }

    [Fact]
    public void Without_a_difference_they_are_merged()
    {
        Device.DeliverAll([First.ToBytes(), Second.ToBytes()]);
        using var frames = Read();
        Assert.Single(frames.List);
    }

    [Fact]
    public void Identifications_need_not_count_up()
    {
        Device.DeliverAll([(First with { Identification = 7 }).ToBytes(), (Second with { Identification = 3 }).ToBytes()]);
        using var frames = Read();
        Assert.Single(frames.List);
    }

    [Theory]
    [InlineData(2, SegmentFrame.Ack)]
    [InlineData(3, SegmentFrame.Ack | SegmentFrame.Psh)]
    public void A_short_segment_and_PSH_end_a_super_frame(int length, byte flags)
    {
        var ending = Second with { Payload = Second.Payload[..length], Flags = flags };
        var next = First with { Sequence = 4 + (uint)length };
        Device.DeliverAll([First.ToBytes(), ending.ToBytes(), next.ToBytes(), (next with { Sequence = next.Sequence + 3 }).ToBytes()]);
        using var frames = Read();
        Assert.Equal([First.HeaderLength + 3 + length, First.HeaderLength + 6], frames.List.Select(frame => frame.TotalLength));
    }

    [Fact]
    public void A_first_segment_with_PSH_stays_alone()
    {
        AssertUnmerged((First with { Flags = SegmentFrame.Ack | SegmentFrame.Psh }).ToBytes(), Second.ToBytes());
    }

    [Theory]
    [InlineData(1000, 65_000)]
    [InlineData(1448, 45 * 1448)]
    [InlineData(500, 65_000)]
    [InlineData(100, 65_400)]
    public void A_super_frame_is_no_longer_than_a_packet_can_be(int segment, int longest)
    {
        var made = SegmentFrame.Chance(new Random(segment), 70_000, 70_001, isV6) with { Options = SegmentFrame.Timestamp };
        Device.DeliverAll(made.ToSegments(segment));
        using var frames = Read(capacity: 1000);
        Assert.Equal([made.HeaderLength + longest, made.HeaderLength + 70_000 - longest], frames.List.Select(frame => frame.TotalLength));
        Assert.Equal(made.Payload, frames.List.SelectMany(frame => frame.Span[made.HeaderLength..].ToArray()));
    }

    [Fact]
    public void Interleaved_flows_are_merged_side_by_side_and_each_keeps_its_order()
    {
        var random = new Random(1);
        for (var run = 0; run < 200; run++)
        {
            // More flows than are looked at side by side, with segments that stand alone in between.
            var seen = new Dictionary<int, int>();
            var flows = Enumerable.Range(0, random.Next(1, 13)).Select(i => SegmentFrame.Chance(random, 1, 2000, isV6) with { SourcePort = (ushort)i }).ToArray();
            var queues = flows.Select(flow => new Queue<byte[]>(flow.ToSegments(100))).ToArray();
            var given = new List<byte[]>();
            while (queues.Any(queue => queue.Count > 0))
            {
                var which = random.Next(queues.Length);
                for (var burst = random.Next(1, 8); burst > 0 && queues[which].TryDequeue(out var segment); burst--)
                {
                    given.Add(random.Next(20) == 0 ? Changed(segment, ^1, 1) : segment);
                    if (random.Next(10) == 0)
                        given.Add(Stranger);
                }
            }

            Device.DeliverAll(given);
            using var frames = Read(capacity: given.Count + 1);
            Assert.InRange(frames.List.Length, 1, given.Count);
            var strangers = 0;
            foreach (var frame in frames.List)
            {
                if (SegmentFrame.BytesOf(frame).AsSpan().SequenceEqual(Stranger))
                {
                    strangers++;
                    continue;
                }

                var flow = BinaryPrimitives.ReadUInt16BigEndian(frame.Span[First.TcpAt..]);
                var made = flows[flow];
                var bytes = SegmentFrame.BytesOf(frame);
                var at = (int)(BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(First.TcpAt + 4)) - made.Sequence);
                var payload = bytes[made.HeaderLength..];
                // In its place, and nothing before it is missing.
                Assert.Equal(seen.GetValueOrDefault(flow), at);
                if (frame.Offload.Checksum == ChecksumState.None)
                    payload[^1] ^= 1;
                Assert.Equal(made.Payload[at..(at + payload.Length)], payload);
                seen[flow] = at + payload.Length;
            }

            Assert.Equal(given.Count(frame => frame == Stranger), strangers);
            Assert.All(flows, flow => Assert.Equal(flow.Payload.Length, seen[flow.SourcePort]));
        }
    }

    [Fact]
    public void The_flow_that_was_opened_first_makes_room_for_a_ninth()
    {
        var segments = Enumerable.Range(0, TcpCoalescer.MaxFlows + 1).Select(i => First with { SourcePort = (ushort)(100 + i) }).ToList();
        Device.DeliverAll([.. segments.Select(s => s.ToBytes()), (segments[1] with { Sequence = 4 }).ToBytes(), (segments[0] with { Sequence = 4 }).ToBytes()]);
        using var frames = Read();

        // 100 is put out when 108 comes; 101 is still open then, and makes room, merged, for the rest of 100.
        Assert.Equal([100, 101, 102, 103, 104, 105, 106, 107, 108, 100], frames.List.Select(PortOf));
        Assert.Equal([3, 6, 3, 3, 3, 3, 3, 3, 3, 3], frames.List.Select(frame => frame.Length - First.HeaderLength));
    }

    [Fact]
    public void Frames_that_are_no_TCP_pass_untouched_and_end_nothing()
    {
        byte[][] foreign =
        [
            Build.Udp(1000, 80, [1, 2, 3]), Build.Ethernet(EtherType.Arp, new byte[46]), new byte[10], Build.Ethernet(EtherType.Ipv6, [0x45, .. First.ToBytes()[15..]]),
            Build.Ethernet(EtherType.Ipv4, [0x65, .. First.ToBytes()[15..]]), Build.Ethernet(EtherType.Ipv6, [0x60, 0, 0, 0, 0, 0, 6, .. new byte[32]]),
            (First with { IsV6 = true, FirstExtension = 17 }).ToBytes(), (First with { IsV6 = true, FirstExtension = 44, Extensions = [17, 0, 0, 1, 0, 0, 0, 1] }).ToBytes(),
        ];
        Device.DeliverAll([First.ToBytes(), .. foreign, Second.ToBytes()]);
        using var frames = Read();
        Assert.Equal([.. foreign, (First with { Payload = [1, 2, 3, 4, 5, 6] }).ToBytes(partial: true)], frames.List.Select(SegmentFrame.BytesOf));
        Assert.All(frames.List.SkipLast(1), frame => Assert.Equal(default, frame.Offload));
    }

    [Fact]
    public void Flows_of_both_families_are_merged_side_by_side_also_with_the_same_bytes_for_addresses()
    {
        // The eight bytes of the addresses of IPv4 are the first ones of those of IPv6; the others are zero.
        byte[] Alike(SegmentFrame segment)
        {
            var frame = segment.ToBytes();
            if (!segment.IsV6)
                return frame;
            (First with { IsV6 = false }).ToBytes().AsSpan(26, 8).CopyTo(frame.AsSpan(22));
            frame.AsSpan(30, 24).Clear();
            Tampering.Repair(frame);
            return frame;
        }

        var (other, next) = (First with { IsV6 = !isV6 }, Second with { IsV6 = !isV6 });
        Device.DeliverAll([Alike(First), Alike(other), Alike(Second), Alike(next), Alike(First with { Sequence = 7 }), Alike(other with { Sequence = 7 })]);
        using var frames = Read();
        byte[] payload = [1, 2, 3, 4, 5, 6, 1, 2, 3];
        Assert.Equal([First.Segmentation, other.Segmentation], frames.List.Select(frame => frame.Offload.Segmentation));
        Assert.All(frames.List, frame => Assert.Equal(payload, frame.Span[frame.Offload.HeaderLength..]));
    }

    [Fact]
    public void Raw_IP_packets_are_merged_too()
    {
        using var device = new MemoryWire { Medium = Medium.Ip };
        using var wire = Over(device);
        device.DeliverAll([First.ToBytes()[14..], Second.ToBytes()[14..], [0x60, 0, 0, 0, 0, 0, 17, .. new byte[60]]]);
        using var frames = Read(wire);
        Assert.Equal([[0x60, 0, 0, 0, 0, 0, 17, .. new byte[60]], (First with { Payload = [1, 2, 3, 4, 5, 6] }).ToBytes(partial: true)[14..]], frames.List.Select(SegmentFrame.BytesOf));
        Assert.Equal((20 + Longer, 52 + Longer), (frames.List[1].Offload.ChecksumStart, frames.List[1].Offload.HeaderLength));
    }

    [Fact]
    public void A_read_that_was_merged_says_that_there_is_more_and_nothing_waits_for_the_next()
    {
        var made = First with { Payload = new byte[50] };
        Device.DeliverAll(made.ToSegments(10));
        var frames = new PacketBuffer[4];
        Assert.Equal(1, Wire.Read(Pool, frames, out var more));
        Assert.True(more);
        Assert.Equal(made.HeaderLength + 40, frames[0].TotalLength);
        frames[0].Release();
        Assert.Equal(1, Wire.Read(Pool, frames, out more));
        Assert.False(more);
        frames[0].Release();
    }

    [Fact]
    public void Merging_allocates_nothing()
    {
        var pool = new BufferPool();
        var segments = SegmentFrame.Chance(new Random(1), 90_000, 90_001, isV6).ToSegments(1448);
        segments.Insert(20, Stranger);
        var frames = new PacketBuffer[64];
        Device.Reads.EnsureCapacity(1000);
        Assert.Equal(0, Allocated.Least(Round));

        long Round()
        {
            var count = 0;
            Device.DeliverAll(segments);
            var allocated = Allocated.By(() => count = Wire.Read(pool, frames, out _));
            foreach (var frame in frames.AsSpan(0, count))
                frame.Release();
            return allocated;
        }
    }

    private int PortOf(PacketBuffer frame) => BinaryPrimitives.ReadUInt16BigEndian(frame.Span[First.TcpAt..]);

    /// <summary>Options of IPv4, or a hop-by-hop options header.</summary>
    private SegmentFrame WithOptions(SegmentFrame segment) => isV6
        ? segment with { FirstExtension = 0, Extensions = [6, 0, 1, 4, 0, 0, 0, 0] }
        : segment with { IpOptions = [1, 1, 1, 0] };

    private SegmentFrame Fragment(byte offset, bool more) => isV6
        ? Second with { FirstExtension = 44, Extensions = [6, 0, 0, (byte)(offset * 8 | (more ? 1 : 0)), 0, 0, 0, 1] }
        : Second with { FragmentField = (ushort)(offset | (more ? 0x2000 : 0)) };

    /// <param name="length">Of the IPv4 packet; that over IPv6 has 20 bytes more.</param>
    private byte[] WithLength(byte[] frame, int length)
    {
        if (!isV6)
            return Build.Altered(frame, ip => BinaryPrimitives.WriteUInt16BigEndian(ip.AsSpan(2), (ushort)length));
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(18), (ushort)(length - 20));
        return frame;
    }

    private static byte[] Changed(byte[] frame, Index at, byte bits)
    {
        frame[at] ^= bits;
        return frame;
    }

    private void AssertUnmerged(params byte[][] segments)
    {
        Device.DeliverAll(segments);
        using var frames = Read();
        Assert.Equal(segments, frames.List.Select(SegmentFrame.BytesOf));
    }

    private Frames Read(IWire? wire = null, int capacity = 64)
    {
        var frames = new PacketBuffer[capacity];
        var count = (wire ?? Wire).Read(Pool, frames, out var more);
        Assert.False(more);
        return new Frames(frames[..count]);
    }

    private readonly record struct Frames(PacketBuffer[] List) : IDisposable
    {
        public void Dispose() => Array.ForEach(List, frame => frame.Release());
    }
}
