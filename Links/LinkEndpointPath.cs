using System.Globalization;
using Tapwire.Wires.Posix;

namespace Tapwire.Links;

/// <summary>Where the control socket of a driver is.</summary>
public static class LinkEndpointPath
{
    /// <summary>The path that driver and applications of one user agree on without being told.</summary>
    public static string Default => Choose(Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR"), Libc.geteuid(), Directory.Exists);

    /// <summary>$XDG_RUNTIME_DIR/tapwire.sock, or /run/user/UID/tapwire.sock, or /tmp/tapwire-UID/link.sock if there is no runtime directory.</summary>
    internal static string Choose(string? runtimeDirectory, uint userId, Func<string, bool> directoryExists)
    {
        var user = userId.ToString(CultureInfo.InvariantCulture);
        if (!string.IsNullOrEmpty(runtimeDirectory) && Path.IsPathRooted(runtimeDirectory) && directoryExists(runtimeDirectory))
            return Path.Combine(runtimeDirectory, "tapwire.sock");
        var run = "/run/user/" + user;
        return directoryExists(run) ? Path.Combine(run, "tapwire.sock") : $"/tmp/tapwire-{user}/link.sock";
    }
}
