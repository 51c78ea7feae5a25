using System.Net.Sockets;
using Tapwire.Posix;

namespace Tapwire.Tests.Links.Support;

internal static unsafe class Descriptors
{
    /// <summary>How many descriptors this process has open.</summary>
    public static int Count => Directory.GetFiles("/proc/self/fd").Length;

    /// <summary>One recvmsg of at most <paramref name="size"/> bytes, and the descriptor that came with them, or -1.</summary>
    public static (byte[] Data, int Descriptor) ReceiveWithDescriptor(this Socket socket, int size)
    {
        var bytes = new byte[size];
        fixed (byte* start = bytes)
        {
            var read = (int)Libc.ReceiveDescriptor((int)socket.Handle, start, size, Libc.MSG_DONTWAIT, out var passed);
            if (read < 0)
                throw new SocketException(Libc.Errno == Errors.EAGAIN ? (int)SocketError.WouldBlock : (int)SocketError.SocketError);
            return (bytes[..read], passed);
        }
    }

    public static Socket Adopt(int descriptor) => new(new SafeSocketHandle(descriptor, ownsHandle: true)) { Blocking = false };

    public static ulong Cookie(this Socket socket)
    {
        ulong cookie;
        uint length = sizeof(ulong);
        Errors.Check(Libc.getsockopt((int)socket.Handle, Libc.SOL_SOCKET, Libc.SO_COOKIE, &cookie, &length), "SO_COOKIE");
        return cookie;
    }
}
