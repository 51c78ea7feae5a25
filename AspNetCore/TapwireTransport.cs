using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;

namespace Tapwire.AspNetCore;

/// <summary>Connections of a Tapwire network for Kestrel, which listens by it, and for clients that take an <see cref="IConnectionFactory"/>.</summary>
public sealed class TapwireTransport : IConnectionListenerFactory, IConnectionListenerFactorySelector, IConnectionFactory
{
    private readonly Func<CancellationToken, Task<TapwireNetwork>> _network;

    /// <param name="network">The network; stays the caller's.</param>
    public TapwireTransport(TapwireNetwork network)
        : this(_ => Task.FromResult(network)) =>
        ArgumentNullException.ThrowIfNull(network);

    internal TapwireTransport(Func<CancellationToken, Task<TapwireNetwork>> network) => _network = network;

    /// <summary>Whether an address can be listened on: one with a port can.</summary>
    public bool CanBind(EndPoint endpoint) => endpoint is IPEndPoint;

    /// <summary>Listens on an address of the network's.</summary>
    /// <exception cref="AddressInUseException">The port is taken.</exception>
    /// <exception cref="SocketException">AddressNotAvailable: the address is not the network's.</exception>
    public async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        if (endpoint is not IPEndPoint local)
            throw new NotSupportedException($"Tapwire listens on addresses with ports, not on {endpoint}.");
        var network = await _network(cancellationToken).ConfigureAwait(false);
        try
        {
            return new Listener(await network.ListenAsync(local, cancellationToken).ConfigureAwait(false));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            throw new AddressInUseException(e.Message, e);
        }
    }

    /// <summary>Connects to an address, or a name (<see cref="DnsEndPoint"/>).</summary>
    /// <exception cref="SocketException">The reason why it cannot be reached.</exception>
    public async ValueTask<ConnectionContext> ConnectAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        var network = await _network(cancellationToken).ConfigureAwait(false);
        var stream = endpoint switch
        {
            IPEndPoint remote => await network.ConnectAsync(remote, cancellationToken).ConfigureAwait(false),
            DnsEndPoint named => await network.ConnectAsync(named.Host, named.Port, cancellationToken).ConfigureAwait(false),
            _ => throw new NotSupportedException($"Tapwire connects to addresses and names with ports, not to {endpoint}."),
        };
        stream.NoDelay = true;
        return new TapwireConnection(stream);
    }

    private sealed class Listener(TapwireListener listener) : IConnectionListener
    {
        public EndPoint EndPoint => listener.LocalEndPoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            while (true)
            {
                try
                {
                    var stream = await listener.AcceptAsync(cancellationToken).ConfigureAwait(false);
                    if (TryPrepare(stream))
                        return new TapwireConnection(stream);
                }
                catch (Exception e) when (e is ObjectDisposedException || e is SocketException { SocketErrorCode: SocketError.OperationAborted or SocketError.NetworkDown })
                {
                    return null; // unbound, or the network has ended
                }
            }
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default) => listener.DisposeAsync();

        public ValueTask DisposeAsync() => listener.DisposeAsync();

        /// <summary>Kestrel's own transport has TCP_NODELAY, too. False: the connection has ended meanwhile.</summary>
        private static bool TryPrepare(TapwireStream stream)
        {
            try
            {
                stream.NoDelay = true;
                return true;
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                stream.Dispose();
                return false;
            }
        }
    }
}
