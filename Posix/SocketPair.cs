using static Tapwire.Posix.Libc;

namespace Tapwire.Posix;

/// <summary>Makes the pair of connected AF_UNIX sockets between an application and the driver; calls that all sockets share.</summary>
internal static unsafe class SocketPair
{
    // SO_SNDBUF of a new socket (net.core.wmem_default), once one has been made. Sockets that are to have just that are not told so.
    private static int s_default;

    /// <summary>
    /// Makes a pair. Only the driver's end is non-blocking; both are close-on-exec. An application that wants its end to survive exec clears the flag
    /// when it has received it.
    /// </summary>
    /// <param name="type">SOCK_STREAM or SOCK_SEQPACKET.</param>
    /// <param name="driverBytes">SO_SNDBUF of the driver's end; the kernel cuts it to net.core.wmem_max and then doubles it.</param>
    /// <param name="applicationBytes">Likewise of the application's end.</param>
    /// <exception cref="PosixException">No descriptor or memory is left.</exception>
    public static (int Driver, int Application) Create(int type, int driverBytes, int applicationBytes)
    {
        var descriptors = stackalloc int[2];
        Errors.Check(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, descriptors), "socketpair");
        var (driver, application) = (descriptors[0], descriptors[1]);
        try
        {
            if (!OpenFileLimit.OfProcess.Admits(Math.Max(driver, application)))
                throw Errors.Exception("socketpair", Errors.EMFILE);
            if (s_default == 0)
                s_default = GetOption(driver, SO_SNDBUF);
            if (2 * driverBytes != s_default)
                SetOption(driver, SO_SNDBUF, driverBytes);
            if (2 * applicationBytes != s_default)
                SetOption(application, SO_SNDBUF, applicationBytes);
            Errors.Check(fcntl(driver, F_SETFL, O_RDWR | O_NONBLOCK), "fcntl");
            return (driver, application);
        }
        catch (PosixException)
        {
            Close(driver);
            Close(application);
            throw;
        }
    }

    private static int GetOption(int descriptor, int name)
    {
        int value;
        uint length = sizeof(int);
        Errors.Check(getsockopt(descriptor, SOL_SOCKET, name, &value, &length), $"getsockopt {name}");
        return value;
    }

    public static void SetOption(int descriptor, int name, int value) =>
        Errors.Check(setsockopt(descriptor, SOL_SOCKET, name, &value, sizeof(int)), $"setsockopt {name}");

    /// <summary>Sets an option of SOL_SOCKET whose value an application has given.</summary>
    /// <returns>False: the kernel refuses the value.</returns>
    public static bool TrySetOption(int descriptor, int name, ReadOnlySpan<byte> value)
    {
        fixed (byte* bytes = value)
            return setsockopt(descriptor, SOL_SOCKET, name, bytes, (uint)value.Length) == 0;
    }

    /// <summary>The kernel's unique number of a socket.</summary>
    public static ulong Cookie(int descriptor)
    {
        ulong cookie;
        uint length = sizeof(ulong);
        Errors.Check(getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &length), "getsockopt SO_COOKIE");
        return cookie;
    }

    /// <summary>Returns and clears the pending error of a socket.</summary>
    public static int TakeError(int descriptor)
    {
        int error;
        uint length = sizeof(int);
        return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : Errno;
    }

    /// <summary>poll(2) of one descriptor, without waiting.</summary>
    public static short Poll(int descriptor, short events)
    {
        var entry = new PollDescriptor { Descriptor = descriptor, Events = events };
        return poll(&entry, 1, 0) < 0 ? (short)0 : entry.Returned;
    }

    /// <summary>Sends bytes and a descriptor in one message on a stream socket.</summary>
    /// <returns>Bytes taken; negative if the call has failed.</returns>
    public static nint SendWithDescriptor(int descriptor, ReadOnlySpan<byte> bytes, int passed)
    {
        fixed (byte* start = bytes)
        {
            var vector = new IoVector { Base = start, Length = (nuint)bytes.Length };
            var message = new MessageHeader { Vectors = &vector, VectorCount = 1 };
            DescriptorMessage control;
            if (passed >= 0)
                PutDescriptor(ref message, &control, passed);
            return sendmsg(descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        }
    }
}
