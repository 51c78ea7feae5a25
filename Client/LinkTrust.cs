using Tapwire.Posix;

namespace Tapwire.Links.Client;

/// <summary>
/// Decides whether the listener at a link's path is to be trusted with this program's traffic. The kernel says whose process began to listen (SO_PEERCRED). Root
/// and this process's own user are trusted. Another user is, too, since that is how a system's service is reached, or a colleague's driver whose setting
/// tapwire.link.users names this user; but only if nobody else can have put a socket in its place. For that each directory on the path, each symbolic link and
/// the socket itself must belong to root, to this user or to that one, and nobody else may write there. A file of that other user below a directory where
/// everybody may make files (/tmp) does not count: he may only have been the first to make it. The rule holds for a default path and for one that is named: who
/// names a path means the driver that he knows of, not whoever has taken its place. In a user namespace all users outside look alike (65534), and are treated as
/// one other user. libtapwire.so has the same rule: Intercept/trust.c.
/// </summary>
internal static class LinkTrust
{
    // overflowuid.
    private const uint Unmapped = 65_534;

    // MAXSYMLINKS, the kernel's limit for one path.
    private const int MostLinks = 40;

    /// <param name="peer">The user whose process listens.</param>
    /// <param name="self">This process's effective and real user.</param>
    /// <returns>Null if that user is to be trusted there; or else the first file on the path that anybody may have made.</returns>
    public static string? Weakness(string path, uint peer, (uint Effective, uint Real) self)
    {
        var ownNamespace = LinkEnvironment.IsUserNamespaceInitial;
        return peer == 0 || IsSelf(peer) ? null : FirstWeakness(path, user => user == 0 || IsSelf(user), peer);

        bool IsSelf(uint user) => (user == self.Effective || user == self.Real) && (user != Unmapped || ownNamespace);
    }

    private static string? FirstWeakness(string path, Func<uint, bool> isOurs, uint peer)
    {
        var directory = "/";
        var links = 0;
        var rest = new Stack<string>();
        // As in the kernel, ".." behind a symbolic link is the parent of the link's target.
        Push(Path.IsPathRooted(path) ? path : Path.Combine(Environment.CurrentDirectory, path));
        while (rest.TryPop(out var name))
        {
            if (name == "..")
            {
                directory = Path.GetDirectoryName(directory) ?? "/";
                continue;
            }

            if (FileStatus.TryOf(directory) is not { IsDirectory: true, IsOpenToOthers: false } above)
                return directory;
            var entry = Path.Combine(directory, name);
            if (FileStatus.TryOf(entry) is not { } status || !(isOurs(status.Owner) || (status.Owner == peer && !above.IsWritableByOthers)))
                return entry;
            if (!status.IsSymbolicLink)
                directory = entry;
            else if (++links > MostLinks || TargetOf(entry) is not { Length: > 0 } target)
                return entry;
            else
                Follow(target);
        }

        return null;

        void Push(string names)
        {
            foreach (var name in names.Split('/').Reverse().Where(static name => name is not ("" or ".")))
                rest.Push(name);
        }

        void Follow(string target)
        {
            if (target[0] == '/')
                directory = "/";
            Push(target);
        }
    }

    private static string? TargetOf(string link)
    {
        try
        {
            return new FileInfo(link).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
