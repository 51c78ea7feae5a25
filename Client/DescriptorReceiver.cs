using System.Net.Sockets;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Links.Client;

/// <summary>Reads bytes and the descriptor that may come with them, which .NET's sockets cannot do.</summary>
internal static unsafe class DescriptorReceiver
{
    /// <summary>Reads what is there, without waiting.</summary>
    /// <param name="descriptor">The descriptor that came along, close-on-exec; null if none did.</param>
    /// <returns>Bytes read; 0 at the end of the stream; -1 if nothing is there, or memory is short.</returns>
    /// <exception cref="SocketException">The connection has failed.</exception>
    public static int Receive(Socket socket, Span<byte> buffer, out SafeSocketHandle? descriptor)
    {
        descriptor = null;
        var handle = socket.SafeHandle;
        var referenced = false;
        try
        {
            handle.DangerousAddRef(ref referenced);
            fixed (byte* start = buffer)
            {
                var read = ReceiveDescriptor((int)handle.DangerousGetHandle(), start, buffer.Length, MSG_DONTWAIT, out var passed);
                if (read < 0)
                    return Errno is Errors.EAGAIN or Errors.ENOBUFS or Errors.ENOMEM ? -1 : throw LinkErrors.ToException(Errno);
                if (passed >= 0)
                    descriptor = new SafeSocketHandle(passed, ownsHandle: true);
                return (int)read;
            }
        }
        finally
        {
            if (referenced)
                handle.DangerousRelease();
        }
    }
}
