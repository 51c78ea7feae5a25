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
        DescriptorMessage control = default;
        var handle = socket.SafeHandle;
        var referenced = false;
        try
        {
            handle.DangerousAddRef(ref referenced);
            fixed (byte* start = buffer)
            {
                var vector = new IoVector { Base = start, Length = (nuint)buffer.Length };
                var message = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = &control, ControlLength = OneDescriptorLength };
                var read = recvmsg((int)handle.DangerousGetHandle(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
                if (read < 0)
                    return Errno is Errors.EAGAIN or Errors.ENOBUFS or Errors.ENOMEM ? -1 : throw LinkErrors.ToException(Errno);
                if (message.ControlLength > 0 && control is { Level: SOL_SOCKET, Type: SCM_RIGHTS })
                    descriptor = new SafeSocketHandle(control.Descriptor, ownsHandle: true);
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
