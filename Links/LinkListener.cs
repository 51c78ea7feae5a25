using Tapwire.Links.Protocol;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

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

/// <summary>A driver's control socket: one that it has made, for its owner only unless others are admitted, or one that a service manager has made.</summary>
public sealed unsafe class LinkListener : WatchedDescriptor
{
    private readonly uint _owner;

    // Changes while it listens: Admit.
    private IReadOnlyCollection<uint> _users;

    // The socket's file, which Dispose removes; null if a service manager has made it.
    private readonly FileStatus? _file;

    private readonly Acceptor _acceptor;

    private LinkListener(int descriptor, string path, IReadOnlyCollection<uint> users, FileStatus? file)
        : base(descriptor)
    {
        Path = path;
        _owner = geteuid();
        _users = users;
        _file = file;
        _acceptor = new Acceptor(descriptor, OpenFileLimit.OfProcess.AdmitsSession, () => ChangeInterest(Readiness.Readable));
    }

    public string Path { get; }

    /// <summary>
    /// Opens the control socket with mode 0600. If its directory is not there, it is made with mode 0700; the directory above must be there. The socket file of
    /// a driver that is gone is replaced, if it was the same user's.
    /// </summary>
    /// <param name="users">Ids of further users who are admitted. If there are any, the file has mode 0666, a directory that is made has mode 0711, and the
    /// credentials of each client decide.</param>
    /// <exception cref="LinkListenException">Another driver listens there; or the path cannot, or must not, be used.</exception>
    public static LinkListener Listen(string path, IReadOnlyCollection<uint>? users = null)
    {
        users ??= [];
        path = FullPath(path);
        var descriptor = LinkSocketFile.Listen(path, users.Count > 0);
        return new LinkListener(descriptor, path, users, FileStatus.TryOf(path));
    }

    /// <summary>
    /// Takes over the control socket that a service manager has made and passed to this process (sd_listen_fds(3)): descriptor 3, if LISTEN_PID is this process
    /// and LISTEN_FDS at least 1. These variables are cleared, so that no child takes them for its own. The socket's file keeps its mode, and stays when the
    /// driver ends. The credentials of each client decide all the same.
    /// </summary>
    /// <param name="path">Where the driver was told to listen; empty if nowhere. It must be where the socket is.</param>
    /// <param name="users">Ids of users who are admitted beside the driver's own and root.</param>
    /// <returns>Null if no socket was passed.</returns>
    /// <exception cref="LinkListenException">What was passed is no listening AF_UNIX stream socket with a path, or not the one at <paramref name="path"/>.</exception>
    public static LinkListener? Adopt(string path, IReadOnlyCollection<uint>? users = null) =>
        PassedSocket.Take() is { } descriptor ? Adopt(descriptor, path, users) : null;

    /// <param name="descriptor">Passes to the listener; closed if it cannot be used.</param>
    internal static LinkListener Adopt(int descriptor, string path, IReadOnlyCollection<uint>? users)
    {
        try
        {
            return new LinkListener(descriptor, PassedSocket.Check(descriptor, path), users ?? [], file: null);
        }
        catch (LinkListenException)
        {
            Close(descriptor);
            throw;
        }
    }

    /// <summary>Begins to report waiting connections: call <see cref="TryAccept"/> until it returns None.</summary>
    public void Start(IReactor reactor, Action<Readiness> ready) => Watch(reactor, Readiness.Readable, ready);

    /// <summary>Accepts a waiting connection if the client runs as the driver's user, as root, or as one of the admitted users.</summary>
    /// <param name="session">With Accepted: the caller's, to be started.</param>
    /// <param name="peer">With Accepted and Refused: the client.</param>
    public AcceptResult TryAccept(out LinkSession? session, out PeerCredentials peer)
    {
        session = null;
        peer = default;
        if (_acceptor.TryAccept(null, 0, out var descriptor) is not AcceptResult.Accepted and var other)
            return other;
        peer = PeerCredentials.Of(descriptor);
        if (!IsAdmitted(peer, _owner) && !_users.Contains(peer.UserId))
        {
            Close(descriptor);
            return AcceptResult.Refused;
        }

        session = new LinkSession(descriptor, peer);
        return AcceptResult.Accepted;
    }

    /// <summary>
    /// Replaces the admitted users, from the next connection on. Also sets the file's mode, as <see cref="Listen"/> does, unless a service manager has made the
    /// file. The directory's mode stays.
    /// </summary>
    /// <exception cref="LinkListenException">The mode cannot be changed. Then nothing was changed.</exception>
    public void Admit(IReadOnlyCollection<uint> users)
    {
        if (_file is { } file && FileStatus.TryOf(Path) is { } current && current.IsSameAs(file) && chmod(Path, LinkSocketFile.ModeFor(users.Count > 0)) != 0)
            throw new LinkListenException($"The mode of the link socket '{Path}' cannot be changed: {Errors.Describe(Errno)}.");
        _users = users;
    }

    /// <summary>Closes the socket and removes its file, unless another driver has put its own in that place.</summary>
    public override void Dispose()
    {
        if (!IsClosed)
        {
            if (_file is { } file && FileStatus.TryOf(Path) is { } current && current.IsSameAs(file))
                _ = unlink(Path);
            _acceptor.Dispose();
        }

        base.Dispose();
    }

    /// <summary>
    /// Whether a client may change what the driver makes of the machine, its devices and routes: the driver's own user and root may, further users may not. Nor may a session that
    /// was made to be passed on (<see cref="SessionRequest"/>): a server that began as root hands such a one to children that must not have root's powers.
    /// </summary>
    public bool IsOperator(PeerCredentials peer) => !peer.IsPassedOn && IsAdmitted(peer, _owner);

    internal static bool IsAdmitted(PeerCredentials peer, uint owner) => peer.UserId == owner || peer.UserId == 0;

    private static string FullPath(string path)
    {
        try
        {
            return System.IO.Path.GetFullPath(path);
        }
        catch (FileNotFoundException e)
        {
            throw new LinkListenException($"The link path '{path}' is a relative one, and the current directory is gone; give one that begins with '/'.", e);
        }
    }
}
