using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Protocol;

namespace Tapwire.Links.Client;

/// <summary>A TCP connection through a driver in another process. Bytes go over a descriptor, without requests to the driver.</summary>
public sealed class LinkedStream : TapwireStream
{
    private SocketException? _failure;
    private volatile bool _isDisposed;

    internal LinkedStream(TapwireSocket socket, IPEndPoint local, IPEndPoint remote)
    {
        Socket = socket;
        LocalEndPoint = local;
        RemoteEndPoint = remote;
    }

    /// <summary>For options, and for the descriptor.</summary>
    public TapwireSocket Socket { get; }

    /// <inheritdoc/>
    public override IPEndPoint LocalEndPoint { get; }

    /// <inheritdoc/>
    public override IPEndPoint RemoteEndPoint { get; }

    /// <inheritdoc/>
    public override int ReadTimeout
    {
        get => base.ReadTimeout;
        set => Socket.Data.ReceiveTimeout = base.ReadTimeout = value;
    }

    /// <inheritdoc/>
    public override int WriteTimeout
    {
        get => base.WriteTimeout;
        set => Socket.Data.SendTimeout = base.WriteTimeout = value;
    }

    /// <inheritdoc/>
    public override void Shutdown(SocketShutdown how) => Socket.Data.Shutdown(how);

    /// <inheritdoc/>
    public override void Abort()
    {
        try
        {
            LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The connection has ended, or the driver has gone.
        }

        Dispose();
    }

    /// <inheritdoc/>
    public override void SetOption(int level, int name, ReadOnlySpan<byte> value) => Socket.SetOptionAsync(level, name, value.ToArray()).GetAwaiter().GetResult();

    /// <inheritdoc/>
    public override int GetOption(int level, int name, Span<byte> value)
    {
        var bytes = Socket.GetOptionBytesAsync(level, name).GetAwaiter().GetResult();
        var length = Math.Min(bytes.Length, value.Length);
        bytes.AsSpan(0, length).CopyTo(value);
        return length;
    }

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        try
        {
            return Socket.Data.Receive(buffer);
        }
        catch (SocketException e)
        {
            throw Failed(FindCauseAsync(e).GetAwaiter().GetResult());
        }
        catch (ObjectDisposedException)
        {
            throw Aborted();
        }
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        try
        {
            return await Socket.Data.ReceiveAsync(buffer, SocketFlags.None, cancellationToken).ConfigureAwait(false);
        }
        catch (SocketException e)
        {
            throw Failed(await FindCauseAsync(e).ConfigureAwait(false));
        }
        catch (ObjectDisposedException)
        {
            throw Aborted();
        }
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        try
        {
            while (buffer.Length > 0)
                buffer = buffer[Socket.Data.Send(buffer)..];
        }
        catch (SocketException e)
        {
            throw Failed(FindCauseAsync(e).GetAwaiter().GetResult());
        }
        catch (ObjectDisposedException)
        {
            throw Aborted();
        }
    }

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        try
        {
            while (buffer.Length > 0)
                buffer = buffer[await Socket.Data.SendAsync(buffer, SocketFlags.None, cancellationToken).ConfigureAwait(false)..];
        }
        catch (SocketException e)
        {
            throw Failed(await FindCauseAsync(e).ConfigureAwait(false));
        }
        catch (ObjectDisposedException)
        {
            throw Aborted();
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _isDisposed = true;
        if (disposing)
            Socket.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>The stream was disposed while the call was under way.</summary>
    private static IOException Aborted() => Failed(new SocketException((int)SocketError.OperationAborted));

    /// <summary>The true error of the connection. The pair only shows a reset; the driver knows the reason. It tells it once, so the answer is kept.</summary>
    private async Task<SocketException> FindCauseAsync(SocketException seen)
    {
        if (_failure is not null)
            return _failure;
        if (seen.SocketErrorCode is not (SocketError.ConnectionReset or SocketError.Shutdown))
            return seen;
        try
        {
            var errno = await Socket.GetOptionAsync(LinkOption.SolSocket, LinkOption.SoError).ConfigureAwait(false);
            return _failure = errno == 0 ? seen : LinkErrors.ToException(errno);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.NetworkDown)
        {
            return _failure = e;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or LinkProtocolException)
        {
            // The driver has forgotten the socket, or this program has left it: the descriptor's error is all there is.
            return seen;
        }
    }
}
