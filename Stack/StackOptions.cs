using Tapwire.Stack.Ip;
using Tapwire.Stack.Link;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Stack;

/// <summary>Everything about a stack that does not change while it runs. Values out of range are refused by the constructor of <see cref="NetworkStack"/>.</summary>
public sealed class StackOptions
{
    /// <summary>What frames begin with.</summary>
    public LinkKind Link { get; init; } = LinkKind.Ethernet;

    /// <summary>This stack's own Ethernet address: a unicast address, needed for <see cref="LinkKind.Ethernet"/> only.</summary>
    public MacAddress HardwareAddress { get; init; }

    /// <summary>Largest IP packet on the link in bytes, 68..65535.</summary>
    public int Mtu { get; init; } = 1500;

    /// <summary>Largest TCP/IPv4 packet that the device cuts into segments, in bytes, up to 65535; 0 where it does not. Needs <see cref="ChecksumOffload"/>.</summary>
    public int SuperFrame { get; init; }

    /// <summary>The device completes partial TCP and UDP checksums.</summary>
    public bool ChecksumOffload { get; init; }

    /// <summary>TTL of packets whose socket names none, 1..255 (RFC 1122, 3.2.1.7).</summary>
    public byte HopLimit { get; init; } = 64;

    /// <summary>Frames that may wait for the wire before transports are told to hold back, 1..1048576.</summary>
    public int EgressFrames { get; init; } = 1024;

    /// <summary>Bytes that may wait for the wire before transports are told to hold back, 64 KiB..1 GiB.</summary>
    public int EgressBytes { get; init; } = 8 << 20;

    /// <summary>Packets to own addresses that may wait for the next <see cref="NetworkStack.Poll"/>, 1..1048576.</summary>
    public int LoopbackFrames { get; init; } = 1024;

    /// <summary>Which of several stacks with the same addresses this one is; null for one that has its addresses alone.</summary>
    public StackShard? Shard { get; init; }

    public NeighborOptions Neighbors { get; init; } = new();

    public IcmpOptions Icmp { get; init; } = new();

    public UdpOptions Udp { get; init; } = new();

    public TcpOptions Tcp { get; init; } = new();

    internal void Validate()
    {
        Check(Link is LinkKind.Ip || (!HardwareAddress.IsGroup && HardwareAddress.Value != 0), nameof(HardwareAddress), HardwareAddress, "a unicast address");
        Ranges.Mtu.Check(Mtu, nameof(Mtu));
        Check(SuperFrame == 0 || (SuperFrame >= Mtu && SuperFrame <= 65535), nameof(SuperFrame), SuperFrame, "0 or Mtu..65535");
        Check(SuperFrame == 0 || ChecksumOffload, nameof(SuperFrame), SuperFrame, "0 without ChecksumOffload");
        Ranges.HopLimit.Check(HopLimit, nameof(HopLimit));
        Ranges.EgressFrames.Check(EgressFrames, nameof(EgressFrames));
        Ranges.EgressBytes.Check(EgressBytes, nameof(EgressBytes));
        Ranges.LoopbackFrames.Check(LoopbackFrames, nameof(LoopbackFrames));
        Check(Shard is null || (Shard.Index >= 0 && Shard.Index < Shard.Steering.Shards), nameof(Shard), Shard?.Index ?? 0, "below the number of shards");
        Neighbors.Validate();
        Icmp.Validate();
        Udp.Validate();
    }

    private static void Check(bool good, string name, object value, string accepted)
    {
        if (!good)
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be {accepted}.");
    }

    /// <summary>What each option may be.</summary>
    public static class Ranges
    {
        public static ValueRange<int> Mtu { get; } = new(68, 65535);

        public static ValueRange<byte> HopLimit { get; } = new(1, 255);

        public static ValueRange<int> EgressFrames { get; } = new(1, 1 << 20);

        public static ValueRange<int> EgressBytes { get; } = new(64 << 10, 1 << 30);

        public static ValueRange<int> LoopbackFrames { get; } = new(1, 1 << 20);
    }
}
