using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

[module: SkipLocalsInit]

namespace Tapwire.Wires.Posix;

/// <summary>
/// The C library's functions as they are: a negative result means that <see cref="Errno"/> tells why. Constants have the kernel's names and the values of
/// the generic Linux ABI, which x86_64 and aarch64 share; what differs between the two is computed.
/// </summary>
/// <remarks>
/// The variadic functions (open, ioctl, fcntl) are declared with fixed arguments: on both architectures' Linux ABI these travel alike.
/// No call is marked SuppressGCTransition: even a non-blocking write to a TAP device may run the whole receive path of the kernel.
/// Of the calls that are made for each frame the error is fetched only when there is one; SetLastError would clear and fetch it around each.
/// </remarks>
internal static unsafe partial class Libc
{
    public const int O_RDONLY = 0;
    public const int O_RDWR = 2;
    public const int O_NONBLOCK = 0x800;
    public const int O_CLOEXEC = 0x80000;

    public const int F_SETFL = 4;

    public const short POLLIN = 1;
    public const short POLLOUT = 4;

    // Those of x64, and those that Linux has given all architectures since.
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

    /// <summary>Why the last call on this thread failed.</summary>
    public static int Errno => Marshal.GetLastPInvokeError();

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int open(string path, int flags, int mode);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int close(int descriptor);

    /// <summary>
    /// read(2) for a call per frame: past the C library, which prepares each for the cancellation of the thread, and without <see cref="Errno"/>.
    /// </summary>
    /// <param name="errno">Why it failed; 0 if it has not.</param>
    public static nint Read(int descriptor, void* buffer, nuint count, out int errno) => Call(SYS_read, descriptor, buffer, count, out errno);

    /// <inheritdoc cref="Read"/>
    public static nint Write(int descriptor, void* buffer, nuint count, out int errno) => Call(SYS_write, descriptor, buffer, count, out errno);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint write(int descriptor, void* buffer, nuint count);

    public static nint readv(int descriptor, IoVector* vectors, int count) => Checked(ReadVectorsUnchecked(descriptor, vectors, count));

    public static nint writev(int descriptor, IoVector* vectors, int count) => Checked(WriteVectorsUnchecked(descriptor, vectors, count));

    [LibraryImport("libc", SetLastError = true)]
    public static partial int ioctl(int descriptor, nuint request, void* argument);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int fcntl(int descriptor, int command, nint argument);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int poll(PollDescriptor* descriptors, nuint count, int timeoutMilliseconds);

    [LibraryImport("libc")]
    private static partial nint syscall(nint number, nint descriptor, void* buffer, nuint count);

    /// <summary>Closes a descriptor where nobody could act on a failure. EINTR is not repeated: Linux has closed the descriptor by then.</summary>
    public static void Close(int descriptor) => _ = close(descriptor);

    private static nint Call(nint number, int descriptor, void* buffer, nuint count, out int errno)
    {
        var result = syscall(number, descriptor, buffer, count);
        errno = result < 0 ? Marshal.GetLastSystemError() : 0;
        return result;
    }

    private static nint Checked(nint result)
    {
        if (result < 0)
            Marshal.SetLastPInvokeError(Marshal.GetLastSystemError());
        return result;
    }

    [LibraryImport("libc", EntryPoint = "readv")]
    private static partial nint ReadVectorsUnchecked(int descriptor, IoVector* vectors, int count);

    [LibraryImport("libc", EntryPoint = "writev")]
    private static partial nint WriteVectorsUnchecked(int descriptor, IoVector* vectors, int count);
}
