using System.Runtime.InteropServices;

namespace Tapwire.Host;

/// <summary>
/// Checks the preconditions of a start before the runtime loads more libraries: each keeps a descriptor, and without a free one the runtime fails with a stack trace.
/// For the same reason this class uses only the core library and libc.
/// </summary>
internal static unsafe partial class Preflight
{
    /// <summary>Open files of an idle driver with one thread. Most belong to the runtime's libraries.</summary>
    public const int DriverFiles = 190;

    /// <summary>Least limit on open files: <see cref="DriverFiles"/>, or the 210 of a demo with one connection, and a reserve.</summary>
    public const int LeastFiles = 256;

    private const int FileLimit = 7;
    private const int GetFlags = 3;
    private const int AccessMode = 3;
    private const int ReadOnly = 0;
    private const int ReadWrite = 2;
    private const int Output = 1;
    private const int Error = 2;

    /// <summary>True if the program can run. Otherwise one line on standard error gives the reason.</summary>
    public static bool Passes()
    {
        var isWritable = IsWritable(Output);
        KeepStandardDescriptors();
        if (!isWritable)
        {
            Say("tapwire: Standard output is closed, or open for reading only; redirect it to a file, or to /dev/null.\n"u8);
            return false;
        }

        var limit = stackalloc nuint[2];
        if (getrlimit(FileLimit, limit) != 0 || limit[0] >= LeastFiles)
            return true;
        Say("tapwire: The limit on open files is "u8);
        Say((int)limit[0]);
        Say(", and tapwire needs at least "u8);
        Say(LeastFiles);
        Say("; raise it with 'ulimit -n 1024', or with LimitNOFILE= in a unit of systemd.\n"u8);
        return false;
    }

    /// <summary>Opens the standard descriptors that are closed. Otherwise the next opened file would get such a number, and messages would be written into it.</summary>
    private static void KeepStandardDescriptors()
    {
        fixed (byte* path = "/dev/null\0"u8)
        {
            for (var descriptor = 0; descriptor <= Error; descriptor++)
            {
                if (fcntl(descriptor, GetFlags, 0) < 0)
                    _ = open(path, ReadWrite, 0);
            }
        }
    }

    /// <summary>Tests the access mode, because the number of a closed stream may belong to a file that the runtime reads.</summary>
    private static bool IsWritable(int descriptor) => fcntl(descriptor, GetFlags, 0) is >= 0 and var flags && (flags & AccessMode) != ReadOnly;

    private static void Say(int number)
    {
        Span<byte> digits = stackalloc byte[11];
        if (number.TryFormat(digits, out var count))
            Say(digits[..count]);
    }

    private static void Say(ReadOnlySpan<byte> text)
    {
        fixed (byte* start = text)
            _ = write(Error, start, (nuint)text.Length);
    }

    [LibraryImport("libc")]
    private static partial int getrlimit(int resource, nuint* limit);

    [LibraryImport("libc")]
    private static partial int fcntl(int descriptor, int command, nint argument);

    [LibraryImport("libc")]
    private static partial int open(byte* path, int flags, int mode);

    [LibraryImport("libc")]
    private static partial nint write(int descriptor, byte* text, nuint length);
}
