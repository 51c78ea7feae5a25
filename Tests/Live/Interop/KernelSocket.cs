using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Tapwire.Tests.Live.Support;

namespace Tapwire.Tests.Live.Interop;

/// <summary>The kernel's TCP sockets, with what only the kernel's own options say.</summary>
internal static class KernelSocket
{
    private const int IPPROTO_TCP = 6;
    private const int TCP_INFO = 11;
    private const int TCP_CONGESTION = 13;

    /// <summary>tcpi_bytes_acked in struct tcp_info (linux/tcp.h).</summary>
    private const int BytesAckedOffset = 120;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <param name="congestion">As in net.ipv4.tcp_available_congestion_control; empty: the kernel's default.</param>
    /// <param name="receiveBuffer">SO_RCVBUF, which the kernel doubles; 0 leaves it to its own tuning.</param>
    public static Socket Open(NetworkNamespace network, string congestion = "", int receiveBuffer = 0)
    {
        var socket = network.OpenSocket();
        if (congestion.Length > 0)
            socket.SetRawSocketOption(IPPROTO_TCP, TCP_CONGESTION, Encoding.ASCII.GetBytes(congestion));
        if (receiveBuffer > 0)
            socket.ReceiveBufferSize = receiveBuffer;
        return socket;
    }

    /// <summary>What it accepts inherits the options.</summary>
    public static Socket Listen(NetworkNamespace network, string address, string congestion = "", int receiveBuffer = 0)
    {
        var socket = Open(network, congestion, receiveBuffer);
        socket.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
        socket.Listen(64);
        return socket;
    }

    public static async Task<Socket> ConnectAsync(NetworkNamespace network, EndPoint remote, string congestion = "", int receiveBuffer = 0)
    {
        var socket = Open(network, congestion, receiveBuffer);
        try
        {
            await socket.ConnectAsync(remote).WaitAsync(Patience);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public static Task<Socket> AcceptAsync(Socket listener) => listener.AcceptAsync().WaitAsync(Patience);

    /// <summary>Bytes that the peer has acknowledged.</summary>
    public static long BytesAcknowledged(Socket socket)
    {
        var info = new byte[256];
        socket.GetRawSocketOption(IPPROTO_TCP, TCP_INFO, info);
        return BinaryPrimitives.ReadInt64LittleEndian(info.AsSpan(BytesAckedOffset));
    }
}
