using Tapwire.Stack.Buffers;
using Tapwire.Wires.Offload;
using Xunit;

namespace Tapwire.Tests.Wires.Offload;

/// <summary>Merging of frames that come in buffers of their own.</summary>
public abstract class BatchCoalescingSpec(bool isV6) : CoalescingSpec(inPlace: false, isV6)
{
    [Fact]
    public void A_segment_that_stays_alone_is_the_same_buffer()
    {
        var frame = Frame(First.ToBytes());
        PacketBuffer[] frames = [frame];
        Assert.Equal(1, new TcpCoalescer(SegmentFrame.EthernetLength).Coalesce(Pool, frames));
        Assert.Same(frame, frames[0]);
        frame.Release();
    }

    [Fact]
    public void What_a_device_says_of_a_checksum_is_believed()
    {
        var broken = First.ToBytes();
        broken[First.TcpAt + 17] ^= 1;
        PacketBuffer[] frames = [Frame(broken), Frame(Second.ToBytes(partial: true))];
        frames[0].Offload.Checksum = ChecksumState.Verified;
        frames[1].Offload = new OffloadNote { Checksum = ChecksumState.Partial, ChecksumStart = (ushort)First.TcpAt, ChecksumOffset = 16 };
        Assert.Equal(1, new TcpCoalescer(SegmentFrame.EthernetLength).Coalesce(Pool, frames));
        Assert.Equal((First with { Payload = [1, 2, 3, 4, 5, 6] }).ToBytes(partial: true), SegmentFrame.BytesOf(frames[0]));
        Assert.Null(frames[1]);
        frames[0].Release();
    }

    [Fact]
    public void A_super_frame_of_the_device_is_left_alone()
    {
        var super = (First with { Payload = [1, 2, 3, 4, 5, 6] }).ToSuperFrame(Pool, 3);
        PacketBuffer[] frames = [super, Frame((First with { Sequence = 7 }).ToBytes())];
        Assert.Equal(2, new TcpCoalescer(SegmentFrame.EthernetLength).Coalesce(Pool, frames));
        Assert.Same(super, frames[0]);
        Array.ForEach(frames, frame => frame.Release());
    }

    private PacketBuffer Frame(byte[] bytes)
    {
        var frame = Pool.Rent(bytes.Length);
        bytes.CopyTo(frame.Append(bytes.Length));
        return frame;
    }
}

public sealed class BatchCoalescingV4Spec() : BatchCoalescingSpec(isV6: false);

public sealed class BatchCoalescingV6Spec() : BatchCoalescingSpec(isV6: true);
