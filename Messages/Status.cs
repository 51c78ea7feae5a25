using Tapwire.Links.Protocol;
using Tapwire.Stack.Ip;

namespace Tapwire.Messages;

/// <summary>
/// Anyone → DriverActor, StackActor, TapActor, LinkActor, ProxyActor or CableActor: how are you? Answered by <see cref="DriverStatus"/>,
/// <see cref="StackStatus"/>, <see cref="TapStatus"/>, <see cref="LinkStatus"/>, <see cref="ProxyStatus"/> or <see cref="CableStatus"/>, in every state. Driver,
/// proxy and cable ask their children the same; a driver that stops refuses. An actor that is gone does not answer: who asks sets himself a time.
/// </summary>
public sealed class GetStatus
{
    public static readonly GetStatus Instance = new();

    private GetStatus()
    {
    }
}

/// <summary>TapActor's answer.</summary>
public sealed record TapStatus(WireStatus Wire);

/// <summary>LinkActor's answer.</summary>
/// <param name="Sessions">Control connections of applications.</param>
/// <param name="Sockets">Sockets of applications.</param>
public sealed record LinkStatus(int Sessions, int Sockets);

/// <summary>StackActor's answer.</summary>
/// <param name="Interfaces">What the stack has of each, in the order in which they were added.</param>
/// <param name="Counters">The engine's counters by name, without those that are zero.</param>
public sealed record StackStatus(IReadOnlyList<StackInterfaceStatus> Interfaces, IReadOnlyList<ConnectionStatus> Connections,
    int ConnectionCount, IReadOnlyDictionary<string, long> Counters, long BuffersRented, TimeSpan Uptime)
{
    /// <summary>Those of all interfaces.</summary>
    public IEnumerable<IpPrefix> Addresses() => Interfaces.SelectMany(static each => each.Addresses);
}

/// <summary>An interface as the stack has it; its <see cref="WireStatus"/> is the tap actor's.</summary>
public sealed record StackInterfaceStatus(string Name, IReadOnlyList<IpPrefix> Addresses, IReadOnlyList<RouteStatus> Routes);
