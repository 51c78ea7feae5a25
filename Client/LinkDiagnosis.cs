using System.Net.Sockets;
using System.Text;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Links.Client;

/// <summary>Why a driver cannot be reached: one line that says what is at the path, whose it is, and what to do.</summary>
internal static class LinkDiagnosis
{
    private const string NameTheSocket = "name its socket with --link";
    private const string StartOne = $"start one with 'tapwire up', or {NameTheSocket}";

    /// <summary>The error of a path that cannot be a socket's.</summary>
    /// <returns>Null if it can be.</returns>
    public static SocketException? OfPath(string path)
    {
        var length = Encoding.UTF8.GetByteCount(path);
        return length is 0 or > UnixPathMax || path.Contains('\0', StringComparison.Ordinal)
            ? new SocketException((int)SocketError.InvalidArgument,
                $"The link path '{path}' has {length} bytes; 1 to {UnixPathMax} are allowed. Name another one with --link.")
            : null;
    }

    /// <summary>connect(2) has failed.</summary>
    public static SocketException OfConnect(string path, SocketException error) =>
        new((int)CodeOf(error.SocketErrorCode), error.SocketErrorCode switch
        {
            SocketError.AccessDenied => Denied(path),
            _ => Missing(path, error),
        });

    /// <summary>.NET has no code for ENOENT, and takes one that is of no help: nobody listens there.</summary>
    private static SocketError CodeOf(SocketError code) => code == SocketError.AddressNotAvailable ? SocketError.ConnectionRefused : code;

    /// <summary>The other side has closed the connection without a hello: a driver does that to users whom it does not admit.</summary>
    /// <param name="owner">The owner of the socket's file, or else the user who listens.</param>
    public static SocketException OfClosed(string path, uint owner, uint self) => self == owner || self == 0
        ? new((int)SocketError.ConnectionReset, $"The driver at '{path}' has closed the connection at once: it is ending, or has no descriptor left; look at its log.")
        : new((int)SocketError.AccessDenied, NotAdmitted(path, owner, self));

    /// <summary>The listener is not to be trusted: <see cref="LinkTrust"/>.</summary>
    /// <param name="peer">The user who listens.</param>
    /// <param name="weakness">The file on the path that anybody may have made.</param>
    public static SocketException OfStranger(string path, uint peer, string weakness) => new((int)SocketError.AccessDenied,
        $"What listens at '{path}' is {UserName.Describe(peer)}'s, and nothing was sent to it: anybody may have put '{weakness}' there. "
        + $"Start a driver of your own with 'tapwire up', or {NameTheSocket}; a driver of another user is to be in a directory where only that user or root can write.");

    /// <summary>The owner of a file; null if that cannot be seen.</summary>
    public static uint? OwnerOf(string path) => StatusOf(path, out _)?.Owner;

    private static string Missing(string path, SocketException error)
    {
        switch (StatusOf(path, out var errno))
        {
            case null when errno == Errors.EACCES:
                return Denied(path);
            case { IsDirectory: true }:
                return $"'{path}' is a directory and no driver's socket; {NameTheSocket}.";
            case { IsSocket: false }:
                return $"'{path}' is not a socket; {NameTheSocket}.";
            case { IsSocket: true } when error.SocketErrorCode == SocketError.ConnectionRefused:
                return $"No driver answers at '{path}', where one has left its socket; {StartOne}.";
            case null:
                return $"No driver answers at '{path}'; {StartOne}.";
            default:
                return error.NativeErrorCode == Errors.EPROTOTYPE
                    ? $"What listens at '{path}' is no Tapwire driver; {NameTheSocket}."
                    : $"No driver answers at '{path}' ({Errors.Describe(error.NativeErrorCode)}); {StartOne}.";
        }
    }

    private static string Denied(string path)
    {
        if (StatusOf(path, out _) is { } status)
            return NotAdmitted(path, status.Owner, geteuid());
        var directory = FirstClosedDirectory(path);
        var owner = OwnerOf(directory) is { } user ? UserName.Describe(user) : "another user";
        return $"The directory '{directory}' of the link '{path}' belongs to {owner} and does not let {UserName.Describe(geteuid())} through: "
            + $"if a driver is there, its owner must run 'chmod a+x {directory}' and name you in its setting tapwire.link.users; or start a driver of your own with 'tapwire up', or {NameTheSocket}.";
    }

    private static string NotAdmitted(string path, uint owner, uint self) =>
        $"The driver at '{path}' belongs to {UserName.Describe(owner)} and does not admit {UserName.Describe(self)}: "
        + $"its owner must name you in its setting tapwire.link.users; or start a driver of your own with 'tapwire up', or {NameTheSocket}.";

    /// <summary>The first directory on the path that this user may not search: looking at it from inside fails.</summary>
    private static string FirstClosedDirectory(string path)
    {
        path = Path.GetFullPath(path);
        for (var end = path.IndexOf('/', 1); end > 0; end = path.IndexOf('/', end + 1))
        {
            if (StatusOf(path[..end] + "/.", out var errno) is null && errno == Errors.EACCES)
                return path[..end];
        }

        return Path.GetDirectoryName(path) ?? "/";
    }

    private static FileStatus? StatusOf(string path, out int errno) => FileStatus.TryOf(path, followLinks: true, out errno);
}
