using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Protocol;

namespace Tapwire.Links.Client;

/// <summary>A listening TCP socket of a driver in another process.</summary>
public sealed class LinkedListener : TapwireListener
{
    private readonly ControlConnection _control;

    // One reader at a time: a record is peeked at and then read, and two readers could mix their records. Never disposed: it has no handle, and calls may wait for it.
    private readonly SemaphoreSlim _accepting = new(1);
    private volatile bool _isDisposed;

    internal LinkedListener(ControlConnection control, TapwireSocket socket, IPEndPoint local)
    {
        _control = control;
        Socket = socket;
        LocalEndPoint = local;
    }

    /// <summary>For options, and for the descriptor.</summary>
    public TapwireSocket Socket { get; }

    /// <inheritdoc/>
    public override IPEndPoint LocalEndPoint { get; }

    /// <inheritdoc/>
    public override async Task<TapwireStream> AcceptAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        await _accepting.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            while (true)
            {
                await Socket.Data.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None, cancellationToken).ConfigureAwait(false);
                if (TryAccept(out var hasEnded) is { } stream)
                    return stream;
                if (hasEnded)
                    throw await FindCauseAsync().ConfigureAwait(false);
            }
        }
        catch (Exception e) when (_isDisposed && e is SocketException or ObjectDisposedException)
        {
            throw new SocketException((int)SocketError.OperationAborted);
        }
        finally
        {
            _accepting.Release();
        }
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        try
        {
            if (!_isDisposed)
                await Socket.CloseAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The driver has gone, and the port with it.
        }

        Dispose();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _isDisposed = true;
        if (disposing)
            Socket.Dispose();
    }

    /// <summary>The descriptor has ended: with the driver, or by it.</summary>
    private async Task<SocketException> FindCauseAsync()
    {
        try
        {
            await Socket.GetOptionAsync(LinkOption.SolSocket, LinkOption.SoError).ConfigureAwait(false);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.NetworkDown)
        {
            return e;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The driver has forgotten the socket, or this program has left it.
        }

        return new SocketException((int)SocketError.ConnectionAborted);
    }

    private LinkedStream? TryAccept(out bool hasEnded)
    {
        Span<byte> bytes = stackalloc byte[AcceptRecord.Size];
        var read = DescriptorReceiver.Receive(Socket.Data, bytes, out var descriptor);
        hasEnded = read == 0;
        if (read <= 0)
            return null;
        if (read != AcceptRecord.Size || descriptor is null || !AcceptRecord.TryRead(bytes, out var record))
        {
            descriptor?.Dispose();
            throw new LinkProtocolException("What came on the listening descriptor is no accept record.");
        }

        var socket = TapwireSocket.Adopt(_control, descriptor, Socket.Family);
        return new LinkedStream(socket, TapwireSocket.ToEndPoint(record.Local), TapwireSocket.ToEndPoint(record.Peer));
    }
}
