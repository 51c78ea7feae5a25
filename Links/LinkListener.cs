using Tapwire.Stack;
using Tapwire.Wires;
using Tapwire.Wires.Posix;
using static Tapwire.Wires.Posix.Libc;

namespace Tapwire.Links;

/// <summary>The control socket cannot be opened. The message says why and what to do.</summary>
public sealed class LinkListenException : IOException
{
    public LinkListenException()
    {
    }

    public LinkListenException(string message)
        : base(message)
    {
    }

    public LinkListenException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}

/// <summary>What became of a connection to the control socket.</summary>
public enum LinkAccept
{
    /// <summary>None is waiting.</summary>
    None,

    /// <summary>A session has begun.</summary>
    Accepted,

    /// <summary>It was made by another user, and has been closed.</summary>
    Refused,

    /// <summary>There is no descriptor left for it, and it has been closed.</summary>
    Exhausted,
}

/// <summary>A driver's control socket: owner-only, one per path.</summary>
public sealed unsafe class LinkListener : WatchedDescriptor
{
    private const int Backlog = 128;
    private const uint OwnerOnly = 0x180;
    private const uint Everybody = 0x1B6;
    private const uint OwnerOnlyDirectory = 0x1C0;
    private const int ENFILE = 23;

    private readonly uint _owner;
    private readonly IReadOnlyCollection<uint> _users;
    private readonly ulong _inode;

    // Given up for the moment that it takes to refuse a connection when no other descriptor is left.
    private int _spare;

    private LinkListener(int descriptor, string path, IReadOnlyCollection<uint> users)
        : base(descriptor)
    {
        Path = path;
        _owner = geteuid();
        _users = users;
        _inode = FileStatus.Of(path)?.Inode ?? 0;
        _spare = OpenSpare();
    }

    public string Path { get; }

    /// <summary>
    /// Opens the control socket with mode 0600, in a directory that is made with mode 0700 if it is not there. The socket file of a driver that is gone
    /// is replaced.
    /// </summary>
    /// <param name="users">Ids of further users who are admitted. If there are any, the file has mode 0666, and each is judged by his credentials.</param>
    /// <exception cref="LinkListenException">Another driver listens there; or the path cannot, or must not, be used.</exception>
    public static LinkListener Listen(string path, IReadOnlyCollection<uint>? users = null)
    {
        users ??= [];
        path = System.IO.Path.GetFullPath(path);
        var address = new UnixAddress(path);
        var directory = System.IO.Path.GetDirectoryName(path) ?? throw new LinkListenException($"The link path '{path}' is a directory.");
        try
        {
            PrepareDirectory(directory);
            using var startLock = new DirectoryLock(directory);
            RemoveStale(path, address);
            return new LinkListener(Open(path, address, users.Count == 0 ? OwnerOnly : Everybody), path, users);
        }
        catch (Exception e) when (e is PosixException or UnauthorizedAccessException || (e is IOException and not LinkListenException))
        {
            throw new LinkListenException($"The link socket '{path}' cannot be opened: {e.Message}", e);
        }
    }

    /// <summary>Begins to report waiting connections: call <see cref="TryAccept"/> until it returns None.</summary>
    public void Start(IReactor reactor, Action<Readiness> ready) => Watch(reactor, Readiness.Readable, ready);

    /// <summary>Takes a waiting connection, if its process runs as the driver's user, as root, or as one of the users named.</summary>
    /// <param name="session">With Accepted: the caller's, to be started.</param>
    /// <param name="peer">With Accepted and Refused: who it is.</param>
    public LinkAccept TryAccept(out LinkSession? session, out PeerCredentials peer)
    {
        session = null;
        peer = default;
        var descriptor = accept4(Descriptor, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor < 0)
            return Errno is Errors.EMFILE or ENFILE ? RefuseWithSpare() : LinkAccept.None;

        peer = PeerCredentials.Of(descriptor);
        if (!IsAdmitted(peer, _owner) && !_users.Contains(peer.UserId))
        {
            Close(descriptor);
            return LinkAccept.Refused;
        }

        session = new LinkSession(descriptor, peer);
        return LinkAccept.Accepted;
    }

    /// <summary>Closes the socket and removes its file, unless another driver has put its own in that place.</summary>
    public override void Dispose()
    {
        if (!IsClosed)
        {
            if (_inode != 0 && CurrentInode() == _inode)
                _ = unlink(Path);
            if (_spare >= 0)
                Close(_spare);
            _spare = -1;
        }

        base.Dispose();
    }

    internal static bool IsAdmitted(PeerCredentials peer, uint owner) => peer.UserId == owner || peer.UserId == 0;

    private static void PrepareDirectory(string directory)
    {
        if (!Directory.Exists(directory))
        {
            if (System.IO.Path.GetDirectoryName(directory) is { } parent)
                Directory.CreateDirectory(parent);
            if (mkdir(directory, OwnerOnlyDirectory) != 0 && Errno != Errors.EEXIST)
                throw Errors.Exception($"making {directory}", Errno);
        }

        // In a directory that is not ours, or that others can write, somebody else could put his socket in our place.
        var status = FileStatus.Of(directory);
        if (status is { IsDirectory: true } && ((status.Value.Owner != geteuid() && status.Value.Owner != 0) || status.Value.IsOpenToOthers))
            throw new LinkListenException($"The directory '{directory}' of the link socket belongs to another user or can be written by others; choose another.");
    }

    private static void RemoveStale(string path, UnixAddress address)
    {
        if (FileStatus.Of(path) is not { } status)
            return;
        if (!status.IsSocket)
            throw new LinkListenException($"'{path}' exists and is not a socket; remove it or choose another link path.");

        var probe = Errors.Check(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
        var error = address.Connect(probe);
        Close(probe);
        switch (error)
        {
            case (int)StackError.ConnectionRefused:
                if (unlink(path) != 0)
                    throw Errors.Exception($"removing {path}", Errno);
                break;
            case Errors.ENOENT:
                break;
            case 0 or Errors.EAGAIN:
                throw new LinkListenException($"Another driver is running on '{path}'; stop it or choose another link path.");
            default:
                throw Errors.Exception($"connecting to {path}", error);
        }
    }

    private static int Open(string path, UnixAddress address, uint mode)
    {
        var descriptor = Errors.Check(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
        try
        {
            // Set before bind, the mode is the file's from its first moment on.
            Errors.Check(fchmod(descriptor, mode), "fchmod");
            var error = address.Bind(descriptor);
            if (error != 0)
                throw Errors.Exception($"binding {path}", error);
            // The umask has taken from it what others are to have.
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

    private static int OpenSpare() => open("/dev/null", O_RDONLY | O_CLOEXEC, 0);

    private LinkAccept RefuseWithSpare()
    {
        if (_spare >= 0)
            Close(_spare);
        var descriptor = accept4(Descriptor, null, null, SOCK_CLOEXEC);
        if (descriptor >= 0)
            Close(descriptor);
        _spare = OpenSpare();
        return descriptor >= 0 ? LinkAccept.Exhausted : LinkAccept.None;
    }

    private ulong CurrentInode()
    {
        try
        {
            return FileStatus.Of(Path)?.Inode ?? 0;
        }
        catch (PosixException)
        {
            return 0;
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
