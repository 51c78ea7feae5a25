using Tapwire.Stack.Neighbors;
using Tapwire.Stack;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Hostile;

/// <summary>How frames come to a stack.</summary>
internal enum FramePath
{
    /// <summary>As they are; every checksum is verified by the stack.</summary>
    Plain,

    /// <summary>As from a device with offloads: super-frames and partial checksums, each with a virtio-net header before it, which is tampered with, too.</summary>
    Virtio,

    /// <summary>Through software offload: super-frames are cut, segments are merged.</summary>
    Merging,

    /// <summary>The same, each segment read in place, behind the payload of those before it.</summary>
    MergingInPlace,
}

/// <summary>What one round is about; all of it comes from its seed.</summary>
internal sealed record FrameCase
{
    public const int PathCount = 4;

    public required ulong Seed { get; init; }

    public Medium Link { get; init; }

    public FramePath Path { get; init; }

    /// <summary>The hosts have IPv6 addresses, and speak nothing else.</summary>
    public bool IsV6 { get; init; }

    /// <summary>Hostile frames to send.</summary>
    public int Frames { get; init; }

    /// <summary>Bytes that an honest application writes at once, at most.</summary>
    public int MaxWrite { get; init; }

    public TcpOptions Tcp { get; init; } = new();

    /// <summary>False lets hostile frames into honest connections: what must hold then cannot.</summary>
    public bool Spares { get; init; } = true;

    public bool IsSoftware => Path is FramePath.Merging or FramePath.MergingInPlace;

    public static FrameCase Draw(ulong seed)
    {
        var random = new SeededRandom(seed);
        return new FrameCase
        {
            Seed = seed,
            Link = random.OneIn(4) ? Medium.Ip : Medium.Ethernet,
            Path = (FramePath)random.Next(PathCount),
            Frames = random.Next(20_000, 100_000),
            MaxWrite = random.Next(1, 4000),
            Tcp = new TcpOptions
            {
                // Small, so that they are reached.
                Memory = 32 << 20,
                MaxSockets = random.Next(32, 256),
                MaxEmbryonic = random.Next(16, 256),
                MaxEmbryonicPerListener = random.Next(16, 128),
                MaxTimeWait = random.Next(1, 64),
                ReceiveBuffer = random.Next(4096, 1 << 20),
                SendBuffer = random.Next(4096, 1 << 20),
                Timestamps = !random.OneIn(4),
                SelectiveAck = !random.OneIn(4),
                WindowScaling = !random.OneIn(4),
                SynCookies = !random.OneIn(4),
                Ecn = (EcnMode)random.Next(3),
                CongestionControl = (CongestionAlgorithm)random.Next(4),
            },
            IsV6 = random.OneIn(2),
        };
    }

    /// <summary>The address of a host, 1 or 2.</summary>
    public IpPrefix AddressOf(int host) => IpPrefix.Parse(IsV6 ? $"fd00::{host}/64" : $"10.0.0.{host}/24");

    /// <param name="host">1 or 2.</param>
    public StackOptions OptionsOf(int host) => new()
    {
        Interfaces =
        [
            new()
            {
                Medium = Link,
                HardwareAddress = Link == Medium.Ethernet ? new MacAddress(0x02_00_00_00_00_00UL + (uint)host) : default,
                ChecksumOffload = Path != FramePath.Plain,
                SuperFrame = Path == FramePath.Plain ? 0 : 65535,
            },
        ],
        Neighbors = new NeighborOptions { Entries = 64, AllQueuedBytes = 256 << 10, DuplicateProbes = 0 },
        Fragments = new FragmentOptions { Memory = 512 << 10, MemoryPerSource = 512 << 10, Datagrams = 16, PerDatagram = 16 },
        Tcp = Tcp,
    };

    public override string ToString() => $"round 0x{Seed:X16}: {Frames} frames, {Link}, {(IsV6 ? "IPv6" : "IPv4")}, {Path}, writes up to {MaxWrite}, {Tcp}";
}
