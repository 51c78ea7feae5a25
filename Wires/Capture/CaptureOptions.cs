using Tapwire.Stack.Ip;

namespace Tapwire.Wires.Capture;

/// <summary>What of a driver's packets is captured, and how much of it may wait to be written.</summary>
public sealed record CaptureOptions
{
    /// <summary>Bytes recorded of a packet at most, as tcpdump(8) has it: more than any super-frame has.</summary>
    public const int MaxSnapLength = 256 << 10;

    /// <summary>Enough for the headers of a packet.</summary>
    public const int MinSnapLength = 64;

    public const int MinMemory = 256 << 10;

    public const int MaxMemory = 1 << 30;

    /// <summary>The name of the only interface whose packets are wanted; empty: all, also those that are added later.</summary>
    public string Interface { get; init; } = "";

    /// <summary>The datagrams of tunnels (WireGuard, VXLAN) as they go over the host's network, rather than the packets in them.</summary>
    public bool Outer { get; init; }

    /// <summary>Only packets from or to this address; null: from and to any.</summary>
    public IpAddress? Host { get; init; }

    /// <summary>Only packets from or to this port of TCP, UDP, SCTP or DCCP, and fragments that have no ports; 0: any.</summary>
    public ushort Port { get; init; }

    /// <summary>Not the packets from and to this address that have this port at either end: those of the reader of a capture, which would come again and again, and have what it shows for itself. Null: none are left out.</summary>
    public IpEndpoint? Except { get; init; }

    /// <summary>Bytes recorded of each packet, <see cref="MinSnapLength"/>..<see cref="MaxSnapLength"/>.</summary>
    public int SnapLength { get; init; } = MaxSnapLength;

    /// <summary>The capture ends after so many packets; 0: it does not.</summary>
    public long Count { get; init; }

    /// <summary>Bytes of memory that packets may hold until they are written, <see cref="MinMemory"/>..<see cref="MaxMemory"/>; what does not fit is dropped and counted.</summary>
    public int Memory { get; init; } = 4 << 20;
}
