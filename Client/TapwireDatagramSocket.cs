using System.Net;
using System.Net.Sockets;

namespace Tapwire;

/// <summary>A UDP socket. Datagrams that nobody receives wait up to a limit, and are dropped above it.</summary>
public abstract class TapwireDatagramSocket : IDisposable
{
    /// <summary>The longest payload of a datagram, in bytes.</summary>
    public const int MaxPayload = 65_507;

    /// <summary>The address and port that it is bound to.</summary>
    public abstract IPEndPoint? LocalEndPoint { get; }

    /// <summary>Null unless the socket is connected.</summary>
    public abstract IPEndPoint? RemoteEndPoint { get; }

    /// <summary>Makes <paramref name="remote"/> the only peer: its errors are reported here, and datagrams of others are dropped.</summary>
    /// <exception cref="SocketException">NetworkUnreachable and the like: nothing can be sent there.</exception>
    public abstract Task ConnectAsync(IPEndPoint remote, CancellationToken cancellationToken = default);

    /// <summary>Sends one datagram to the connected peer. Waits while the driver has no room.</summary>
    /// <returns>Its length in bytes.</returns>
    /// <exception cref="SocketException">MessageSize: it is longer than <see cref="MaxPayload"/>; NotConnected; ConnectionRefused: an earlier datagram found nobody.</exception>
    public abstract ValueTask<int> SendAsync(ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default);

    /// <summary>Sends one datagram. Waits while the driver has no room.</summary>
    /// <returns>Its length in bytes.</returns>
    /// <exception cref="SocketException">MessageSize: it is longer than <see cref="MaxPayload"/>.</exception>
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

    /// <inheritdoc cref="Dispose()"/>
    protected abstract void Dispose(bool disposing);
}
