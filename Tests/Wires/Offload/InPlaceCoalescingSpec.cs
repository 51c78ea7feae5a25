using Tapwire.Stack.Buffers;
using Tapwire.Tests.Support;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Wires.Offload;

/// <summary>Merging of frames that are read to where their payload is to stay.</summary>
public abstract class InPlaceCoalescingSpec : CoalescingSpec
{
    private static readonly byte[] TooLarge = Build.Udp(1000, 80, new byte[3000]);
    private readonly SegmentFrame _made;
    private readonly List<byte[]> _segments;
    private readonly PacketBuffer[] _frames = new PacketBuffer[64];

    protected InPlaceCoalescingSpec(bool isV6)
        : base(inPlace: true, isV6)
    {
        _made = First with { Payload = [.. Enumerable.Range(0, 400).Select(i => (byte)i)] };
        _segments = _made.ToSegments(100);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void A_device_that_vanishes_in_mid_batch_leaves_what_was_read_to_the_caller(int segments)
    {
        Device.DeliverAll([Build.Udp(1000, 80, [1]), .. _segments.Take(segments), Build.Udp(1000, 80, [2])]);
        DirectRead!.GoneAtEnd = true;
        Assert.Throws<WireException>(() => Wire.Read(Pool, _frames, out _));
        PacketBuffer[] read = [.. _frames.TakeWhile(frame => frame is not null)];
        Assert.Equal(3, read.Length);
        Array.ForEach(read, frame => frame.Release());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void A_frame_too_large_to_be_placed_ends_the_batch_and_the_rest_is_read_as_from_any_wire(int before)
    {
        Device.DeliverAll([.. _segments.Take(before), TooLarge, .. _segments.Skip(before), TooLarge]);
        var count = Wire.Read(Pool, _frames, out var more);
        Assert.True(more);
        Assert.Equal(1, Wire.Refused);
        count += Wire.Read(Pool, _frames.AsSpan(count), out more);
        Assert.False(more);
        var frames = _frames[..count];
        var large = Assert.Single(frames, frame => frame.Length == TooLarge.Length);
        Assert.Equal(TooLarge, SegmentFrame.BytesOf(large));
        Assert.Equal(_made.Payload, frames.Where(frame => frame != large).SelectMany(frame => frame.Span[_made.HeaderLength..].ToArray()));
        Assert.InRange(count, 2, 3);
        Array.ForEach(frames, frame => frame.Release());
    }

    /// <summary>Ends with frames in every state of a super-frame, of one flow and of two that take turns.</summary>
    [Fact]
    public void Each_batch_hands_on_all_that_it_has_read_wherever_it_ends()
    {
        var other = _made with { SourcePort = 2000, Options = [] };
        byte[][] given = [.. _segments, .. _segments.Zip(other.ToSegments(100), (a, b) => new[] { b, a }).SelectMany(pair => pair)];
        for (var size = 1; size <= given.Length; size++)
        {
            Device.DeliverAll(given);
            var bytes = 0;
            for (var left = given.Length; left > 0; left -= size)
            {
                var count = Wire.Read(Pool, _frames.AsSpan(0, size), out var more);
                Assert.Equal(left >= size, more);
                foreach (var frame in _frames.AsSpan(0, count))
                {
                    var made = frame.Span[_made.TcpAt] == 2000 >> 8 ? other : _made;
                    var at = (frame.Span[_made.TcpAt + 6] << 8 | frame.Span[_made.TcpAt + 7]) - 1;
                    Assert.Equal(made.Payload[at..][..(frame.Length - made.HeaderLength)], frame.Span[made.HeaderLength..]);
                    bytes += frame.Length - made.HeaderLength;
                    frame.Release();
                }
            }

            Assert.Equal(3 * _made.Payload.Length, bytes);
            Assert.Equal(0, Wire.Read(Pool, _frames, out _));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Where_what_is_left_is_reported_frames_that_come_by_few_are_read_without_finding_nothing(int burst)
    {
        const int Bursts = 1000;
        DirectRead!.Repeats = true;
        for (var i = 0; i < Bursts; i++)
        {
            Device.DeliverAll(_segments.Take(burst));
            ReadAll();
        }

        Assert.InRange(DirectRead.Vain, 1, Bursts / 10);
    }

    [Fact]
    public void Where_what_is_left_is_reported_larger_bursts_are_still_merged_as_a_whole()
    {
        var longer = _made with { Payload = new byte[1000] };
        DirectRead!.Repeats = true;
        for (var i = 0; i < 10; i++)
        {
            Device.DeliverAll(longer.ToSegments(100));
            ReadAll();
        }

        Device.DeliverAll(longer.ToSegments(100));
        Assert.Equal(1, ReadAll());
    }

    /// <summary>As an owner does whom a level-triggered watch tells. Returns the number of reads that found something.</summary>
    private int ReadAll()
    {
        var reads = 0;
        for (; Device.Waiting > 0; reads++)
        {
            var count = Wire.Read(Pool, _frames, out var more);
            Assert.False(more);
            foreach (var frame in _frames.AsSpan(0, count))
                frame.Release();
        }

        return reads;
    }
}

public sealed class InPlaceCoalescingV4Spec() : InPlaceCoalescingSpec(isV6: false);

public sealed class InPlaceCoalescingV6Spec() : InPlaceCoalescingSpec(isV6: true);
