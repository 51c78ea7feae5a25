using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Xunit;

namespace Tapwire.Tests.Support;

/// <summary>Several stacks with the same addresses, and a device whose choice of queue is the spec's.</summary>
public sealed class ShardedHarness : IDisposable
{
    private readonly StackHarness[] _shards;

    public ShardedHarness(int shards, TcpOptions? tcp = null)
    {
        Steering = new FlowSteering(shards, new byte[32]);
        _shards = [.. Enumerable.Range(0, shards).Select(index => new StackHarness(
            new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], Shard = new StackShard(index, Steering), Tcp = tcp ?? new TcpOptions() }))];
    }

    public FlowSteering Steering { get; }

    public IReadOnlyList<StackHarness> Shards => _shards;

    public StackHarness this[int shard] => _shards[shard];

    /// <summary>Lets every shard know the peer's hardware address.</summary>
    public void TeachPeer()
    {
        foreach (var shard in _shards)
            shard.Receive(Build.Arp(new ArpPacket(ArpOperation.Request, StackHarness.PeerMac, StackHarness.PeerIp, default, StackHarness.OwnIp)));
        _ = Frames();
    }

    /// <summary>A frame comes in on a queue.</summary>
    /// <returns>The shards to which it has gone from there, in order.</returns>
    public List<int> Arrive(byte[] frame, int queue)
    {
        var owner = Steering.OwnerOfFrame(frame, Medium.Ethernet, queue);
        foreach (var (index, shard) in _shards.Index())
        {
            if (owner == FlowSteering.All || owner == index)
                shard.Receive(frame);
        }

        var crossed = Cross();
        return owner == queue || owner == FlowSteering.All ? crossed : [owner, .. crossed];
    }

    /// <summary>Lets packets cross until none does.</summary>
    /// <returns>The shards to which they went, in order.</returns>
    public List<int> Cross()
    {
        var hops = new List<int>();
        for (var moved = true; moved;)
        {
            moved = false;
            foreach (var shard in _shards)
            {
                while (shard.Stack.TryDequeueCrossing(out var crossing))
                {
                    moved = true;
                    hops.Add(crossing.Shard);
                    _shards[crossing.Shard].Stack.ReceiveCrossing(crossing.Packet, crossing.ShardsTried, shard.Now);
                }
            }
        }

        return hops;
    }

    /// <summary>Moves time on, after which every shard knows the peer's address as before.</summary>
    public void Advance(TimeSpan time)
    {
        foreach (var shard in _shards)
            shard.Advance(time);
        TeachPeer();
    }

    /// <summary>All that the shards send, in the order of the shards.</summary>
    public List<byte[]> Frames() => [.. _shards.SelectMany(static shard => shard.Frames())];

    /// <summary>The TCP headers of all that the shards send.</summary>
    internal List<TcpHeader> Segments() => [.. Frames().Where(static frame => frame[13] == 0 && frame[EthernetHeader.Length + 9] == IpProtocol.Tcp).Select(static frame =>
    {
        Assert.Equal(TcpParseResult.Ok, TcpHeader.TryParse(frame.AsSpan(EthernetHeader.Length + Ipv4Header.Length), out var header, out _));
        return header;
    })];

    /// <summary>A frame with a segment of the peer.</summary>
    internal static byte[] Segment(TcpHeader header, params byte[] payload)
    {
        var segment = new byte[header.Length + payload.Length];
        header.Emit(segment);
        payload.CopyTo(segment, header.Length);
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(16), 0);
        var sum = Checksum.PseudoHeader(StackHarness.PeerIp, StackHarness.OwnIp, IpProtocol.Tcp, segment.Length);
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(16), Checksum.Finish(Checksum.Sum(segment, sum)));
        return Build.Ipv4(IpProtocol.Tcp, segment);
    }

    public void Dispose()
    {
        foreach (var shard in _shards)
            shard.Dispose();
    }
}
