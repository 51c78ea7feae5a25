using System.Globalization;
using Tapwire.Posix;

namespace Tapwire.Links;

/// <summary>
/// Where the control socket of a driver is when nothing is said. Root's, as the system's service has it, is /run/tapwire/link.sock. Others have one of their own:
/// $XDG_RUNTIME_DIR/tapwire.sock, if that directory is theirs; /run/user/UID/tapwire.sock, likewise; or else /tmp/tapwire-UID/link.sock, and in a user namespace
/// /tmp/tapwire-UID-NAMESPACE/link.sock. UID is what the user is outside that namespace, since inside everybody may be 0.
/// A driver listens at <see cref="Default"/>. An application asks <see cref="Find"/>: its user's own path first and, if no socket is there, or somebody
/// else has made that directory, the system's, so that ordinary users reach a driver that runs as a service and admits them.
/// </summary>
public static class LinkEndpointPath
{
    /// <summary>The path of a driver that runs as root in the machine's, or the container's, own right.</summary>
    public const string System = "/run/tapwire/link.sock";

    private const string FileName = "tapwire.sock";

    /// <summary>Where a driver of this process's user listens without being told.</summary>
    public static string Default => Choose(LinkFacts.OfThisProcess());

    /// <summary>Where an application of this process's user connects without being told: <see cref="Default"/>, or <see cref="System"/> if a socket is there and
    /// none at the former.</summary>
    public static string Find() => Nearest(Default, MayBeADriver);

    internal static string Choose(LinkFacts facts)
    {
        if (IsSystemsRoot(facts))
            return System;
        if (facts.RuntimeDirectory is { } runtime && Path.IsPathRooted(runtime) && facts.RuntimeDirectoryOwner == facts.EffectiveUser)
            return Path.Combine(runtime, FileName);
        if (facts.UserDirectoryOwner == facts.EffectiveUser)
            return Path.Combine(UserDirectory(facts.RealUser), FileName);
        return facts.IsInInitialNamespace
            ? string.Create(CultureInfo.InvariantCulture, $"/tmp/tapwire-{facts.RealUser}/link.sock")
            : string.Create(CultureInfo.InvariantCulture, $"/tmp/tapwire-{facts.RealUser}-{facts.UserNamespace}/link.sock");
    }

    internal static string Nearest(string own, Func<string, bool> isThere) => !isThere(own) && isThere(System) ? System : own;

    /// <summary>The directory that the system keeps for a user who has logged in.</summary>
    internal static string UserDirectory(uint realUser) => string.Create(CultureInfo.InvariantCulture, $"/run/user/{realUser}");

    /// <summary>
    /// Root whose own /run it is: the machine's, or that of a container with ids of its own. In 'unshare -Ur' of an ordinary user /run shows as somebody else's.
    /// In that of root it shows as root's and is that of the root outside; the map gives it away, which has 0 as 0.
    /// </summary>
    private static bool IsSystemsRoot(LinkFacts facts) =>
        facts is { EffectiveUser: 0, RunOwner: 0 } && (facts.IsInInitialNamespace || facts.RealUser != 0);

    /// <summary>What may not be looked at may be a socket: connecting will tell whose it is.</summary>
    private static bool MayBeADriver(string path) =>
        (FileStatus.TryOf(path, followLinks: false, out var errno) is not null || errno == Errors.EACCES)
        && (path == System || !IsInStrangeDirectory(path));

    /// <summary>A directory that another user has made in the place of this user's own, which no driver of this user's listens in, hides the system's driver from nobody.</summary>
    private static bool IsInStrangeDirectory(string path) =>
        FileStatus.TryOf(Path.GetDirectoryName(path)!) is { Owner: var owner } && owner != 0 && owner != Libc.geteuid();
}
