using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Messages;

/// <summary>Anyone → StackActor or TapActor: how are you? Answered by <see cref="StackStatus"/> or <see cref="TapStatus"/>.</summary>
public sealed class StatusRequest
{
    public static readonly StatusRequest Instance = new();

    private StatusRequest()
    {
    }
}

/// <summary>TapActor's answer. Counters are totals since the start.</summary>
public sealed record TapStatus(string Name, bool Up, int Mtu, string? HardwareAddress, string Offloads,
    long FramesReceived, long BytesReceived, long FramesSent, long BytesSent, long FramesRefused, long FramesDropped);

/// <summary>StackActor's answer.</summary>
/// <param name="Counters">The engine's counters by name, without those that are zero.</param>
public sealed record StackStatus(IReadOnlyList<IpPrefix> Addresses, IReadOnlyList<ConnectionStatus> Connections,
    int ConnectionCount, IReadOnlyDictionary<string, long> Counters, long BuffersRented, TimeSpan Uptime);

/// <summary>One TCP socket.</summary>
/// <param name="Tcp">Null until the handshake is done, and for what is no connection.</param>
public sealed record ConnectionStatus(string State, IpEndpoint Local, IpEndpoint Remote, int SendQueue, int ReceiveQueue, TcpInfo? Tcp = null);

/// <summary>Anyone → StackActor: add or remove an address at run time. Answered by <see cref="AddressAnswer"/>.</summary>
public sealed record AddAddress(IpPrefix Prefix);

/// <inheritdoc cref="AddAddress"/>
public sealed record RemoveAddress(IpAddress Address);

/// <summary>StackActor → who asked.</summary>
public sealed record AddressAnswer(Tapwire.Stack.StackError Error);
