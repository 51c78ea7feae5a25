using System.Net;
using System.Net.Sockets;

namespace Tapwire;

/// <summary>A UDP socket. Datagrams that nobody receives wait up to a limit, and are dropped above it.</summary>
public abstract class TapwireDatagramSocket : IDisposable
{
    /// <summary>The longest payload of a datagram, in bytes: that of one over IPv6.</summary>
    public const int MaxPayload = 65_527;

    /// <summary>The longest payload of a datagram over IPv4, in bytes.</summary>
    public const int MaxPayloadV4 = 65_507;

    /// <summary>The address and port that it is bound to.</summary>
    public abstract IPEndPoint? LocalEndPoint { get; }

    /// <summary>Null unless the socket is connected.</summary>
    public abstract IPEndPoint? RemoteEndPoint { get; }

    /// <summary>Makes <paramref name="remote"/> the only peer: its errors are reported here, and datagrams of others are dropped.</summary>
    /// <exception cref="SocketException">NetworkUnreachable and the like: nothing can be sent there.</exception>
    public abstract Task ConnectAsync(IPEndPoint remote, CancellationToken cancellationToken = default);

    /// <summary>Sends one datagram to the connected peer. Waits while the driver has no room.</summary>
    /// <returns>Its length in bytes.</returns>
    /// <exception cref="SocketException">MessageSize: it is longer than <see cref="MaxPayload"/>, or to an IPv4 peer than <see cref="MaxPayloadV4"/>; NotConnected; ConnectionRefused: an earlier datagram found nobody.</exception>
    public abstract ValueTask<int> SendAsync(ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default);

    /// <summary>Sends one datagram. Waits while the driver has no room.</summary>
    /// <returns>Its length in bytes.</returns>
    /// <exception cref="SocketException">MessageSize: it is longer than <see cref="MaxPayload"/>, or to an IPv4 peer than <see cref="MaxPayloadV4"/>.</exception>
    public abstract ValueTask<int> SendToAsync(ReadOnlyMemory<byte> payload, IPEndPoint remote, CancellationToken cancellationToken = default);

    /// <summary>Waits for a datagram. Bytes that do not fit the buffer are lost, as with recvfrom(2).</summary>
    /// <exception cref="SocketException">An error was pending, such as ConnectionRefused of a connected socket; OperationAborted: the socket was disposed; NetworkDown: the driver is gone.</exception>
    public abstract ValueTask<SocketReceiveFromResult> ReceiveFromAsync(Memory<byte> buffer, CancellationToken cancellationToken = default);

    /// <summary>Waits for a datagram of the connected peer.</summary>
    /// <returns>Its bytes in the buffer.</returns>
    /// <inheritdoc cref="ReceiveFromAsync(Memory{byte}, CancellationToken)"/>
    public async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        (await ReceiveFromAsync(buffer, cancellationToken).ConfigureAwait(false)).ReceivedBytes;

    /// <summary>Closes the socket.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Refuses a payload that no datagram to that peer holds.</summary>
    /// <param name="remote">Null: there is no peer, which is another error.</param>
    /// <returns>Null: it fits.</returns>
    internal static SocketException? RefusalOf(int length, IPEndPoint? remote)
    {
        var isV4 = remote is not null && (remote.AddressFamily == AddressFamily.InterNetwork || remote.Address.IsIPv4MappedToIPv6);
        return length > (isV4 ? MaxPayloadV4 : MaxPayload) ? new SocketException((int)SocketError.MessageSize) : null;
    }

    /// <inheritdoc cref="Dispose()"/>
    protected abstract void Dispose(bool disposing);
}
