using System.Runtime.InteropServices;

namespace Tapwire.Host;

/// <summary>
/// What has to be in order before the runtime loads more: each of its libraries keeps a descriptor, and where there is none left it ends with a trace. So this
/// uses nothing but the core library and libc.
/// </summary>
internal static unsafe partial class Preflight
{
    /// <summary>Open files that a driver with one thread has before anybody uses it, most of them for the runtime's libraries.</summary>
    public const int DriverFiles = 190;

    /// <summary>Open files to begin with: <see cref="DriverFiles"/>, or the 210 of a demo with one connection, and some to work with.</summary>
    public const int LeastFiles = 256;

    private const int FileLimit = 7;
    private const int GetFlags = 3;
    private const int AccessMode = 3;
    private const int ReadOnly = 0;
    private const int ReadWrite = 2;
    private const int Output = 1;
    private const int Error = 2;

    /// <summary>Says with one line on standard error why the program cannot run.</summary>
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

    /// <summary>What is opened next must not get the number of a stream that was closed, or messages would be written into it.</summary>
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

    /// <summary>A stream that was closed may have become a file that the runtime reads.</summary>
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
