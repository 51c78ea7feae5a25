using Tapwire.Stack;
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
    private const uint OwnerOnly = 0x180;
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
        var address = new UnixAddress(path);
        var directory = Path.GetDirectoryName(path) ?? throw new LinkListenException($"The link path '{path}' is a directory; name a file in it with --link.");
        try
        {
            PrepareDirectory(directory, forOthers);
            using var startLock = new DirectoryLock(directory);
            RemoveStale(path, address);
            return Open(path, address, ModeFor(forOthers));
        }
        catch (PosixException e)
        {
            throw new LinkListenException($"The link socket '{path}' cannot be opened: {e.Message}; {ChooseAnother}.", e);
        }
    }

    /// <summary>The mode of the socket's file.</summary>
    public static uint ModeFor(bool forOthers) => forOthers ? Everybody : OwnerOnly;

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

    private static void RemoveStale(string path, UnixAddress address)
    {
        if (FileStatus.Of(path) is not { } status)
            return;
        if (status.IsDirectory)
            throw new LinkListenException($"The link path '{path}' is a directory; name a file in it with --link.");
        if (!status.IsSocket)
            throw new LinkListenException($"'{path}' exists and is not a socket; remove it or {ChooseAnother}.");

        var error = Probe(address);
        switch (error)
        {
            case (int)StackError.ConnectionRefused when status.Owner != geteuid():
                throw new LinkListenException($"The socket '{path}' was left by {UserName.Describe(status.Owner)}, not by {UserName.Describe(geteuid())}; "
                    + $"have it removed, or {ChooseAnother}.");
            case (int)StackError.ConnectionRefused:
                if (unlink(path) != 0)
                    throw Errors.Exception($"removing {path}", Errno);
                break;
            case Errors.ENOENT:
                break;
            case 0 or Errors.EAGAIN:
                throw new LinkListenException(status.Owner == geteuid()
                    ? $"Another driver is running on '{path}'; stop it or choose another link path."
                    : $"A driver of {UserName.Describe(status.Owner)} is running on '{path}'; have it stopped, or {ChooseAnother}.");
            case Errors.EACCES or Errors.EPERM:
                throw new LinkListenException($"The socket '{path}' belongs to {UserName.Describe(status.Owner)}, not to {UserName.Describe(geteuid())}; "
                    + $"have it removed, or {ChooseAnother}.");
            default:
                throw Errors.Exception($"connecting to {path}", error);
        }
    }

    /// <summary>0 if somebody listens, or an errno.</summary>
    private static int Probe(UnixAddress address)
    {
        var probe = Errors.Check(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
        var error = address.Connect(probe);
        Close(probe);
        return error;
    }

    private static int Open(string path, UnixAddress address, uint mode)
    {
        var descriptor = Errors.Check(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
        try
        {
            // Set before bind, so that the file has the mode from the beginning.
            Errors.Check(fchmod(descriptor, mode), "fchmod");
            var error = address.Bind(descriptor);
            if (error != 0)
                throw Errors.Exception($"binding {path}", error);
            // The umask may have removed rights that others need.
            if (mode != OwnerOnly)
                Errors.Check(chmod(path, mode), $"chmod {path}");
            Errors.Check(listen(descriptor, Backlog), "listen");
            return descriptor;
        }
        catch (PosixException)
        {
            Close(descriptor);
            throw;
        }
    }

    /// <summary>Keeps two drivers from looking for, removing and making the socket file at the same time.</summary>
    private sealed class DirectoryLock : IDisposable
    {
        private readonly int _descriptor;

        public DirectoryLock(string directory)
        {
            _descriptor = Errors.Check(open(directory, O_RDONLY | O_CLOEXEC, 0), $"opening {directory}");
            if (flock(_descriptor, LOCK_EX | LOCK_NB) == 0)
                return;
            Close(_descriptor);
            throw new LinkListenException($"Another driver is just starting in '{directory}'; try again.");
        }

        public void Dispose() => Close(_descriptor);
    }
}
