using System.Runtime.InteropServices;
using Tapwire.Wires.Posix;

namespace Tapwire.Links;

/// <summary>What the link must know of a file or directory: whose it is and what it is. Symbolic links are not followed.</summary>
internal readonly record struct FileStatus(uint Owner, ushort Mode, ulong Inode)
{
    private const int TypeMask = 0xF000;

    public bool IsSocket => (Mode & TypeMask) == 0xC000;

    public bool IsDirectory => (Mode & TypeMask) == 0x4000;

    /// <summary>Others than the owner can put files here, and remove those of anybody.</summary>
    public bool IsOpenToOthers => (Mode & 0x12) != 0 && (Mode & 0x200) == 0;

    /// <summary>Null if there is nothing at that path.</summary>
    /// <exception cref="PosixException">It cannot be looked at.</exception>
    public static FileStatus? Of(string path)
    {
        if (Libc.statx(Libc.AT_FDCWD, path, Libc.AT_SYMLINK_NOFOLLOW, Libc.STATX_BASIC_STATS, out var status) == 0)
            return new(status.UserId, status.Mode, status.Inode);
        return Libc.Errno == Errors.ENOENT ? null : throw Errors.Exception($"looking at {path}", Libc.Errno);
    }
}
