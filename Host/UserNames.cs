using System.Globalization;
using System.Runtime.InteropServices;
using Tapwire.Actors.Settings;
using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>Looks up users by name in the system's user database.</summary>
internal static unsafe class UserNames
{
    /// <exception cref="SettingsException">No user has this name.</exception>
    public static IReadOnlyCollection<uint> Resolve(IReadOnlyList<string> users) => [.. users.Select(Resolve)];

    private static uint Resolve(string user)
    {
        if (uint.TryParse(user, NumberStyles.None, CultureInfo.InvariantCulture, out var id))
            return id;
        var name = Marshal.StringToCoTaskMemUTF8(user);
        try
        {
            var entry = Libc.getpwnam((byte*)name);
            return entry != null ? entry->UserId : throw new SettingsException($"tapwire.link.users has \"{user}\", and there is no such user.");
        }
        finally
        {
            Marshal.FreeCoTaskMem(name);
        }
    }
}
