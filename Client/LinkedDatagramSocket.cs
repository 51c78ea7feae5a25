using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Protocol;
using Tapwire.Posix;

namespace Tapwire.Links.Client;

/// <summary>A UDP socket of a driver in another process.</summary>
public sealed class LinkedDatagramSocket : TapwireDatagramSocket
{
    private IPEndPoint? _local;
    private IPEndPoint? _remote;
    private volatile bool _isDisposed;

    internal LinkedDatagramSocket(TapwireSocket socket, IPEndPoint? local)
    {
        Socket = socket;
        _local = local;
    }

    /// <summary>For options, and for the descriptor.</summary>
    public TapwireSocket Socket { get; }

    /// <inheritdoc/>
    public override IPEndPoint? LocalEndPoint => _local;

    /// <inheritdoc/>
    public override IPEndPoint? RemoteEndPoint => _remote;

    /// <inheritdoc/>
    public override async Task ConnectAsync(IPEndPoint remote, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(remote);
        _local = await Socket.ConnectAsync(remote, cancellationToken).ConfigureAwait(false);
        _remote = remote;
    }

    /// <inheritdoc/>
    public override ValueTask<int> SendAsync(ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default) =>
        SendAsync(payload, Sockaddr.None, _remote, cancellationToken);

    /// <inheritdoc/>
    public override ValueTask<int> SendToAsync(ReadOnlyMemory<byte> payload, IPEndPoint remote, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(remote);
        return SendAsync(payload, Socket.ToAddress(remote), remote, cancellationToken);
    }

    /// <inheritdoc/>
    public override async ValueTask<SocketReceiveFromResult> ReceiveFromAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        var message = ArrayPool<byte>.Shared.Rent(DatagramHeader.Size + DatagramExtension.Size + DatagramHeader.MaxPayload);
        try
        {
            var length = await Socket.Data.ReceiveAsync(message.AsMemory(), SocketFlags.None, cancellationToken).ConfigureAwait(false);
            return length == 0 && Socket.IsOrphaned ? throw Socket.Gone() : Unpack(message.AsSpan(0, length), buffer.Span);
        }
        catch (ObjectDisposedException)
        {
            throw new SocketException((int)SocketError.OperationAborted);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset && Socket.IsOrphaned)
        {
            throw Socket.Gone();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(message);
        }
    }

    /// <summary>Ends one direction, by a request to the driver: a shutdown of the descriptor cannot express that for datagrams.</summary>
    public Task ShutdownAsync(SocketShutdown how, CancellationToken cancellationToken = default) =>
        Socket.ShutdownAsync((ShutdownHow)how, cancellationToken);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _isDisposed = true;
        if (disposing)
            Socket.Dispose();
    }

    private static SocketReceiveFromResult Unpack(Span<byte> message, Span<byte> buffer)
    {
        if (message.Length == 0)
            throw new SocketException((int)SocketError.ConnectionReset);
        // Another holder of the descriptor may have asked for extensions.
        var extension = message.Length >= DatagramHeader.Size && DatagramHeader.TakeExtended(message) ? DatagramExtension.Size : 0;
        if (message.Length < DatagramHeader.Size + extension || !Sockaddr.TryRead(message, out var from))
            throw new LinkProtocolException("What came on the datagram descriptor is no datagram.");
        if (from.Family == SocketFamily.Unspecified)
            throw LinkErrors.ToException(DatagramHeader.ReadError(message));

        var payload = message[(DatagramHeader.Size + extension)..];
        payload = payload[..Math.Min(payload.Length, buffer.Length)];
        payload.CopyTo(buffer);
        return new SocketReceiveFromResult { ReceivedBytes = payload.Length, RemoteEndPoint = TapwireSocket.ToEndPoint(from) };
    }

    private async ValueTask<int> SendAsync(ReadOnlyMemory<byte> payload, Sockaddr to, IPEndPoint? peer, CancellationToken cancellationToken)
    {
        if (RefusalOf(payload.Length, peer) is { } refusal)
            throw refusal;
        var message = ArrayPool<byte>.Shared.Rent(DatagramHeader.Size + payload.Length);
        try
        {
            to.WriteTo(message);
            payload.Span.CopyTo(message.AsSpan(DatagramHeader.Size));
            var whole = message.AsMemory(0, DatagramHeader.Size + payload.Length);
            await Socket.Data.SendAsync(whole, SocketFlags.None, cancellationToken).ConfigureAwait(false);
            return payload.Length;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(message);
        }
    }
}
