using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Link;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors.Settings;

/// <summary>Everything below <c>tapwire</c> in <c>akka.hocon</c>, typed. The command line replaces single values with <c>with</c>.</summary>
public sealed record DriverSettings
{
    public required WireSpec Wire { get; init; }

    public required IReadOnlyList<IpPrefix> Addresses { get; init; }

    /// <summary>Null: packets leave the interface's own prefixes nowhere.</summary>
    public required IpAddress? Gateway { get; init; }

    /// <summary>Null: the wire's, or one made at random.</summary>
    public required MacAddress? HardwareAddress { get; init; }

    /// <summary>Bytes; 0 takes the wire's.</summary>
    public required int Mtu { get; init; }

    /// <summary>Threads that share the work, each with a queue of the wire and a stack, 1..<see cref="FlowSteering.MaxShards"/>.</summary>
    public required int Shards { get; init; }

    public required TimeSpan ShutdownTimeout { get; init; }

    public required TapSettings Tap { get; init; }

    public required QueueSettings Queues { get; init; }

    public required byte HopLimit { get; init; }

    public required NeighborOptions Neighbors { get; init; }

    public required IcmpOptions Icmp { get; init; }

    public required UdpOptions Udp { get; init; }

    public required TcpOptions Tcp { get; init; }

    public required LinkSettings Link { get; init; }

    public required IReadOnlyList<ServiceSpec> Serve { get; init; }

    public required int ServeBacklog { get; init; }

    public required SocksSettings Socks { get; init; }

    public required IReadOnlyList<ForwardSpec> Forward { get; init; }

    public required IReadOnlyList<ExposeSpec> Expose { get; init; }

    public required ProxySettings Proxy { get; init; }
}

/// <summary>Section <c>tapwire.tap</c>.</summary>
public sealed record TapSettings(bool Offload, bool SoftwareOffload, int ReadBatch, int QueueFrames, TimeSpan ReopenMinimum, TimeSpan ReopenMaximum);

/// <summary>Section <c>tapwire.stack</c>: the stack actor's queues.</summary>
public sealed record QueueSettings(int Frames, int Bytes, int FramesPerPoll, int EgressCredit, TimeSpan MaximumTick);

/// <summary>Section <c>tapwire.link</c>.</summary>
/// <param name="Path">Empty: the user's default path; "off": no link.</param>
public sealed record LinkSettings(string Path, int MaxSessions, int MaxSockets, IReadOnlyList<string> Users)
{
    public bool IsOff => Path == "off";
}
