using System.Globalization;
using Tapwire.Posix;

namespace Tapwire.Links;

/// <summary>
/// The default path of a driver's control socket. Root's is /run/tapwire/link.sock, which the system's service has. Other users have one of their own:
/// $XDG_RUNTIME_DIR/tapwire.sock, if that directory is theirs; /run/user/UID/tapwire.sock, likewise; or else /tmp/tapwire-UID/link.sock, and in a user namespace
/// /tmp/tapwire-UID-NAMESPACE/link.sock. UID is the user's id outside that namespace, since inside everybody may be 0.
/// A driver listens at <see cref="Default"/>. An application asks <see cref="Find"/>: its user's own path or, if no socket is there or somebody else has made that
/// directory, the system's. So ordinary users reach a driver that runs as a service and admits them.
/// </summary>
public static class LinkEndpointPath
{
    /// <summary>The path of a driver that runs as root of the machine or of a container.</summary>
    public const string System = "/run/tapwire/link.sock";

    private const string FileName = "tapwire.sock";

    /// <summary>Where a driver of this process's user listens without being told.</summary>
    public static string Default => Choose(LinkEnvironment.OfThisProcess());

    /// <summary>Where an application of this process's user connects without being told: <see cref="Default"/>, or <see cref="System"/> if a socket is there and
    /// none at the former.</summary>
    public static string Find() => OwnOrSystem(Default, MayBeSocket);

    internal static string Choose(LinkEnvironment environment)
    {
        if (IsSystemsRoot(environment))
            return System;
        if (environment.RuntimeDirectory is { } runtime && Path.IsPathRooted(runtime) && environment.RuntimeDirectoryOwner == environment.EffectiveUser)
            return Path.Combine(runtime, FileName);
        if (environment.UserDirectoryOwner == environment.EffectiveUser)
            return Path.Combine(UserDirectory(environment.RealUser), FileName);
        return environment.IsInInitialNamespace
            ? string.Create(CultureInfo.InvariantCulture, $"/tmp/tapwire-{environment.RealUser}/link.sock")
            : string.Create(CultureInfo.InvariantCulture, $"/tmp/tapwire-{environment.RealUser}-{environment.UserNamespace}/link.sock");
    }

    internal static string OwnOrSystem(string own, Func<string, bool> isThere) => !isThere(own) && isThere(System) ? System : own;

    /// <summary>The directory that the system keeps for a user who has logged in.</summary>
    internal static string UserDirectory(uint realUser) => string.Create(CultureInfo.InvariantCulture, $"/run/user/{realUser}");

    /// <summary>
    /// Root of the machine, or of a container with ids of its own: /run is this root's. Under 'unshare -Ur' of an ordinary user /run shows as somebody else's. Under that
    /// of root it shows as root's, though it is the outer root's; the id map, which maps 0 to 0, tells.
    /// </summary>
    private static bool IsSystemsRoot(LinkEnvironment environment) =>
        environment is { EffectiveUser: 0, RunOwner: 0 } && (environment.IsInInitialNamespace || environment.RealUser != 0);

    /// <summary>A path that may not be looked at counts as a socket: connecting will tell whose it is.</summary>
    private static bool MayBeSocket(string path) =>
        (FileStatus.TryOf(path, followLinks: false, out var errno) is not null || errno == Errors.EACCES)
        && (path == System || !IsInForeignDirectory(path));

    /// <summary>Another user has made the directory in the place of this user's own. No driver of this user listens there, and it must not hide the system's.</summary>
    private static bool IsInForeignDirectory(string path) =>
        FileStatus.TryOf(Path.GetDirectoryName(path)!) is { Owner: var owner } && owner != 0 && owner != Libc.geteuid();
}
