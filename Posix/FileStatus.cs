namespace Tapwire.Posix;

/// <summary>Owner, kind and mode of a file or directory.</summary>
internal readonly record struct FileStatus(uint Owner, uint Group, ushort Mode, ulong Inode, ulong Device)
{
    private const int TypeMask = 0xF000;

    public bool IsSocket => (Mode & TypeMask) == 0xC000;

    public bool IsFile => (Mode & TypeMask) == 0x8000;

    public bool IsDirectory => (Mode & TypeMask) == 0x4000;

    public bool IsSymbolicLink => (Mode & TypeMask) == 0xA000;

    /// <summary>A program in it runs as the file's owner.</summary>
    public bool IsSetUser => (Mode & 0x800) != 0;

    /// <summary>A program in it runs with the file's group. Without the group's right to execute, the bit has another meaning.</summary>
    public bool IsSetGroup => (Mode & 0x408) == 0x408;

    /// <summary>Others than the owner can write to it.</summary>
    public bool IsWritableByOthers => (Mode & 0x12) != 0;

    /// <summary>Others than the owner can put files here, and remove those of anybody.</summary>
    public bool IsOpenToOthers => IsWritableByOthers && (Mode & 0x200) == 0;

    /// <param name="followLinks">Of a symbolic link, looks at its target.</param>
    /// <returns>Null if there is nothing at that path.</returns>
    /// <exception cref="PosixException">It cannot be looked at.</exception>
    public static FileStatus? Of(string path, bool followLinks = false) =>
        TryOf(path, followLinks, out var errno) ?? (errno == Errors.ENOENT ? null : throw Errors.Exception($"looking at {path}", errno));

    /// <summary>As <see cref="Of"/>, for callers to whom a file that cannot be looked at is as good as missing.</summary>
    /// <inheritdoc cref="Of" path="/param"/>
    /// <returns>Null if there is nothing at that path, or it cannot be looked at.</returns>
    public static FileStatus? TryOf(string path, bool followLinks = false) => TryOf(path, followLinks, out _);

    /// <param name="errno">With null: the reason.</param>
    /// <inheritdoc cref="TryOf(string, bool)"/>
    public static FileStatus? TryOf(string path, bool followLinks, out int errno)
    {
        errno = 0;
        if (Libc.statx(Libc.AT_FDCWD, path, followLinks ? 0 : Libc.AT_SYMLINK_NOFOLLOW, Libc.STATX_BASIC_STATS, out var status) == 0)
            return new(status.UserId, status.GroupId, status.Mode, status.Inode, (ulong)status.DeviceMajor << 32 | status.DeviceMinor);
        errno = Libc.Errno;
        return null;
    }

    /// <summary>Both are one file.</summary>
    public bool IsSameAs(FileStatus other) => Inode == other.Inode && Device == other.Device;
}
