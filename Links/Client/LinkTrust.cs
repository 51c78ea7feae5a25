using Tapwire.Posix;

namespace Tapwire.Links.Client;

/// <summary>
/// Whether what listens at a link's path may be told what this program does, and be given what it sends. The kernel says whose process began to listen (SO_PEERCRED):
/// root and this process's own user may. Another user's driver may, too, since that is how a system's service, or a colleague's driver whose setting
/// tapwire.link.users names this user, is reached; but only where nobody else can have put a socket in its place: each directory on the way, each symbolic
/// link and the socket itself belong to root, to this user or to that one, and nobody else may write there. Below a directory where everybody may make files
/// (/tmp) what belongs to that other user is there because he has come first, and does not count.
/// The rule is the same for a path that is found and one that is named: who names a path means the driver that he knows of, not whoever has taken its place. In a user
/// namespace all users outside look alike (65534), and are treated as one other user.
/// libtapwire.so has the same rule: Intercept/trust.c.
/// </summary>
internal static class LinkTrust
{
    // overflowuid.
    private const uint Unmapped = 65_534;

    // As the kernel has it for one path: MAXSYMLINKS.
    private const int MostLinks = 40;

    /// <param name="peer">The user whose process listens.</param>
    /// <param name="self">This process's effective and real user.</param>
    /// <returns>Null if that user is to be trusted there; or else the first file on the way that may be of anybody's making.</returns>
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
        // As the kernel goes: what is above a directory that a symbolic link has led to is above that directory.
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
