using System.Net;
using System.Net.Sockets;

namespace Tapwire;

/// <summary>What a capture is to have.</summary>
public sealed record CaptureWish
{
    /// <summary>The name of the only interface that is wanted, as the driver's status has it, up to 15 bytes; empty: all.</summary>
    public string Interface { get; init; } = "";

    /// <summary>The datagrams of tunnels (WireGuard, VXLAN), rather than the packets in them.</summary>
    public bool Outer { get; init; }

    /// <summary>Only packets from or to this address; null: any.</summary>
    public IPAddress? Host { get; init; }

    /// <summary>Only packets from or to this port, and fragments without ports; 0: any.</summary>
    public int Port { get; init; }

    /// <summary>Bytes recorded of each packet, 64 to 262,144.</summary>
    public int SnapLength { get; init; } = 256 << 10;

    /// <summary>Ends the capture after so many packets; 0: never.</summary>
    public long Count { get; init; }
}

/// <summary>A capture of the driver's packets under way, as a stream in the format of pcapng. Whoever reads too slowly loses packets, which the end of the stream tells. Disposing ends it.</summary>
public sealed class TapwireCapture : IDisposable
{
    private readonly Socket _socket;

    internal TapwireCapture(Socket socket) => _socket = socket;

    /// <summary>Reads the next bytes. 0: the capture has ended, and so has the stream.</summary>
    /// <exception cref="SocketException">The driver has gone.</exception>
    public ValueTask<int> ReadAsync(Memory<byte> bytes, CancellationToken cancellationToken = default) => _socket.ReceiveAsync(bytes, SocketFlags.None, cancellationToken);

    /// <summary>Ends the capture in order: what has come until now can still be read, and behind it the statistics.</summary>
    public void Stop()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // It has ended already.
        }
    }

    public void Dispose() => _socket.Dispose();
}
