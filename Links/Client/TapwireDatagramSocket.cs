using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Protocol;
using Tapwire.Posix;

namespace Tapwire.Links.Client;

/// <summary>A received datagram: how many bytes of it are in the buffer, and who has sent it.</summary>
public readonly record struct DatagramResult(int Length, IPEndPoint From);

/// <summary>A UDP socket of the driver.</summary>
public sealed class TapwireDatagramSocket : IDisposable
{
    internal TapwireDatagramSocket(TapwireSocket socket, IPEndPoint? local)
    {
        Socket = socket;
        LocalEndPoint = local;
    }

    /// <summary>For options, and for the descriptor.</summary>
    public TapwireSocket Socket { get; }

    /// <summary>Null until the socket is bound or connected.</summary>
    public IPEndPoint? LocalEndPoint { get; private set; }

    /// <summary>Null unless the socket is connected.</summary>
    public IPEndPoint? RemoteEndPoint { get; private set; }

    /// <summary>Makes <paramref name="remote"/> the only peer: its errors are reported here, and datagrams of others are dropped.</summary>
    public async Task ConnectAsync(IPEndPoint remote, CancellationToken cancellationToken = default)
    {
        LocalEndPoint = await Socket.ConnectAsync(remote, cancellationToken).ConfigureAwait(false);
        RemoteEndPoint = remote;
    }

    /// <summary>Sends one datagram to the connected peer. Waits while the driver has no room.</summary>
    public ValueTask SendAsync(ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default) =>
        SendAsync(payload, Sockaddr.None, cancellationToken);

    /// <summary>Sends one datagram, of up to 65,507 bytes.</summary>
    /// <exception cref="SocketException">EMSGSIZE: it is longer.</exception>
    public ValueTask SendToAsync(ReadOnlyMemory<byte> payload, IPEndPoint to, CancellationToken cancellationToken = default) =>
        SendAsync(payload, Socket.ToAddress(to), cancellationToken);

    /// <summary>Waits for a datagram. Bytes that do not fit the buffer are lost, as with recvfrom(2).</summary>
    /// <exception cref="SocketException">An error was pending, such as ECONNREFUSED on a connected socket; or the driver is gone.</exception>
    public async ValueTask<DatagramResult> ReceiveFromAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var message = ArrayPool<byte>.Shared.Rent(DatagramHeader.Size + DatagramExtension.Size + DatagramHeader.MaxPayload);
        try
        {
            var length = await Socket.Data.ReceiveAsync(message.AsMemory(), SocketFlags.None, cancellationToken).ConfigureAwait(false);
            return Unpack(message.AsSpan(0, length), buffer.Span);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(message);
        }
    }

    /// <summary>Ends one direction, by a request to the driver: a shutdown of the descriptor cannot express that for datagrams.</summary>
    public Task ShutdownAsync(SocketShutdown how, CancellationToken cancellationToken = default) =>
        Socket.ShutdownAsync((ShutdownHow)how, cancellationToken);

    public void Dispose() => Socket.Dispose();

    private static DatagramResult Unpack(Span<byte> message, Span<byte> buffer)
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
        return new DatagramResult(payload.Length, TapwireSocket.ToEndPoint(from));
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> payload, Sockaddr to, CancellationToken cancellationToken)
    {
        if (payload.Length > DatagramHeader.MaxPayload)
            throw new SocketException((int)SocketError.MessageSize);
        var message = ArrayPool<byte>.Shared.Rent(DatagramHeader.Size + payload.Length);
        try
        {
            to.WriteTo(message);
            payload.Span.CopyTo(message.AsSpan(DatagramHeader.Size));
            var whole = message.AsMemory(0, DatagramHeader.Size + payload.Length);
            await Socket.Data.SendAsync(whole, SocketFlags.None, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(message);
        }
    }
}
