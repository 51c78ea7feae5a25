using System.Runtime.InteropServices;
using Tapwire.Posix;

namespace Tapwire.Tests.Hostile;

/// <summary>
/// Memory that ends where no page follows: whoever reads one byte too many ends the process with a fault (SIGSEGV), in a span as in unsafe code.
/// </summary>
internal sealed unsafe partial class GuardedBytes : IDisposable
{
    public const int Capacity = 64 << 10;

    private const int Page = 4096;
    private const int ReadWrite = 3;
    private const int PrivateAnonymous = 0x22;

    private readonly byte* _start;

    public GuardedBytes()
    {
        var start = mmap(null, Capacity + Page, ReadWrite, PrivateAnonymous, -1, 0);
        if (start == (void*)-1)
            throw new PosixException("mmap", Libc.Errno);
        _start = (byte*)start;
        Errors.Check(mprotect(_start + Capacity, Page, 0), "mprotect");
    }

    /// <summary>A copy that ends at the guard; valid until the next one.</summary>
    /// <param name="bytes">At most <see cref="Capacity"/>.</param>
    public Span<byte> Copy(ReadOnlySpan<byte> bytes)
    {
        var room = new Span<byte>(_start + Capacity - bytes.Length, bytes.Length);
        bytes.CopyTo(room);
        return room;
    }

    public void Dispose() => _ = munmap(_start, Capacity + Page);

    [LibraryImport("libc", SetLastError = true)]
    private static partial void* mmap(void* address, nuint length, int protection, int flags, int descriptor, nint offset);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int mprotect(void* address, nuint length, int protection);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int munmap(void* address, nuint length);
}
