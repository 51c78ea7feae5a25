using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tapwire.Posix;

internal static unsafe partial class Libc
{
    public const int EPOLL_CLOEXEC = 0x80000;
    public const int EPOLL_CTL_ADD = 1;
    public const int EPOLL_CTL_DEL = 2;
    public const int EPOLL_CTL_MOD = 3;

    public const uint EPOLLIN = 0x1;
    public const uint EPOLLOUT = 0x4;
    public const uint EPOLLERR = 0x8;
    public const uint EPOLLHUP = 0x10;
    public const uint EPOLLRDHUP = 0x2000;
    public const uint EPOLLET = 0x8000_0000;

    public const int EFD_CLOEXEC = 0x80000;
    public const int EFD_NONBLOCK = 0x800;

    /// <summary>struct epoll_event is packed on x86_64 (12 bytes, data at 4) and naturally aligned elsewhere (16 bytes, data at 8).</summary>
    public static readonly int EpollEventSize = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;

    [LibraryImport("libc", SetLastError = true)]
    public static partial int epoll_create1(int flags);

    public static int epoll_wait(int epoll, byte* events, int count, int timeoutMilliseconds) =>
        (int)Checked(EpollWaitUnchecked(epoll, events, count, timeoutMilliseconds));

    [LibraryImport("libc", SetLastError = true)]
    public static partial int eventfd(uint initial, int flags);

    /// <summary>epoll_ctl(2).</summary>
    public static int EpollControl(int epoll, int operation, int descriptor, uint events, ulong data)
    {
        var record = stackalloc byte[16];
        Unsafe.WriteUnaligned(record, events);
        Unsafe.WriteUnaligned(record + EpollEventSize - sizeof(ulong), data);
        return epoll_ctl(epoll, operation, descriptor, record);
    }

    /// <summary>Reads event <paramref name="index"/> of what <see cref="epoll_wait"/> filled in.</summary>
    public static (uint Events, ulong Data) EpollEventAt(byte* events, int index)
    {
        var record = events + index * EpollEventSize;
        return (Unsafe.ReadUnaligned<uint>(record), Unsafe.ReadUnaligned<ulong>(record + EpollEventSize - sizeof(ulong)));
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_ctl(int epoll, int operation, int descriptor, byte* record);

    [LibraryImport("libc", EntryPoint = "epoll_wait")]
    private static partial int EpollWaitUnchecked(int epoll, byte* events, int count, int timeoutMilliseconds);
}
