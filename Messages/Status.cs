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
/// <param name="Counters">The engine's counters by name, without those that are zero.</param>
public sealed record StackStatus(IReadOnlyList<IpPrefix> Addresses, IReadOnlyList<ConnectionStatus> Connections,
    int ConnectionCount, IReadOnlyDictionary<string, long> Counters, long BuffersRented, TimeSpan Uptime);

/// <summary>Anyone → StackActor: add or remove an address at run time. Answered by <see cref="AddressAnswer"/>.</summary>
public sealed record AddAddress(IpPrefix Prefix);

/// <inheritdoc cref="AddAddress"/>
public sealed record RemoveAddress(IpAddress Address);

/// <summary>StackActor → who asked for an address to be added or removed: done, or why not.</summary>
public sealed record AddressAnswer(Tapwire.Stack.StackError Error);
