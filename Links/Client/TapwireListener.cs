using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Protocol;

namespace Tapwire.Links.Client;

/// <summary>A listening TCP socket of the driver.</summary>
public sealed class TapwireListener : IDisposable
{
    private readonly ControlConnection _control;

    // One reader at a time: a record is peeked at and then read, and two readers could mix their records.
    private readonly SemaphoreSlim _accepting = new(1);

    internal TapwireListener(ControlConnection control, TapwireSocket socket, IPEndPoint local)
    {
        _control = control;
        Socket = socket;
        LocalEndPoint = local;
    }

    /// <summary>For options, and for the descriptor.</summary>
    public TapwireSocket Socket { get; }

    public IPEndPoint LocalEndPoint { get; }

    /// <summary>Waits for a connection.</summary>
    public TapwireStream Accept() => AcceptAsync().GetAwaiter().GetResult();

    /// <summary>Waits for a connection.</summary>
    /// <exception cref="SocketException">The driver has ended the listener, or is gone.</exception>
    public async Task<TapwireStream> AcceptAsync(CancellationToken cancellationToken = default)
    {
        await _accepting.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            while (true)
            {
                await Socket.Data.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None, cancellationToken).ConfigureAwait(false);
                if (TryAccept() is { } stream)
                    return stream;
            }
        }
        finally
        {
            _accepting.Release();
        }
    }

    public void Dispose()
    {
        Socket.Dispose();
        _accepting.Dispose();
    }

    private TapwireStream? TryAccept()
    {
        Span<byte> bytes = stackalloc byte[AcceptRecord.Size];
        var read = DescriptorReceiver.Receive(Socket.Data, bytes, out var descriptor);
        if (read < 0)
            return null;
        if (read == 0)
            throw new SocketException((int)SocketError.ConnectionAborted);
        if (read != AcceptRecord.Size || descriptor is null || !AcceptRecord.TryRead(bytes, out var record))
        {
            descriptor?.Dispose();
            throw new LinkProtocolException("What came on the listening descriptor is no accept record.");
        }

        var socket = TapwireSocket.Adopt(_control, descriptor, Socket.Family);
        return new TapwireStream(socket, TapwireSocket.ToEndPoint(record.Local), TapwireSocket.ToEndPoint(record.Peer));
    }
}
