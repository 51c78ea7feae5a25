using System.Runtime.InteropServices;

namespace Tapwire.Posix;

/// <summary>The errno values that some code tells apart, as numbers of the generic Linux ABI.</summary>
internal static class Errors
{
    public const int EPERM = 1;
    public const int ENOENT = 2;
    public const int EINTR = 4;
    public const int EIO = 5;
    public const int ENXIO = 6;
    public const int EBADF = 9;
    public const int EAGAIN = 11;
    public const int ENOMEM = 12;
    public const int EACCES = 13;
    public const int E2BIG = 7;
    public const int ENOEXEC = 8;
    public const int EBUSY = 16;
    public const int EEXIST = 17;
    public const int ENODEV = 19;
    public const int ENOTDIR = 20;
    public const int EISDIR = 21;
    public const int EINVAL = 22;
    public const int ENFILE = 23;
    public const int EMFILE = 24;
    public const int EPIPE = 32;
    public const int ENAMETOOLONG = 36;
    public const int ENONET = 64;
    public const int EPROTO = 71;
    public const int EBADFD = 77;
    public const int EMSGSIZE = 90;
    public const int EPROTOTYPE = 91;
    public const int ENOPROTOOPT = 92;
    public const int EOPNOTSUPP = 95;
    public const int EADDRINUSE = 98;
    public const int EADDRNOTAVAIL = 99;
    public const int ENETDOWN = 100;
    public const int ENETUNREACH = 101;
    public const int ENOBUFS = 105;
    public const int ETOOMANYREFS = 109;
    public const int ECONNABORTED = 103;
    public const int ECONNRESET = 104;
    public const int EHOSTDOWN = 112;
    public const int EHOSTUNREACH = 113;
    public const int EALREADY = 114;
    public const int EINPROGRESS = 115;

    /// <summary>The system's text for an error, as in "Too many open files".</summary>
    public static string Describe(int errno) => Marshal.GetPInvokeErrorMessage(errno);

    /// <summary>An exception for a failed call.</summary>
    /// <param name="operation">The operation, as the subject of the message: "epoll_create1", "setting the MTU of tw0".</param>
    public static PosixException Exception(string operation, int errno) => new(operation, errno);

    /// <summary>Returns the result of a call, or throws if it failed.</summary>
    public static int Check(int result, string operation) => result >= 0 ? result : throw Exception(operation, Libc.Errno);
}
