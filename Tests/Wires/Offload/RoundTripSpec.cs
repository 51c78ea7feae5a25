using Tapwire.Stack.Buffers;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Tapwire.Wires.Offload;
using Xunit;

namespace Tapwire.Tests.Wires.Offload;

/// <summary>What has been cut is merged again, and the other way round.</summary>
public sealed class RoundTripSpec
{
    [Theory]
    [InlineData(1, false, false)]
    [InlineData(2, false, true)]
    [InlineData(3, false, false)]
    [InlineData(4, true, true)]
    [InlineData(5, true, false)]
    [InlineData(6, true, true)]
    public void A_super_frame_that_was_cut_and_merged_is_the_same_to_the_bit_with_its_note(int seed, bool inPlace, bool isV6)
    {
        var random = new Random(seed);
        var pool = new DiagnosingBufferPool();
        for (var i = 0; i < 50; i++)
        {
            var size = random.Next(500, 1449);
            using var device = new MemoryWire();
            using var wire = SoftwareOffloadWire.Over(inPlace ? new DirectReadWire(device) : device, pool);
            var made = SegmentFrame.Chance(random, size + 1, 65_000, isV6);
            var frame = made.ToSuperFrame(pool, size, random);
            Assert.Equal(1, wire.Write([frame]));
            var segments = device.Sent.ToArray();
            Assert.True(segments.Length > 1);
            device.DeliverAll(segments);
            var frames = new PacketBuffer[segments.Length + 1];
            Assert.Equal(1, wire.Read(pool, frames, out var more));
            Assert.False(more);
            Assert.Equal(made.ToBytes(partial: true), SegmentFrame.BytesOf(frames[0]));
            Assert.Equal(frame.Offload, frames[0].Offload);
            frame.Release();
            frames[0].Release();
        }

        pool.AssertAllReturned();
    }

    /// <summary>Frames as malice would make them: whatever comes of one, no other is lost, and what was merged can be cut into what it was merged from.</summary>
    [Theory]
    [InlineData(1, false, false)]
    [InlineData(2, false, true)]
    [InlineData(3, false, false)]
    [InlineData(4, true, true)]
    [InlineData(5, true, false)]
    [InlineData(6, true, true)]
    public void Tampered_frames_all_come_through_as_they_were(int seed, bool inPlace, bool isV6)
    {
        var random = new Random(seed);
        var pool = new DiagnosingBufferPool();
        var flows = Enumerable.Range(0, 4).Select(i => SegmentFrame.Chance(random, 5000, 6000, isV6 ^ i == 3) with { SourcePort = (ushort)(i + 1), Identification = 0 }).ToArray();
        var templates = flows.SelectMany(flow => flow.ToSegments(400).Select(segment => WithoutIdentification(segment))).ToList();
        for (var run = 0; run < 200; run++)
        {
            var given = new List<byte[]>();
            for (var at = random.Next(templates.Count); given.Count < 40; at = random.Next(4) == 0 ? random.Next(templates.Count) : (at + 1) % templates.Count)
            {
                var frame = random.Next(4) == 0 ? Tampering.Mutated(templates[at], templates, random) : templates[at];
                if (frame != templates[at] && random.Next(2) == 0)
                    Tampering.Repair(frame);
                if (frame.Length > 0)
                    given.Add(frame);
            }

            using var device = new MemoryWire();
            using var wire = SoftwareOffloadWire.Over(inPlace ? new DirectReadWire(device) : device, pool);
            device.DeliverAll(given);
            var frames = new PacketBuffer[64];
            var count = wire.Read(pool, frames, out _);
            Assert.Equal(count, wire.Write(frames.AsSpan(0, count)));
            Assert.Equal(0, wire.Refused);
            foreach (var frame in frames.AsSpan(0, count))
                frame.Release();
            Assert.Equal(given.Select(Comparable).Order(), device.Sent.Select(Comparable).Order());
        }

        pool.AssertAllReturned();
    }

    /// <summary>As text, without what may change: the padding after a packet, and its identification with its checksum.</summary>
    private static string Comparable(byte[] frame)
    {
        var ip = frame.AsSpan(Math.Min(frame.Length, SegmentFrame.EthernetLength));
        if (ip.Length >= 60 && frame[12] == 0x86 && frame[13] == 0xDD && ip[0] >> 4 == 6 && ip[6] == 6)
        {
            var end = 40 + (ip[4] << 8 | ip[5]);
            return Convert.ToHexString(frame[..(end < 60 || end > ip.Length ? frame.Length : SegmentFrame.EthernetLength + end)]);
        }

        if (ip.Length < 40 || frame[12] != 8 || frame[13] != 0 || ip[0] != 0x45 || ip[9] != 6)
            return Convert.ToHexString(frame);
        var length = ip[2] << 8 | ip[3];
        var changed = frame[..(length < 40 || length > ip.Length ? frame.Length : SegmentFrame.EthernetLength + length)];
        ip = changed.AsSpan(SegmentFrame.EthernetLength);
        ip[4..6].Clear();
        ip[10..12].Clear();
        return Convert.ToHexString(changed);
    }

    private static byte[] WithoutIdentification(byte[] segment) => segment[14] >> 4 == 4 ? Build.Altered(segment, ip => ip[4] = ip[5] = 0) : segment;
}
