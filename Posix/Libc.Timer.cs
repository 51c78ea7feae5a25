using System.Runtime.InteropServices;

namespace Tapwire.Posix;

internal static unsafe partial class Libc
{
    public const int CLOCK_MONOTONIC = 1;
    public const int TFD_NONBLOCK = 0x800;
    public const int TFD_CLOEXEC = 0x80000;

    /// <summary>struct itimerspec of a 64-bit system. A value of zero disarms the timer, an interval of zero lets it expire once.</summary>
    public struct TimerSetting
    {
        public long IntervalSeconds;
        public long IntervalNanoseconds;
        public long ValueSeconds;
        public long ValueNanoseconds;
    }

    [LibraryImport("libc", SetLastError = true)]
    public static partial int timerfd_create(int clock, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int timerfd_settime(int descriptor, int flags, TimerSetting* setting, TimerSetting* old);
}
