using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace Tapwire.Samples.Redis;

/// <summary>Has StackExchange.Redis connect on a Tapwire network, which also looks up the names of its end points.</summary>
public sealed class TapwireTunnel(TapwireNetwork network) : Tunnel
{
    private static readonly TapwireConnectOptions Options = new() { NoDelay = true };

    /// <summary>Nothing: the client makes no socket of the host's.</summary>
    public override ValueTask<EndPoint?> GetSocketConnectEndpointAsync(EndPoint endpoint, CancellationToken cancellationToken) => default;

    /// <summary>The stream that the client speaks by instead of a socket's. It has one for commands and one for subscriptions.</summary>
    public override async ValueTask<Stream?> BeforeAuthenticateAsync(EndPoint endpoint, ConnectionType connectionType, Socket? socket, CancellationToken cancellationToken) => endpoint switch
    {
        IPEndPoint remote => await network.ConnectAsync(remote, Options, cancellationToken),
        DnsEndPoint named => await network.ConnectAsync(named.Host, named.Port, Options, cancellationToken),
        _ => throw new NotSupportedException($"Tapwire connects to addresses and names with ports, not to {endpoint}."),
    };
}
