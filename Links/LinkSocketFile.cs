using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Links;

/// <summary>
/// The file of a control socket, and its directory. Anybody who could put a socket there could impersonate the driver. So files and directories of other users
/// are neither used nor removed, not even by root.
/// </summary>
internal static class LinkSocketFile
{
    private const int Backlog = 128;
    private const uint Everybody = 0x1B6;
    private const uint OwnerOnlyDirectory = 0x1C0;
    private const uint PassableDirectory = 0x1C9;
    private const string ChooseAnother = "choose another path with --link";

    /// <summary>
    /// Opens a listening socket at the path. A missing directory is made, its parents are not. The socket file of a driver that is gone is replaced.
    /// </summary>
    /// <param name="path">Absolute.</param>
    /// <param name="forOthers">Other users may connect: file and new directory have modes 0666 and 0711 instead of 0600 and 0700.</param>
    /// <returns>The descriptor, non-blocking and close-on-exec.</returns>
    /// <exception cref="LinkListenException">Another driver listens there; or the path cannot, or must not, be used.</exception>
    public static int Listen(string path, bool forOthers)
    {
        if (!UnixAddress.Fits(path, out var length))
            throw new LinkListenException($"The link path '{path}' has {length} bytes; 1 to {UnixPathMax} are allowed. Choose another with --link.");
        var directory = Path.GetDirectoryName(path) ?? throw new LinkListenException($"The link path '{path}' is a directory; name a file in it with --link.");
        try
        {
            PrepareDirectory(directory, forOthers);
            using var startLock = DirectoryLock.TryTake(directory) ?? throw new LinkListenException($"Another driver is just starting in '{directory}'; try again.");
            RemoveStale(path);
            return Open(path, ModeFor(forOthers));
        }
        catch (PosixException e)
        {
            throw new LinkListenException($"The link socket '{path}' cannot be opened: {e.Message}; {ChooseAnother}.", e);
        }
    }

    /// <summary>The mode of the socket's file.</summary>
    public static uint ModeFor(bool forOthers) => forOthers ? Everybody : UnixSocketFile.OwnerOnly;

    private static void PrepareDirectory(string directory, bool forOthers)
    {
        if (FileStatus.Of(directory) is null)
            Make(directory, forOthers);
        if (FileStatus.Of(directory) is not { } status)
            return;
        CheckOwner(directory, status);
        // A symbolic link of this user may lead anywhere: its target is checked as well.
        if (status.IsSymbolicLink && FileStatus.Of(directory, followLinks: true) is { } target)
            CheckOwner(directory, status = target);
        if (!status.IsDirectory)
            throw new LinkListenException($"'{directory}', where the link socket is to be, is not a directory; {ChooseAnother}.");
        if (status.IsOpenToOthers)
            throw new LinkListenException($"The directory '{directory}' of the link socket can be written by others; run 'chmod go-w {directory}', or {ChooseAnother}.");
    }

    private static void CheckOwner(string directory, FileStatus status)
    {
        if (status.Owner != geteuid() && status.Owner != 0)
        {
            throw new LinkListenException($"The directory '{directory}' of the link socket belongs to {UserName.Describe(status.Owner)}, not to "
                + $"{UserName.Describe(geteuid())}; have it removed, or {ChooseAnother}.");
        }
    }

    private static void Make(string directory, bool forOthers)
    {
        if (mkdir(directory, OwnerOnlyDirectory) != 0)
        {
            if (Errno == Errors.EEXIST)
                return;
            throw Errno == Errors.ENOENT
                ? new LinkListenException($"The directory '{Path.GetDirectoryName(directory)}' is not there, "
                    + $"and '{directory}' for the link socket is not made without it; make it, or {ChooseAnother}.")
                : Errors.Exception($"making {directory}", Errno);
        }

        // The umask may have removed rights that others need.
        if (forOthers && chmod(directory, PassableDirectory) != 0)
            throw Errors.Exception($"chmod {directory}", Errno);
    }

    private static void RemoveStale(string path)
    {
        var state = UnixSocketFile.RemoveStale(path, SOCK_STREAM, out var owner);
        if (state != SocketFileState.Free)
        {
            throw new LinkListenException(state switch
            {
                SocketFileState.Directory => $"The link path '{path}' is a directory; name a file in it with --link.",
                SocketFileState.NoSocket => $"'{path}' exists and is not a socket; remove it or {ChooseAnother}.",
                SocketFileState.LeftByAnother => $"The socket '{path}' was left by {UserName.Describe(owner)}, not by {UserName.Describe(geteuid())}; have it removed, or {ChooseAnother}.",
                SocketFileState.InUse when owner == geteuid() => $"Another driver is running on '{path}'; stop it or choose another link path.",
                SocketFileState.InUse => $"A driver of {UserName.Describe(owner)} is running on '{path}'; have it stopped, or {ChooseAnother}.",
                _ => $"The socket '{path}' belongs to {UserName.Describe(owner)}, not to {UserName.Describe(geteuid())}; have it removed, or {ChooseAnother}.",
            });
        }
    }

    private static int Open(string path, uint mode)
    {
        var descriptor = UnixSocketFile.Bind(path, SOCK_STREAM, mode);
        if (listen(descriptor, Backlog) == 0)
            return descriptor;
        var errno = Errno;
        Close(descriptor);
        throw Errors.Exception("listen", errno);
    }
}
