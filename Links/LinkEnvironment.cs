using System.Globalization;
using Tapwire.Posix;

namespace Tapwire.Links;

/// <summary>
/// What a process's default link path depends on: its user, its user namespace, and whose the usual directories are. Owners are user ids as this process sees them; null:
/// there is no such directory.
/// </summary>
internal sealed record LinkEnvironment
{
    /// <summary>The inode of the user namespace that the machine starts with: PROC_USER_INIT_INO.</summary>
    public const ulong InitialNamespace = 0xEFFFFFFD;

    /// <summary>The effective user id. In a user namespace everybody may be 0.</summary>
    public required uint EffectiveUser { get; init; }

    /// <summary>What the effective user id is in the parent namespace; the same id in the initial one.</summary>
    public required uint RealUser { get; init; }

    /// <summary>The inode of this process's user namespace.</summary>
    public ulong UserNamespace { get; init; } = InitialNamespace;

    /// <summary>Whose /run is.</summary>
    public uint? RunOwner { get; init; }

    /// <summary>$XDG_RUNTIME_DIR.</summary>
    public string? RuntimeDirectory { get; init; }

    /// <summary>Whose that directory is.</summary>
    public uint? RuntimeDirectoryOwner { get; init; }

    /// <summary>Whose /run/user/REALUSER is.</summary>
    public uint? UserDirectoryOwner { get; init; }

    public bool IsInInitialNamespace => UserNamespace == InitialNamespace;

    /// <summary>Whether this process is where every id has its own meaning.</summary>
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

    /// <param name="map">As /proc/PID/uid_map has it (user_namespaces(7)): lines of the first id inside, the first id in the parent, and how many follow.</param>
    /// <returns>The id in the parent namespace; the same one if the map does not have it.</returns>
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

    /// <param name="link">What /proc/PID/ns/user names, as in "user:[4026531837]".</param>
    /// <returns>The inode; that of the initial one where namespaces are not known.</returns>
    internal static ulong NamespaceOf(string? link) =>
        link is not null && link.StartsWith("user:[", StringComparison.Ordinal) && link[^1] == ']'
        && ulong.TryParse(link.AsSpan("user:[".Length, link.Length - "user:[]".Length), NumberStyles.None, CultureInfo.InvariantCulture, out var inode)
            ? inode
            : InitialNamespace;

    /// <summary>What cannot be looked at is not ours.</summary>
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
