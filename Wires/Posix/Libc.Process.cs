using System.Runtime.InteropServices;

namespace Tapwire.Wires.Posix;

// Other programs: running one in the place of this one, signals, limits.
internal static unsafe partial class Libc
{
    public const int SIGPIPE = 13;
    public const int RLIMIT_NOFILE = 7;

    /// <summary>struct rlimit.</summary>
    public struct ResourceLimit
    {
        public nuint Current;
        public nuint Maximum;
    }

    /// <summary>struct passwd, as far as it is looked at.</summary>
    public struct PasswordEntry
    {
        public byte* Name;
        public byte* Password;
        public uint UserId;
        public uint GroupId;
    }

    /// <summary>Not for two threads at once; null if there is no such user.</summary>
    [LibraryImport("libc")]
    public static partial PasswordEntry* getpwnam(byte* name);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int execvpe(byte* file, byte** arguments, byte** environment);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int kill(int process, int signal);

    /// <param name="handler">0: the default action.</param>
    [LibraryImport("libc", SetLastError = true)]
    public static partial nint signal(int number, nint handler);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int getrlimit(int resource, ResourceLimit* limit);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int setrlimit(int resource, ResourceLimit* limit);

    [LibraryImport("libc")]
    public static partial int isatty(int descriptor);

    [LibraryImport("libc")]
    public static partial int getppid();

    [LibraryImport("libc")]
    public static partial int sched_yield();
}
