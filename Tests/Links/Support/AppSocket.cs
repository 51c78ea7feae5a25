using System.Net.Sockets;
using Tapwire.Links;

namespace Tapwire.Tests.Links.Support;

/// <summary>The application's end of a pair as an application has it: an ordinary socket, here non-blocking so that no spec can hang.</summary>
internal static class AppSocket
{
    public static Socket Open(ApplicationEnd end) => new(new SafeSocketHandle(end.Take(), ownsHandle: true)) { Blocking = false };

    /// <summary>Reads what is there, at most 1 MiB.</summary>
    public static byte[] ReadAll(this Socket socket)
    {
        var buffer = new byte[1 << 20];
        var total = 0;
        while (total < buffer.Length)
        {
            var read = socket.Receive(buffer.AsSpan(total), SocketFlags.None, out var error);
            if (error == SocketError.WouldBlock || read == 0)
                break;
            if (error != SocketError.Success)
                throw new SocketException((int)error);
            total += read;
        }

        return buffer[..total];
    }

    /// <summary>The error of a read of one byte; Success with a byte, or null at the end of the stream.</summary>
    public static SocketError? TryRead(this Socket socket)
    {
        Span<byte> one = stackalloc byte[1];
        var read = socket.Receive(one, SocketFlags.None, out var error);
        return error == SocketError.Success && read == 0 ? null : error;
    }

    /// <summary>Writes until the socket takes no more, and returns how many bytes it took.</summary>
    public static int WriteUntilFull(this Socket socket, byte[] data)
    {
        var total = 0;
        while (total < data.Length)
        {
            var sent = socket.Send(data.AsSpan(total), SocketFlags.None, out var error);
            if (error == SocketError.WouldBlock)
                break;
            if (error != SocketError.Success)
                throw new SocketException((int)error);
            total += sent;
        }

        return total;
    }
}
