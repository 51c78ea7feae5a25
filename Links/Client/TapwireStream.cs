using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Protocol;

namespace Tapwire.Links.Client;

/// <summary>
/// A TCP connection through the driver. Bytes go over the descriptor, without requests to the driver. A failed read or write throws an <see cref="IOException"/>
/// whose inner <see cref="SocketException"/> has the connection's true error, as with NetworkStream.
/// </summary>
public sealed class TapwireStream : Stream
{
    private SocketException? _failure;

    internal TapwireStream(TapwireSocket socket, IPEndPoint local, IPEndPoint remote)
    {
        Socket = socket;
        LocalEndPoint = local;
        RemoteEndPoint = remote;
    }

    /// <summary>For options, and for the descriptor.</summary>
    public TapwireSocket Socket { get; }

    public IPEndPoint LocalEndPoint { get; }

    public IPEndPoint RemoteEndPoint { get; }

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Ends one direction: Send makes the peer read end of file after the last byte, and reading goes on.</summary>
    public void Shutdown(SocketShutdown how) => Socket.Data.Shutdown(how);

    public override int Read(Span<byte> buffer)
    {
        try
        {
            return Socket.Data.Receive(buffer);
        }
        catch (SocketException e)
        {
            throw Failed(e, FindCauseAsync(e).GetAwaiter().GetResult());
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return await Socket.Data.ReceiveAsync(buffer, SocketFlags.None, cancellationToken).ConfigureAwait(false);
        }
        catch (SocketException e)
        {
            throw Failed(e, await FindCauseAsync(e).ConfigureAwait(false));
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            while (buffer.Length > 0)
                buffer = buffer[Socket.Data.Send(buffer)..];
        }
        catch (SocketException e)
        {
            throw Failed(e, FindCauseAsync(e).GetAwaiter().GetResult());
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            while (buffer.Length > 0)
                buffer = buffer[await Socket.Data.SendAsync(buffer, SocketFlags.None, cancellationToken).ConfigureAwait(false)..];
        }
        catch (SocketException e)
        {
            throw Failed(e, await FindCauseAsync(e).ConfigureAwait(false));
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <summary>Does nothing: there is no buffer.</summary>
    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            Socket.Dispose();
        base.Dispose(disposing);
    }

    private static IOException Failed(SocketException seen, SocketException cause) =>
        new($"The connection has failed: {cause.Message}", ReferenceEquals(seen, cause) ? seen : cause);

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
        catch (Exception e) when (e is SocketException or ObjectDisposedException or LinkProtocolException)
        {
            // The driver has forgotten the socket, or is gone: the descriptor's error is all there is.
            return seen;
        }
    }
}
