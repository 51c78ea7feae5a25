using System.Runtime.InteropServices;

namespace Tapwire.Posix;

internal static unsafe partial class Libc
{
    public const int AF_INET = 2;
    public const int AF_INET6 = 10;

    public const int SOCK_DGRAM = 2;

    public const int SO_REUSEADDR = 2;
    public const int SO_KEEPALIVE = 9;
    public const int SO_LINGER = 13;

    public const int IPPROTO_TCP = 6;
    public const int IPPROTO_IPV6 = 41;

    public const int TCP_NODELAY = 1;
    public const int IPV6_V6ONLY = 26;

    /// <summary>struct linger.</summary>
    public struct LingerSetting
    {
        public int On;
        public int Seconds;
    }

    [LibraryImport("libc", SetLastError = true)]
    public static partial int getsockname(int descriptor, void* address, uint* length);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int getpeername(int descriptor, void* address, uint* length);
}
