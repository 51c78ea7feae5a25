using System.Runtime.InteropServices;

namespace Tapwire.Posix;

// Processes: exec, signals, users, limits.
internal static unsafe partial class Libc
{
    public const int SIGPIPE = 13;
    public const int RLIMIT_NOFILE = 7;
    public const int AT_EACCESS = 0x200;
    public const int X_OK = 1;
    public const uint MFD_CLOEXEC = 1;

    /// <summary>In the flags of statfs: setuid and setgid bits, and file capabilities, have no effect.</summary>
    public const nint ST_NOSUID = 2;

    /// <summary>struct rlimit.</summary>
    public struct ResourceLimit
    {
        public nuint Current;
        public nuint Maximum;
    }

    /// <summary>The field of struct statfs that is used, as it is on 64-bit Linux.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 120)]
    public struct FileSystemStatistics
    {
        [FieldOffset(80)]
        public nint Flags;
    }

    /// <summary>The first fields of struct passwd.</summary>
    public struct PasswordEntry
    {
        public byte* Name;
        public byte* Password;
        public uint UserId;
        public uint GroupId;
    }

    /// <summary>Null if there is no such user. Not thread-safe.</summary>
    [LibraryImport("libc")]
    public static partial PasswordEntry* getpwnam(byte* name);

    /// <param name="entry">Room for a whole struct passwd, which is at most 64 bytes.</param>
    /// <param name="buffer">Room for the texts that the entry refers to.</param>
    /// <param name="result">The entry; null if there is no such user, or not enough room.</param>
    /// <returns>0, or an errno.</returns>
    [LibraryImport("libc")]
    public static partial int getpwuid_r(uint userId, void* entry, byte* buffer, nuint length, PasswordEntry** result);

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

    /// <summary>With AT_EACCESS it checks the effective ids, as running a file does.</summary>
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int faccessat(int directory, string path, int mode, int flags);

    /// <returns>The value's length in bytes.</returns>
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint getxattr(string path, string name, void* value, nuint size);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int statfs(string path, FileSystemStatistics* statistics);

    [LibraryImport("libc")]
    public static partial uint getgid();

    [LibraryImport("libc")]
    public static partial uint getegid();

    /// <summary>A file in memory, without a name below any directory.</summary>
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int memfd_create(string name, uint flags);

    /// <summary>Ends the process at once.</summary>
    [LibraryImport("libc")]
    public static partial void _exit(int code);

    [LibraryImport("libc")]
    public static partial int isatty(int descriptor);

    [LibraryImport("libc")]
    public static partial int getppid();

    [LibraryImport("libc")]
    public static partial int sched_yield();
}
