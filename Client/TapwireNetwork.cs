using System.Net;
using System.Net.Http;
using System.Net.Sockets;
using Tapwire.Links.Client;

namespace Tapwire;

/// <summary>
/// Sockets on a network of Tapwire's, whoever has the driver: this process (<c>TapwireNetwork.StartAsync</c> of the package Tapwire), or another one
/// (<see cref="ConnectToDriverAsync"/>). Safe to use from several threads. Errors are <see cref="SocketException"/>s with the codes of the kernel's own sockets.
/// </summary>
/// <remarks>Implementations outside this package are welcome: a simulated network, for example.</remarks>
public abstract class TapwireNetwork : IAsyncDisposable
{
    /// <summary>Completes, without an exception, when the network has ended: it is disposed, or its driver is gone. Sockets then fail with NetworkDown.</summary>
    public abstract Task Ended { get; }

    /// <summary>What limits of calls are measured by.</summary>
    internal virtual TimeProvider Clock => TimeProvider.System;

    /// <summary>Connects to a driver in another process.</summary>
    /// <param name="path">The driver's control socket. Null: the user's own driver's or, if there is none, the system's.</param>
    /// <inheritdoc cref="TapwireClient.ConnectAsync(string?, CancellationToken)"/>
    public static async Task<TapwireNetwork> ConnectToDriverAsync(string? path = null, CancellationToken cancellationToken = default) =>
        await TapwireClient.ConnectAsync(path, cancellationToken).ConfigureAwait(false);

    /// <summary>Opens a TCP connection to a host. Its addresses are looked up with the driver's resolver, and tried by turns: the next one when the last has failed, or has not answered for
    /// a quarter of a second (Happy Eyeballs, RFC 8305).</summary>
    /// <param name="host">A name, or an address.</param>
    /// <param name="port">1 to 65535.</param>
    /// <exception cref="SocketException">As <see cref="ResolveAsync(string, AddressFamily, CancellationToken)"/>, or why the first of the addresses could not be reached.</exception>
    public Task<TapwireStream> ConnectAsync(string host, int port, CancellationToken cancellationToken = default) =>
        ConnectAsync(host, port, TapwireConnectOptions.Default, cancellationToken);

    /// <inheritdoc cref="ConnectAsync(string, int, CancellationToken)"/>
    public async Task<TapwireStream> ConnectAsync(string host, int port, TapwireConnectOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(port, 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(port, IPEndPoint.MaxPort);
        return await WithinAsync(options.Timeout, RaceAsync, cancellationToken).ConfigureAwait(false);

        async Task<TapwireStream> RaceAsync(CancellationToken cancel)
        {
            var addresses = IPAddress.TryParse(host, out var literal) ? [literal] : (await ResolveAsync(host, cancellationToken: cancel).ConfigureAwait(false)).Addresses;
            return await new ConnectionRace((remote, over) => ConnectCoreAsync(remote, options, over), addresses, port, Clock).RunAsync(cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Opens a TCP connection; completes after the handshake. Cancelling gives up the attempt.</summary>
    /// <param name="remote">The peer. A link-local address has the number of an interface as its scope.</param>
    /// <exception cref="SocketException">The true reason: ConnectionRefused, TimedOut, HostUnreachable, NetworkUnreachable, AddressNotAvailable, AddressAlreadyInUse, NetworkDown.</exception>
    public Task<TapwireStream> ConnectAsync(IPEndPoint remote, CancellationToken cancellationToken = default) => ConnectAsync(remote, TapwireConnectOptions.Default, cancellationToken);

    /// <inheritdoc cref="ConnectAsync(IPEndPoint, CancellationToken)"/>
    public Task<TapwireStream> ConnectAsync(IPEndPoint remote, TapwireConnectOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(remote);
        ArgumentNullException.ThrowIfNull(options);
        return options.Timeout == Timeout.InfiniteTimeSpan
            ? ConnectCoreAsync(remote, options, cancellationToken)
            : WithinAsync(options.Timeout, cancel => ConnectCoreAsync(remote, options, cancel), cancellationToken);
    }

    /// <summary>Listens for TCP connections on all own addresses, of both families. A peer of IPv4 then has an address such as ::ffff:10.99.0.1, as with a socket of two modes.</summary>
    /// <param name="port">0 has one chosen: <see cref="TapwireListener.LocalEndPoint"/>.</param>
    /// <exception cref="SocketException">AddressAlreadyInUse.</exception>
    public Task<TapwireListener> ListenAsync(int port, CancellationToken cancellationToken = default) => ListenAsync(new IPEndPoint(IPAddress.IPv6Any, port), cancellationToken);

    /// <summary>Listens for TCP connections.</summary>
    /// <param name="local">An own address or a wildcard; port 0 has one chosen.</param>
    /// <exception cref="SocketException">AddressAlreadyInUse, AddressNotAvailable.</exception>
    public Task<TapwireListener> ListenAsync(IPEndPoint local, CancellationToken cancellationToken = default) => ListenAsync(local, TapwireListenOptions.Default, cancellationToken);

    /// <inheritdoc cref="ListenAsync(IPEndPoint, CancellationToken)"/>
    public abstract Task<TapwireListener> ListenAsync(IPEndPoint local, TapwireListenOptions options, CancellationToken cancellationToken = default);

    /// <summary>Opens a UDP socket on a port of all own addresses, of both families.</summary>
    /// <param name="port">0 has one chosen.</param>
    /// <exception cref="SocketException">AddressAlreadyInUse.</exception>
    public Task<TapwireDatagramSocket> BindUdpAsync(int port = 0, CancellationToken cancellationToken = default) => BindUdpAsync(new IPEndPoint(IPAddress.IPv6Any, port), cancellationToken);

    /// <summary>Opens a UDP socket and binds it.</summary>
    /// <param name="local">An own address or a wildcard; port 0 has one chosen.</param>
    /// <exception cref="SocketException">AddressAlreadyInUse, AddressNotAvailable.</exception>
    public abstract Task<TapwireDatagramSocket> BindUdpAsync(IPEndPoint local, CancellationToken cancellationToken = default);

    /// <summary>Looks up the addresses of a name with the driver's resolver.</summary>
    /// <param name="name">A host's name. A dot at its end keeps domains from being searched.</param>
    /// <param name="family">InterNetwork, InterNetworkV6, or Unspecified for both.</param>
    /// <exception cref="SocketException">HostNotFound: there is no such name; NoData: it has no address of that family; TryAgain: the servers cannot say; TimedOut: none of them
    /// answers; NoRecovery: the driver has no server for it; InvalidArgument: it is no host's name. The message says it in a sentence.</exception>
    public abstract Task<ResolvedHost> ResolveAsync(string name, AddressFamily family = AddressFamily.Unspecified, CancellationToken cancellationToken = default);

    /// <summary>The driver's state and counters as JSON, as <c>tapwire status --json</c> prints them.</summary>
    public abstract Task<string> GetStatusAsync(CancellationToken cancellationToken = default);

    /// <summary>A handler for <see cref="HttpClient"/> whose connections are on this network; names are looked up by the driver. It uses no proxy of the host's. To be configured before its
    /// first request, as any other; the network must outlive it.</summary>
    public SocketsHttpHandler CreateHttpHandler() => new()
    {
        UseProxy = false,
        ConnectCallback = async (context, cancellationToken) =>
            await ConnectAsync(context.DnsEndPoint.Host, context.DnsEndPoint.Port, TapwireConnectOptions.ForRequests, cancellationToken).ConfigureAwait(false),
    };

    /// <summary>Has a place on this machine lead to a host of this network, for libraries that take no stream, only an address. Each connection there becomes one to the host; names are looked up
    /// with the driver's resolver, each time.</summary>
    /// <param name="local">The path of an AF_UNIX socket (<see cref="UnixDomainSocketEndPoint"/>), which is made with mode 0600, replaces one that a process has left behind, and goes with the forward. Or an
    /// address of loopback, to which every user of this machine can connect; port 0 has one chosen: <see cref="TapwireForward.LocalEndPoint"/>.</param>
    /// <param name="host">A name, or an address.</param>
    /// <param name="port">1 to 65535.</param>
    /// <param name="failed">Called when the host could not be reached for a connection, which then ends, with the reason. It must neither block nor throw.</param>
    /// <exception cref="ArgumentException"><paramref name="local"/> is neither a path nor an address of loopback, or too long a path.</exception>
    /// <exception cref="SocketException">AddressAlreadyInUse: somebody listens there, or there is a file; AccessDenied: it is not this user's to make.</exception>
    /// <remarks>Its sockets are the kernel's, which know no virtual time: not for a lab.</remarks>
    public TapwireForward Forward(EndPoint local, string host, int port, Action<SocketException>? failed = null)
    {
        ArgumentNullException.ThrowIfNull(local);
        ArgumentException.ThrowIfNullOrEmpty(host);
        ArgumentOutOfRangeException.ThrowIfLessThan(port, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(port, IPEndPoint.MaxPort);
        return new TapwireForward(this, local, host, port, failed);
    }

    /// <summary>Ends the network: its sockets end in order, and what waits fails with OperationAborted.</summary>
    public abstract ValueTask DisposeAsync();

    /// <summary>Opens a TCP connection, without a time limit of its own.</summary>
    protected abstract Task<TapwireStream> ConnectCoreAsync(IPEndPoint remote, TapwireConnectOptions options, CancellationToken cancellationToken);

    private async Task<T> WithinAsync<T>(TimeSpan limit, Func<CancellationToken, Task<T>> work, CancellationToken cancellationToken)
    {
        if (limit == Timeout.InfiniteTimeSpan)
            return await work(cancellationToken).ConfigureAwait(false);
        using var limited = new CancellationTokenSource(limit, Clock);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limited.Token);
        try
        {
            return await work(over.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new SocketException((int)SocketError.TimedOut);
        }
    }
}
