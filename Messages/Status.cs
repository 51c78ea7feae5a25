using Tapwire.Links.Protocol;
using Tapwire.Stack.Ip;

namespace Tapwire.Messages;

/// <summary>Anyone → StackActor or TapActor: how are you? Answered by <see cref="StackStatus"/> or <see cref="TapStatus"/>.</summary>
public sealed class GetStatus
{
    public static readonly GetStatus Instance = new();

    private GetStatus()
    {
    }
}

/// <summary>TapActor's answer.</summary>
public sealed record TapStatus(WireStatus Wire);

/// <summary>StackActor's answer.</summary>
/// <param name="Counters">The engine's counters by name, without those that are zero.</param>
public sealed record StackStatus(IReadOnlyList<IpPrefix> Addresses, IReadOnlyList<ConnectionStatus> Connections,
    int ConnectionCount, IReadOnlyDictionary<string, long> Counters, long BuffersRented, TimeSpan Uptime);

/// <summary>Anyone → StackActor: add or remove an address at run time. Answered by <see cref="AddressAnswer"/>.</summary>
public sealed record AddAddress(IpPrefix Prefix);

/// <inheritdoc cref="AddAddress"/>
public sealed record RemoveAddress(IpAddress Address);

/// <summary>StackActor → who asked.</summary>
public sealed record AddressAnswer(Tapwire.Stack.StackError Error);
