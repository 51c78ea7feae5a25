using System.Net;
using System.Net.Sockets;

namespace Tapwire;

/// <summary>A listening TCP socket. Disposing it takes the port back; connections that nobody has accepted are reset, and the others go on.</summary>
public abstract class TapwireListener : IDisposable, IAsyncDisposable
{
    /// <summary>The address and port that it listens on.</summary>
    public abstract IPEndPoint LocalEndPoint { get; }

    /// <summary>Waits for a connection. Several calls may wait at once.</summary>
    /// <exception cref="SocketException">OperationAborted: the listener was disposed meanwhile; NetworkDown: the driver is gone; ConnectionAborted: the driver has ended the listener.</exception>
    public abstract Task<TapwireStream> AcceptAsync(CancellationToken cancellationToken = default);

    /// <summary>Waits for a connection.</summary>
    /// <inheritdoc cref="AcceptAsync(CancellationToken)"/>
    public TapwireStream Accept() => AcceptAsync().GetAwaiter().GetResult();

    /// <summary>Stops listening.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Stops listening; completes when the port is free.</summary>
    public virtual ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc cref="Dispose()"/>
    protected abstract void Dispose(bool disposing);
}
