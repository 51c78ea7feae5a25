using Tapwire.Stack;
using static Tapwire.Posix.Libc;

namespace Tapwire.Posix;

/// <summary>What is at the path at which a socket is to be made.</summary>
internal enum SocketFileState
{
    /// <summary>Nothing, or nothing any more: what was left there by a process of this user has been removed.</summary>
    Free,

    Directory,

    /// <summary>A file of another kind.</summary>
    NoSocket,

    /// <summary>A socket that somebody has open.</summary>
    InUse,

    /// <summary>A socket that nobody has open, and another user's: not even root removes it.</summary>
    LeftByAnother,

    /// <summary>A socket that this user may not connect to.</summary>
    Forbidden,
}

/// <summary>The file of an AF_UNIX socket.</summary>
internal static class UnixSocketFile
{
    public const uint OwnerOnly = 0x180;

    /// <summary>Removes the socket of a process that is gone. Take the <see cref="DirectoryLock"/> before.</summary>
    /// <param name="type">SOCK_STREAM or SOCK_DGRAM, as the socket that is to be made.</param>
    /// <param name="owner">Whose the file is.</param>
    /// <exception cref="PosixException">It cannot be looked at, or removed.</exception>
    public static SocketFileState RemoveStale(string path, int type, out uint owner)
    {
        owner = geteuid();
        if (FileStatus.Of(path) is not { } status)
            return SocketFileState.Free;
        owner = status.Owner;
        if (status.IsDirectory)
            return SocketFileState.Directory;
        if (!status.IsSocket)
            return SocketFileState.NoSocket;
        var error = Probe(new UnixAddress(path), type);
        switch (error)
        {
            case (int)StackError.ConnectionRefused when owner != geteuid():
                return SocketFileState.LeftByAnother;
            case (int)StackError.ConnectionRefused:
                if (unlink(path) != 0)
                    throw Errors.Exception($"removing {path}", Errno);
                return SocketFileState.Free;
            case Errors.ENOENT:
                return SocketFileState.Free;
            // EPROTOTYPE: somebody has a socket of another type there.
            case 0 or Errors.EAGAIN or Errors.EPROTOTYPE:
                return SocketFileState.InUse;
            case Errors.EACCES or Errors.EPERM:
                return SocketFileState.Forbidden;
            default:
                throw Errors.Exception($"connecting to {path}", error);
        }
    }

    /// <summary>Makes a socket and its file.</summary>
    /// <returns>The descriptor, non-blocking and close-on-exec.</returns>
    /// <exception cref="PosixException">It cannot be made.</exception>
    public static int Bind(string path, int type, uint mode)
    {
        var descriptor = Errors.Check(socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
        try
        {
            // Set before bind, so that the file has the mode from the beginning.
            Errors.Check(fchmod(descriptor, mode), "fchmod");
            var error = new UnixAddress(path).Bind(descriptor);
            if (error != 0)
                throw Errors.Exception($"binding {path}", error);
            // The umask may have removed rights that others need.
            if (mode != OwnerOnly)
                Errors.Check(chmod(path, mode), $"chmod {path}");
            return descriptor;
        }
        catch (PosixException)
        {
            Close(descriptor);
            throw;
        }
    }

    /// <summary>0 if somebody has a socket there, or an errno.</summary>
    private static int Probe(UnixAddress address, int type)
    {
        var probe = Errors.Check(socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
        var error = address.Connect(probe);
        Close(probe);
        return error;
    }
}

/// <summary>Keeps two processes from looking for, removing and making the file of a socket at the same time.</summary>
internal sealed class DirectoryLock : IDisposable
{
    private readonly int _descriptor;

    private DirectoryLock(int descriptor) => _descriptor = descriptor;

    /// <returns>Null: another process has it, for a moment.</returns>
    /// <exception cref="PosixException">The directory cannot be opened.</exception>
    public static DirectoryLock? TryTake(string directory)
    {
        var descriptor = Errors.Check(open(directory, O_RDONLY | O_CLOEXEC, 0), $"opening {directory}");
        if (flock(descriptor, LOCK_EX | LOCK_NB) == 0)
            return new DirectoryLock(descriptor);
        Close(descriptor);
        return null;
    }

    public void Dispose() => Close(_descriptor);
}
