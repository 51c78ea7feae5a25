using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Neighbors;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Stack;

/// <summary>Everything about a stack that does not change while it runs. Values out of range are refused by the constructor of <see cref="NetworkStack"/>.</summary>
public sealed class StackOptions
{
    /// <summary>The interfaces that the stack has from the beginning, in this order; <see cref="NetworkStack.AddInterface"/> adds others.</summary>
    public IReadOnlyList<InterfaceOptions> Interfaces { get; init; } = [];

    /// <summary>TTL of packets whose socket names none, 1..255 (RFC 1122, 3.2.1.7).</summary>
    public byte HopLimit { get; init; } = 64;

    /// <summary>Packets to own addresses that may wait for the next <see cref="NetworkStack.Poll"/>, 1..1048576.</summary>
    public int LoopbackFrames { get; init; } = 1024;

    /// <summary>This stack's place among several with the same addresses; null for a stack that has its addresses alone.</summary>
    public StackShard? Shard { get; init; }

    /// <summary>Makes the stack the way out of one host; null for a stack that serves sockets only.</summary>
    public ForwardingOptions? Forwarding { get; init; }

    /// <summary>The stack is a router: it forwards packets between its interfaces, and its addresses are reached by any of them.</summary>
    public bool IsRouter { get; init; }

    /// <summary>Bounds of what leaves by interfaces with <see cref="InterfaceOptions.Masquerades"/>.</summary>
    public NatOptions Nat { get; init; } = new();

    public FragmentOptions Fragments { get; init; } = new();

    public NeighborOptions Neighbors { get; init; } = new();

    public IcmpOptions Icmp { get; init; } = new();

    public UdpOptions Udp { get; init; } = new();

    public TcpOptions Tcp { get; init; } = new();

    internal void Validate()
    {
        Ranges.HopLimit.Check(HopLimit, nameof(HopLimit));
        Ranges.LoopbackFrames.Check(LoopbackFrames, nameof(LoopbackFrames));
        if (Shard is not null && (Shard.Index < 0 || Shard.Index >= Shard.Steering.Shards))
            throw new ArgumentOutOfRangeException(nameof(Shard), Shard.Index, "The index of a shard must be below the number of shards.");
        Forwarding?.Validate();
        Nat.Validate();
        Fragments.Validate();
        Neighbors.Validate();
        Icmp.Validate();
        Udp.Validate();
    }

    /// <summary>What each option may be.</summary>
    public static class Ranges
    {
        public static ValueRange<byte> HopLimit { get; } = new(1, 255);

        public static ValueRange<int> LoopbackFrames { get; } = new(1, 1 << 20);
    }
}
