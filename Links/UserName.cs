using System.Globalization;
using System.Runtime.InteropServices;
using Tapwire.Posix;

namespace Tapwire.Links;

/// <summary>Names users in messages to people.</summary>
internal static unsafe class UserName
{
    // overflowuid: the id that the kernel shows for users without a counterpart in this user namespace.
    private const uint Unmapped = 65_534;

    private const int EntrySize = 64;
    private const int TextSize = 4096;

    /// <summary>"root", "alice (user 1000)", or "user 1000" where the name is not known.</summary>
    public static string Describe(uint user)
    {
        if (user == Unmapped && !LinkEnvironment.IsUserNamespaceInitial)
            return "somebody outside this user namespace";
        if (user == 0)
            return "root";
        var number = user.ToString(CultureInfo.InvariantCulture);
        return Lookup(user) is { } name ? $"{name} (user {number})" : $"user {number}";
    }

    private static string? Lookup(uint user)
    {
        var entry = stackalloc byte[EntrySize];
        var text = stackalloc byte[TextSize];
        Libc.PasswordEntry* found;
        return Libc.getpwuid_r(user, entry, text, TextSize, &found) == 0 && found != null ? Marshal.PtrToStringUTF8((nint)found->Name) : null;
    }
}
