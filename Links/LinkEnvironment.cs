using System.Globalization;
using Tapwire.Posix;

namespace Tapwire.Links;

/// <summary>
/// What a process's default link path depends on: its user, its user namespace, and whose the usual directories are. Owners are user ids as this process sees them; null:
/// there is no such directory.
/// </summary>
internal sealed record LinkEnvironment
{
    /// <summary>The inode of the initial user namespace: PROC_USER_INIT_INO.</summary>
    public const ulong InitialNamespace = 0xEFFFFFFD;

    /// <summary>The effective user id. In a user namespace everybody may be 0.</summary>
    public required uint EffectiveUser { get; init; }

    /// <summary>The effective user id as the parent namespace has it. In the initial namespace the same id.</summary>
    public required uint RealUser { get; init; }

    /// <summary>The inode of this process's user namespace.</summary>
    public ulong UserNamespace { get; init; } = InitialNamespace;

    /// <summary>The owner of /run.</summary>
    public uint? RunOwner { get; init; }

    /// <summary>$XDG_RUNTIME_DIR.</summary>
    public string? RuntimeDirectory { get; init; }

    /// <summary>The owner of that directory.</summary>
    public uint? RuntimeDirectoryOwner { get; init; }

    /// <summary>The owner of /run/user/REALUSER.</summary>
    public uint? UserDirectoryOwner { get; init; }

    public bool IsInInitialNamespace => UserNamespace == InitialNamespace;

    /// <summary>Whether this process is in the initial user namespace, where every id has its own meaning.</summary>
    public static bool IsUserNamespaceInitial => NamespaceOf(LinkTarget("/proc/self/ns/user")) == InitialNamespace;

    public static LinkEnvironment OfThisProcess()
    {
        var user = Libc.geteuid();
        var real = RealUserOf(user, ProcFile.Text("/proc/self/uid_map"));
        var runtime = Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR");
        return new LinkEnvironment
        {
            EffectiveUser = user,
            RealUser = real,
            UserNamespace = NamespaceOf(LinkTarget("/proc/self/ns/user")),
            RunOwner = OwnerOf("/run"),
            RuntimeDirectory = runtime,
            RuntimeDirectoryOwner = string.IsNullOrEmpty(runtime) ? null : OwnerOf(runtime),
            UserDirectoryOwner = OwnerOf(LinkEndpointPath.UserDirectory(real)),
        };
    }

    /// <param name="map">The text of /proc/PID/uid_map (user_namespaces(7)). A line has the first id inside, the first id in the parent, and the count.</param>
    /// <returns>The id in the parent namespace; the same id if the map does not have it.</returns>
    internal static uint RealUserOf(uint user, string map)
    {
        foreach (var line in map.Split('\n'))
        {
            if (line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is [var inside, var outside, var count]
                && uint.TryParse(inside, NumberStyles.None, CultureInfo.InvariantCulture, out var first)
                && uint.TryParse(outside, NumberStyles.None, CultureInfo.InvariantCulture, out var mapped)
                && uint.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var length)
                && user >= first && user - first < length)
                return mapped + (user - first);
        }

        return user;
    }

    /// <param name="link">The target of /proc/PID/ns/user, as in "user:[4026531837]".</param>
    /// <returns>The inode; the initial namespace's if the link cannot be read.</returns>
    internal static ulong NamespaceOf(string? link) =>
        link is not null && link.StartsWith("user:[", StringComparison.Ordinal) && link[^1] == ']'
        && ulong.TryParse(link.AsSpan("user:[".Length, link.Length - "user:[]".Length), NumberStyles.None, CultureInfo.InvariantCulture, out var inode)
            ? inode
            : InitialNamespace;

    /// <summary>Null also if the directory cannot be looked at: then it is not this user's.</summary>
    private static uint? OwnerOf(string directory) => FileStatus.TryOf(directory, followLinks: true) is { IsDirectory: true } status ? status.Owner : null;

    private static string? LinkTarget(string file)
    {
        try
        {
            return new FileInfo(file).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
