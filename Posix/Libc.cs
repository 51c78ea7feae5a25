using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

[module: SkipLocalsInit]

namespace Tapwire.Posix;

/// <summary>
/// The C library's functions: a negative result means failure, and <see cref="Errno"/> has the reason. Constants have the kernel's names and the values of
/// the generic Linux ABI, which x86_64 and aarch64 share; what differs between the two is computed.
/// </summary>
/// <remarks>
/// The variadic functions (open, ioctl, fcntl) are declared with fixed arguments, which both architectures' Linux ABI passes in the same way.
/// A call that a signal has interrupted (EINTR) is repeated, here and nowhere else: those of signal(7) that move data, wait, or may wait for a device. close is
/// not among them, since Linux closes the descriptor all the same; nor is <see cref="epoll_wait"/>, whose caller looks at more than descriptors.
/// No call is marked SuppressGCTransition: even a non-blocking write to a TAP device may run the whole receive path of the kernel.
/// Calls that are made for each frame fetch the error only if they have failed; SetLastError would clear and fetch it around every call.
/// </remarks>
internal static unsafe partial class Libc
{
    public const int O_RDONLY = 0;
    public const int O_WRONLY = 1;
    public const int O_RDWR = 2;
    public const int O_ACCMODE = 3;
    public const int O_CREAT = 0x40;
    public const int O_NOCTTY = 0x100;
    public const int O_APPEND = 0x400;
    public const int O_NONBLOCK = 0x800;
    public const int O_CLOEXEC = 0x80000;

    public const int F_SETFD = 2;
    public const int F_GETFL = 3;
    public const int F_SETFL = 4;
    public const int F_SETSIG = 10;
    public const int F_GETSIG = 11;

    public const int F_DUPFD_CLOEXEC = 1030;

    public const int FD_CLOEXEC = 1;

    public const short POLLIN = 1;
    public const short POLLOUT = 4;

    private const int RWF_NOWAIT = 8;

    // x64 has numbers of its own; newer architectures share the generic ones.
    private static readonly nint SYS_read = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 0 : 63;
    private static readonly nint SYS_write = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 1 : 64;

    /// <summary>One piece of a scattered read or gathered write.</summary>
    public struct IoVector
    {
        public void* Base;
        public nuint Length;
    }

    public struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    /// <summary>The error of the last call on this thread that has failed.</summary>
    public static int Errno => Marshal.GetLastPInvokeError();

    public static int open(string path, int flags, int mode)
    {
        int result;
        do
            result = OpenOnce(path, flags, mode);
        while (IsInterrupted(result));
        return result;
    }

    /// <summary>Another descriptor of the same file, close-on-exec.</summary>
    /// <exception cref="PosixException">No descriptor is left.</exception>
    public static int Duplicate(int descriptor) => Errors.Check(fcntl(descriptor, F_DUPFD_CLOEXEC, 0), "fcntl");

    [LibraryImport("libc", SetLastError = true)]
    public static partial int close(int descriptor);

    /// <summary>
    /// read(2) for calls that are made for each frame. A direct system call: the C library's is a cancellation point, which costs time. Does not set
    /// <see cref="Errno"/>.
    /// </summary>
    /// <param name="errno">The error; 0 on success.</param>
    public static nint Read(int descriptor, void* buffer, nuint count, out int errno) => Call(SYS_read, descriptor, buffer, count, out errno);

    /// <inheritdoc cref="Read"/>
    public static nint Write(int descriptor, void* buffer, nuint count, out int errno) => Call(SYS_write, descriptor, buffer, count, out errno);

    /// <param name="offset">-1: the file's position; a device has none.</param>
    [LibraryImport("libc", SetLastError = true)]
    private static partial nint preadv2(int descriptor, IoVector* vectors, int count, nint offset, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint pwritev2(int descriptor, IoVector* vectors, int count, nint offset, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint pread(int descriptor, void* buffer, nuint count, nint offset);

    public static nint write(int descriptor, void* buffer, nuint count)
    {
        nint result;
        do
            result = WriteOnce(descriptor, buffer, count);
        while (IsInterrupted(result));
        return result;
    }

    /// <summary>
    /// read(2) that never waits, whatever others who have the descriptor make of its O_NONBLOCK: EAGAIN if nothing is there, EOPNOTSUPP for a file that cannot do it.
    /// </summary>
    public static nint ReadNow(int descriptor, void* buffer, nuint count, out int errno)
    {
        var vector = new IoVector { Base = buffer, Length = count };
        nint result;
        do
            result = preadv2(descriptor, &vector, 1, -1, RWF_NOWAIT);
        while (IsInterrupted(result));
        errno = result < 0 ? Errno : 0;
        return result;
    }

    /// <summary>writev(2) that never waits, as <see cref="ReadNow"/>.</summary>
    public static nint WriteNow(int descriptor, IoVector* vectors, int count)
    {
        nint result;
        do
            result = pwritev2(descriptor, vectors, count, -1, RWF_NOWAIT);
        while (IsInterrupted(result));
        return result;
    }

    public static nint readv(int descriptor, IoVector* vectors, int count)
    {
        nint result;
        do
            result = Checked(ReadVectorsUnchecked(descriptor, vectors, count));
        while (IsInterrupted(result));
        return result;
    }

    public static nint writev(int descriptor, IoVector* vectors, int count)
    {
        nint result;
        do
            result = Checked(WriteVectorsUnchecked(descriptor, vectors, count));
        while (IsInterrupted(result));
        return result;
    }

    public static int ioctl(int descriptor, nuint request, void* argument)
    {
        int result;
        do
            result = ControlOnce(descriptor, request, argument);
        while (IsInterrupted(result));
        return result;
    }

    [LibraryImport("libc", SetLastError = true)]
    public static partial int fcntl(int descriptor, int command, nint argument);

    /// <summary>After a signal the time-out begins anew.</summary>
    public static int poll(PollDescriptor* descriptors, nuint count, int timeoutMilliseconds)
    {
        int result;
        do
            result = PollOnce(descriptors, count, timeoutMilliseconds);
        while (IsInterrupted(result));
        return result;
    }

    [LibraryImport("libc")]
    private static partial nint syscall(nint number, nint descriptor, void* buffer, nuint count);

    /// <summary>Closes a descriptor where nobody could act on a failure. EINTR is not repeated: Linux has closed the descriptor by then.</summary>
    public static void Close(int descriptor) => _ = close(descriptor);

    private static nint Call(nint number, int descriptor, void* buffer, nuint count, out int errno)
    {
        nint result;
        do
        {
            result = syscall(number, descriptor, buffer, count);
            errno = result < 0 ? Marshal.GetLastSystemError() : 0;
        }
        while (errno == Errors.EINTR);
        return result;
    }

    /// <summary>Whether a signal has interrupted a call that sets <see cref="Errno"/>.</summary>
    private static bool IsInterrupted(nint result) => result < 0 && Errno == Errors.EINTR;

    private static nint Checked(nint result)
    {
        if (result < 0)
            Marshal.SetLastPInvokeError(Marshal.GetLastSystemError());
        return result;
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenOnce(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteOnce(int descriptor, void* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int ControlOnce(int descriptor, nuint request, void* argument);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int PollOnce(PollDescriptor* descriptors, nuint count, int timeoutMilliseconds);

    [LibraryImport("libc", EntryPoint = "readv")]
    private static partial nint ReadVectorsUnchecked(int descriptor, IoVector* vectors, int count);

    [LibraryImport("libc", EntryPoint = "writev")]
    private static partial nint WriteVectorsUnchecked(int descriptor, IoVector* vectors, int count);
}
