using Tapwire.Stack.Neighbors;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;
using Xunit;

namespace Tapwire.Tests.Support;

/// <summary>A stack on a link of which the spec is the other side: frames go in by hand and come out by hand, time moves from deadline to deadline.</summary>
public sealed class StackHarness : IDisposable
{
    public static readonly MacAddress OwnMac = new(0x02_00_00_00_00_01);
    public static readonly MacAddress PeerMac = new(0x02_00_00_00_00_02);
    public static readonly IpAddress OwnIp = IpAddress.Parse("10.0.0.1");
    public static readonly IpAddress PeerIp = IpAddress.Parse("10.0.0.2");

    public StackHarness(StackOptions? options = null, bool address = true, BufferPool? pool = null)
    {
        Pool = pool ?? new DiagnosingBufferPool();
        Stack = new NetworkStack(options ?? Ethernet(), Pool, Enumerable.Range(1, 32).Select(i => (byte)i).ToArray());
        if (!address)
            return;
        Assert.Equal(StackError.None, Stack.AddAddress(IpPrefix.Parse("10.0.0.1/24"), Now));
        Advance(TimeSpan.FromSeconds(3));
        Frames();
    }

    public BufferPool Pool { get; }

    public NetworkStack Stack { get; }

    public StackCounters Counters => Stack.Counters;

    public Instant Now { get; private set; } = Instant.FromMilliseconds(1000);

    public static StackOptions Ethernet() => new() { Interfaces = [new() { HardwareAddress = OwnMac }] };

    /// <summary>Whether <see cref="Frames"/> has the reports of solicited-node groups: they follow changes of own addresses at random times, and answer nothing.</summary>
    public bool SeesOwnGroups { get; init; }

    /// <summary>Gives a frame to the stack.</summary>
    public void Receive(ReadOnlySpan<byte> frame, ChecksumState checksum = ChecksumState.None)
    {
        var buffer = Pool.Rent(frame.Length);
        frame.CopyTo(buffer.Append(frame.Length));
        buffer.Offload.Checksum = checksum;
        Stack.Receive(buffer, Now);
    }

    /// <summary>Gives a frame to the stack and returns the one frame with which it answers.</summary>
    public byte[] Exchange(ReadOnlySpan<byte> frame)
    {
        Receive(frame);
        return Single();
    }

    /// <summary>Gives a frame to the stack and returns all that it sends.</summary>
    public List<byte[]> Answers(ReadOnlySpan<byte> frame)
    {
        Receive(frame);
        return Frames();
    }

    /// <summary>Lets the stack work at the present time, and takes what it sends.</summary>
    public List<byte[]> Frames()
    {
        Poll();
        var frames = new List<byte[]>();
        while (Stack.TryDequeueFrame(out var frame))
        {
            var bytes = new byte[frame.TotalLength];
            frame.CopyTo(bytes);
            if (SeesOwnGroups || !IsOwnGroups(bytes))
                frames.Add(bytes);
            frame.Release();
        }

        return frames;
    }

    public byte[] Single() => Assert.Single(Frames());

    public void Silent() => Assert.Empty(Frames());

    /// <summary>Moves time on, through every deadline on the way.</summary>
    public void Advance(TimeSpan time)
    {
        var end = Now + time;
        Poll();
        while (Stack.PollAt <= end)
        {
            Assert.True(Stack.PollAt > Now, "A deadline that is not later than the poll that should have served it.");
            Now = Stack.PollAt;
            Poll();
        }

        Now = end;
    }

    public SocketEvents EventsOf(StackSocket socket)
    {
        var all = SocketEvents.None;
        while (Stack.TryDequeueEvent(out var raised, out var events))
        {
            if (raised == socket)
                all |= events;
        }

        return all;
    }

    /// <summary>Lets the stack know the peer's hardware address.</summary>
    public void TeachPeer()
    {
        Exchange(Build.Arp(new ArpPacket(ArpOperation.Request, PeerMac, PeerIp, default, OwnIp), MacAddress.Broadcast));
        Advance(TimeSpan.Zero);
    }

    public PacketBuffer Payload(params byte[] bytes)
    {
        var buffer = Pool.Rent(bytes.Length, BufferPool.HeaderRoom);
        bytes.CopyTo(buffer.Append(bytes.Length));
        return buffer;
    }

    public NeighborState? StateOf(IpAddress address)
    {
        foreach (var neighbor in Stack.Neighbors)
        {
            if (neighbor.Address == address)
                return neighbor.State;
        }

        return null;
    }

    public void Dispose()
    {
        Stack.Close(Now);
        Frames();
        (Pool as DiagnosingBufferPool)?.AssertAllReturned();
    }

    private static bool IsOwnGroups(ReadOnlySpan<byte> frame)
    {
        if (frame.Length < 90 || frame[12] != 0x86 || frame[20] != 0 || frame[62] != Icmpv6Type.MulticastListenerReportV2)
            return frame.Length >= 86 && frame[12] == 0x86 && frame[20] == 0 && frame[62] is Icmpv6Type.MulticastListenerReport or Icmpv6Type.MulticastListenerDone && IsSolicitedNode(frame[70..]);
        for (var rest = frame[70..]; !rest.IsEmpty; rest = rest[(20 + 16 * rest[3])..])
        {
            if (!IsSolicitedNode(rest[4..]))
                return false;
        }

        return true;
    }

    private static bool IsSolicitedNode(ReadOnlySpan<byte> group) => IpAddress.FromBytes(group[..16]) is var address && address.SolicitedNode == address;

    private void Poll()
    {
        var rounds = 0;
        do
        {
            Stack.Poll(Now);
            Assert.True(++rounds < 1000, "The stack says 'at once' for ever.");
        }
        while (Stack.PollAt == Instant.Zero);
    }
}
